import { checkGradients, compile, defineOp, exp, grad, mul, round, sum, type Tensor, tensor } from 'wasmgrad';
import 'wasmgrad/f64';
import { expect, it } from 'vitest';

const straightThrough = defineOp({
  name: 'test.straightThrough',
  version: 1,
  meaning: ([x]) => [round(x!)],
  vjp: ([g]) => [g!],
});

const gaussian = defineOp<{ width: number }>({
  name: 'test.gaussian',
  version: 1,
  meaning: ([x], { width }) => [exp(mul(mul(x!, x!), -1 / width))],
});

const x = tensor([0.4, 1.6, 2.5], { dtype: 'f64' });

it('takes an op that is composed of others, with a gradient of its own', () => {
  const slope = (f: (x: Tensor) => Tensor) => grad((at: Tensor) => sum(mul(f(at), 3)))(x).toArray();
  expect(straightThrough([x])[0]!.toArray()).toEqual([0, 2, 2]);
  expect(slope((at) => straightThrough([at])[0]!)).toEqual([3, 3, 3]);
  // Without the op the slope of rounding is 0.
  expect(slope(round)).toEqual([0, 0, 0]);
  expect(compile((at: Tensor) => straightThrough([at])[0]!.add(1))(x).toArray()).toEqual([1, 3, 3]);
});

it('differentiates the meaning of an op without one, to any order', () => {
  const { error } = checkGradients((at) => gaussian([at], { width: 2 })[0]!, [x], { order: 2 });
  expect(error).toBeLessThan(1e-6);
});

it('refuses a definition that does not say what the op is', () => {
  const define = () => defineOp({ name: 'test.nothing', version: 1, vjp: ([g]) => [g!] });
  expect(define).toThrow(expect.objectContaining({ code: 'BAD_VALUE', op: 'test.nothing', argument: 'meaning' }));
});
