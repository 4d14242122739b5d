import type { Real } from '../dtype';
import { linear } from '../ops/matmul';
import { flatten } from '../ops/movement';
import { checkCounts, type Tensor } from '../tensor';
import { type Initializer, uniform } from './init';
import { Module, Parameter } from './module';

export interface LinearOptions {
  bias?: boolean;
  dtype?: Real;
  /** Of the weight; PyTorch's unless given. */
  init?: Initializer;
  /** Of the bias. */
  biasInit?: Initializer;
}

/**
 * y = x·Wᵀ + b.
 *
 * - x [..., inFeatures] -> y [..., outFeatures]
 * - `weight` [outFeatures, inFeatures] and `bias` [outFeatures], both U(-1/√in, 1/√in) (PyTorch's, from LeCun et al. 1998, §4.6)
 */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    inFeatures: number,
    outFeatures: number,
    { bias = true, dtype = 'f32', init, biasInit }: LinearOptions = {},
  ) {
    super();
    checkCounts('nn.Linear', { inFeatures, outFeatures });
    const bound = 1 / Math.sqrt(inFeatures);
    const standard = uniform({ low: -bound, high: bound });
    this.weight = new Parameter((init ?? standard)([outFeatures, inFeatures], { dtype }));
    this.bias = bias ? new Parameter((biasInit ?? standard)([outFeatures], { dtype })) : null;
  }

  override forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias ?? undefined);
  }
}

/** Axes startAxis to endAxis as one, by default everything but the batch: [N, A, B, …] -> [N, A·B·…]. */
export class Flatten extends Module {
  constructor(private readonly axes: { startAxis?: number; endAxis?: number } = { startAxis: 1 }) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return flatten(x, this.axes);
  }
}
