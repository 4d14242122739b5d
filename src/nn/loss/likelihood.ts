import { ShapeError } from '../../errors';
import { add, clamp, div, eq, exp, gt, log, mul, square, sub, where } from '../../ops/elementwise';
import { detach, unsqueeze } from '../../ops/movement';
import { sum } from '../../ops/reduce';
import { sameShape, show } from '../../shape';
import { checkOption, checkReal, type Tensor } from '../../tensor';
import { checkAlike, type LossOptions, type Reduction, reduceLoss } from './reduction';

/**
 * The Kullback-Leibler divergence target·(log target - input) of log-probabilities `input` from probabilities `target`, or from their
 * logarithms with `logTarget` (Kullback & Leibler 1951, eq. 2.4). Targets of 0 count nothing, in value and in gradient. Both [...];
 * 'none' gives [...]. 'batchmean' is the sum over everything divided by the first axis, which is the divergence itself; 'mean', as
 * in PyTorch, divides by all elements.
 */
export function klDiv(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', logTarget = false }: { reduction?: Reduction | 'batchmean'; logTarget?: boolean } = {},
): Tensor {
  const op = 'klDiv';
  checkAlike(op, { input, target });
  const allowed = ['mean', 'sum', 'none', 'batchmean'];
  checkOption(op, 'reduction', reduction, allowed.includes(reduction), 'mean, sum, none or batchmean');
  const probability = logTarget ? exp(target) : target;
  const none = eq(probability, 0);
  // Without what a probability of 0 multiplies, which may be -∞.
  const seen = (x: Tensor, otherwise = 0) => where(none, otherwise, x);
  const logs = logTarget ? seen(target) : log(seen(target, 1));
  const losses = mul(probability, sub(logs, seen(input)));
  if (reduction !== 'batchmean') return reduceLoss(op, losses, reduction);
  return div(sum(losses), Math.max(1, input.shape[0] ?? 1));
}

/** ½ log 2π. */
const HALF_LOG_TWO_PI = 0.9189385332046727;

/**
 * What a count `target` loses under a Poisson distribution of rate e^input, or of rate input where `logInput` is false: e^input -
 * target·input, or input - target·log(input + eps). `full` adds Stirling's approximation of log target!, t·log t - t + ½ log 2πt, where
 * the target is above 1. Both [...]; 'none' gives [...].
 */
export function poissonNllLoss(
  input: Tensor,
  target: Tensor,
  {
    reduction = 'mean',
    logInput = true,
    full = false,
    eps = 1e-8,
  }: LossOptions & { logInput?: boolean; full?: boolean; eps?: number } = {},
): Tensor {
  const op = 'poissonNllLoss';
  checkAlike(op, { input, target });
  checkOption(op, 'eps', eps, eps >= 0, 'a number from 0 on');
  const losses = logInput ? sub(exp(input), mul(target, input)) : sub(input, mul(target, log(add(input, eps))));
  if (!full) return reduceLoss(op, losses, reduction);
  const many = gt(target, 1);
  const t = where(many, target, 1);
  const stirling = add(sub(mul(add(t, 0.5), log(t)), t), HALF_LOG_TWO_PI);
  return reduceLoss(op, add(losses, where(many, stirling, 0)), reduction);
}

/**
 * ½ (log v + (input - target)² / v), what the target loses under a normal distribution of mean `input` and variance `variance` (Nix &
 * Weigend 1994, eq. 4), v = max(variance, eps); the gradient of the variance passes as if it were not held, as in PyTorch. `full` adds
 * ½ log 2π. input and target [..., D], variance alike, or [..., 1] or [...], one for all of D; 'none' gives [..., D].
 */
export function gaussianNllLoss(
  input: Tensor,
  target: Tensor,
  variance: Tensor,
  { reduction = 'mean', full = false, eps = 1e-6 }: LossOptions & { full?: boolean; eps?: number } = {},
): Tensor {
  const op = 'gaussianNllLoss';
  checkAlike(op, { input, target });
  checkReal(op, { input, variance });
  checkOption(op, 'eps', eps, eps > 0, 'a number above 0');
  const rows = input.shape.slice(0, -1);
  const single = input.rank > 0 && sameShape(variance.shape, rows) && !sameShape(variance.shape, input.shape);
  const own = single ? unsqueeze(variance, -1) : variance;
  if (!sameShape(own.shape, input.shape) && !(input.rank > 0 && sameShape(own.shape, [...rows, 1]))) {
    throw new ShapeError(
      `variance of shape ${show(variance.shape)} does not match input of shape ${show(input.shape)}; allowed are that, ${show(rows)} and ${show([...rows, 1])}.`,
      { op, argument: 'variance', got: variance.shape, expected: input.shape },
    );
  }
  // own - own is 0, with a slope of 1.
  const held = add(sub(own, detach(own)), detach(clamp(own, { min: eps })));
  const losses = mul(add(log(held), div(square(sub(input, target)), held)), 0.5);
  return reduceLoss(op, full ? add(losses, HALF_LOG_TWO_PI) : losses, reduction);
}
