import { isReal } from '../dtype';
import { DtypeError, ShapeError, ValueError } from '../errors';
import { abs, add, div, le, log, maximum, mul, neg, softplus, square, sub, where } from '../ops/elementwise';
import { embedding, gatherFor } from '../ops/gather';
import { reshape, unsqueeze } from '../ops/movement';
import { mean, sum } from '../ops/reduce';
import { logSoftmax } from '../ops/softmax';
import { sameShape, show } from '../shape';
import type { Tensor } from '../tensor';

// Losses as functions of a prediction and a target, named as in torch.nn.functional.

export type Reduction = 'mean' | 'sum' | 'none';

export interface LossOptions {
  /** What becomes of the single losses: their mean, their sum, or themselves. */
  reduction?: Reduction;
}

function reduceLoss(op: string, losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'mean') return mean(losses);
  if (reduction === 'sum') return sum(losses);
  if (reduction === 'none') return losses;
  throw new ValueError(`reduction must be mean, sum or none; got ${reduction}.`, {
    op,
    argument: 'reduction',
    got: reduction,
    expected: 'mean, sum, none',
  });
}

/** Losses compare element by element: no broadcasting, which would hide a mistake. */
function checkAlike(op: string, input: Tensor, target: Tensor): void {
  if (input.dtype !== target.dtype) {
    throw new DtypeError(`target of dtype ${target.dtype} does not match input of dtype ${input.dtype}; cast one.`, {
      op,
      argument: 'target',
      got: target.dtype,
      expected: input.dtype,
    });
  }
  if (!sameShape(input.shape, target.shape)) {
    throw new ShapeError(`target of shape ${show(target.shape)} does not match input of shape ${show(input.shape)}.`, {
      op,
      argument: 'target',
      got: target.shape,
      expected: input.shape,
    });
  }
}

/** (input - target)², the mean over everything. */
export function mseLoss(input: Tensor, target: Tensor, { reduction = 'mean' }: LossOptions = {}): Tensor {
  checkAlike('mseLoss', input, target);
  return reduceLoss('mseLoss', square(sub(input, target)), reduction);
}

/**
 * ½ Σ (input - target)² over the outputs of a sample, the mean over samples (Higham & Higham 2019): mseLoss times half the
 * number of outputs. input and target [N, ...]; 'none' gives [N].
 */
export function halfMseLoss(input: Tensor, target: Tensor, { reduction = 'mean' }: LossOptions = {}): Tensor {
  checkAlike('halfMseLoss', input, target);
  const squares = square(sub(input, target));
  const axis = squares.shape.map((_, one) => one).slice(1);
  return reduceLoss('halfMseLoss', mul(axis.length ? sum(squares, { axis }) : squares, 0.5), reduction);
}

/** |input - target|, the mean over everything; the gradient at 0 is 0. */
export function l1Loss(input: Tensor, target: Tensor, { reduction = 'mean' }: LossOptions = {}): Tensor {
  checkAlike('l1Loss', input, target);
  return reduceLoss('l1Loss', abs(sub(input, target)), reduction);
}

export interface BinaryLossOptions extends LossOptions {
  /** A factor for each loss; broadcasts to the input. */
  weight?: Tensor;
}

/** The least logarithm of a probability, in PyTorch as well. */
const MIN_LOG = -100;

/**
 * -(y log p + (1 - y) log(1 - p)) for probabilities p = input in [0, 1] and targets y in [0, 1]. Logarithms are held at -100, where
 * the gradient is 0: prefer `binaryCrossEntropyWithLogits`, which learns from any logit.
 */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', weight }: BinaryLossOptions = {},
): Tensor {
  checkAlike('binaryCrossEntropy', input, target);
  const held = (p: Tensor) => {
    // The logarithm does not see the 0 either, or its gradient there would be 0 · ∞; NaN goes through.
    const none = le(p, 0);
    return where(none, MIN_LOG, maximum(log(where(none, 1, p)), MIN_LOG));
  };
  const losses = neg(add(mul(target, held(input)), mul(sub(1, target), held(sub(1, input)))));
  return reduceLoss('binaryCrossEntropy', weight ? mul(losses, weight) : losses, reduction);
}

