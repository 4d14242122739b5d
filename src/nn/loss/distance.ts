import { ShapeError } from '../../errors';
import { pairwiseDistance } from '../../ops/distance';
import { add, clamp, div, eq, minimum, mul, ne, sqrt, square, sub, where } from '../../ops/elementwise';
import { sum } from '../../ops/reduce';
import { show } from '../../shape';
import { checkOption, checkReal, type Tensor } from '../../tensor';
import { checkAlike, checkShaped, type LossOptions, reduceLoss } from './reduction';

/**
 * The input, a distance, where the target is 1, and max(0, margin - input) where it is -1 (Hadsell et al. 2006); at the border the
 * gradient is -1. Both [...]; 'none' gives [...].
 */
export function hingeEmbeddingLoss(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', margin = 1 }: LossOptions & { margin?: number } = {},
): Tensor {
  const op = 'hingeEmbeddingLoss';
  checkAlike(op, { input, target });
  checkOption(op, 'margin', margin, Number.isFinite(margin), 'a finite number');
  const far = where(ne(target, 1), clamp(sub(margin, input), { min: 0 }), 0);
  return reduceLoss(op, add(far, where(ne(target, -1), input, 0)), reduction);
}

/** Keeps cosines of zeros finite, in PyTorch as well. */
const TINY = 1e-12;

/**
 * 1 - cos(x1, x2) where the target is 1, max(0, cos(x1, x2) - margin) where it is -1; at the border the gradient is that of the
 * cosine. x1 and x2 [N, D] with target [N], or [D] with one number; 'none' gives the shape of the target.
 */
export function cosineEmbeddingLoss(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  { reduction = 'mean', margin = 0 }: LossOptions & { margin?: number } = {},
): Tensor {
  const op = 'cosineEmbeddingLoss';
  checkAlike(op, { input1, input2 });
  checkReal(op, { input1, target });
  if (input1.rank !== 1 && input1.rank !== 2) {
    throw new ShapeError(`input1 must be [N, D] or [D]; got ${show(input1.shape)}.`, {
      op,
      argument: 'input1',
      got: input1.shape,
    });
  }
  checkShaped(op, 'target', target, input1.shape.slice(0, -1), 'the rows of input1');
  checkOption(op, 'margin', margin, Number.isFinite(margin), 'a finite number');
  const last = { axis: -1 };
  // Roots before their product, which would overflow earlier.
  const length = (x: Tensor) => sqrt(add(sum(square(x), last), TINY));
  const cosine = div(sum(mul(input1, input2), last), mul(length(input1), length(input2)));
  const near = where(eq(target, 1), sub(1, cosine), 0);
  const far = where(eq(target, -1), clamp(sub(cosine, margin), { min: 0 }), 0);
  return reduceLoss(op, add(near, far), reduction);
}

/**
 * max(0, d(anchor, positive) - d(anchor, negative) + margin) with d = `pairwiseDistance`, the p-norm over the last axis (Schroff et
 * al. 2015); at the border the gradient passes. `swap` takes the nearer of d(anchor, negative) and d(positive, negative) (Balntas et
 * al. 2016). All [N, D] or [D]; 'none' gives [N] or one number.
 */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  {
    reduction = 'mean',
    margin = 1,
    p = 2,
    eps = 1e-6,
    swap = false,
  }: LossOptions & { margin?: number; p?: number; eps?: number; swap?: boolean } = {},
): Tensor {
  const op = 'tripletMarginLoss';
  checkAlike(op, { anchor, positive, negative });
  if (anchor.rank === 0) {
    throw new ShapeError('anchor must be [N, D] or [D]; got a single number.', { op, argument: 'anchor', got: [] });
  }
  checkOption(op, 'margin', margin, Number.isFinite(margin), 'a finite number');
  checkOption(op, 'p', p, typeof p === 'number' && !Number.isNaN(p), 'a number');
  const distance = (x1: Tensor, x2: Tensor) => pairwiseDistance(x1, x2, { p, eps });
  const far = distance(anchor, negative);
  const apart = swap ? minimum(far, distance(positive, negative)) : far;
  return reduceLoss(op, clamp(add(sub(distance(anchor, positive), apart), margin), { min: 0 }), reduction);
}
