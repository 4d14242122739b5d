// Writes README.md's table of ops from their definitions: `node tools/run.mjs tools/ops-table.ts`. A test fails when it is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DType } from '../src/dtype';
import { ops } from '../src/graph/define-op';
import type { Op, Options } from '../src/graph/op';
import { Trace } from '../src/graph/trace';
import type { Aval } from '../src/shape';
import { backward } from '../src/transform/gradient';
import { cases } from '../test/ops/cases';

const DTYPES: readonly DType[] = ['f32', 'f64', 'i32', 'u8', 'bool'];
const START = '<!-- ops: made by tools/ops-table.ts -->';
const END = '<!-- end of ops -->';

/** One use of an op: kinds of its operands, and options. */
interface Sample {
  avals: Aval[];
  options: Options;
}

/** So many of each op: one would do, but that of some is an odd one. */
const MOST = 20;

/** How ops are used in the table of test cases, or by the gradients there. */
function samplesOfCases(): Map<string, Sample[]> {
  const samples = new Map<string, Sample[]>();
  for (const one of cases.filter(({ eagerOnly }) => !eagerOnly)) {
    const trace = new Trace();
    const inputs = one.inputs.map((aval) => trace.argument(aval));
    trace.record(() => {
      const output = trace.valueOf(one.call('f64', inputs), 'return');
      const wrt = inputs.map((input) => trace.valueOf(input, 'grad'));
      if (output.dtype === 'f64') backward(trace, [output], [trace.argument(output)], wrt);
    });
    for (const { origin, outputs } of trace.nodes) {
      if (origin.kind !== 'op') continue;
      const { op, options } = origin;
      const own = samples.get(op.name) ?? [];
      samples.set(op.name, own);
      // A composed op has its results behind its operands.
      const avals = op.emit || op.view ? origin.inputs : origin.inputs.slice(0, -outputs.length);
      if (own.length < MOST) own.push({ avals, options });
    }
  }
  return samples;
}

/** Of ops that no case reaches, optimizers': as many operands as any of them takes. */
const ELSEWHERE: Sample = { avals: new Array<Aval>(6).fill({ shape: [2], dtype: 'f64' }), options: {} };

/** The sample with operands of another dtype: the real ones, or those that are like the first. */
function withDtype({ avals, options }: Sample, dtype: DType): Sample {
  const own = avals.some((aval) => aval.dtype === 'f64') ? 'f64' : avals[0]?.dtype;
  return {
    avals: avals.map(({ shape, ...aval }) => ({ shape, dtype: aval.dtype === own ? dtype : aval.dtype })),
    options,
  };
}

/** The op in a trace of its own; null where it does not take such operands. */
function traced(op: Op, { avals, options }: Sample) {
  const trace = new Trace();
  const inputs = avals.map((aval) => trace.argument(aval));
  try {
    const outputs = trace.record(() => op(inputs, options)).map((output) => trace.valueOf(output, op.name));
    return { trace, inputs: inputs.map((input) => trace.valueOf(input, op.name)), outputs };
  } catch {
    return null;
  }
}

function dtypesOf(op: Op, samples: Sample[]): string {
  if (op.impure) return '–';
  const taken = DTYPES.filter((dtype) => samples.some((sample) => traced(op, withDtype(sample, dtype))));
  return taken.length === DTYPES.length ? 'all' : taken.join(', ');
}

/** Which orders of gradients there are: all of them, if whatever the gradient is made of has one. */
function ordersOf(op: Op, samples: Sample[]): string {
  if (!(op.vjp || op.meaning)) return '–';
  const real = samples.filter(({ avals }) => avals.some(({ dtype }) => dtype === 'f64'));
  const ends = real.some((sample) => {
    const { trace, inputs, outputs } = traced(op, sample)!;
    const length = trace.nodes.length;
    const cotangents = outputs.map((output) => trace.argument(output));
    trace.record(() => backward(trace, outputs, cotangents, inputs));
    const varies = new Set([...inputs, ...cotangents.map((g) => trace.valueOf(g, op.name))].map(({ node }) => node));
    return trace.nodes.slice(length).some((node) => {
      const { origin } = node;
      if (origin.kind !== 'op' || !origin.inputs.some((input) => varies.has(input.node))) return false;
      if (!node.outputs.some(({ dtype }) => dtype === 'f64')) return false;
      varies.add(node);
      return !(origin.op.vjp || origin.op.meaning);
    });
  });
  return ends ? '1' : '1, 2, …';
}

/** The table in Markdown, a line an op, by name. */
export function opsTable(): string {
  const samples = samplesOfCases();
  const rows = [...ops.values()]
    // Those from outside the package, such as the README's own, have a prefix.
    .filter(({ name }) => !name.includes('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((op) => {
      const own = samples.get(op.name) ?? [ELSEWHERE];
      const gradient = op.vjp ? 'own rule' : op.meaning ? 'of its meaning' : '–';
      return `| \`${op.name}\` | ${dtypesOf(op, own)} | ${gradient} | ${ordersOf(op, own)} | ${op.version} |`;
    });
  return ['| op | dtypes | gradient | orders | version |', '|---|---|---|---|---|', ...rows].join('\n');
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
