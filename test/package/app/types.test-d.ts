// What a user's compiler must accept.
import { type EpochEvent, grad, mseLoss, nn, type optim, type Tensor, tensor, train } from 'wasmgrad';
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
