import type { Cell } from '../cell';
import { add, cast, div, mul, pow, sqrt, square, sub } from '../ops/elementwise';
import { ones, type Tensor } from '../tensor';
import { checkBetas, correction } from './adam';
import { checkRange, descent, forget, Optimizer, type Params, type UpdateContext, zerosOf } from './optimizer';

export interface NAdamOptions {
  /** The learning rate. */
  lr?: number;
  /** How slowly the means of g and g² forget. */
  betas?: readonly [number, number];
  /** Keeps the divisor away from 0. */
  eps?: number;
  /** L2 penalty: adds weightDecay·p to the gradient. */
  weightDecay?: number;
  /** How fast the momentum comes to beta1. */
  momentumDecay?: number;
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<NAdamOptions>;

const DEFAULTS: Complete = {
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  momentumDecay: 4e-3,
  maximize: false,
};

/**
 * Adam with Nesterov's momentum (Dozat 2016, alg. 2), as torch.optim.NAdam: with μₜ = beta1·(1 - ½·0.96^(t·momentumDecay)), p moves by
 * lr·(g·(1 - μₜ) / (1 - Πμ) + m·μₜ₊₁ / (1 - Πμ·μₜ₊₁)) / (√v̂ + eps).
 */
export class NAdam extends Optimizer<Complete> {
  constructor(params: Params<NAdamOptions>, options: NAdamOptions = {}) {
    super('NAdam', params, DEFAULTS, options);
  }

  protected override check({ betas, eps, weightDecay, momentumDecay }: Complete): void {
    checkBetas('NAdam', betas);
    checkRange('NAdam', { eps, weightDecay, momentumDecay }, 0);
  }

  /** m, v and the product of all μ. */
  protected override start(parameter: Cell): Tensor[] {
    return [...zerosOf(parameter, 2), ones([], parameter)];
  }

  protected override update(
    parameter: Tensor,
    gradient: Tensor,
    { lr, step, state: [m, v, product], options }: UpdateContext<Complete>,
  ): Tensor[] {
    const { betas, eps, momentumDecay } = options;
    const g = descent(parameter, gradient, options);
    const [newM, newV] = [forget(m!, g, betas[0]), forget(v!, square(g), betas[1])];
    const t = cast(step, lr.dtype);
    const momentum = (at: Tensor) => mul(sub(1, mul(pow(0.96, mul(at, momentumDecay)), 0.5)), betas[0]);
    const [mu, next] = [momentum(t), momentum(add(t, 1))];
    const newProduct = mul(product!, mu);
    const ownShare = div(sub(1, mu), sub(1, newProduct));
    const meanShare = div(next, sub(1, mul(newProduct, next)));
    const direction = add(mul(g, mul(lr, ownShare)), mul(newM, mul(lr, meanShare)));
    const divisor = add(sqrt(div(newV, correction(betas[1], t))), eps);
    return [sub(parameter, div(direction, divisor)), newM, newV, newProduct];
  }
}
