import { compile, mseLoss, nn, optim, randn, type Tensor, tensor, valueAndGrad } from 'wasmgrad';
import { expect, it } from 'vitest';

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
