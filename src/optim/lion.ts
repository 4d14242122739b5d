import type { Cell } from '../cell';
import { mul, neg, sign, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor';
import { checkBetas } from './adam';
import { checkRange, forget, Optimizer, type Params, type UpdateContext, zerosOf } from './optimizer';

export interface LionOptions {
  /** The learning rate: a third to a tenth of Adam's. */
  lr?: number;
  /** How much of the momentum is in a step, and how slowly it forgets. */
  betas?: readonly [number, number];
  /** Acts on the weights themselves, as in AdamW, and may be three to ten times as large as there. */
  weightDecay?: number;
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<LionOptions>;

const DEFAULTS: Complete = { lr: 1e-4, betas: [0.9, 0.99], weightDecay: 0, maximize: false };

/** p moves by lr·(sign(beta1·m + (1 - beta1)·g) + weightDecay·p), m a mean of g that forgets by beta2 (Chen et al. 2023, alg. 2). */
export class Lion extends Optimizer<Complete> {
  constructor(params: Params<LionOptions>, options: LionOptions = {}) {
    super('Lion', params, DEFAULTS, options);
  }

  protected override check({ betas, weightDecay }: Complete): void {
    checkBetas('Lion', betas);
    checkRange('Lion', { weightDecay }, 0);
  }

  protected override start(parameter: Cell): Tensor[] {
    return zerosOf(parameter, 1);
  }

  protected override update(
    parameter: Tensor,
    gradient: Tensor,
    { lr, state: [m], options: { betas, weightDecay, maximize } }: UpdateContext<Complete>,
  ): Tensor[] {
    const g = maximize ? neg(gradient) : gradient;
    const p = weightDecay === 0 ? parameter : mul(parameter, sub(1, mul(lr, weightDecay)));
    return [sub(p, mul(sign(forget(m!, g, betas[0])), lr)), forget(m!, g, betas[1])];
  }
}
