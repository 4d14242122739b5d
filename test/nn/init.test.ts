import 'wasmgrad/f64';
import { beforeEach, describe, expect, it } from 'vitest';
import { crossEntropy, manualSeed, nn, optim, type Tensor, tensor, valueAndGrad } from 'wasmgrad';

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
