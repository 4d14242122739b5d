import { ShapeError } from '../../errors';
import { mean, sum } from '../../ops/reduce';
import { type Shape, sameShape, show } from '../../shape';
import { checkOption, checkReal, type Tensor } from '../../tensor';

// What all losses have in common: functions of a prediction and a target, named as in torch.nn.functional, whose single losses
// are averaged, added or left alone. Each throws a DtypeError unless its tensors are real and of one dtype (class targets:
// i32), a ShapeError where shapes do not fit, and a ValueError for options that are not allowed.

export type Reduction = 'mean' | 'sum' | 'none';

export interface LossOptions {
  /** What becomes of the single losses: their mean, their sum, or themselves. */
  reduction?: Reduction;
}

export function reduceLoss(op: string, losses: Tensor, reduction: Reduction): Tensor {
  checkOption(op, 'reduction', reduction, ['mean', 'sum', 'none'].includes(reduction), 'mean, sum or none');
  return reduction === 'mean' ? mean(losses) : reduction === 'sum' ? sum(losses) : losses;
}

/** Losses compare element by element: no broadcasting, which would hide a mistake. All must have the first one's shape. */
export function checkAlike(op: string, tensors: Record<string, Tensor>): void {
  checkReal(op, tensors);
  const [first, ...others] = Object.keys(tensors) as [string, ...string[]];
  for (const argument of others) checkShaped(op, argument, tensors[argument]!, tensors[first]!.shape, first);
}

/** Throws unless a tensor has the shape that follows from another one. */
export function checkShaped(op: string, argument: string, x: Tensor, expected: Shape, from: string): void {
  if (sameShape(x.shape, expected)) return;
  throw new ShapeError(`${argument} of shape ${show(x.shape)} does not match ${from} of shape ${show(expected)}.`, {
    op,
    argument,
    got: x.shape,
    expected,
  });
}

/** Throws unless factors, where given, are like the input and broadcast to it. */
export function checkFactors(op: string, input: Tensor, factors: Record<string, Tensor | undefined>): void {
  for (const [argument, factor] of Object.entries(factors)) {
    if (factor === undefined) continue;
    checkReal(op, { input, [argument]: factor });
    const lead = input.rank - factor.rank;
    const fits = lead >= 0 && factor.shape.every((length, axis) => length === 1 || length === input.shape[lead + axis]);
    if (fits) continue;
    throw new ShapeError(
      `${argument} of shape ${show(factor.shape)} does not broadcast to input of shape ${show(input.shape)}.`,
      { op, argument, got: factor.shape, expected: input.shape },
    );
  }
}
