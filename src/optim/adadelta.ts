import type { Cell } from '../cell';
import { add, div, mul, sqrt, square, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor';
import { checkRange, descent, forget, Optimizer, type Params, type UpdateContext, zerosOf } from './optimizer';

export interface AdadeltaOptions {
  /** A factor for every step. */
  lr?: number;
  /** How slowly the means of g² and of the steps' squares forget. */
  rho?: number;
  /** Keeps the divisor away from 0, and lets the first step be taken. */
  eps?: number;
  /** L2 penalty: adds weightDecay·p to the gradient. */
  weightDecay?: number;
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<AdadeltaOptions>;

const DEFAULTS: Complete = { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0, maximize: false };

/** p moves by lr·d, d = g·√(u + eps) / √(v + eps), v and u means of g² and d² that forget (Zeiler 2012, alg. 1): torch.optim.Adadelta. */
export class Adadelta extends Optimizer<Complete> {
  constructor(params: Params<AdadeltaOptions>, options: AdadeltaOptions = {}) {
    super('Adadelta', params, DEFAULTS, options);
  }

  protected override check({ rho, eps, weightDecay }: Complete): void {
    checkRange('Adadelta', { rho }, 0, 1);
    checkRange('Adadelta', { eps, weightDecay }, 0);
  }

  protected override start(parameter: Cell): Tensor[] {
    return zerosOf(parameter, 2);
  }

  protected override update(
    parameter: Tensor,
    gradient: Tensor,
    { lr, state: [v, u], options }: UpdateContext<Complete>,
  ): Tensor[] {
    const { rho, eps } = options;
    const g = descent(parameter, gradient, options);
    const newV = forget(v!, square(g), rho);
    const move = mul(div(sqrt(add(u!, eps)), sqrt(add(newV, eps))), g);
    return [sub(parameter, mul(move, lr)), newV, forget(u!, square(move), rho)];
  }
}
