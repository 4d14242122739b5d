import 'wasmgrad/f64';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  crossEntropy,
  eq,
  erf,
  eye,
  manualSeed,
  nn,
  normal,
  optim,
  ShapeError,
  type Tensor,
  tensor,
  ValueError,
  valueAndGrad,
} from 'wasmgrad';
import { expectSameBits } from '../reference';

const { init } = nn;

beforeEach(() => manualSeed(3));

function varianceOf(x: Tensor) {
  const values = [...x.values()];
  const mean = values.reduce((total, one) => total + one, 0) / values.length;
  return { mean, variance: values.reduce((total, one) => total + (one - mean) ** 2, 0) / values.length };
}

// A weight of 300 units with 200 inputs each.
const shape = [300, 200];
const bound = (variance: number) => Math.sqrt(3 * variance);

describe('initialisers', () => {
  it.each([
    ['heNormal: 2 / fan-in', init.heNormal(), 2 / 200, null],
    ['heUniform: 2 / fan-in', init.heUniform(), 2 / 200, bound(2 / 200)],
    ['heNormal of gain 1', init.heNormal({ gain: 1 }), 1 / 200, null],
    ['glorotNormal: 2 / (fan-in + fan-out)', init.glorotNormal(), 2 / 500, null],
    ['glorotUniform', init.glorotUniform({ gain: 2 }), 8 / 500, bound(8 / 500)],
    ['lecunNormal: 1 / fan-in', init.lecunNormal(), 1 / 200, null],
    ['lecunUniform', init.lecunUniform(), 1 / 200, bound(1 / 200)],
    ['normal', init.normal({ std: 0.5 }), 0.25, null],
    ['uniform', init.uniform({ low: -2, high: 2 }), 16 / 12, 2],
  ] as [string, nn.init.Initializer, number, number | null][])('%s', (_, make, expected, limit) => {
    const { mean, variance } = varianceOf(make(shape));
    expect(Math.abs(mean)).toBeLessThan(0.02 * Math.sqrt(expected));
    expect(Math.abs(variance / expected - 1)).toBeLessThan(0.03);
    if (limit === null) return;
    const most = Math.max(...make(shape).values().map(Math.abs));
    expect(most).toBeLessThanOrEqual(limit * (1 + 1e-6));
    expect(most).toBeGreaterThan(0.99 * limit);
  });

  it.each([
    ['truncatedNormal', init.truncatedNormal(), 0, 1, -2, 2],
    ['of another mean', init.truncatedNormal({ mean: 1, std: 0.5, a: 0, b: 3 }), 1, 0.5, 0, 3],
    ['of one side', init.truncatedNormal({ mean: 0, std: 2, a: 1, b: 100 }), 0, 2, 1, 100],
    ['of a tail', init.truncatedNormal({ a: 2.5, b: 3.5 }), 0, 1, 2.5, 3.5],
  ] as [string, nn.init.Initializer, number, number, number, number][])(
    'truncatedNormal is the normal distribution between its bounds: %s',
    (_, make, mean, std, a, b) => {
      const standard = (x: number) => erf(tensor([(x - mean) / std / Math.SQRT2], { dtype: 'f64' })).item();
      for (const dtype of ['f32', 'f64'] as const) {
        const values = [...make([200, 150], { dtype }).values()].sort((x, y) => x - y);
        expect(values[0]).toBeGreaterThanOrEqual(a);
        expect(values.at(-1)).toBeLessThanOrEqual(b);
        // Kolmogorov and Smirnov: at the level of one in a thousand.
        const share = (x: number) => (standard(x) - standard(a)) / (standard(b) - standard(a));
        const steps = values.flatMap((x, i) => (i % 100 === 0 ? [Math.abs(share(x) - i / values.length)] : []));
        expect(Math.max(...steps) * Math.sqrt(values.length)).toBeLessThan(1.95);
        expect(new Set(values).size).toBeGreaterThan(0.9 * values.length);
      }
    },
  );

  it('truncatedNormal turns each uniform number around to the last digits', () => {
    const border = erf(tensor([5 / Math.SQRT2], { dtype: 'f64' })).item();
    const uniform = init.uniform({ low: -border, high: border })([1000], { dtype: 'f64' });
    manualSeed(3);
    const z = init.truncatedNormal({ a: -5, b: 5 })([1000], { dtype: 'f64' });
    expect(Math.max(...erf(z.div(Math.SQRT2)).sub(uniform).abs().data())).toBeLessThan(1e-15);
  });

  it.each([
    [[5, 5], 1],
    [[40, 12], 1],
    [[12, 40], 2.5],
    [[6, 3, 3, 3], 1],
    [[67, 66], 0.5],
    [[1, 4], 1],
    [[0, 3], 1],
  ])('orthogonal(%j, gain %d): rows or columns of that length, at right angles', (shape, gain) => {
    const weight = init.orthogonal({ gain })(shape, { dtype: 'f64' });
    expect(weight.shape).toEqual(shape);
    const rows = weight.reshape([shape[0]!, shape.slice(1).reduce((size, one) => size * one, 1)]);
    const q = rows.shape[0]! <= rows.shape[1]! ? rows : rows.transpose();
    const expected = eye(q.shape[0]!, undefined, { dtype: 'f64' }).mul(gain * gain);
    expect(Math.max(0, ...q.matmul(q.transpose()).sub(expected).abs().data())).toBeLessThan(1e-13);
    manualSeed(3);
    expectSameBits(init.orthogonal({ gain })(shape, { dtype: 'f64' }), weight);
  });

  it('orthogonal is the Q of the normal matrix that it draws, R’s diagonal positive', () => {
    const draw = () => {
      manualSeed(5);
      return normal([7, 4], { dtype: 'f64' });
    };
    const matrix = draw();
    manualSeed(5);
    const r = init.orthogonal()([7, 4], { dtype: 'f64' }).transpose().matmul(matrix).toArray() as number[][];
    r.forEach((row, i) => {
      row.forEach((value, j) => {
        if (j < i) expect(Math.abs(value)).toBeLessThan(1e-13);
        if (j === i) expect(value).toBeGreaterThan(0);
      });
    });
    const single = init.orthogonal()([20, 30]);
    const product = single.matmul(single.transpose()).sub(eye(20)).abs();
    expect([single.dtype, product.max().item() < 1e-6]).toEqual(['f32', true]);
  });

  it.each([
    [0.25, 5],
    [0, 0],
    [1, 20],
    [0.01, 1],
  ])('sparse(%d) has %d zeros in each column of 20, elsewhere normal numbers', (sparsity, zeros) => {
    const weight = init.sparse({ sparsity, std: 0.5 })([20, 400]);
    const counts = eq(weight, 0).cast('i32').sum({ axis: 0 });
    expect(new Set(counts.data())).toEqual(new Set([zeros]));
    const rows = eq(weight, 0).cast('f32').mean({ axis: 1 }).data();
    for (const share of rows) expect(Math.abs(share - zeros / 20)).toBeLessThan(0.1);
    const others = [...weight.values()].filter((one) => one !== 0);
    const { variance } = varianceOf(tensor(others));
    if (others.length) expect(Math.abs(variance / 0.25 - 1)).toBeLessThan(0.05);
  });

  it('are exact where they are constant', () => {
    expect(init.ones()([2]).toArray()).toEqual([1, 1]);
    expect(init.eye()([2, 3], { dtype: 'f64' }).toArray()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
  });

  it.each([
    ['eye of a vector', () => init.eye()([3]), ShapeError, ['init.eye', '[3]']],
    [
      'uniform without an end',
      () => init.uniform({ high: Number.POSITIVE_INFINITY }),
      ValueError,
      ['high', 'Infinity'],
    ],
    ['uniform backwards', () => init.uniform({ low: 2 }), ValueError, ['init.uniform', 'low', '2', 'high, 1']],
    ['normal of no mean', () => init.normal({ mean: Number.NaN }), ValueError, ['init.normal', 'mean', 'NaN']],
    ['normal of negative std', () => init.normal({ std: -1 }), ValueError, ['init.normal', 'std', '-1']],
    ['truncatedNormal backwards', () => init.truncatedNormal({ a: 3 }), ValueError, ['a must', '3', 'below b, 2']],
    ['truncatedNormal of no std', () => init.truncatedNormal({ std: 0 }), ValueError, ['std', 'above 0']],
    ['truncatedNormal of nothing', () => init.truncatedNormal({ a: 50, b: 51 })([2]), ValueError, ['nothing lies']],
    ['orthogonal of a vector', () => init.orthogonal()([3]), ShapeError, ['init.orthogonal', '[3]']],
    ['orthogonal without gain', () => init.orthogonal({ gain: Number.NaN }), ValueError, ['gain', 'NaN']],
    ['sparse of a window', () => init.sparse({ sparsity: 0.1 })([2, 2, 3]), ShapeError, ['init.sparse', '[2, 2, 3]']],
    ['more than all sparse', () => init.sparse({ sparsity: 1.5 }), ValueError, ['sparsity', '0 to 1', '1.5']],
    ['sparse of negative std', () => init.sparse({ sparsity: 0.1, std: -1 }), ValueError, ['std', '-1']],
    ['a gain that is NaN', () => init.glorotNormal({ gain: Number.NaN }), ValueError, ['gain', 'NaN']],
  ] as const)('refuse %s', (_, make, kind, says) => {
    expect(make).toThrow(kind);
    for (const part of says) expect(make).toThrow(part);
  });

  it('count a kernel’s window into both fans', () => {
    expect(varianceOf(init.heNormal()([64, 8, 5, 5])).variance).toBeCloseTo(2 / 200, 3);
  });

  it('take dtype and are constant where they should be', () => {
    expect(init.zeros()([2, 2], { dtype: 'f64' }).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(init.constant(1.5)([2]).toArray()).toEqual([1.5, 1.5]);
    expect(init.heNormal()([2, 2], { dtype: 'f64' }).dtype).toBe('f64');
  });
});

it('from zero weights every unit of a layer learns the same; from random ones not (S1)', () => {
  const x = tensor([
    [1, -2],
    [0.5, 3],
    [-1, 1],
  ]);
  const y = tensor(Int32Array.of(0, 1, 1));
  const learn = (make: nn.init.Initializer) => {
    const hidden = new nn.Linear(2, 4, { init: make, biasInit: init.zeros() });
    const model = new nn.Sequential(
      hidden,
      new nn.Sigmoid(),
      new nn.Linear(4, 2, { init: make, biasInit: init.zeros() }),
    );
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.5 });
    for (let i = 0; i < 20; i++) {
      optimizer.step(valueAndGrad(() => crossEntropy(model.forward(x), y), { wrt: model.parameters() })().grads);
    }
    return new Set((hidden.weight.toArray() as number[][]).map(String)).size;
  };
  expect(learn(init.zeros())).toBe(1);
  expect(learn(init.heNormal())).toBe(4);
});
