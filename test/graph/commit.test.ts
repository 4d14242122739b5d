import { expect, it } from 'vitest';
import {
  add,
  arange,
  assign,
  Cell,
  compile,
  concat,
  dynamicSlice,
  dynamicUpdateSlice,
  exp,
  mseLoss,
  nn,
  optim,
  randn,
  slice,
  sqrt,
  sub,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  where,
  zeros,
} from 'wasmgrad';

function stepWith(model: nn.Module, optimizer: optim.Optimizer, scale: number) {
  return compile((x: Tensor) => {
    const { value, grads } = valueAndGrad(() => mseLoss(model.forward(x), x).mul(scale), { wrt: model.parameters() })();
    optimizer.step(grads);
    return value;
  });
}

const bits = (model: nn.Module) => Object.values(model.stateDict()).map((one) => [...one.data()]);

it('lets no overflow of an update reach a weight', () => {
  const model = new nn.Linear(2, 2);
  const before = bits(model);
  const step = stepWith(model, new optim.SGD(model.parameters(), { lr: 1e30 }), 1e10);
  expect(() => step(randn([4, 2]))).toThrow(expect.objectContaining({ code: 'DIVERGED', op: 'sgd' }));
  expect(bits(model)).toEqual(before);
});

it('lets no square of a gradient overflow in the state of Adam', () => {
  const model = new nn.Linear(2, 2);
  const optimizer = new optim.Adam(model.parameters());
  const before = bits(model);
  // A loss of 1e24, finite, whose gradients are too.
  const step = stepWith(model, optimizer, 1e24);
  expect(() => step(randn([4, 2]))).toThrow(/matmul: a gradient became too large to be squared here/);
  expect(bits(model)).toEqual(before);
  expect(optimizer.stepCell.item()).toBe(0);
  stepWith(model, optimizer, 1)(tensor([[1, 2]]));
  expect(bits(model)).not.toEqual(before);
});

it('blames the record that makes a NaN, not a mask whose infinities are meant', () => {
  const cell = new Cell(tensor([0, 0]));
  const f = compile((x: Tensor) => {
    const masked = where(x.gt(0), x, Number.NEGATIVE_INFINITY);
    const y = sqrt(sub(exp(masked), 0.5));
    assign(cell, y);
    return y.sum();
  });
  expect(() => f(tensor([1, -1]))).toThrow(
    expect.objectContaining({ code: 'DIVERGED', op: expect.stringContaining('sqrt') }),
  );
  expect(cell.toArray()).toEqual([0, 0]);
  expect(f(tensor([1, 2])).item()).toBeGreaterThan(0);
});

it('takes all parts of a new value, where only some of them could go straight into the cell', () => {
  const cell = new Cell(arange(0, 4));
  const push = compile((x: Tensor) => {
    assign(cell, concat([slice(cell, '1:'), x]));
  });
  push(arange(7, 8));
  expect(cell.toArray()).toEqual([1, 2, 3, 7]);
});

// A cache [layers, capacity, E] to which each step adds a position a layer, and a count of positions.
const caching = () => {
  const [cache, position] = [new Cell(zeros([2, 100, 3])), new Cell(zeros([], { dtype: 'i32' }))];
  const write = (x: Tensor, read: (cache: Tensor, i: number) => Tensor) => {
    const before = sum(cache);
    const outputs = [0, 1].map((layer) => {
      const row = x.mul(layer + 1).reshape([1, 1, 3]);
      assign(cache, dynamicUpdateSlice(cache, row, [layer, position, 0]));
      return read(cache, layer);
    });
    assign(position, add(position, 1));
    return [before, ...outputs];
  };
  return { cache, position, write };
};

it('changes a cell where it lies, if its new value is its old one but for some blocks', () => {
  const { cache, position, write } = caching();
  const step = compile((x: Tensor) => write(x, () => x));
  for (const i of [1, 2, 3]) expect(step(tensor([i, 0, 1]))[0]!.item()).toBeCloseTo(((i - 1) * (i + 2) * 3) / 2, 4);
  expect(position.item()).toBe(3);
  expect(cache.slice('1, :4').toArray()).toEqual([
    [2, 0, 2],
    [4, 0, 2],
    [6, 0, 2],
    [0, 0, 0],
  ]);
  // Rows, starts and their check: nothing has the size of the cache.
  expect(step.stats().arenaBytes).toBeLessThan(cache.bytes);
});

it('shows a cell with its new blocks to whoever reads it later in the step, and an old one as it was', () => {
  const [one, other] = [caching(), caching()];
  const read = (cache: Tensor, layer: number) => sum(dynamicSlice(cache, [layer, 0, 0], [1, 100, 3]).mul(layer + 1));
  const step = compile((x: Tensor) => one.write(x, read));
  for (let i = 1; i < 6; i++) {
    const x = randn([3]);
    const eager = other.write(x, read).map((y) => y.item());
    expect(step(x).map((y) => y.item())).toEqual(eager);
    expect(one.cache.toArray()).toEqual(other.cache.toArray());
  }
});

it('leaves all blocks of a cell as they were where one is not finite', () => {
  const { cache, position, write } = caching();
  const step = compile((x: Tensor) => {
    write(x.div(x), () => x);
  });
  step(tensor([1, 2, 3]));
  const before = cache.toArray();
  expect(() => step(tensor([1, 0, 1]))).toThrow(expect.objectContaining({ code: 'DIVERGED' }));
  expect([cache.toArray(), position.item()]).toEqual([before, 1]);
});

it('writes blocks of what cells held before the step', () => {
  const [history, weights] = [new Cell(zeros([3, 2])), new Cell(tensor([1, 2]))];
  const step = compile((at: Tensor) => {
    assign(history, dynamicUpdateSlice(history, weights.reshape([1, 2]), [at, 0]));
    assign(weights, weights.mul(2));
  });
  for (const i of [0, 1]) step(tensor(i, { dtype: 'i32' }));
  expect([history.toArray(), weights.toArray()]).toEqual([
    [
      [1, 2],
      [2, 4],
      [0, 0],
    ],
    [4, 8],
  ]);
});
