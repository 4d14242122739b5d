import type { Cell } from '../cell';
import { abs, add, cast, div, maximum, mul, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor';
import { checkBetas, correction } from './adam';
import { checkRange, descent, forget, Optimizer, type Params, type UpdateContext, zerosOf } from './optimizer';

export interface AdamaxOptions {
  /** The learning rate. */
  lr?: number;
  /** How slowly the mean of g and the largest |g| forget. */
  betas?: readonly [number, number];
  /** Keeps the divisor away from 0. */
  eps?: number;
  /** L2 penalty: adds weightDecay·p to the gradient. */
  weightDecay?: number;
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<AdamaxOptions>;

const DEFAULTS: Complete = { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maximize: false };

/** Adam by the largest |g|, u = max(beta2·u, |g| + eps), in place of the root of a mean (Kingma & Ba 2015, alg. 2): torch.optim.Adamax. */
export class Adamax extends Optimizer<Complete> {
  constructor(params: Params<AdamaxOptions>, options: AdamaxOptions = {}) {
    super('Adamax', params, DEFAULTS, options);
  }

  protected override check({ betas, eps, weightDecay }: Complete): void {
    checkBetas('Adamax', betas);
    checkRange('Adamax', { eps, weightDecay }, 0);
  }

  protected override start(parameter: Cell): Tensor[] {
    return zerosOf(parameter, 2);
  }

  protected override update(
    parameter: Tensor,
    gradient: Tensor,
    { lr, step, state: [m, u], options }: UpdateContext<Complete>,
  ): Tensor[] {
    const { betas, eps } = options;
    const g = descent(parameter, gradient, options);
    const newM = forget(m!, g, betas[0]);
    const newU = maximum(mul(u!, betas[1]), add(abs(g), eps));
    const rate = div(lr, correction(betas[0], cast(step, lr.dtype)));
    return [sub(parameter, mul(div(newM, newU), rate)), newM, newU];
  }
}
