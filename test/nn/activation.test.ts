import 'wasmgrad/f64';
import { expect, it } from 'vitest';
import * as wasmgrad from 'wasmgrad';
import { compile, nn, type Tensor, tensor, valueAndGrad } from 'wasmgrad';
import * as activations from '../../src/nn/activation';
import { decode, expectSameBits, numbers } from '../reference';

const x = decode(numbers([3, 4], 1, -4, 4));

/** Options of those that have any, none of them the default. */
const OPTIONS: Record<string, object> = {
  LeakyReLU: { negativeSlope: 0.3 },
  ELU: { alpha: 0.5 },
  CELU: { alpha: 0.5 },
  GELU: { approximate: 'tanh' },
  Softplus: { beta: 2, threshold: 3 },
  Hardtanh: { minVal: -0.5, maxVal: 2 },
  Hardshrink: { lambd: 0.75 },
  Softshrink: { lambd: 0.75 },
  Threshold: { threshold: 0.25, value: -3 },
  GLU: { axis: 1 },
  Softmax: { axis: 0 },
  Softmin: { axis: 0 },
  LogSoftmax: { axis: 0 },
};

/** The function of the same name: ReLU is relu, LogSoftmax logSoftmax. */
const functionOf = (layer: string) =>
  Object.entries(wasmgrad).find(([name]) => name.toLowerCase() === layer.toLowerCase())![1] as (
    x: Tensor,
    rest?: object,
  ) => Tensor;

it.each(Object.keys(activations).filter((name) => name !== 'PReLU'))('nn.%s is its function', (name) => {
  const Layer = nn[name as 'ReLU'] as new (options?: object) => nn.Module;
  const options = OPTIONS[name];
  const f = functionOf(name);
  const layer = new Layer(options);
  expectSameBits(layer.forward(x), options ? f(x, options) : f(x));
  expect(layer.parameters()).toEqual([]);
  if (options && name !== 'Threshold') expectSameBits(new Layer().forward(x), f(x));
});

it('nn.PReLU learns its slope, one or one a channel', () => {
  const one = new nn.PReLU();
  expect(one.weight.toArray()).toEqual([0.25]);
  const layer = new nn.PReLU(4, { init: 0.5, dtype: 'f64' });
  expect(layer.namedParameters().map(([name, { shape }]) => [name, shape])).toEqual([['weight', [4]]]);
  expectSameBits(layer.forward(x), wasmgrad.prelu(x, tensor([0.5, 0.5, 0.5, 0.5], { dtype: 'f64' })));
  const optimizer = new wasmgrad.optim.SGD(layer.parameters(), { lr: 0.3 });
  const step = compile(() => {
    const { value, grads } = valueAndGrad(() => layer.forward(x).square().mean(), { wrt: layer.parameters() })();
    optimizer.step(grads);
    return value;
  });
  const first = step().item();
  for (let i = 0; i < 500; i++) step();
  // The negative half goes.
  expect(step().item()).toBeLessThan(first);
  for (const slope of layer.weight.data()) expect(Math.abs(slope)).toBeLessThan(0.5);
});

it('are finite with finite slopes over the whole range, in both precisions', () => {
  const far = { f32: 3e38, f64: 1e308 };
  for (const real of ['f32', 'f64'] as const) {
    const sizes = [0, 1e-30, 1e-3, 1, 10, 88, 104, 710, 1e4, 1e15, 1e20, 1e30, far[real] / 8];
    const wide = tensor(
      [...sizes, ...sizes.map((size) => -size)].flatMap((size) => [size, size]),
      {
        dtype: real,
        shape: [2 * sizes.length, 2],
      },
    );
    for (const name of Object.keys(activations)) {
      if (name === 'PReLU') continue;
      const f = functionOf(name);
      const options = OPTIONS[name] ?? {};
      const { value, pullback } = wasmgrad.vjp((x) => f(x, options))(wide);
      const slopes = pullback(wasmgrad.ones(value.shape, { dtype: real })) as Tensor;
      expect(value.data().every(Number.isFinite), `${name} in ${real}`).toBe(true);
      expect(slopes.data().every(Number.isFinite), `slope of ${name} in ${real}`).toBe(true);
    }
  }
});
