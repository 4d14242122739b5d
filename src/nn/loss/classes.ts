import { isReal } from '../../dtype';
import { DtypeError, ShapeError } from '../../errors';
import { add, cast, div, eq, logicalNot, mul, neg, relu, square, sub, where } from '../../ops/elementwise';
import { embedding, gatherFor } from '../../ops/gather';
import { reshape, unsqueeze } from '../../ops/movement';
import { mean, sum } from '../../ops/reduce';
import { logSoftmax } from '../../ops/softmax';
import { sameShape, show } from '../../shape';
import { arange, checkOption, checkReal, type Tensor } from '../../tensor';
import { checkAlike, type LossOptions, type Reduction, reduceLoss } from './reduction';

export interface ClassLossOptions extends LossOptions {
  /** [C]: what each class counts. */
  weight?: Tensor;
  /** Targets of this class count nothing. PyTorch has -100 here; without it any class outside 0 … C - 1 is an error. */
  ignoreIndex?: number;
}

/** Where the classes lie in an input [C], [N, C] or [N, C, d…]; weights must have a number for each. */
function classAxis(op: string, input: Tensor, weight: Tensor | undefined): number {
  checkReal(op, { input, ...(weight && { weight }) });
  if (input.rank === 0) {
    throw new ShapeError('input must have a class axis: [C], [N, C] or [N, C, d…]; got a single number.', {
      op,
      argument: 'input',
      got: input.shape,
    });
  }
  const axis = input.rank === 1 ? 0 : 1;
  const expected = [input.shape[axis]!];
  if (weight && !sameShape(weight.shape, expected)) {
    throw new ShapeError(
      `weight must have a number for each of the ${expected[0]} classes; got ${show(weight.shape)}.`,
      {
        op,
        argument: 'weight',
        got: weight.shape,
        expected,
      },
    );
  }
  return axis;
}

/** Throws unless targets are classes, one for each place of the input. */
function checkClasses(op: string, input: Tensor, target: Tensor, axis: number, allowed: string): void {
  const dtype = target?.dtype ?? String(target);
  if (dtype !== 'i32') {
    throw new DtypeError(`target must be ${allowed}; got ${dtype}. Cast it first.`, {
      op,
      argument: 'target',
      got: dtype,
      expected: allowed,
    });
  }
  const expected = input.shape.filter((_, one) => one !== axis);
  if (!sameShape(target.shape, expected)) {
    throw new ShapeError(
      `targets of shape ${show(target.shape)} do not match logits of shape ${show(input.shape)}; classes must have shape ${show(expected)}.`,
      { op, argument: 'target', got: target.shape, expected },
    );
  }
}

/** weight[target], in the shape of the target. */
function weightsOf(target: Tensor, weight: Tensor): Tensor {
  return reshape(embedding(target, unsqueeze(weight, 1)), target.shape);
}

/**
 * Losses of log-probabilities under classes: -weight[target]·input[target], and of that (1 - labelSmoothing), the rest being what
 * all classes would lose on average. A mean is over the weights used.
 */
function likelihoodOfClasses(
  op: string,
  input: Tensor,
  target: Tensor,
  axis: number,
  {
    reduction,
    weight,
    ignoreIndex,
    labelSmoothing,
  }: ClassLossOptions & { reduction: Reduction; labelSmoothing: number },
): Tensor {
  const whole = ignoreIndex === undefined || Number.isInteger(ignoreIndex);
  checkOption(op, 'ignoreIndex', ignoreIndex, whole, 'a whole number');
  const ignored = ignoreIndex === undefined ? null : eq(target, ignoreIndex);
  // Some class that exists, for places that count nothing.
  const classes = ignored ? where(ignored, 0, target) : target;
  const kept = (x: Tensor) => (ignored ? where(ignored, 0, x) : x);
  const picked = reshape(gatherFor(op, input, unsqueeze(classes, axis), axis), target.shape);
  const used = weight && weightsOf(classes, weight);
  let losses = kept(neg(used ? mul(picked, used) : picked));
  if (labelSmoothing > 0) {
    const all = weight ? mul(input, reshape(weight, alongClasses(input, axis))) : input;
    const spread = kept(neg(sum(all, { axis })));
    losses = add(mul(losses, 1 - labelSmoothing), mul(spread, labelSmoothing / input.shape[axis]!));
  }
  if (reduction !== 'mean' || !(used || ignored)) return reduceLoss(op, losses, reduction);
  return div(sum(losses), used ? sum(kept(used)) : sum(cast(logicalNot(ignored!), input.dtype)));
}

