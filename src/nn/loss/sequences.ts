import { DtypeError, ShapeError } from '../../errors';
import { add, cast, clamp, div, exp, gt, log, lt, maximum, mul, ne, neg, sub, where } from '../../ops/elementwise';
import { embedding, gatherFor } from '../../ops/gather';
import { checkLengths, type Lengths } from '../../ops/lengths';
import { broadcastTo, concat, detach, pad, reshape, slice, stack, unbind, unsqueeze } from '../../ops/movement';
import { logsumexp, mean } from '../../ops/reduce';
import { type Shape, sameShape, show } from '../../shape';
import { arange, checkOption, checkReal, full, type Tensor, tensor } from '../../tensor';
import { type LossOptions, reduceLoss } from './reduction';

/**
 * The logarithm of the probability of what cannot be. Finite, since -∞ - -∞ and the gradients around it would be NaN; a sum of a million of
 * them is still a number of float32.
 */
const NEVER = -1e30;

const op = 'ctcLoss';

/** Targets that come one after another, as rows: [Σ lengths] -> [N, S]. What fills a row up is any of them. */
function inRows(targets: Tensor, lengths: readonly number[]): Tensor {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (targets.size !== total) {
    throw new ShapeError(`targets of shape ${show(targets.shape)} do not match targetLengths, ${total} together.`, {
      op,
      argument: 'targets',
      got: targets.shape,
      expected: [total],
    });
  }
  const longest = Math.max(0, ...lengths);
  let start = 0;
  const places = lengths.flatMap((length) => {
    start += length;
    return Array.from({ length: longest }, (_, i) => (i < length ? start - length + i : 0));
  });
  const shape = [lengths.length, longest];
  if (longest === 0) return reshape(targets, shape);
  return reshape(embedding(tensor(Int32Array.from(places)), unsqueeze(targets, 1)), shape);
}

/**
 * Connectionist temporal classification (Graves et al. 2006, §4.1): minus the logarithm of the probability that steps which are independent of
 * each other spell the target, once repeated classes are merged and blanks left out. -log Σ over all such paths Π p, by α over the
 * target with blanks around its classes, a step at a time:
 *
 *     αₜ(s) = log(e^αₜ₋₁(s) + e^αₜ₋₁(s-1) + [class s is neither a blank nor that of s-2] e^αₜ₋₁(s-2)) + logProbs[t, class s]
 *
 * - logProbs [T, N, C], or [T, C] for a single sequence: logarithms of probabilities, as `logSoftmax` gives them
 * - targets, i32 classes other than the blank: [N, S], of which what is beyond a row's length counts nothing, or all one after another,
 *   [Σ targetLengths], which takes lengths that are known when the function is traced
 * - inputLengths, from 1 to T, and targetLengths, from 0 to S, a number a sequence
 *
 * 'none' gives [N], or one number for [T, C]; 'mean' divides each loss by its target's length before it averages, as in PyTorch. A
 * target that is too long for its input has no path and a loss of ∞, with `zeroInfinity` of 0, and no gradient. The gradient is
 * that of the formula, -(the share of paths through a class at a step); PyTorch's has softmax added to it, which makes no difference
 * behind `logSoftmax`. Throws a DtypeError unless logProbs are real and the others i32, a ShapeError where shapes do not fit, a
 * ValueError for lengths out of range, as far as they are known, and for a blank that is no class; a class outside 0 … C - 1 is
 * INDEX_OUT_OF_RANGE.
 */
