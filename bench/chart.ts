/**
 * The README's chart, an SVG: how many times as long others take, on a logarithmic axis. A bar to the right of the line at 1
 * is a peer that wasmgrad is faster than, one to the left a peer that is faster. It brings its own background, for pages
 * of either colour scheme, and is narrow, since telephones shrink it.
 */
import type { Row } from './measure';
import type { Results } from './run';

/** What is shown of all the rows, and how it is called. */
const shown: { workload: string; threads: number; title: string }[] = [
  { workload: 'W1', threads: 1, title: 'Step 10→2, batch 512, SGD' },
  { workload: 'W2', threads: 1, title: 'Step 784-128-10, batch 64, Adam' },
  { workload: 'W2', threads: 2, title: 'The same on two threads' },
  { workload: 'W2b', threads: 1, title: 'Step 784-512-512-10, batch 128, Adam' },
  { workload: 'W2b', threads: 2, title: 'The same on two threads' },
  { workload: 'W3 512×512×512 NN', threads: 1, title: 'Matrix product 512×512×512' },
  { workload: 'W7 exp', threads: 1, title: 'exp of 4,000,000 numbers' },
  { workload: 'cold start', threads: 1, title: 'A page’s first step of 784-128-10' },
];

const colours: Record<string, string> = {
  numpy: '#3d85c6',
  PyTorch: '#e2603b',
  'jax-js': '#8a63d2',
  tfjs: '#e0a100',
};

const HEADING = 'How many times as long others take';
/** Marks peers that are kept to what most processors have, and those that are not as they come. */
const LIMITED = 'AVX2';
const TUNED = 'tuned';
const isVariant = (peer: string) => peer.includes(LIMITED) || peer.includes(TUNED);

const WIDTH = 440;
const NAMES = 104;
/** Between them lie the bars; numbers stand outside. */
const [LEFT, RIGHT] = [NAMES + 44, WIDTH - 44];
const [BAR, TITLE, GAP] = [15, 20, 14];
const HEAD = 82;

const style = `
  text { font: 12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif; fill: #24292f }
  .title { font-size: 17px; font-weight: 600 } .group { font-weight: 600 } .soft { fill: #57606a; font-size: 11px }
  .value { paint-order: stroke; stroke: #ffffff; stroke-width: 3px } .hollow { fill: #ffffff }
  .card { fill: #ffffff; stroke: #d0d7de } .grid { stroke: #d8dee4 } .one { stroke: #24292f; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .soft { fill: #9198a1 } .card { fill: #0d1117; stroke: #30363d }
    .value { stroke: #0d1117 } .hollow { fill: #0d1117 } .grid { stroke: #262c36 } .one { stroke: #e6edf3 }
  }`;

export function chart({ machine, date, peers, rows }: Results): string {
  const groups = shown.flatMap(({ workload, threads, title }) => {
    const row = rows.find((row) => row.workload === workload && row.threads === threads);
    return row && Object.keys(row.ratios).length > 0 ? [{ title, row }] : [];
  });
  const axis = logarithmic(groups.flatMap(({ row }) => Object.values(row.ratios)));
  let y = HEAD;
  const bars = groups.map(({ title, row }) => {
    const top = y;
    y += TITLE + BAR * Object.keys(row.ratios).length + GAP;
    return group(title, row, top, axis);
  });
  const [hardware, engines] = machine.split('; ');
  const notes = [
    ...(peers.some((peer) => peer.includes(LIMITED))
      ? [`${TUNED}: its allocator keeps its memory; ${LIMITED}: so, and with vectors of 256 bits only`]
      : []),
    ...wrapped([hardware!, date.slice(0, 10), engines!, ...peers.filter((peer) => !isVariant(peer))], 66),
  ];
  const height = y + 16 * notes.length + 12;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="560" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${HEADING}">`,
    `<style>${style}\n</style>`,
    `<rect class="card" x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>`,
    text(14, 27, HEADING, 'class="title"'),
    text(14, 46, 'Right of 1×, wasmgrad is faster; left of it, the other. Logarithmic.', 'class="soft"'),
    ...axis.ticks.map((tick) => text(axis.at(tick), HEAD - 8, `${tick}×`, 'class="soft" text-anchor="middle"')),
    ...bars,
    ...notes.map((note, i) => text(14, y + 10 + 16 * i, note, 'class="soft"')),
    '</svg>\n',
  ].join('\n');
}

/** A workload's title with our own time, and below it a bar for each peer. */
function group(title: string, { seconds, ratios }: Row, top: number, { at, ticks }: Axis): string {
  const [from, to] = [top + TITLE, top + TITLE + BAR * Object.keys(ratios).length];
  const lines = ticks.map(
    (tick) => `<path class="${tick === 1 ? 'one' : 'grid'}" d="M${at(tick)} ${from - 2}V${to}"/>`,
  );
  const bars = Object.entries(ratios).map(([name, ratio], i) => {
    const y = from + BAR * i;
    const [one, end] = [at(1), at(ratio)];
    const width = Math.max(1, Math.abs(end - one)).toFixed(1);
    const colour = colours[name.split(' (')[0]!];
    // Hollow: less than the peer can do.
    const look = name.includes(LIMITED) ? `class="hollow" stroke="${colour}"` : `fill="${colour}" stroke="${colour}"`;
    return [
      text(14, y + 10, name),
      `<rect x="${Math.min(one, end)}" y="${y + 0.5}" width="${width}" height="${BAR - 5}" rx="1.5" ${look}/>`,
      ratio < 1
        ? text(end - 5, y + 10, ratio.toFixed(2), 'class="value" text-anchor="end"')
        : text(end + 5, y + 10, ratio.toFixed(ratio < 9.95 ? 1 : 0), 'class="value"'),
    ].join('');
  });
  return [
    text(14, top + 13, title, 'class="group"'),
    text(WIDTH - 14, top + 13, `wasmgrad ${time(seconds)}`, 'class="soft" text-anchor="end"'),
    ...lines,
    ...bars,
  ].join('\n');
}

const text = (x: number, y: number, content: string, attributes = '') =>
  `<text x="${x}" y="${y}" ${attributes}>${content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;

interface Axis {
  at(ratio: number): number;
  ticks: number[];
}

/** An axis over all ratios and 1, with the round numbers within. */
function logarithmic(ratios: number[]): Axis {
  const [low, high] = [Math.log(Math.min(1, ...ratios)), Math.log(Math.max(1, ...ratios))];
  const at = (ratio: number) =>
    Math.round((LEFT + ((Math.log(ratio) - low) / (high - low || 1)) * (RIGHT - LEFT)) * 10) / 10;
  const round = [0.01, 0.1, 1, 10, 100].flatMap((power) => [power, 2 * power, 5 * power]);
  return { at, ticks: round.filter((tick) => Math.log(tick) >= low && Math.log(tick) <= high) };
}

function time(seconds: number): string {
  const [scaled, unit] = seconds < 1e-3 ? [seconds * 1e6, 'µs'] : [seconds * 1e3, 'ms'];
  return `${scaled < 99.5 ? Number(scaled.toPrecision(2)) : scaled.toFixed(0)} ${unit}`;
}

/** Joined by commas, in lines of so many characters. */
function wrapped(words: string[], length: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + word.length + 2 <= length) lines[lines.length - 1] = `${line}, ${word}`;
    else lines.push(word);
  }
  return lines;
}
