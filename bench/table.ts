/** Results for reading: a table in Markdown, its columns aligned. */
import type { Row } from './measure';

export function table(rows: Row[]): string {
  const peers = [...new Set(rows.flatMap(({ ratios }) => Object.keys(ratios)))];
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

function speedOf({ speed, seconds, spread }: Row): string {
  if (!speed) {
    const [unit, scale] = seconds < 0.1 ? ['µs', 1e6] : ['ms', 1e3];
    const scaled = (time: number) => (time * scale).toFixed(seconds < 1e-4 ? 1 : 0);
    return `${scaled(seconds)} ${unit} (${spread.map(scaled).join('–')})`;
  }
  const giga = (time: number) => ((speed.ours * seconds) / time / 1e9).toFixed(1);
  const [fast, slow] = spread;
  return `${giga(seconds)} ${speed.unit === 'FLOP' ? 'GFLOP/s' : 'GB/s'} (${giga(slow)}–${giga(fast)})`;
}
