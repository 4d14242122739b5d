import type { Cell } from '../cell';
import { ValueError } from '../errors';
import { sgdUpdate } from '../ops/optimizer';
import type { Tensor } from '../tensor';
import { checkRange, Optimizer } from './optimizer';

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

/** Stochastic gradient descent, as torch.optim.SGD. */
export class SGD extends Optimizer {
  private readonly options: Required<Omit<SGDOptions, 'lr'>>;

  constructor(
    parameters: readonly Cell[],
    { lr = 1e-3, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false, maximize = false }: SGDOptions = {},
  ) {
    super('SGD', parameters, lr, momentum === 0 ? 0 : 1);
    checkRange('SGD', { momentum, weightDecay }, 0);
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new ValueError(`nesterov needs a momentum and no dampening; got ${momentum} and ${dampening}.`, {
        op: 'optim.SGD',
        argument: 'nesterov',
        got: { momentum, dampening },
      });
    }
    this.options = { momentum, dampening, weightDecay, nesterov, maximize };
  }

  protected override update(parameter: Tensor, gradient: Tensor, lr: Tensor, step: Tensor, state: Tensor[]): Tensor[] {
    return sgdUpdate([parameter, gradient, lr, step, ...state], this.options);
  }
}
