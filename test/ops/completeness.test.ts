import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as wasmgrad from 'wasmgrad';
import { ops } from '../../src/graph/define-op';
import { Trace } from '../../src/graph/trace';
import { backward } from '../../src/transform/gradient';
import { cases } from './cases';

/** Public functions of src/ops whose results follow from a seed or change state: random.test.ts has them. */
const ELSEWHERE = [
  ...['rand', 'uniform', 'randn', 'normal', 'bernoulli', 'randint', 'randperm', 'dropout', 'manualSeed', 'Generator'],
];
/** Ops that only these tests and test/optim reach. */
const OPS_ELSEWHERE = ['random', 'sgd', 'adam'];

it('every public function of src/ops, and every loss, stands in the table', async () => {
  const files = ['src/ops', 'src/nn/loss'].flatMap((folder) =>
    readdirSync(folder).flatMap((file) => (file === 'methods.ts' ? [] : [`../../${folder}/${file}`])),
  );
  const loaded = await Promise.all(
    files.map((file): Promise<Record<string, unknown>> => import(/* @vite-ignore */ file)),
  );
  const exported = new Set<unknown>(Object.values(wasmgrad));
  const names = loaded.flatMap((module) =>
    Object.entries(module).flatMap(([name, f]) => (typeof f === 'function' && exported.has(f) ? [name] : [])),
  );
  expect(names.length).toBeGreaterThan(110);
  const tested = new Set(cases.map(({ op }) => op));
  expect(names.filter((name) => !tested.has(name) && !ELSEWHERE.includes(name))).toEqual([]);
});

it('has twenty rows for each function of the catalogues', async () => {
  const [activations, distance, matrix, losses] = await Promise.all([
    import('../../src/ops/activation'),
    import('../../src/ops/distance'),
    import('../../src/ops/matrix'),
    import('../../src/nn/loss/index'),
  ]);
  const names = [activations, distance, matrix, losses].flatMap((module) => Object.keys(module));
  names.push('conv1d', 'conv2d', 'convTranspose1d', 'convTranspose2d');
  names.push('einsum', 'relu', 'sigmoid', 'tanh', 'softplus', 'softmax', 'logSoftmax', 'clamp', 'stack', 'chunk');
  names.push('tensorSplit', 'unbind', 'flip', 'roll', 'repeat', 'tile', 'variance', 'std', 'logsumexp', 'cumsum');
  const count = (name: string) => cases.filter(({ op }) => op === name).length;
  expect(names.filter((name) => count(name) < 20)).toEqual([]);
});

it('every registered op is reached by the table, or by gradients of it', () => {
  const reached = new Set(OPS_ELSEWHERE);
  for (const one of cases.filter(({ eagerOnly }) => !eagerOnly)) {
    const trace = new Trace();
    const inputs = one.inputs.map(({ shape, dtype }) => trace.argument({ shape, dtype }));
    trace.record(() => {
      const output = trace.valueOf(one.call('f64', inputs), 'return');
      const wrt = inputs.map((input) => trace.valueOf(input, 'grad'));
      if (output.dtype === 'f64') backward(trace, [output], [wasmgrad.zeros(output.shape, { dtype: 'f64' })], wrt);
    });
    for (const { origin } of trace.nodes) if (origin.kind === 'op') reached.add(origin.op.name);
  }
  // Public `grad` renames its arguments by this one.
  reached.add('alias');
  expect([...ops.keys()].filter((name) => !reached.has(name))).toEqual([]);
});
