import { expect, it } from 'vitest';
import {
  assign,
  Cell,
  compile,
  exp,
  mseLoss,
  nn,
  optim,
  randn,
  sqrt,
  sub,
  type Tensor,
  tensor,
  valueAndGrad,
  where,
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