/** [C] laid along the class axis. */
function alongClasses(input: Tensor, axis: number): number[] {
  return input.shape.map((length, one) => (one === axis ? length : 1));
}

/**
 * -log softmax(input)[target] for logits [N, C], [N, C, d…] or [C]. An i32 target holds classes ([N], [N, d…] or one number),
 * a real one probabilities in the shape of the input; 'none' gives [N], [N, d…] or one number. `labelSmoothing` moves that part
 * of the target to all classes alike (Szegedy et al. 2016, §7). The mean over classes divides by the weights used, NaN where
 * all are ignored; that over probabilities by the number of samples. A class outside 0 … C - 1 is INDEX_OUT_OF_RANGE.
 */
export function crossEntropy(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', weight, ignoreIndex, labelSmoothing = 0 }: ClassLossOptions & { labelSmoothing?: number } = {},
): Tensor {
  const op = 'crossEntropy';
  const axis = classAxis(op, input, weight);
  checkOption(op, 'labelSmoothing', labelSmoothing, labelSmoothing >= 0 && labelSmoothing <= 1, 'from 0 to 1');
  const logits = logSoftmax(input, { axis });
  if (!target || !isReal(target.dtype)) {
    checkClasses(op, input, target, axis, 'i32 (classes) or real (probabilities)');
    return likelihoodOfClasses(op, logits, target, axis, { reduction, weight, ignoreIndex, labelSmoothing });
  }
  checkAlike(op, { input, target });
  checkOption(op, 'ignoreIndex', ignoreIndex, ignoreIndex === undefined, 'left out where targets are probabilities');
  const perClass = weight ? mul(logits, reshape(weight, alongClasses(input, axis))) : logits;
  const smooth =
    labelSmoothing > 0 ? add(mul(target, 1 - labelSmoothing), labelSmoothing / input.shape[axis]!) : target;
  return reduceLoss(op, neg(sum(mul(perClass, smooth), { axis })), reduction);
}

/**
 * -input[target] for log-probabilities [N, C], [N, C, d…] or [C], as `logSoftmax` gives them, and i32 classes [N], [N, d…] or one
 * number; 'none' gives the shape of the target. The mean divides by the weights used, NaN where all are ignored. A class
 * outside 0 … C - 1 is INDEX_OUT_OF_RANGE.
 */
export function nllLoss(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', weight, ignoreIndex }: ClassLossOptions = {},
): Tensor {
  const axis = classAxis('nllLoss', input, weight);
  checkClasses('nllLoss', input, target, axis, 'i32 (classes)');
  return likelihoodOfClasses('nllLoss', input, target, axis, { reduction, weight, ignoreIndex, labelSmoothing: 0 });
}

/**
 * Σ max(0, margin - input[target] + input[i])ᵖ / C over the classes i other than the target (Crammer & Singer 2001; p 1 or 2), times
 * weight[target]; at the border the gradient is 0. input [N, C] or [C], i32 classes [N] or one number; 'none' gives the shape of the
 * target. The mean is over samples. A class outside 0 … C - 1 is INDEX_OUT_OF_RANGE.
 */
export function multiMarginLoss(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', weight, p = 1, margin = 1 }: LossOptions & { weight?: Tensor; p?: 1 | 2; margin?: number } = {},
): Tensor {
  const op = 'multiMarginLoss';
  const axis = classAxis(op, input, weight);
  if (input.rank > 2) {
    throw new ShapeError(`input must be [N, C] or [C]; got ${show(input.shape)}.`, {
      op,
      argument: 'input',
      got: input.shape,
    });
  }
  checkClasses(op, input, target, axis, 'i32 (classes)');
  checkOption(op, 'p', p, p === 1 || p === 2, '1 or 2');
  checkOption(op, 'margin', margin, Number.isFinite(margin), 'a finite number');
  const column = unsqueeze(target, axis);
  const over = relu(add(sub(input, gatherFor(op, input, column, axis)), margin));
  const others = where(eq(column, arange(input.shape[axis]!)), 0, p === 1 ? over : square(over));
  const losses = mean(others, { axis });
  return reduceLoss(op, weight ? mul(losses, weightsOf(target, weight)) : losses, reduction);
}
