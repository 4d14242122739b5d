import type { Cell } from '../cell';
import { adamUpdate } from '../ops/optimizer';
import type { Tensor } from '../tensor';
import { checkRange, Optimizer } from './optimizer';

export interface AdamOptions {
  /** The learning rate. */
  lr?: number;
  /** How slowly the means of g and g² forget. */
  betas?: readonly [number, number];
  /** Keeps the divisor away from 0. */
  eps?: number;
  weightDecay?: number;
  /** Climbs instead of descending. */
  maximize?: boolean;
}

/** Adam with bias correction (Kingma & Ba 2015), as torch.optim.Adam: weight decay is an L2 penalty in the gradient. */
export class Adam extends Optimizer {
  private readonly options;

  constructor(parameters: readonly Cell[], options: AdamOptions = {}, name = 'Adam', decoupled = false) {
    const {
      lr = 1e-3,
      betas = [0.9, 0.999],
      eps = 1e-8,
      weightDecay = decoupled ? 1e-2 : 0,
      maximize = false,
    } = options;
    super(name, parameters, lr, 2);
    const [beta1, beta2] = betas;
    checkRange(name, { beta1, beta2 }, 0, 1);
    checkRange(name, { eps, weightDecay }, 0);
    this.options = { beta1, beta2, eps, weightDecay, decoupled, maximize };
  }

  protected override update(parameter: Tensor, gradient: Tensor, lr: Tensor, step: Tensor, state: Tensor[]): Tensor[] {
    return adamUpdate([parameter, gradient, lr, step, ...state], this.options);
  }
}

/** Adam with weight decay apart from the gradient (Loshchilov & Hutter 2019), as torch.optim.AdamW: decay 0.01 by default. */
export class AdamW extends Adam {
  constructor(parameters: readonly Cell[], options: AdamOptions = {}) {
    super(parameters, options, 'AdamW', true);
  }
}
