// The same in TensorFlow.js, with the core of the library and one backend, which is what a page needs.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import '@tensorflow/tfjs-backend-wasm';
import { digits, finish, images } from './batch';

await tf.setBackend('wasm');
const variable = (inputs, outputs) =>
  tf.variable(tf.randomUniform([inputs, outputs], -(inputs ** -0.5), inputs ** -0.5));
const [w1, b1, w2, b2] = [
  variable(784, 128),
  tf.variable(tf.zeros([128])),
  variable(128, 10),
  tf.variable(tf.zeros([10])),
];
const x = tf.tensor(images, [64, 784]);
const y = tf.oneHot(tf.tensor1d(digits, 'int32'), 10);
const loss = tf.train.adam(1e-3).minimize(() => {
  const hidden = tf.relu(tf.add(tf.matMul(x, w1), b1));
  return tf.losses.softmaxCrossEntropy(y, tf.add(tf.matMul(hidden, w2), b2));
}, true);
finish(loss.dataSync()[0]);
