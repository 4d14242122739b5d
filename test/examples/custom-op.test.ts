import 'wasmgrad/f64';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checkGradients, compile, grad, type Op, type OpDefinition, type Tensor, tensor } from 'wasmgrad';
import { binarize, learnBinary, logCosh } from '../../examples/custom-op';
import { expectSameBits } from '../reference';
import { runProgram } from './run-program';

const x = tensor([-2, -0.5, 0, 0.25, 3], { dtype: 'f64' });

test('it imports from the package alone', () => {
  const imports = [...readFileSync('examples/custom-op.ts', 'utf8').matchAll(/from '([^']+)'|import '([^']+)'/g)];
  const names = imports.map(([, from, bare]) => from ?? bare!);
  expect(names.filter((name) => !/^(node:|wasmgrad(\/f64)?$)/.test(name))).toEqual([]);
});

test('logCosh has the gradient of log cosh, to the second order, where its formula has not', () => {
  expect(checkGradients(logCosh, [tensor([-2, 0.3, 1.7], { dtype: 'f64' })], { order: 2 }).error).toBeLessThan(1e-6);
  const curvature = grad((at: Tensor) => grad((z: Tensor) => logCosh(z).sum())(at).sum());
  expect(curvature(x).toArray()).toEqual([...x.data()].map((one) => expect.closeTo(1 / Math.cosh(one) ** 2, 12)));
  expectSameBits(compile(logCosh)(x), logCosh(x));
});

test('binarize lets gradients pass up to its limit, eager and compiled', () => {
  expect(binarize(x).toArray()).toEqual([-1, -1, 1, 1, 1]);
  const slope = (limit: number) => grad((at: Tensor) => binarize(at, { limit }).mul(3).sum());
  expect(slope(1)(x).toArray()).toEqual([0, 3, 3, 3, 0]);
  expect(compile(slope(2))(x).toArray()).toEqual([3, 3, 3, 3, 0]);
});

test('a network of binary weights learns in a worker', async () => {
  const { share, levels } = await learnBinary({ epochs: 10 });
  expect(levels).toEqual([-1, 1]);
  expect(share).toBeGreaterThan(0.88);
});

test('as a program it prints what the ops do', async () => {
  const lines = await runProgram('examples/custom-op.ts');
  expect(lines[0]).toMatch(/^log cosh {7}29\.30685.*,0,0\.12.*,399\.30685/);
  expect(lines[2]).toMatch(/^and curvature {2}.*,1,/);
  expect(lines.at(-1)).toMatch(/^hidden weights of -1 and 1 tell 9\d\.\d % of the digits right$/);
});

test('types say what a definition must be', () => {
  const definition: OpDefinition<{ by: number }> = { name: 'test.scaled', version: 1, meaning: ([a]) => [a!] };
  expect(definition.name).toBe('test.scaled');
  // @ts-expect-error: an op has a version
  const bad: OpDefinition<object> = { name: 'test.bad' };
  expect(bad.version).toBeUndefined();
  const call = (op: Op<{ by: number }>) => op([x], { by: 2 });
  expect(call).toBeTypeOf('function');
});
