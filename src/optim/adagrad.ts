import type { Cell } from '../cell';
import { add, cast, div, mul, sqrt, square, sub } from '../ops/elementwise';
import { full, type Tensor } from '../tensor';
import { checkRange, descent, Optimizer, type Params, type UpdateContext } from './optimizer';

export interface AdagradOptions {
  /** The learning rate. */
  lr?: number;
  /** Divides the rate by 1 + (t - 1)·lrDecay. */
  lrDecay?: number;
  /** L2 penalty: adds weightDecay·p to the gradient. */
  weightDecay?: number;
  /** What the sum of g² starts from. */
  initialAccumulatorValue?: number;
  /** Keeps the divisor away from 0. */
  eps?: number;
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<AdagradOptions>;

const DEFAULTS: Complete = {
  lr: 1e-2,
  lrDecay: 0,
  weightDecay: 0,
  initialAccumulatorValue: 0,
  eps: 1e-10,
  maximize: false,
};

/** p moves by lr·g / (√s + eps), s the sum of all g² so far (Duchi et al. 2011), as torch.optim.Adagrad. */
export class Adagrad extends Optimizer<Complete> {
  constructor(params: Params<AdagradOptions>, options: AdagradOptions = {}) {
    super('Adagrad', params, DEFAULTS, options);
  }

  protected override check({ lrDecay, weightDecay, initialAccumulatorValue, eps }: Complete): void {
    checkRange('Adagrad', { lrDecay, weightDecay, initialAccumulatorValue, eps }, 0);
  }

  protected override start(parameter: Cell, { initialAccumulatorValue }: Complete): Tensor[] {
    return [full(parameter.shape, initialAccumulatorValue, parameter)];
  }

  protected override update(
    parameter: Tensor,
    gradient: Tensor,
    { lr, step, state: [total], options }: UpdateContext<Complete>,
  ): Tensor[] {
    const { lrDecay, eps } = options;
    const g = descent(parameter, gradient, options);
    const newTotal = add(total!, square(g));
    const rate = lrDecay === 0 ? lr : div(lr, add(mul(cast(sub(step, 1), lr.dtype), lrDecay), 1));
    return [sub(parameter, mul(div(g, add(sqrt(newTotal), eps)), rate)), newTotal];
  }
}
