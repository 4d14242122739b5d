import type { Cell } from '../cell';
import { ValueError } from '../errors';
import { sgdUpdate } from '../ops/optimizer';
import type { Tensor } from '../tensor';
import { checkRange, Optimizer, type Params, type UpdateContext, zerosOf } from './optimizer';

export interface SGDOptions {
  /** The learning rate. */
  lr?: number;
  momentum?: number;
  /** How much of the gradient does not enter the momentum. */
  dampening?: number;
  /** L2 penalty: adds weightDecay·p to the gradient. */
  weightDecay?: number;
  /** Looks ahead along the momentum (Sutskever et al. 2013). */
  nesterov?: boolean;
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<SGDOptions>;

const DEFAULTS = { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false };

/** Stochastic gradient descent, as torch.optim.SGD. */
export class SGD extends Optimizer<Complete> {
  constructor(params: Params<SGDOptions>, options: SGDOptions = {}) {
    super('SGD', params, DEFAULTS, options);
  }

  protected override check({ momentum, weightDecay, nesterov, dampening }: Complete): void {
    checkRange('SGD', { momentum, weightDecay }, 0);
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new ValueError(`nesterov needs a momentum and no dampening; got ${momentum} and ${dampening}.`, {
        op: 'optim.SGD',
        argument: 'nesterov',
        got: { momentum, dampening },
      });
    }
  }

  protected override start(parameter: Cell, { momentum }: Complete): Tensor[] {
    return zerosOf(parameter, momentum === 0 ? 0 : 1);
  }

  protected override update(
    parameter: Tensor,
    gradient: Tensor,
    { lr, step, state, options: { lr: _, ...options } }: UpdateContext<Complete>,
  ): Tensor[] {
    return sgdUpdate([parameter, gradient, lr, step, ...state], options);
  }
}
