import type { Cell } from '../cell';
import { add, cast, div, expm1, log1p, maximum, mul, neg, sqrt, square, sub } from '../ops/elementwise';
import { adamUpdate } from '../ops/optimizer';
import { full, type Tensor } from '../tensor';
import { checkRange, descent, forget, Optimizer, type Params, type UpdateContext, zerosOf } from './optimizer';

export interface AdamOptions {
  /** The learning rate. */
  lr?: number;
  /** How slowly the means of g and g² forget. */
  betas?: readonly [number, number];
  /** Keeps the divisor away from 0. */
  eps?: number;
  weightDecay?: number;
  /** Divides by the largest mean of g² so far, which never lets steps grow again (Reddi et al. 2018). */
  amsgrad?: boolean;
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<AdamOptions>;

const DEFAULTS: Complete = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
};

/** Throws unless betas are from 0 to below 1. */
export function checkBetas(name: string, [beta1, beta2]: readonly [number, number]): void {
  checkRange(name, { beta1, beta2 }, 0, 1);
}

/** 1 - betaᵗ as -(e^(t·log beta) - 1), whose digits do not cancel where beta is almost 1. */
export function correction(beta: number, t: Tensor): Tensor {
  return neg(expm1(mul(t, log1p(full([], beta - 1, t)))));
}

/**
 * Adam with bias correction (Kingma & Ba 2015, alg. 1), as torch.optim.Adam: m and v are means of g and g² that forget, p moves by
 * lr·m̂ / (√v̂ + eps). Weight decay is an L2 penalty in the gradient.
 */
export class Adam extends Optimizer<Complete> {
  constructor(params: Params<AdamOptions>, options: AdamOptions = {}, name = 'Adam', defaults = DEFAULTS) {
    super(name, params, defaults, options);
  }

  protected override check({ betas, eps, weightDecay }: Complete): void {
    checkBetas(this.name, betas);
    checkRange(this.name, { eps, weightDecay }, 0);
  }

  protected override start(parameter: Cell, { amsgrad }: Complete): Tensor[] {
    return zerosOf(parameter, amsgrad ? 3 : 2);
  }

  /** Whether weight decay acts on the weights themselves. */
  protected get decoupled(): boolean {
    return false;
  }

  protected override update(parameter: Tensor, gradient: Tensor, context: UpdateContext<Complete>): Tensor[] {
    const { betas, eps, weightDecay, amsgrad, maximize } = context.options;
    if (amsgrad) return this.updateByLargest(parameter, gradient, context);
    const { lr, step, state } = context;
    const [beta1, beta2] = betas;
    const { decoupled } = this;
    return adamUpdate([parameter, gradient, lr, step, ...state], {
      ...{ beta1, beta2, eps, weightDecay, decoupled, maximize },
    });
  }

  private updateByLargest(
    parameter: Tensor,
    gradient: Tensor,
    { lr, step, state: [m, v, most], options }: UpdateContext<Complete>,
  ): Tensor[] {
    const { betas, eps, weightDecay, maximize } = options;
    const g = descent(parameter, gradient, { weightDecay: this.decoupled ? 0 : weightDecay, maximize });
    const p = this.decoupled ? mul(parameter, sub(1, mul(lr, weightDecay))) : parameter;
    const [newM, newV] = [forget(m!, g, betas[0]), forget(v!, square(g), betas[1])];
    const newMost = maximum(most!, newV);
    const t = cast(step, lr.dtype);
    const divisor = add(div(sqrt(newMost), sqrt(correction(betas[1], t))), eps);
    return [sub(p, mul(div(newM, divisor), div(lr, correction(betas[0], t)))), newM, newV, newMost];
  }
}

/** Adam with weight decay apart from the gradient (Loshchilov & Hutter 2019), as torch.optim.AdamW: decay 0.01 by default. */
export class AdamW extends Adam {
  constructor(params: Params<AdamOptions>, options: AdamOptions = {}) {
    super(params, options, 'AdamW', { ...DEFAULTS, weightDecay: 1e-2 });
  }

  protected override get decoupled(): boolean {
    return true;
  }
}
