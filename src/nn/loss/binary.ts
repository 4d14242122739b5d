import { add, le, log, maximum, mul, neg, relu, softplus, square, sub, where } from '../../ops/elementwise';
import type { Tensor } from '../../tensor';
import { checkAlike, checkFactors, type LossOptions, reduceLoss } from './reduction';

export interface BinaryLossOptions extends LossOptions {
  /** A factor for each loss; broadcasts to the input. */
  weight?: Tensor;
}

/** The least logarithm of a probability, in PyTorch as well. */
const MIN_LOG = -100;

/**
 * -(y log p + (1 - y) log(1 - p)) for probabilities p = input in [0, 1] and targets y in [0, 1]. Both [...]; 'none' gives [...].
 * Logarithms are held at -100, where the gradient is 0: prefer `binaryCrossEntropyWithLogits`, which learns from any logit.
 */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', weight }: BinaryLossOptions = {},
): Tensor {
  const op = 'binaryCrossEntropy';
  checkAlike(op, { input, target });
  checkFactors(op, input, { weight });
  const held = (p: Tensor) => {
    // The logarithm does not see the 0 either, or its gradient there would be 0 · ∞; NaN goes through.
    const none = le(p, 0);
    return where(none, MIN_LOG, maximum(log(where(none, 1, p)), MIN_LOG));
  };
  const losses = neg(add(mul(target, held(input)), mul(sub(1, target), held(sub(1, input)))));
  return reduceLoss(op, weight ? mul(losses, weight) : losses, reduction);
}

/** softplus without the threshold from which on it counts as a straight line: 2e-9 off there. */
const CURVED = { threshold: 1 / 0 };

/**
 * binaryCrossEntropy(sigmoid(input), target) for logits of any size: softplus(x) - x·y. With `posWeight` the positive part counts
 * that many times: (1 - y)·x + (1 + (posWeight - 1)·y)·softplus(-x). Both [...]; 'none' gives [...].
 */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', weight, posWeight }: BinaryLossOptions & { posWeight?: Tensor } = {},
): Tensor {
  const op = 'binaryCrossEntropyWithLogits';
  checkAlike(op, { input, target });
  checkFactors(op, input, { weight, posWeight });
  const losses = posWeight
    ? add(mul(sub(1, target), input), mul(add(mul(sub(posWeight, 1), target), 1), softplus(neg(input), CURVED)))
    : sub(softplus(input, CURVED), mul(input, target));
  return reduceLoss(op, weight ? mul(losses, weight) : losses, reduction);
}

/**
 * max(0, 1 - input·target) for scores and targets of 1 and -1 (Cortes & Vapnik 1995); the gradient at the border is 0. Both
 * [...]; 'none' gives [...].
 */
export function hingeLoss(input: Tensor, target: Tensor, { reduction = 'mean' }: LossOptions = {}): Tensor {
  checkAlike('hingeLoss', { input, target });
  return reduceLoss('hingeLoss', relu(sub(1, mul(input, target))), reduction);
}

/** max(0, 1 - input·target)² for scores and targets of 1 and -1 (Lee & Mangasarian 2001). Both [...]; 'none' gives [...]. */
export function squaredHingeLoss(input: Tensor, target: Tensor, { reduction = 'mean' }: LossOptions = {}): Tensor {
  checkAlike('squaredHingeLoss', { input, target });
  return reduceLoss('squaredHingeLoss', square(relu(sub(1, mul(input, target)))), reduction);
}
