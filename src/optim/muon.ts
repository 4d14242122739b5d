import type { Cell } from '../cell';
import { ShapeError } from '../errors';
import { add, div, maximum, mul, neg, sqrt, square, sub } from '../ops/elementwise';
import { matmul } from '../ops/matmul';
import { transpose } from '../ops/movement';
import { sum } from '../ops/reduce';
import { show } from '../shape';
import { checkCounts, checkOption, type Tensor } from '../tensor';
import { checkRange, forget, Optimizer, type Params, type UpdateContext, zerosOf } from './optimizer';

export interface MuonOptions {
  /** The learning rate. */
  lr?: number;
  /** Acts on the weights themselves, as in AdamW. */
  weightDecay?: number;
  momentum?: number;
  /** Looks ahead along the momentum. */
  nesterov?: boolean;
  /** The coefficients of x, x³ and x⁵ in a step towards the nearest orthogonal matrix. */
  nsCoefficients?: readonly [number, number, number];
  /** Keeps the divisor away from 0. */
  eps?: number;
  /** How many such steps. */
  nsSteps?: number;
  /**
   * The rate for a matrix [A, B]: 'original' multiplies by √max(1, A/B) (Jordan et al. 2024), 'matchRmsAdamw' by 0.2·√max(A, B), so that
   * steps are as large as AdamW's (Liu et al. 2025, §2.2).
   */
  adjustLrFn?: 'original' | 'matchRmsAdamw';
  /** Climbs instead of descending. */
  maximize?: boolean;
}

type Complete = Required<MuonOptions>;

const DEFAULTS: Complete = {
  lr: 1e-3,
  weightDecay: 0.1,
  momentum: 0.95,
  nesterov: true,
  nsCoefficients: [3.4445, -4.775, 2.0315],
  eps: 1e-7,
  nsSteps: 5,
  adjustLrFn: 'original',
  maximize: false,
};

/**
 * Momentum whose steps are made nearly orthogonal by a Newton-Schulz iteration, so that all directions learn alike (Jordan et al. 2024),
 * in the form of torch.optim.Muon. For the weights of hidden layers: matrices only. Train biases, embeddings and the last layer
 * by another optimizer. Throws a ShapeError for a parameter that is no matrix.
 */
export class Muon extends Optimizer<Complete> {
  constructor(params: Params<MuonOptions>, options: MuonOptions = {}) {
    super('Muon', params, DEFAULTS, options);
  }

  protected override check({ weightDecay, momentum, eps, nsSteps, adjustLrFn }: Complete): void {
    checkRange('Muon', { weightDecay, eps }, 0);
    checkRange('Muon', { momentum }, 0, 1);
    checkCounts('optim.Muon', { nsSteps });
    const known = ['original', 'matchRmsAdamw'];
    checkOption('optim.Muon', 'adjustLrFn', adjustLrFn, known.includes(adjustLrFn), known.join(' or '));
  }

  protected override start(parameter: Cell): Tensor[] {
    if (parameter.rank !== 2) {
      throw new ShapeError(`parameters must be matrices; got one of shape ${show(parameter.shape)}.`, {
        op: 'optim.Muon',
        argument: 'parameters',
        got: parameter.shape,
      });
    }
    return zerosOf(parameter, 1);
  }

  protected override update(
    parameter: Tensor,
    gradient: Tensor,
    { lr, state: [mean], options }: UpdateContext<Complete>,
  ): Tensor[] {
    const { weightDecay, momentum, nesterov, adjustLrFn, maximize } = options;
    const g = maximize ? neg(gradient) : gradient;
    const newMean = forget(mean!, g, momentum);
    const direction = orthogonalised(nesterov ? forget(newMean, g, momentum) : newMean, options);
    const [rows, columns] = parameter.shape as [number, number];
    const factor =
      adjustLrFn === 'original' ? Math.sqrt(Math.max(1, rows / columns)) : 0.2 * Math.sqrt(Math.max(rows, columns));
    const p = mul(parameter, sub(1, mul(lr, weightDecay)));
    return [sub(p, mul(direction, mul(lr, factor))), newMean];
  }
}

/** Near U·Vᵀ of x = U·S·Vᵀ: each step sends singular values s to a·s + b·s³ + c·s⁵, which draws them towards 1. */
function orthogonalised(x: Tensor, { nsCoefficients: [a, b, c], nsSteps, eps }: Complete): Tensor {
  const tall = x.shape[0]! > x.shape[1]!;
  let y = tall ? transpose(x) : x;
  y = div(y, maximum(sqrt(sum(square(y))), eps));
  for (let step = 0; step < nsSteps; step++) {
    const gram = matmul(y, transpose(y));
    y = add(mul(y, a), matmul(add(mul(gram, b), mul(matmul(gram, gram), c)), y));
  }
  return tall ? transpose(y) : y;
}
