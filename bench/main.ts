/**
 * The benchmarks: `npm run bench`, or `npm run bench -- W2 W3` for some of them. bench/README.md says what is measured.
 * Writes a table, and all of it as build/bench.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Contender, local, race, ratio, sink, type Timing } from './harness';
import { instantiatePeak, peakFlop } from './peak';
import { type Peer, startPeers } from './peers';
import { type Workload, workloads } from './workloads';

const OURS = 'wasmgrad';
const LIMIT = 'limit';

/** What no program of ours can beat, in the unit of the workload's work. */
interface Limit {
  amount: number;
  contender: Contender;
}

function limits(): Record<'FLOP' | 'byte', Limit> {
  const loop = instantiatePeak();
  const turns = 10_000;
  const source = new Float32Array(4_000_000).fill(1);
  const target = new Float32Array(source.length);
  return {
    FLOP: { amount: peakFlop(turns), contender: local(LIMIT, 1, () => loop(turns, 0.5, 1)) },
    byte: {
      amount: source.byteLength + target.byteLength,
      contender: local(LIMIT, 1, () => {
        target.set(source);
        return target[0]!;
      }),
    },
  };
}

const groupOf = ({ name }: Workload) => name.split(' ')[0]!;

interface Row {
  workload: string;
  threads: number;
  /** Seconds a call: median and quartiles. */
  seconds: number;
  spread: [number, number];
  /** Per second, in the unit. */
  speed: { unit: 'FLOP' | 'byte'; ours: number; limit: number } | null;
  /** Our speed over the limit's, on one thread. */
  ofLimit: number | null;
  /** How many times faster than on one thread. */
  speedup: number | null;
  /** A peer's time over ours. */
  ratios: Record<string, number>;
  timings: Timing[];
}

/** tfjs's products of transposed matrices take seconds: they show in its steps, and would fill the hour here. */
const isIn = ({ name, threads }: Peer, workload: Workload) =>
  workload.threads.includes(threads) && !(name === 'tfjs' && groupOf(workload) === 'W3');

async function measure(workload: Workload, peers: Peer[], limit: Limit | null): Promise<Row[]> {
  const prepared = workload.threads.map((threads) => ({ threads, ...workload.prepare(threads) }));
  const contenders = [
    ...prepared.map(({ threads, call }) => local(OURS, threads, call)),
    ...peers.filter((peer) => isIn(peer, workload)).map((peer) => peer.contender(workload.name)),
  ];
  await checkAgreement(workload.name, contenders);
  const timings = await race(limit ? [limit.contender, ...contenders] : contenders);
  for (const { release } of prepared) release();
  const own = timings.filter(({ name }) => name === OURS);
  const bound = timings.find(({ name }) => name === LIMIT);
  return own.map((timing) => {
    const { threads, median, spread } = timing;
    const { work } = workload;
    const ofLimit = work && limit && threads === 1 ? (work.amount / limit.amount) * ratio(bound!, timing) : null;
    // Twice: a pass that only reads may beat a copy.
    if (ofLimit && ofLimit > 2) throw new Error(`${workload.name} takes ${median} s: it cannot have been computed`);
    const others = timings.filter(({ name, threads }) => name !== OURS && name !== LIMIT && threads === timing.threads);
    return {
      workload: workload.name,
      threads,
      seconds: median,
      spread,
      speed: work && limit && { unit: work.unit, ours: work.amount / median, limit: limit.amount / bound!.median },
      ofLimit,
      speedup: threads > 1 ? ratio(own[0]!, timing) : null,
      ratios: Object.fromEntries(others.map((other) => [other.name, ratio(other, timing)])),
      timings,
    };
  });
}

/** All contenders compute the same: the loss of the first steps, or the first element. */
async function checkAgreement(workload: string, contenders: Contender[]): Promise<void> {
  for (let i = 0; i < 5; i++) {
    let expected: number | null = null;
    for (const { name, sample } of contenders) {
      const { value } = await sample(1);
      expected ??= value;
      if (!(Math.abs(value - expected) <= 1e-4 * (1 + Math.abs(expected)))) {
        throw new Error(`${workload}: ${name} computes ${value} in call ${i}, and ${contenders[0]!.name} ${expected}`);
      }
    }
  }
}