export function ctcLoss(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: Lengths,
  targetLengths: Lengths,
  {
    reduction = 'mean',
    blank = 0,
    zeroInfinity = false,
  }: LossOptions & { blank?: number; zeroInfinity?: boolean } = {},
): Tensor {
  checkReal(op, { logProbs });
  if ((logProbs.rank !== 3 && logProbs.rank !== 2) || logProbs.shape[0] === 0) {
    throw new ShapeError(`logProbs must be [T, N, C] or [T, C], of a step or more; got ${show(logProbs.shape)}.`, {
      op,
      argument: 'logProbs',
      got: logProbs.shape,
    });
  }
  const x = logProbs.rank === 3 ? logProbs : unsqueeze(logProbs, 1);
  const [steps, n, classes] = x.shape as [number, number, number];
  checkOption(op, 'blank', blank, Number.isInteger(blank) && blank >= 0 && blank < classes, `from 0 to ${classes - 1}`);
  if (targets?.dtype !== 'i32') {
    const dtype = targets?.dtype ?? String(targets);
    throw new DtypeError(`targets must be i32 (classes); got ${dtype}. Cast them first.`, {
      op,
      argument: 'targets',
      got: dtype,
      expected: 'i32',
    });
  }
  const rows: Shape = [n, targets.shape[1]!];
  if (targets.rank !== 1 && !sameShape(targets.shape, rows)) {
    throw new ShapeError(
      `targets must be [N, S] for the ${n} sequences of logProbs, or [Σ targetLengths]; got ${show(targets.shape)}.`,
      { op, argument: 'targets', got: targets.shape, expected: [n] },
    );
  }
  const input = checkLengths(op, 'inputLengths', inputLengths, n, 1, steps);
  const target = checkLengths(op, 'targetLengths', targetLengths, n, 0, targets.rank === 1 ? targets.size : rows[1]!);
  const labels = targets.rank === 1 ? inRows(targets, target.known ?? [...target.own.values(op)]) : targets;
  const most = labels.shape[1]!;

  // blank, class, blank, class, …, blank: [N, 2S + 1]. What is beyond a target is never read, and need be no class.
  const used = where(lt(arange(most), unsqueeze(target.own, 1)), labels, blank);
  const blanks = full([n, most, 1], blank, { dtype: 'i32' });
  const pairs = reshape(concat([blanks, unsqueeze(used, 2)], { axis: 2 }), [n, 2 * most]);
  const path = concat([pairs, full([n, 1], blank, { dtype: 'i32' })], { axis: 1 });
  const moved = (values: Tensor, value: number) =>
    pad(
      values,
      [
        [0, 0],
        [2, 0],
      ],
      { value },
    );
  const mayJump = ne(path, slice(moved(path, blank), ':, :-2'));

  const index = broadcastTo(path, [steps, n, 2 * most + 1]);
  // Probabilities of 0 are as good as NEVER, and have no gradient.
  const [first, ...others] = unbind(clamp(gatherFor(op, x, index, 2), { min: NEVER }));
  let alpha = where(lt(arange(2 * most + 1), 2), first!, NEVER);
  const shortest = input.known ? Math.min(...input.known) : 1;
  others.forEach((emission, i) => {
    const before = moved(alpha, NEVER);
    const ways = [alpha, slice(before, ':, 1:-1'), where(mayJump, slice(before, ':, :-2'), NEVER)] as const;
    const largest = detach(ways.reduce((a, b) => maximum(a, b)));
    const total = ways.map((way) => exp(sub(way, largest))).reduce((a, b) => add(a, b));
    const next = add(add(log(total), largest), emission);
    alpha = i + 1 < shortest ? next : where(gt(unsqueeze(input.own, 1), i + 1), next, alpha);
  });

  // The blank behind the last class, or that class; of no class the blank alone, which then comes twice.
  const end = mul(target.own, 2);
  const ends = gatherFor(op, alpha, stack([end, maximum(sub(end, 1), 0)], { axis: 1 }), 1);
  const twice = lt(sub(unsqueeze(end, 1), arange(2)), 0);
  const losses = neg(logsumexp(where(twice, NEVER, ends), { axis: 1 }));
  const settled = where(gt(losses, -NEVER / 2), zeroInfinity ? 0 : Number.POSITIVE_INFINITY, losses);
  if (reduction === 'mean') return mean(div(settled, maximum(cast(target.own, x.dtype), 1)));
  return reduceLoss(op, logProbs.rank === 3 ? settled : reshape(settled, []), reduction);
}
