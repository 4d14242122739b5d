// TensorFlow.js on its WebAssembly backend, with its own gradients and optimizers. It has threads in pages only.
import * as tf from '@tensorflow/tfjs';
import { setThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import { BATCHES, centred, uniform } from '../../data';
import { serve, threads } from './serve';

const FLOATS = 4_000_000;

/** Variables: weights [out, in], and biases behind those whose inputs they share. */
function initial(shapes) {
  let inputs;
  return shapes.map((shape, i) => {
    if (shape.length > 1) inputs = shape[1];
    const bound = Math.fround(1 / Math.sqrt(inputs));
    const values = uniform(tf.util.sizeFromShape(shape), 100 + i).map((u) => Math.fround(u * 2 - 1) * bound);
    return tf.variable(tf.tensor(values, shape));
  });
}

/** Weights of these shapes, [out, in], and biases. */
const parameters = (shapes) => initial(shapes.flatMap((shape) => [shape, [shape[0]]]));

/** Of dense layers. */
const layers = (sizes) => parameters(sizes.slice(1).map((outputs, i) => [outputs, sizes[i]]));

const dense = (x, w, b) => tf.add(tf.matMul(x, w, false, true), b);
const batches = (...shape) =>
  Array.from({ length: BATCHES }, (_, i) => tf.tensor(uniform(tf.util.sizeFromShape(shape), 10 + i), shape));

/** Returns a step that goes through the batches and returns the loss, a tensor. */
function stepOf(optimizer, xs, ys, loss) {
  let i = 0;
  return () => {
    const [x, y] = [xs[i % xs.length], ys[i % ys.length]];
    i++;
    return optimizer.minimize(() => loss(x, y), true);
  };
}

function sgdStep(batch, inputs, outputs) {
  const xs = batches(batch, inputs);
  const [realW, realB] = [tf.tensor(uniform(outputs * inputs, 1), [outputs, inputs]), tf.tensor(uniform(outputs, 2))];
  const ys = xs.map((x) => dense(x, realW, realB));
  const [w, b] = layers([inputs, outputs]);
  return stepOf(tf.train.sgd(0.01), xs, ys, (x, y) => tf.mean(tf.squaredDifference(tf.relu(dense(x, w, b)), y)));
}

function adamStep(batch, sizes) {
  const own = layers(sizes);
  return classifier([batch, sizes[0]], sizes.at(-1), (x) => {
    let z = x;
    for (let i = 0; i < own.length; i += 2) z = dense(i > 0 ? tf.relu(z) : z, own[i], own[i + 1]);
    return z;
  });
}

/** h of the next step, and c, from what the input gives and the state gives. */
const cells = {
  lstm(a, b, [, c]) {
    const [i, f, g, o] = tf.split(tf.add(a, b), 4, 1);
    const next = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
    return [tf.mul(tf.sigmoid(o), tf.tanh(next)), next];
  },
  gru(a, b, [h]) {
    const [ar, az, an] = tf.split(a, 3, 1);
    const [br, bz, bn] = tf.split(b, 3, 1);
    const n = tf.tanh(tf.add(an, tf.mul(tf.sigmoid(tf.add(ar, br)), bn)));
    return [tf.add(n, tf.mul(tf.sigmoid(tf.add(az, bz)), tf.sub(h, n)))];
  },
};

/** Step after step; the inputs of all are one product. */
function recurrentStep(cell, parts, steps, batch, inputs, hidden) {
  const wide = parts * hidden;
  const shapes = [[wide, inputs], [wide, hidden], [wide], [wide], [10, hidden], [10]];
  const [wIh, wHh, bIh, bHh, w, b] = initial(shapes);
  const model = (x) => {
    const projected = dense(tf.reshape(x, [steps * batch, inputs]), wIh, bIh);
    let state = [tf.zeros([batch, hidden]), tf.zeros([batch, hidden])];
    for (const a of tf.unstack(tf.reshape(projected, [steps, batch, wide]))) {
      state = cells[cell](a, dense(state[0], wHh, bHh), state);
    }
    return dense(state[0], w, b);
  };
  return classifier([steps, batch, inputs], 10, model, batch);
}

function classifier(shape, classes, model, batch = shape[0]) {
  const ys = Array.from({ length: BATCHES + 1 }, (_, i) => {
    const labels = Int32Array.from(uniform(batch, 50 + i), (u) => Math.fround(u * classes));
    return tf.oneHot(tf.tensor1d(labels, 'int32'), classes);
  });
  const loss = (x, y) => tf.losses.softmaxCrossEntropy(y, model(x));
  return stepOf(tf.train.adam(1e-3, 0.9, 0.999, 1e-8), batches(...shape), ys, loss);
}

/** A transformer's block, norms first. Weights are multiplied with rows of all sequences at once, as two axes are faster than three. */
function transformer(batch, length, width, heads) {
  const shapes = [
    [3 * width, width],
    [width, width],
    [4 * width, width],
    [width, 4 * width],
  ];
  const [wIn, bIn, wOut, bOut, w1, b1, w2, b2] = parameters(shapes);
  const [g1, h1, g2, h2] = [1, 0, 1, 0].map((value) => tf.variable(tf.fill([width], value)));
  const norm = (x, weight, bias) => {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    const variance = tf.mean(tf.square(centred), -1, true);
    return tf.add(tf.mul(tf.div(centred, tf.sqrt(tf.add(variance, 1e-5))), weight), bias);
  };
  const model = (x) => {
    const rows = tf.reshape(dense(norm(x, g1, h1), wIn, bIn), [batch, length, 3, heads, width / heads]);
    const [q, k, v] = tf.unstack(tf.transpose(rows, [2, 0, 3, 1, 4]));
    const weights = tf.softmax(tf.mul(tf.matMul(q, k, false, true), Math.sqrt(heads / width)));
    const joined = tf.reshape(tf.transpose(tf.matMul(weights, v), [0, 2, 1, 3]), [batch * length, width]);
    const y = tf.add(x, dense(joined, wOut, bOut));
    return tf.add(y, dense(tf.relu(dense(norm(y, g2, h2), w1, b1)), w2, b2));
  };
  const ys = Array.from({ length: BATCHES + 1 }, (_, i) =>
    tf.tensor(uniform(batch * length * width, 50 + i), [batch * length, width]),
  );
  const loss = (x, y) => tf.mean(tf.squaredDifference(model(x), y));
  return stepOf(tf.train.adam(1e-3, 0.9, 0.999, 1e-8), batches(batch * length, width), ys, loss);
}

function pass(op) {
  const [x, y] = [tf.tensor(centred(FLOATS, 1)), tf.tensor(uniform(FLOATS, 2))];
  const calls = {
    relu: () => tf.relu(x),
    add: () => tf.add(x, y),
    sum: () => tf.sum(x),
    exp: () => tf.exp(x),
    tanh: () => tf.tanh(x),
  };
  return calls[op];
}

const firstOf = (x) => tf.tidy(() => tf.slice(tf.reshape(x, [-1]), [0], [1]).dataSync()[0]);

/** Makes a tensor in every call. */
function prepare(workload) {
  const [kind, op] = workload.split(' ');
  if (kind === 'W1') return sgdStep(512, 10, 2);
  if (kind === 'W2') return adamStep(64, [784, 128, 10]);
  if (kind === 'W2b') return adamStep(128, [784, 512, 512, 10]);
  if (kind === 'W5') return recurrentStep('lstm', 4, 32, 16, 32, 128);
  if (kind === 'W5g') return recurrentStep('gru', 3, 32, 16, 32, 128);
  if (kind === 'W6') return transformer(8, 64, 64, 4);
  if (kind === 'W7') return pass(op);
  throw new Error(workload);
}

setThreadsCount(threads);
await tf.setBackend('wasm');
await tf.ready();
await serve(
  tf.version.tfjs,
  (workload) => {
    tf.disposeVariables();
    const call = prepare(workload);
    let out;
    return () => {
      out?.dispose();
      out = call();
      return out;
    };
  },
  firstOf,
);
