import type { Cell } from '../cell';
import { add, div, mul, relu, sqrt, square, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor';
import { checkRange, descent, forget, Optimizer, type Params, type UpdateContext, zerosOf } from './optimizer';

export interface RMSpropOptions {
  /** The learning rate. */
  lr?: number;
  /** How slowly the mean of g² forgets. */
  alpha?: number;
  /** Keeps the divisor away from 0. */
  eps?: number;
  /** L2 penalty: adds weightDecay·p to the gradient. */
  weightDecay?: number;
  momentum?: number;
  /** Divides by the deviation from the mean of g rather than from 0 (Graves 2013, eq. 40). */
  centered?: boolean;
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<RMSpropOptions>;

const DEFAULTS: Complete = {
  lr: 1e-2,
  alpha: 0.99,
  eps: 1e-8,
  weightDecay: 0,
  momentum: 0,
  centered: false,
  maximize: false,
};

/** p moves by lr·g / (√v + eps), v a mean of g² that forgets (Tieleman & Hinton 2012), as torch.optim.RMSprop. */
export class RMSprop extends Optimizer<Complete> {
  constructor(params: Params<RMSpropOptions>, options: RMSpropOptions = {}) {
    super('RMSprop', params, DEFAULTS, options);
  }

  protected override check({ alpha, eps, weightDecay, momentum }: Complete): void {
    checkRange('RMSprop', { alpha }, 0, 1);
    checkRange('RMSprop', { eps, weightDecay, momentum }, 0);
  }

  /** v, then the mean of g, then the momentum, as far as they are needed. */
  protected override start(parameter: Cell, { centered, momentum }: Complete): Tensor[] {
    return zerosOf(parameter, 1 + Number(centered) + Number(momentum > 0));
  }

  protected override update(
    parameter: Tensor,
    gradient: Tensor,
    { lr, state, options }: UpdateContext<Complete>,
  ): Tensor[] {
    const { alpha, eps, momentum, centered } = options;
    const g = descent(parameter, gradient, options);
    const news = [forget(state[0]!, square(g), alpha)];
    if (centered) news.push(forget(state[1]!, g, alpha));
    // A variance of equal gradients may round to less than 0.
    const variance = centered ? relu(sub(news[0]!, square(news[1]!))) : news[0]!;
    let move = div(g, add(sqrt(variance), eps));
    if (momentum > 0) {
      move = add(mul(state.at(-1)!, momentum), move);
      news.push(move);
    }
    return [sub(parameter, mul(move, lr)), ...news];
  }
}
