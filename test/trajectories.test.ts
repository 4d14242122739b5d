import 'wasmgrad/f64';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  binaryCrossEntropyWithLogits,
  compile,
  halfMseLoss,
  indexSelect,
  linear,
  type Module,
  mseLoss,
  nn,
  optim,
  type Real,
  readBreastCancer,
  standardise,
  type Tensor,
  tensor,
  valueAndGrad,
} from 'wasmgrad';
import oracle from './oracle/seeds.json';

// From numpy's weights and data, every one of numpy's 1,000 losses: test/oracle/seeds.py computes them in float64.

const precisions = [
  { dtype: 'f64', tolerance: 1e-9 },
  { dtype: 'f32', tolerance: 1e-3 },
] as const;

/** A tensor as the oracle writes it, in a precision of ours. */
function stored({ shape, data }: { shape: number[]; data: number[] }, dtype: Real): Tensor {
  return tensor(Float64Array.from(data), { shape, dtype });
}

/** One update by plain SGD; returns the loss before it. */
function trainingStep(model: Module, lr: number, loss: (prediction: Tensor, target: Tensor) => Tensor) {
  const optimizer = new optim.SGD(model.parameters(), { lr });
  return (x: Tensor, y: Tensor): Tensor => {
    const { value, grads } = valueAndGrad(() => loss(model.forward(x), y), { wrt: model.parameters() })();
    optimizer.step(grads);
    return value;
  };
}

function largestRelativeError(losses: number[], expected: number[]): number {
  expect(losses).toHaveLength(oracle.steps);
  expect(expected).toHaveLength(oracle.steps);
  return Math.max(...losses.map((loss, step) => Math.abs(loss - expected[step]!) / Math.abs(expected[step]!)));
}

/** mulberry32 (Tommy Ettinger, public domain), as in the oracle. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

test('the generator is that of the oracle', () => {
  const { seed, firstWords } = oracle['seed-000'];
  const next = mulberry32(seed);
  expect(firstWords.map(() => next())).toEqual(firstWords);
});

describe.each(precisions)('$dtype follows numpy to $tolerance', ({ dtype, tolerance }) => {
  test('seed-000: a ReLU layer, fresh data every step', () => {
    const { seed, batch, lr, losses, final } = oracle['seed-000'];
    const next = mulberry32(seed);
    const uniform = (...shape: number[]) => {
      const size = shape.reduce((product, length) => product * length);
      return tensor(
        Float64Array.from({ length: size }, () => next() / 2 ** 32),
        { shape, dtype },
      );
    };
    const real = { w: uniform(2, 10), b: uniform(2) };
    const layer = new nn.Linear(10, 2, { dtype, init: () => uniform(2, 10), biasInit: nn.init.zeros() });
    const update = trainingStep(new nn.Sequential(layer, new nn.ReLU()), lr, mseLoss);
    const step = compile((x: Tensor) => update(x, linear(x, real.w, real.b)));
    const ours = losses.map(() => step(uniform(batch, 10)).item());
    expect(largestRelativeError(ours, losses)).toBeLessThan(tolerance);
    const learned = [...layer.weight.data(), ...layer.bias!.data()];
    const expected = [...final.w.data, ...final.b.data];
    expect(Math.max(...learned.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(tolerance);
  });

  test('seed-001: 30-16-8-1, mini-batches with their tail', async () => {
    const { train, batch, lr, weights, losses } = oracle['seed-001'];
    const table = await readBreastCancer(readFileSync('data/breast_cancer.csv'), { dtype: 'f64' });
    const { x } = standardise({ shape: [train, 30], data: table.x.data.subarray(0, train * 30) });
    const inputs = tensor(x.data, { shape: x.shape, dtype });
    const targets = tensor(Float64Array.from(table.y.data.subarray(0, train)), { shape: [train, 1], dtype });
    const layers = weights.map((weight) => {
      const [out, features] = weight.shape as [number, number];
      return new nn.Linear(features, out, { dtype, init: () => stored(weight, dtype), biasInit: nn.init.zeros() });
    });
    const [first, second, last] = layers as [nn.Linear, nn.Linear, nn.Linear];
    const model = new nn.Sequential(first, new nn.ReLU(), second, new nn.ReLU(), last);
    const step = compile(trainingStep(model, lr, binaryCrossEntropyWithLogits));
    const batches = Array.from({ length: Math.ceil(train / batch) }, (_, i) => {
      const range = `${i * batch}:${Math.min(train, (i + 1) * batch)}`;
      return [inputs.slice(range), targets.slice(range)] as const;
    });
    const ours = losses.map((_, i) => step(...batches[i % batches.length]!).item());
    expect(largestRelativeError(ours, losses)).toBeLessThan(tolerance);
  });

  test('seed-002: 2-2-3-2 of sigmoids, one point a step', () => {
    const { lr, weights, biases, indices, first, losses } = oracle['seed-002'];
    const [x, y] = [stored(oracle['seed-002'].x, dtype), stored(oracle['seed-002'].y, dtype)];
    const layers = weights.flatMap((weight, i) => {
      const [out, features] = weight.shape as [number, number];
      const init = { init: () => stored(weight, dtype), biasInit: () => stored(biases[i]!, dtype) };
      return [new nn.Linear(features, out, { dtype, ...init }), new nn.Sigmoid()];
    });
    const model = new nn.Sequential(...layers);
    const update = trainingStep(model, lr, halfMseLoss);
    const cost = compile(() => halfMseLoss(model.forward(x), y));
    const step = compile((k: Tensor) => update(indexSelect(x, k), indexSelect(y, k)));
    expect(Math.abs(cost().item() - first) / first).toBeLessThan(tolerance);
    const ours = indices.map((index) => {
      step(tensor(Int32Array.of(index)));
      return cost().item();
    });
    expect(largestRelativeError(ours, losses)).toBeLessThan(tolerance);
  });
});
