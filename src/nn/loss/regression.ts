import { abs, clamp, div, mul, square, sub } from '../../ops/elementwise';
import { sum } from '../../ops/reduce';
import { checkOption, type Tensor } from '../../tensor';
import { checkAlike, type LossOptions, reduceLoss } from './reduction';

/** (input - target)². Both [...]; 'none' gives [...]. */
export function mseLoss(input: Tensor, target: Tensor, { reduction = 'mean' }: LossOptions = {}): Tensor {
  checkAlike('mseLoss', { input, target });
  return reduceLoss('mseLoss', square(sub(input, target)), reduction);
}

/**
 * ½ Σ (input - target)² over the outputs of a sample, the mean over samples (Higham & Higham 2019): mseLoss times half the
 * number of outputs. input and target [N, ...]; 'none' gives [N].
 */
export function halfMseLoss(input: Tensor, target: Tensor, { reduction = 'mean' }: LossOptions = {}): Tensor {
  checkAlike('halfMseLoss', { input, target });
  const squares = square(sub(input, target));
  const axis = squares.shape.map((_, one) => one).slice(1);
  return reduceLoss('halfMseLoss', mul(axis.length ? sum(squares, { axis }) : squares, 0.5), reduction);
}

/** |input - target|; the gradient at 0 is 0. Both [...]; 'none' gives [...]. */
export function l1Loss(input: Tensor, target: Tensor, { reduction = 'mean' }: LossOptions = {}): Tensor {
  checkAlike('l1Loss', { input, target });
  return reduceLoss('l1Loss', abs(sub(input, target)), reduction);
}

/** d²/2 where |d| ≤ border, else border·(|d| - border/2): c·(d - c/2) with c = d held at ±border, whose slope is c. */
function parabolaWithArms(d: Tensor, border: number): Tensor {
  const c = clamp(d, { min: -border, max: border });
  return mul(c, sub(d, mul(c, 0.5)));
}

/**
 * d²/(2·beta) where |d| ≤ beta, else |d| - beta/2, of d = input - target (Girshick 2015, eq. 3); l1Loss where beta is 0. Both
 * [...]; 'none' gives [...]. Throws a ValueError for a negative beta.
 */
export function smoothL1Loss(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', beta = 1 }: LossOptions & { beta?: number } = {},
): Tensor {
  const op = 'smoothL1Loss';
  checkAlike(op, { input, target });
  checkOption(op, 'beta', beta, beta >= 0 && Number.isFinite(beta), 'a finite number from 0 on');
  const d = sub(input, target);
  return reduceLoss(op, beta === 0 ? abs(d) : div(parabolaWithArms(d, beta), beta), reduction);
}

/**
 * d²/2 where |d| ≤ delta, else delta·(|d| - delta/2), of d = input - target (Huber 1964). Both [...]; 'none' gives [...]. Throws a
 * ValueError unless delta is above 0.
 */
export function huberLoss(
  input: Tensor,
  target: Tensor,
  { reduction = 'mean', delta = 1 }: LossOptions & { delta?: number } = {},
): Tensor {
  checkAlike('huberLoss', { input, target });
  checkOption('huberLoss', 'delta', delta, delta > 0 && Number.isFinite(delta), 'a finite number above 0');
  return reduceLoss('huberLoss', parabolaWithArms(sub(input, target), delta), reduction);
}
