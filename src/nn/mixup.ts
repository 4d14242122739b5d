import { isReal } from '../dtype';
import { DtypeError, ShapeError } from '../errors';
import { add, cos, div, mul, pow, sqrt, square, sub } from '../ops/elementwise';
import { indexSelect, oneHot } from '../ops/gather';
import { defaultGenerator, type Generator, rand, randperm } from '../ops/random';
import { show } from '../shape';
import { checkCounts, checkOption, checkReal, type Tensor } from '../tensor';

export interface MixupOptions {
  /** Both parameters of the Beta distribution: the smaller, the less is mixed. */
  alpha?: number;
  /** How many classes there are, where targets are classes. */
  numClasses?: number;
  generator?: Generator;
}

/**
 * Examples between those of a batch: λ·x[i] + (1 - λ)·x[j], targets alike, j a permutation of the batch and one λ ~ Beta(alpha, alpha) for
 * all of it (Zhang et al. 2018, eq. 1 and fig. 1a). x [N, ...] real, y [N, ...] real or i32 classes [N], which become probabilities [N,
 * numClasses], as `crossEntropy` takes them. Returns [x, y] of the mixture; `train` mixes with `augment`. Throws a DtypeError unless x is
 * real and y real or i32, a ShapeError unless x and y have as many examples, a ValueError unless alpha is above 0, and for classes without `numClasses`.
 */
export function mixup(
  x: Tensor,
  y: Tensor,
  { alpha = 1, numClasses, generator = defaultGenerator }: MixupOptions = {},
): [Tensor, Tensor] {
  const op = 'mixup';
  checkReal(op, { x });
  checkOption(op, 'alpha', alpha, alpha > 0 && Number.isFinite(alpha), 'a finite number above 0');
  const target = isReal(y?.dtype) ? y : classesAs(y, numClasses!, x);
  checkReal(op, { x, y: target });
  if (x.rank === 0 || x.shape[0] !== target.shape[0]) {
    throw new ShapeError(`x and y must have as many examples; got ${show(x.shape)} and ${show(y.shape)}.`, {
      op,
      argument: 'y',
      got: y.shape,
      expected: x.shape,
    });
  }
  const share = betaOfOne(alpha, { dtype: x.dtype, generator });
  const others = randperm(x.shape[0]!, { generator });
  const mixed = (one: Tensor) => add(mul(one, share), mul(indexSelect(one, others), sub(1, share)));
  return [mixed(x), mixed(target)];
}

function classesAs(y: Tensor, numClasses: number, { dtype }: Tensor): Tensor {
  if (y?.dtype !== 'i32') {
    const got = y?.dtype ?? String(y);
    throw new DtypeError(`y must be real, or i32 (classes); got ${got}.`, { op: 'mixup', argument: 'y', got });
  }
  checkCounts('mixup', { numClasses });
  return oneHot(y, { numClasses, dtype });
}

/**
 * One number ~ Beta(alpha, alpha), by a formula that needs no rejection and hence no loop: ½ + ½·t / √(2·alpha + t²) with t a Student's
 * variate of 2·alpha degrees of freedom, √(2·alpha·(u^(-1/alpha) - 1))·cos(2πv) (Bailey 1994). Written in s = u^(1/alpha), which
 * comes to 0 where the other form would overflow.
 */
function betaOfOne(alpha: number, options: { dtype: Tensor['dtype']; generator: Generator }): Tensor {
  const s = pow(rand([], options), 1 / alpha);
  const c = cos(mul(rand([], options), 2 * Math.PI));
  const rest = sub(1, s);
  const root = sqrt(div(rest, add(s, mul(rest, square(c)))));
  return mul(add(mul(c, root), 1), 0.5);
}
