import { Tensor } from '../tensor';
import * as elementwise from './elementwise';
import { matmul } from './matmul';
import * as movement from './movement';
import * as reduce from './reduce';
import { logSoftmax, softmax } from './softmax';

// The functions that tensors also have as methods, `this` as their first argument. Types first, then one line each.

type Rest<F> = F extends (first: never, ...rest: infer R) => infer T ? (...rest: R) => T : never;

const METHODS = {
  add: elementwise.add,
  sub: elementwise.sub,
  mul: elementwise.mul,
  div: elementwise.div,
  pow: elementwise.pow,
  neg: elementwise.neg,
  abs: elementwise.abs,
  sqrt: elementwise.sqrt,
  square: elementwise.square,
  exp: elementwise.exp,
  log: elementwise.log,
  tanh: elementwise.tanh,
  sigmoid: elementwise.sigmoid,
  relu: elementwise.relu,
  clamp: elementwise.clamp,
  eq: elementwise.eq,
  ne: elementwise.ne,
  lt: elementwise.lt,
  le: elementwise.le,
  gt: elementwise.gt,
  ge: elementwise.ge,
  cast: elementwise.cast,
  matmul,
  softmax,
  logSoftmax,
  sum: reduce.sum,
  mean: reduce.mean,
  max: reduce.max,
  min: reduce.min,
  argmax: reduce.argmax,
  argmin: reduce.argmin,
  reshape: movement.reshape,
  transpose: movement.transpose,
  permute: movement.permute,
  slice: movement.slice,
  squeeze: movement.squeeze,
  unsqueeze: movement.unsqueeze,
  flatten: movement.flatten,
  detach: movement.detach,
} as const;

type Methods = { [K in keyof typeof METHODS]: Rest<(typeof METHODS)[K]> };

declare module '../tensor' {
  interface Tensor extends Methods {}
}

for (const [name, f] of Object.entries(METHODS)) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return (f as (...args: unknown[]) => unknown)(this, ...rest);
    },
    writable: true,
    configurable: true,
  });
}
