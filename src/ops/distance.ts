import { ShapeError } from '../errors';
import { broadcastShapes, normalizeAxes, normalizeAxis, show } from '../shape';
import { checkOption, checkReal, type Tensor } from '../tensor';
import { abs, add, cast, div, eq, lt, mul, ne, pow, sqrt, square, sub, where } from './elementwise';
import { unsqueeze } from './movement';
import { max, min, type ReduceOptions, sum } from './reduce';

/** f(x) where x is not 0, and 0 with a slope of 0 where it is: roots and powers are infinitely steep there. */
function awayFromZero(x: Tensor, f: (x: Tensor) => Tensor, atZero = 0): Tensor {
  const zero = eq(x, 0);
  return where(zero, atZero, f(where(zero, 1, x)));
}

/**
 * The p-norm (Σ |x|^p)^(1/p) over the axes, all of them where none is given: the largest |x| for p = ∞, the smallest for -∞, how
 * many are not 0 for p = 0 (torch.linalg.vector_norm). The gradient of 0 is 0. Throws a DtypeError unless x is real, a
 * ValueError where p is NaN.
 */
export function norm(x: Tensor, { p = 2, axis, keepDims }: ReduceOptions & { p?: number } = {}): Tensor {
  checkReal('norm', { x });
  const axes = { axis: normalizeAxes('norm', axis, x.shape), keepDims };
  checkOption('norm', 'p', p, typeof p === 'number' && !Number.isNaN(p), 'a number');
  if (p === 2) return awayFromZero(sum(square(x), axes), sqrt);
  if (p === 0) return sum(cast(ne(x, 0), x.dtype), axes);
  const size = abs(x);
  if (p === 1) return sum(size, axes);
  if (p === Number.POSITIVE_INFINITY) return max(size, axes);
  if (p === Number.NEGATIVE_INFINITY) return min(size, axes);
  const powers = awayFromZero(size, (one) => pow(one, p), p < 0 ? Number.POSITIVE_INFINITY : 0);
  return awayFromZero(sum(powers, axes), (total) => pow(total, 1 / p));
}

/**
 * ‖x1 - x2 + eps‖ₚ over the last axis: [..., D] x [..., D] -> [...], which broadcast. The shift keeps the gradient of equal ones
 * finite for any p. Throws a DtypeError unless both are real and of one dtype, a ShapeError where they do not broadcast.
 */
export function pairwiseDistance(
  x1: Tensor,
  x2: Tensor,
  { p = 2, eps = 1e-6, keepDims = false }: { p?: number; eps?: number; keepDims?: boolean } = {},
): Tensor {
  checkReal('pairwiseDistance', { x1, x2 });
  normalizeAxis('pairwiseDistance', -1, broadcastShapes('pairwiseDistance', x1.shape, x2.shape));
  return norm(add(sub(x1, x2), eps), { p, axis: -1, keepDims });
}

/**
 * x1·x2 / (max(‖x1‖, eps)·max(‖x2‖, eps)) along an axis: [..., D, ...] x [..., D, ...] -> [..., ...], which broadcast. Throws a
 * DtypeError unless both are real and of one dtype, a ShapeError where they do not broadcast.
 */
export function cosineSimilarity(
  x1: Tensor,
  x2: Tensor,
  { axis = 1, eps = 1e-8 }: { axis?: number; eps?: number } = {},
): Tensor {
  checkReal('cosineSimilarity', { x1, x2 });
  const at = normalizeAxis('cosineSimilarity', axis, broadcastShapes('cosineSimilarity', x1.shape, x2.shape));
  // Counted from the end, since the one with fewer axes gets its own in front.
  const last = at - Math.max(x1.rank, x2.rank);
  const unit = (x: Tensor) => {
    const length = norm(x, { axis: last, keepDims: true });
    return div(x, where(lt(length, eps), eps, length));
  };
  return sum(mul(unit(x1), unit(x2)), { axis: last });
}

/**
 * The distance ‖x1ᵢ - x2ⱼ‖ₚ of every row to every other: [..., P, D] x [..., R, D] -> [..., P, R], over batch axes that broadcast.
 * The differences themselves, P·R·D numbers, are formed: no digits are lost where rows are close, as they are in
 * ‖x1‖² + ‖x2‖² - 2·x1·x2. Throws a DtypeError unless both are real and of one dtype, a ShapeError where they do not fit.
 */
export function cdist(x1: Tensor, x2: Tensor, { p = 2 }: { p?: number } = {}): Tensor {
  checkReal('cdist', { x1, x2 });
  if (x1.rank < 2 || x2.rank < 2 || x1.shape.at(-1) !== x2.shape.at(-1)) {
    throw new ShapeError(
      `x1 and x2 must be rows of one length, [..., P, D] and [..., R, D]; got ${show(x1.shape)} and ${show(x2.shape)}.`,
      { op: 'cdist', argument: 'x2', got: x2.shape, expected: x1.shape },
    );
  }
  broadcastShapes('cdist', x1.shape.slice(0, -2), x2.shape.slice(0, -2));
  return norm(sub(unsqueeze(x1, -2), unsqueeze(x2, -3)), { p, axis: -1 });
}
