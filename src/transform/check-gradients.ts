import { ValueError } from '../errors';
import { mul } from '../ops/elementwise';
import { sum } from '../ops/reduce';
import { full, type Tensor, tensor } from '../tensor';
import { grad, vjp } from './grad';

export interface CheckOptions {
  /** How far to step along the direction; the central difference errs by its square. */
  eps?: number;
  /** Of the numbers that make the direction. */
  seed?: number;
  /** 1: the gradient. 2: the gradient of the gradient too. */
  order?: 1 | 2;
}

export interface CheckResult {
  /** Slope along the direction by central difference and by the gradient. */
  numeric: number;
  analytic: number;
  /** |numeric - analytic| relative to their size. */
  error: number;
}

/** A direction without structure: a small generator of its own, so that a check moves nobody's random numbers. */
function direction(shape: readonly number[], seed: number): Tensor {
  let state = (seed * 2654435761 + 1) >>> 0;
  const values = new Float64Array(shape.reduce((size, length) => size * length, 1));
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return tensor(values, { shape });
}

/**
 * Compares f's gradient with a central difference along one random direction of all its f64 arguments together, so that a check
 * costs the same at any size (as HIPS/autograd does). A result of any shape is weighted into a scalar. Returns the worst
 * of the orders asked for; a right gradient of a smooth function errs by less than 1e-6.
 */
export function checkGradients(
  f: (...args: Tensor[]) => Tensor,
  args: Tensor[],
  { eps = 1e-5, seed = 1, order = 1 }: CheckOptions = {},
): CheckResult {
  const bad = args.findIndex((arg) => arg.dtype !== 'f64');
  if (bad >= 0) {
    throw new ValueError(`argument ${bad} has dtype ${args[bad]!.dtype}; finite differences need f64.`, {
      op: 'checkGradients',
      argument: `argument ${bad}`,
      got: args[bad]!.dtype,
      expected: 'f64',
    });
  }
  const first = checkOnce(f, args, eps, seed);
  if (order === 1) return first;
  const gradients = (...at: Tensor[]): Tensor => {
    const { value, pullback } = vjp(f)(...at);
    const back = pullback(weights(value.shape, seed));
    const parts = (Array.isArray(back) ? back : [back]).map((one, i) =>
      sum(mul(one, direction(one.shape, seed + 100 + i))),
    );
    return parts.reduce((total, part) => total.add(part));
  };
  const second = checkOnce(gradients, args, eps, seed + 1);
  return second.error > first.error ? second : first;
}

function weights(shape: readonly number[], seed: number): Tensor {
  return shape.length === 0 ? full([], 1, { dtype: 'f64' }) : direction(shape, seed + 50);
}

function checkOnce(f: (...args: Tensor[]) => Tensor, args: Tensor[], eps: number, seed: number): CheckResult {
  const scalar = (...at: Tensor[]): Tensor => {
    const y = f(...at);
    return sum(mul(y, weights(y.shape, seed)));
  };
  const directions = args.map((arg, i) => direction(arg.shape, seed + i));
  const at = (step: number) => scalar(...args.map((arg, i) => arg.add(mul(directions[i]!, step)))).item();
  const numeric = (at(eps) - at(-eps)) / (2 * eps);
  const gradients = grad(scalar, { wrt: args.map((_, i) => i) })(...args);
  const analytic = gradients.reduce((total, one, i) => total + sum(mul(one, directions[i]!)).item(), 0);
  const scale = Math.max(Math.abs(numeric), Math.abs(analytic), 1e-3);
  return { numeric, analytic, error: Math.abs(numeric - analytic) / scale };
}
