/** A page that trains 784-128-10 with Adam on its own thread. */
import { compile, crossEntropy, nn, optim, type Tensor, tensor, valueAndGrad } from 'wasmgrad';
import { digits, finish, images } from './batch';

const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));
const optimizer = new optim.Adam(model.parameters());
const step = compile((x: Tensor, y: Tensor) => {
  const { value, grads } = valueAndGrad(() => crossEntropy(model.forward(x), y), { wrt: model.parameters() })();
  optimizer.step(grads);
  return value;
});
finish(step(tensor(images, { shape: [64, 784] }), tensor(digits)).item());
