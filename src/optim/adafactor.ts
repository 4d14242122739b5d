import type { Cell } from '../cell';
import { add, cast, div, maximum, minimum, mul, neg, pow, sqrt, square, sub } from '../ops/elementwise';
import { mean, sum } from '../ops/reduce';
import { type Tensor, zeros } from '../tensor';
import { checkRange, Optimizer, type Params, type UpdateContext, zerosOf } from './optimizer';

export interface AdafactorOptions {
  /** The most that the relative step may be. */
  lr?: number;
  /** The means of g² forget all but 1 - t^beta2Decay. */
  beta2Decay?: number;
  /** Keeps the mean of g² away from 0 (the dtype's own, 2⁻²³ or 2⁻⁵², unless given), and the size of the weights. */
  eps?: readonly [number | null, number];
  /** The most that the root mean square of a step may be. */
  d?: number;
  /** Acts on the weights themselves, as in AdamW. */
  weightDecay?: number;
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<AdafactorOptions>;

const DEFAULTS: Complete = { lr: 1e-2, beta2Decay: -0.8, eps: [null, 1e-3], d: 1, weightDecay: 0, maximize: false };

/**
 * Adam without a mean of g, and with means of g² of rows and columns in place of those of all weights: rows + columns numbers of state
 * for a matrix (Shazeer & Stern 2018, alg. 4 and 5), in the form of torch.optim.Adafactor: with u = g / √v, p moves by
 * max(eps[1], rms p)·min(lr, 1/√t)·u / max(1, rms u / d). Axes in front of the last two count as a batch of matrices.
 */
export class Adafactor extends Optimizer<Complete> {
  constructor(params: Params<AdafactorOptions>, options: AdafactorOptions = {}) {
    super('Adafactor', params, DEFAULTS, options);
  }

  protected override check({ beta2Decay, eps, d, weightDecay }: Complete): void {
    checkRange('Adafactor', { beta2Decay }, Number.NEGATIVE_INFINITY, 0);
    checkRange('Adafactor', { 'eps[0]': eps[0] ?? 0, 'eps[1]': eps[1], weightDecay }, 0);
    checkRange('Adafactor', { d }, 1);
  }

  /** Of a matrix the means of its rows and of its columns, of anything less all of them. */
  protected override start(parameter: Cell): Tensor[] {
    const { shape, rank } = parameter;
    if (rank < 2) return zerosOf(parameter, 1);
    return [zeros([...shape.slice(0, -1), 1], parameter), zeros([...shape.slice(0, -2), 1, shape.at(-1)!], parameter)];
  }

  protected override update(
    parameter: Tensor,
    gradient: Tensor,
    { lr, step, state, options: { beta2Decay, eps, d, weightDecay, maximize } }: UpdateContext<Complete>,
  ): Tensor[] {
    const g = maximize ? neg(gradient) : gradient;
    const t = cast(step, lr.dtype);
    const share = pow(t, beta2Decay);
    const news = (
      parameter.rank < 2 ? [square(g)] : [-1, -2].map((axis) => mean(square(g), { axis, keepDims: true }))
    ).map((one, i) => add(state[i]!, mul(sub(one, state[i]!), share)));
    const tiny = eps[0] ?? (parameter.dtype === 'f32' ? 2 ** -23 : 2 ** -52);
    const [rows, columns] = news as [Tensor, Tensor?];
    const v = columns ? div(mul(rows, columns), maximum(mean(rows, { axis: -2, keepDims: true }), tiny)) : rows;
    const u = div(g, sqrt(maximum(v, tiny * tiny)));
    const rms = (x: Tensor) => sqrt(div(sum(square(x)), Math.max(1, x.size)));
    const rate = mul(maximum(rms(parameter), eps[1]), minimum(div(1, sqrt(t)), lr));
    const p = weightDecay === 0 ? parameter : mul(parameter, sub(1, mul(lr, weightDecay)));
    return [sub(p, mul(u, div(rate, maximum(div(rms(u), d), 1)))), ...news];
  }
}
