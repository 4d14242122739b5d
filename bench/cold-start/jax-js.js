// The same in jax-js.
import { jit, nn, numpy as np, random, tree, valueAndGrad } from '@jax-js/jax';
import { digits, finish, images } from './batch';

const weights = (key, inputs, outputs) =>
  random.uniform(random.key(key), [inputs, outputs], { minval: -(inputs ** -0.5), maxval: inputs ** -0.5 });
const parameters = [weights(1, 784, 128), np.zeros([128]), weights(2, 128, 10), np.zeros([10])];
const x = np.array(images, { shape: [64, 784] });
const y = nn.oneHot(np.array(digits), 10);
const cross = ([w1, b1, w2, b2], images, labels) => {
  const hidden = nn.relu(np.dot(images, w1).add(b1));
  return nn
    .logSoftmax(np.dot(hidden, w2).add(b2))
    .mul(labels)
    .sum()
    .mul(-1 / 64);
};
const step = jit((p, m, v, x, y, rate, scale) => {
  const [value, g] = valueAndGrad(cross)(tree.ref(p), x, y);
  const ms = m.map((mi, i) => mi.mul(0.9).add(g[i].ref.mul(0.1)));
  const vs = v.map((vi, i) => vi.mul(0.999).add(np.square(g[i]).mul(0.001)));
  const ps = p.map((pi, i) => pi.sub(ms[i].ref.mul(rate.ref).div(np.sqrt(vs[i].ref.mul(scale.ref)).add(1e-8))));
  rate.dispose();
  scale.dispose();
  return [value, ps, ms, vs];
});
const zeros = () => parameters.map(({ shape }) => np.zeros(shape));
const [loss] = step(parameters, zeros(), zeros(), x, y, np.array(1e-3 / 0.1), np.array(1 / 0.001));
finish(loss.dataSync()[0]);
