// Writes README.md's table of ops from their definitions: `node tools/run.mjs tools/ops-table.ts`. A test fails when it is stale.
import '../src/f64';
import '../src/index';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DType } from '../src/dtype';
import { ops } from '../src/graph/define-op';
import type { Op } from '../src/graph/op';

const DTYPES: readonly DType[] = ['f32', 'f64', 'i32', 'u8', 'bool'];
const START = '<!-- ops: made by tools/ops-table.ts -->';
const END = '<!-- end of ops -->';

/** Options with which any op's shape rule can be asked about operands of shape [2, 2, 2]. */
const SHAPE = [2, 2, 2];
const OPTIONS = {
  axes: [0],
  axis: 0,
  dtype: 'f32',
  exponent: 1,
  groups: 1,
  kernel: [1, 1],
  log: false,
  n: 2,
  order: [0, 1, 2],
  ranges: SHAPE.map((count) => ({ start: 0, step: 1, count })),
  shape: SHAPE,
  size: [1, 1],
};

function accepts(op: Op, dtypes: DType[]): boolean {
  try {
    op.shape?.(
      dtypes.map((dtype) => ({ shape: SHAPE, dtype })),
      OPTIONS,
    );
    return true;
  } catch {
    return false;
  }
}

/** Whether the shape rule takes operands of a dtype: alone, in front of an index, or behind a condition if it looks there. */
function takes(op: Op, dtype: DType): boolean {
  const conditional = !accepts(op, ['bool', 'f32', 'i32']) && accepts(op, ['bool', dtype, dtype]);
  return accepts(op, Array(6).fill(dtype)) || accepts(op, [dtype, 'i32']) || conditional;
}

function dtypesOf(op: Op): string {
  if (op.impure) return '–';
  const taken = DTYPES.filter((dtype) => takes(op, dtype));
  return taken.length === DTYPES.length ? 'all' : taken.join(', ');
}

/** The table in Markdown, a line an op, by name. */
export function opsTable(): string {
  const rows = [...ops.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((op) => {
      const gradient = op.vjp ? 'own rule' : op.meaning ? 'of its meaning' : '–';
      return `| \`${op.name}\` | ${dtypesOf(op)} | ${gradient} | ${op.version} |`;
    });
  return ['| op | dtypes | gradient | version |', '|---|---|---|---|', ...rows].join('\n');
}

/** The text with the table between the two markers. */
export function withTable(readme: string): string {
  const [start, end] = [readme.indexOf(START), readme.indexOf(END)];
  if (start === -1 || end < start) throw new Error(`README.md needs the lines ${START} and ${END}`);
  return `${readme.slice(0, start + START.length)}\n${opsTable()}\n${readme.slice(end)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync('README.md', withTable(readFileSync('README.md', 'utf8')));
}