/** softplus without the threshold from which on it counts as a straight line: 2e-9 off there. */
const CURVED = { threshold: Number.POSITIVE_INFINITY };

/**
 * binaryCrossEntropy(sigmoid(input), target) for logits of any size: softplus(x) - x·y. With `posWeight` the positive part counts
 * that many times: (1 - y)·x + (1 + (posWeight - 1)·y)·softplus(-x).
 */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', weight, posWeight }: BinaryLossOptions & { posWeight?: Tensor } = {},
): Tensor {
  checkAlike('binaryCrossEntropyWithLogits', input, target);
  const losses = posWeight
    ? add(mul(sub(1, target), input), mul(add(mul(sub(posWeight, 1), target), 1), softplus(neg(input), CURVED)))
    : sub(softplus(input, CURVED), mul(input, target));
  return reduceLoss('binaryCrossEntropyWithLogits', weight ? mul(losses, weight) : losses, reduction);
}

/**
 * -log softmax(input)[target] for logits [N, C], [N, C, d…] or [C]. An i32 target holds classes ([N], [N, d…] or one number),
 * a real one probabilities in the shape of the input. `weight` [C] weighs classes; the mean over classes divides by the
 * weights used. A class outside 0 … C - 1 is INDEX_OUT_OF_RANGE.
 */
export function crossEntropy(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', weight }: LossOptions & { weight?: Tensor } = {},
): Tensor {
  const op = 'crossEntropy';
  if (input.rank === 0) {
    throw new ShapeError('input must have a class axis: [C], [N, C] or [N, C, d…]; got a single number.', {
      op,
      argument: 'input',
      got: input.shape,
    });
  }
  const axis = input.rank === 1 ? 0 : 1;
  if (weight && !sameShape(weight.shape, [input.shape[axis]!])) {
    throw new ShapeError(
      `weight must have a number for each of the ${input.shape[axis]} classes; got ${show(weight.shape)}.`,
      {
        op,
        argument: 'weight',
        got: weight.shape,
        expected: [input.shape[axis]!],
      },
    );
  }
  const logits = logSoftmax(input, { axis });
  if (isReal(target.dtype)) {
    checkAlike(op, input, target);
    const perClass = weight ? mul(logits, reshape(weight, classShape(input, axis))) : logits;
    const losses = neg(sum(mul(perClass, target), { axis }));
    // The mean is over samples, whatever the weights, as in PyTorch.
    return reduceLoss(op, losses, reduction);
  }
  if (target.dtype !== 'i32') {
    throw new DtypeError(`target must be i32 (classes) or real (probabilities); got ${target.dtype}. Cast it first.`, {
      op,
      argument: 'target',
      got: target.dtype,
      expected: 'i32, f32, f64',
    });
  }
  const expected = input.shape.filter((_, one) => one !== axis);
  if (!sameShape(target.shape, expected)) {
    throw new ShapeError(
      `targets of shape ${show(target.shape)} do not match logits of shape ${show(input.shape)}; classes must have shape ${show(expected)}.`,
      { op, argument: 'target', got: target.shape, expected },
    );
  }
  const picked = reshape(gatherFor(op, logits, unsqueeze(target, axis), axis), expected);
  if (!weight) return reduceLoss(op, neg(picked), reduction);
  const used = reshape(embedding(target, unsqueeze(weight, 1)), expected);
  const losses = neg(mul(picked, used));
  return reduction === 'mean' ? div(sum(losses), sum(used)) : reduceLoss(op, losses, reduction);
}

/** [C] laid along the class axis. */
function classShape(input: Tensor, axis: number): number[] {
  return input.shape.map((length, one) => (one === axis ? length : 1));
}
