import type { Cell } from '../cell';
import { add, cast, div, gt, mul, pow, sqrt, square, sub, where } from '../ops/elementwise';
import type { Tensor } from '../tensor';
import { checkBetas, correction } from './adam';
import { checkRange, descent, forget, Optimizer, type Params, type UpdateContext, zerosOf } from './optimizer';

export interface RAdamOptions {
  /** The learning rate. */
  lr?: number;
  /** How slowly the means of g and g² forget. */
  betas?: readonly [number, number];
  /** Keeps the divisor away from 0. */
  eps?: number;
  /** L2 penalty: adds weightDecay·p to the gradient. */
  weightDecay?: number;
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<RAdamOptions>;

const DEFAULTS: Complete = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maximize: false };

/**
 * Rectified Adam (Liu et al. 2020, alg. 2), as torch.optim.RAdam: while the mean of g² has seen too few steps to be trusted, ρₜ ≤ 5, p
 * moves by lr·m̂; from then on by lr·rₜ·m̂ / √v̂, with rₜ from the variance of that root.
 */
export class RAdam extends Optimizer<Complete> {
  constructor(params: Params<RAdamOptions>, options: RAdamOptions = {}) {
    super('RAdam', params, DEFAULTS, options);
  }

  protected override check({ betas, eps, weightDecay }: Complete): void {
    checkBetas('RAdam', betas);
    checkRange('RAdam', { eps, weightDecay }, 0);
  }

  protected override start(parameter: Cell): Tensor[] {
    return zerosOf(parameter, 2);
  }

  protected override update(
    parameter: Tensor,
    gradient: Tensor,
    { lr, step, state: [m, v], options }: UpdateContext<Complete>,
  ): Tensor[] {
    const { betas, eps } = options;
    const g = descent(parameter, gradient, options);
    const [newM, newV] = [forget(m!, g, betas[0]), forget(v!, square(g), betas[1])];
    const t = cast(step, lr.dtype);
    const most = 2 / (1 - betas[1]) - 1;
    const trust = correction(betas[1], t);
    const length = sub(most, div(mul(mul(t, 2), pow(betas[1], t)), trust));
    const trusted = gt(length, 5);
    // Some length whose root exists, where it is not used.
    const rho = where(trusted, length, most);
    const product = mul(mul(sub(rho, 4), sub(rho, 2)), most);
    const rectification = sqrt(div(product, mul(rho, (most - 4) * (most - 2))));
    const adaptive = div(mul(sqrt(trust), rectification), add(sqrt(newV), eps));
    const rate = div(lr, correction(betas[0], t));
    return [sub(parameter, mul(mul(newM, rate), where(trusted, adaptive, 1))), newM, newV];
  }
}