function machine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const { node, v8 } = process.versions;
  return `${cpu?.model ?? process.arch}, ${availableParallelism()} cores, ${memory} GiB, ${process.platform}; Node ${node}, V8 ${v8}`;
}

function speedOf({ speed, seconds, spread }: Row): string {
  if (!speed) {
    const micro = (time: number) => (time * 1e6).toFixed(seconds < 1e-4 ? 1 : 0);
    return `${micro(seconds)} µs (${spread.map(micro).join('–')})`;
  }
  const giga = (time: number) => ((speed.ours * seconds) / time / 1e9).toFixed(1);
  const [fast, slow] = spread;
  return `${giga(seconds)} ${speed.unit === 'FLOP' ? 'GFLOP/s' : 'GB/s'} (${giga(slow)}–${giga(fast)})`;
}

/** A table in Markdown, its columns aligned. */
function table(rows: Row[], peers: string[]): string {
  const number = (value: number | null | undefined) => value?.toFixed(2) ?? '';
  const lines = [
    [
      'workload',
      'threads',
      'wasmgrad (quartiles)',
      'of the limit',
      'against 1 thread',
      ...peers.map((x) => `${x} ÷ ours`),
    ],
    ...rows.map((row) => [
      row.workload,
      String(row.threads),
      speedOf(row),
      number(row.ofLimit),
      number(row.speedup),
      ...peers.map((peer) => number(row.ratios[peer])),
    ]),
  ];
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const text = lines.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`);
  text.splice(1, 0, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`);
  return text.join('\n');
}

const wanted = process.argv.slice(2);
const groups = [...new Set(workloads.map(groupOf))];
const unknown = wanted.filter((group) => !groups.includes(group));
if (unknown.length > 0) {
  console.error(`there is no workload ${unknown.join(', ')}; there are ${groups.join(', ')}.`);
  process.exit(1);
}
const chosen = workloads.filter((workload) => wanted.length === 0 || wanted.includes(groupOf(workload)));

console.log(machine());
const { peers, absent } = await startPeers();
const names = [...new Set(peers.map(({ name }) => name))];
const versions = names.map((name) => `${name} ${peers.find((peer) => peer.name === name)!.version}`);
if (versions.length > 0) console.log(`beside it: ${versions.join(', ')}`);
for (const sentence of absent) console.log(sentence);

const bounds = limits();
const rows: Row[] = [];
for (const [i, workload] of chosen.entries()) {
  process.stderr.write(`\r\x1b[K${i + 1}/${chosen.length} ${workload.name}`);
  rows.push(...(await measure(workload, peers, workload.work && bounds[workload.work.unit])));
}
process.stderr.write('\r\x1b[K');
for (const peer of peers) peer.stop();

const limitOf = (unit: 'FLOP' | 'byte') => {
  const speeds = rows.flatMap(({ speed }) => (speed?.unit === unit ? [speed.limit / 1e9] : [])).sort((a, b) => a - b);
  return speeds[speeds.length >> 1];
};
const [loop, copy] = [limitOf('FLOP'), limitOf('byte')];
if (loop) console.log(`limit: ${loop.toFixed(1)} GFLOP/s, a loop that multiplies and adds in registers`);
if (copy) console.log(`limit: ${copy.toFixed(1)} GB/s, read and written, a copy of 4,000,000 floats`);
console.log(`\n${table(rows, names)}`);

const results = { machine: machine(), date: new Date().toISOString(), peers: versions, absent, rows, sink: sink.value };
const build = fileURLToPath(new URL('../build', import.meta.url));
mkdirSync(build, { recursive: true });
writeFileSync(`${build}/bench.json`, `${JSON.stringify(results, null, 1)}\n`);
