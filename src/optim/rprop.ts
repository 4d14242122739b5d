import type { Cell } from '../cell';
import { ValueError } from '../errors';
import { clamp, gt, lt, mul, neg, sign, sub, where } from '../ops/elementwise';
import { full, type Tensor } from '../tensor';
import { checkRange, Optimizer, type Params, type UpdateContext, zerosOf } from './optimizer';

export interface RpropOptions {
  /** How far each weight steps at first. A schedule has no part in what follows. */
  lr?: number;
  /** The factors for a gradient that turns round, and for one that does not. */
  etas?: readonly [number, number];
  /** The least and the largest step. */
  stepSizes?: readonly [number, number];
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<RpropOptions>;

const DEFAULTS: Complete = { lr: 1e-2, etas: [0.5, 1.2], stepSizes: [1e-6, 50], maximize: false };

/**
 * Resilient backpropagation (Riedmiller & Braun 1993), as torch.optim.Rprop: each weight has a step of its own, which grows while the
 * gradient keeps its sign and shrinks when it turns round, and then waits for a step. For whole batches only.
 */
export class Rprop extends Optimizer<Complete> {
  constructor(params: Params<RpropOptions>, options: RpropOptions = {}) {
    super('Rprop', params, DEFAULTS, options);
  }

  protected override check({ etas: [less, more], stepSizes: [least, largest] }: Complete): void {
    checkRange('Rprop', { 'etas[0]': less }, 0, 1);
    checkRange('Rprop', { 'etas[1]': more }, 1);
    checkRange('Rprop', { 'stepSizes[0]': least }, 0);
    if (!(largest >= least)) {
      throw new ValueError(`stepSizes[1] must be at least stepSizes[0], ${least}; got ${largest}.`, {
        op: 'optim.Rprop',
        argument: 'stepSizes[1]',
        got: largest,
        expected: least,
      });
    }
  }

  /** The last gradient, and each weight's step. */
  protected override start(parameter: Cell, { lr }: Complete): Tensor[] {
    return [...zerosOf(parameter, 1), full(parameter.shape, lr, parameter)];
  }

  protected override update(
    parameter: Tensor,
    gradient: Tensor,
    { state: [before, size], options: { etas, stepSizes, maximize } }: UpdateContext<Complete>,
  ): Tensor[] {
    const g = maximize ? neg(gradient) : gradient;
    // The product of both would be 0 of small ones.
    const agreement = mul(sign(g), sign(before!));
    const turned = lt(agreement, 0);
    const factor = where(turned, etas[0], where(gt(agreement, 0), full([], etas[1], g), 1));
    const newSize = clamp(mul(size!, factor), { min: stepSizes[0], max: stepSizes[1] });
    const kept = where(turned, 0, g);
    return [sub(parameter, mul(sign(kept), newSize)), kept, newSize];
  }
}
