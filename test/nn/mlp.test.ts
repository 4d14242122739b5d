import 'wasmgrad/f64';
import { describe, expect, it } from 'vitest';
import { compile, crossEntropy, nn, type Real, type Tensor, valueAndGrad } from 'wasmgrad';
import oracle from '../oracle/mlp.json';
import { decode, expectClose, expectSameBits, type Plain } from '../reference';

const data = oracle as unknown as {
  x: Plain;
  target: Plain;
  parameters: Record<string, Plain>;
  networks: { hidden: 'ReLU' | 'Tanh' | 'Sigmoid'; logits: Plain; loss: number; grads: Record<string, Plain> }[];
};

describe.each(['f64', 'f32'] as Real[])('in %s', (dtype) => {
  it.each(data.networks)('a 4-5-3 network of $hidden has PyTorch’s logits, loss and gradients', (network) => {
    const model = new nn.Sequential(
      new nn.Linear(4, 5, { dtype }),
      new nn[network.hidden](),
      new nn.Linear(5, 3, { dtype }),
    );
    model.loadStateDict(
      Object.fromEntries(Object.entries(data.parameters).map(([name, value]) => [name, decode(value, dtype)])),
    );
    const [x, y] = [decode(data.x, dtype), decode(data.target)];
    const step = (input: Tensor, target: Tensor) =>
      valueAndGrad(() => crossEntropy(model.forward(input), target), { wrt: model.parameters() })();
    const { value, grads } = step(x, y);
    expectClose(model.forward(x), network.logits, 'logits');
    expectClose(value, { shape: [], data: [network.loss] }, 'loss');
    const names = model.namedParameters().map(([name]) => name);
    expect(names).toEqual(Object.keys(network.grads));
    names.forEach((name, i) => {
      expectClose(grads[i]!, network.grads[name]!, name);
    });
    compile(step)(x, y).grads.forEach((gradient, i) => {
      expectSameBits(gradient, grads[i]!);
    });
  });
});
