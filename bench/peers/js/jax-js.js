// jax-js on its WebAssembly device. The whole step is one `jit`, which was fastest: Adam is written out in it.
import { jit, lax, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax';
import { BATCHES, centred, uniform } from '../../data';
import manifest from './package.json';
import { serve, threads } from './serve';

const FLOATS = 4_000_000;

const array = (values, shape) => np.array(values, { shape });
/** Every use of an array gives it away: `.ref` is one use more. */
const ref = tree.ref;

/** Reading at once keeps jax-js on this thread; promises are kept by its workers. */
const read = threads > 1 ? async (x) => (await x.data())[0] : (x) => x.dataSync()[0];

const sizeOf = (shape) => shape.reduce((product, length) => product * length, 1);

/** Weights, and biases behind those whose inputs they share. */
function initial(shapes) {
  let inputs;
  return shapes.map((shape, i) => {
    if (shape.length > 1) inputs = sizeOf(shape.slice(1));
    const bound = Math.fround(1 / Math.sqrt(inputs));
    return array(
      uniform(sizeOf(shape), 100 + i).map((u) => Math.fround(u * 2 - 1) * bound),
      shape,
    );
  });
}

/** Weights of these shapes, [out, in, …], and biases. */
const parameters = (shapes) => initial(shapes.flatMap((shape) => [shape, [shape[0]]]));

/** Of dense layers. */
const layers = (sizes) => parameters(sizes.slice(1).map((outputs, i) => [outputs, sizes[i]]));

const dense = (x, w, b) => np.matmul(x, w.transpose()).add(b);
const batches = (...shape) => Array.from({ length: BATCHES }, (_, i) => array(uniform(sizeOf(shape), 10 + i), shape));

function sgdStep(batch, inputs, outputs) {
  const [realW, realB] = [
    array(uniform(outputs * inputs, 1), [outputs, inputs]),
    array(uniform(outputs, 2), [outputs]),
  ];
  const xs = batches(batch, inputs);
  const ys = xs.map((x) => array(dense(x.ref, realW.ref, realB.ref).dataSync(), [batch, outputs]));
  const loss = ([w, b], x, y) => np.square(nn.relu(dense(x, w, b)).sub(y)).mean();
  const step = jit((p, x, y) => {
    const [value, g] = valueAndGrad(loss)(ref(p), x, y);
    return [value, p.map((pi, i) => pi.sub(g[i].mul(0.01)))];
  });
  let p = layers([inputs, outputs]);
  let i = 0;
  return () => {
    let value;
    [value, p] = step(p, xs[i % xs.length].ref, ys[i % ys.length].ref);
    i++;
    return read(value);
  };
}

const adamStep = (batch, sizes) =>
  classifier([batch, sizes[0]], layers(sizes), (p, x) => {
    let z = x;
    for (let i = 0; i < p.length; i += 2) z = dense(i > 0 ? nn.relu(z) : z, p[i], p[i + 1]);
    return z;
  });

/** 2 × 2 windows side by side. */
function pool(x) {
  const [n, c, h, w] = x.shape;
  return np.max(x.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5]);
}

const conv = (x, w, b) => lax.conv(x, w, [1, 1], 'VALID').add(b.reshape([1, -1, 1, 1]));

const leNet = (batch) =>
  classifier(
    [batch, 1, 28, 28],
    parameters([
      [8, 1, 5, 5],
      [16, 8, 5, 5],
      [10, 256],
    ]),
    (p, x) => {
      const y = pool(nn.relu(conv(pool(nn.relu(conv(x, p[0], p[1]))), p[2], p[3])));
      return dense(y.reshape([batch, -1]), p[4], p[5]);
    },
  );

/** A transformer's block, norms first. */
function transformer(batch, length, width, heads) {
  const initial = parameters([
    [3 * width, width],
    [width, width],
    [4 * width, width],
    [width, 4 * width],
  ]);
  const norms = [np.ones([width]), np.zeros([width]), np.ones([width]), np.zeros([width])];
  const norm = (x, weight, bias) => nn.standardize(x, -1, { epsilon: 1e-5 }).mul(weight).add(bias);
  const model = ([wIn, bIn, wOut, bOut, w1, b1, w2, b2, g1, h1, g2, h2], x) => {
    const rows = dense(norm(x.ref, g1, h1), wIn, bIn).reshape([batch, length, 3, heads, width / heads]);
    const [q, k, v] = np.split(rows, 3, 2).map((one) => one.reshape([batch, length, heads, width / heads]));
    const y = x.add(dense(nn.dotProductAttention(q, k, v).reshape([batch, length, width]), wOut, bOut));
    return y.ref.add(dense(nn.relu(dense(norm(y, g2, h2), w1, b1)), w2, b2));
  };
  const shape = [batch, length, width];
  const ys = Array.from({ length: BATCHES + 1 }, (_, i) => array(uniform(batch * length * width, 50 + i), shape));
  const loss = (p, x, y) => np.square(model(p, x).sub(y)).mean();
  return training([...initial, ...norms], batches(...shape), ys, loss);
}

