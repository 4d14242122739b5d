// What a user's compiler must accept.
import {
  crossEntropy,
  type EpochEvent,
  einsum,
  grad,
  hardtanh,
  mseLoss,
  nn,
  optim,
  type Tensor,
  tensor,
  train,
  valueAndGrad,
} from 'wasmgrad';
import 'wasmgrad/f64';
import { Linear } from 'wasmgrad/nn';
import { Adam } from 'wasmgrad/optim';

const model: nn.Module = new nn.Sequential(new Linear(2, 1));
const optimizer: optim.Optimizer = new Adam(model.parameters(), { lr: 0.1 });
const x: Tensor = tensor([[1, 2]]);
const slope: Tensor = grad((w: Tensor) => mseLoss(x.matmul(w), tensor([[1]])))(tensor([[1], [1]]));
export const losses: number[] = [slope.sum().item() as number];
for await (const event of train({ model, optimizer, loss: mseLoss, data: { x, y: tensor([[1]]) } })) {
  if (event.kind === 'epoch') losses.push((event satisfies EpochEvent).loss);
}

// Options have types, and so have groups of parameters, which take those of their optimizer.
const [weight, bias] = model.parameters();
const grouped = new optim.RMSprop(
  [
    { params: [weight!], centered: true },
    { params: [bias!], lr: 0.1 },
  ],
  { alpha: 0.9 },
);
grouped.step([weight!, bias!], { lr: (base: Tensor) => optim.lr.cosine({ tMax: 10 })(base, tensor(1)) });
// @ts-expect-error SGD has no alpha
export const wrong = new optim.SGD(model.parameters(), { alpha: 0.9 });
const search = new optim.LBFGS(model.parameters(), { lineSearchFn: 'strongWolfe' });
const value: number = search.step(valueAndGrad(() => mseLoss(model.forward(x), x), { wrt: model.parameters() }));
const activation: nn.Module = new nn.GELU({ approximate: 'tanh' });
const initial: Tensor = nn.init.orthogonal({ gain: 2 })([2, 2], { dtype: 'f32' });
// @ts-expect-error an unknown reduction
crossEntropy(x, x, { reduction: 'most', labelSmoothing: 0.1 });
// @ts-expect-error torch's name is minVal
hardtanh(x, { min: 1 });
export const parts: unknown[] = [value, activation, einsum('ij,jk->ik', initial, initial)];