/** h of the next step, and c, from what the input gives and the state gives. */
const cells = {
  lstm(a, b, [h, c], part) {
    h.dispose();
    const s = a.add(b);
    const [i, f, o] = [0, 1, 3].map((at) => nn.sigmoid(part(s.ref, at)));
    const next = f.mul(c).add(i.mul(np.tanh(part(s, 2))));
    return [o.mul(np.tanh(next.ref)), next];
  },
  gru(a, b, [h], part) {
    const [r, z] = [0, 1].map((at) => nn.sigmoid(part(a.ref, at).add(part(b.ref, at))));
    const n = np.tanh(part(a, 2).add(r.mul(part(b, 2))));
    return [n.ref.add(z.mul(h.sub(n)))];
  },
};

/** Step after step, as there is no loop inside of `jit`; the inputs of all are one product. */
function recurrentStep(cell, parts, steps, batch, inputs, hidden) {
  const wide = parts * hidden;
  const part = (x, at) => x.slice([], [at * hidden, (at + 1) * hidden]);
  const shapes = [[wide, inputs], [wide, hidden], [wide], [wide], [10, hidden], [10]];
  const model = ([wIh, wHh, bIh, bHh, w, b], x) => {
    const projected = dense(x.reshape([steps * batch, inputs]), wIh, bIh).reshape([steps, batch, wide]);
    const turned = wHh.transpose();
    let state = [np.zeros([batch, hidden]), np.zeros([batch, hidden])];
    for (let t = 0; t < steps; t++) {
      const recurrent = np.matmul(state[0].ref, turned.ref).add(bHh.ref);
      state = cells[cell](projected.ref.slice(t), recurrent, state, part);
    }
    return dense(state[0], w, b);
  };
  return classifier([steps, batch, inputs], initial(shapes), model, batch);
}

function classifier(shape, initial, model, batch = shape[0]) {
  const classes = initial.at(-1).shape[0];
  const xs = batches(...shape);
  const ys = Array.from({ length: BATCHES + 1 }, (_, i) => {
    const oneHot = new Float32Array(batch * classes);
    for (const [row, u] of uniform(batch, 50 + i).entries())
      oneHot[row * classes + Math.trunc(Math.fround(u * classes))] = 1;
    return array(oneHot, [batch, classes]);
  });
  const loss = (p, x, y) =>
    nn
      .logSoftmax(model(p, x))
      .mul(y)
      .sum()
      .mul(-1 / batch);
  return training(initial, xs, ys, loss);
}

/** A step with Adam, through the batches. */
function training(initial, xs, ys, loss, [lr, beta1, beta2, eps] = [1e-3, 0.9, 0.999, 1e-8]) {
  const step = jit((p, m, v, x, y, rate, scale) => {
    const [value, g] = valueAndGrad(loss)(ref(p), x, y);
    const ms = m.map((mi, i) => mi.mul(beta1).add(g[i].ref.mul(1 - beta1)));
    const vs = v.map((vi, i) => vi.mul(beta2).add(np.square(g[i]).mul(1 - beta2)));
    const ps = p.map((pi, i) => pi.sub(ms[i].ref.mul(rate.ref).div(np.sqrt(vs[i].ref.mul(scale.ref)).add(eps))));
    rate.dispose();
    scale.dispose();
    return [value, ps, ms, vs];
  });
  let p = initial;
  let [m, v] = [p.map(({ shape }) => np.zeros(shape)), p.map(({ shape }) => np.zeros(shape))];
  let n = 0;
  return () => {
    const [x, y] = [xs[n % xs.length], ys[n % ys.length]];
    n++;
    const [rate, scale] = [np.array(lr / (1 - beta1 ** n)), np.array(1 / (1 - beta2 ** n))];
    let value;
    [value, p, m, v] = step(p, m, v, x.ref, y.ref, rate, scale);
    return read(value);
  };
}

function pass(op) {
  const [x, y] = [np.array(centred(FLOATS, 1)), np.array(uniform(FLOATS, 2))];
  const calls = {
    relu: jit(nn.relu),
    add: jit((a) => a.add(y.ref)),
    sum: jit((a) => a.sum()),
    exp: jit(np.exp),
    tanh: jit(np.tanh),
  };
  return () => {
    const out = calls[op](x.ref);
    // The result is freed with its last use, the reading of its first element.
    return read(out.size > 1 ? out.slice([0, 1]) : out);
  };
}

await serve(manifest.dependencies['@jax-js/jax'], (workload) => {
  const [kind, op] = workload.split(' ');
  if (kind === 'W1') return sgdStep(512, 10, 2);
  if (kind === 'W2') return adamStep(64, [784, 128, 10]);
  if (kind === 'W2b') return adamStep(128, [784, 512, 512, 10]);
  if (kind === 'W4') return leNet(32);
  if (kind === 'W5') return recurrentStep('lstm', 4, 32, 16, 32, 128);
  if (kind === 'W5g') return recurrentStep('gru', 3, 32, 16, 32, 128);
  if (kind === 'W6') return transformer(8, 64, 64, 4);
  if (kind === 'W7') return pass(op);
  throw new Error(workload);
});
