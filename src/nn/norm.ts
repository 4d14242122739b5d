import { Cell } from '../cell';
import type { Real } from '../dtype';
import { ShapeError } from '../errors';
import { assign } from '../graph/trace';
import { add, cast, reciprocal } from '../ops/elementwise';
import { batchNorm, groupNorm, instanceNorm, layerNorm, rmsNorm } from '../ops/norm';
import { checkShape, type Shape, show } from '../shape';
import { checkCounts, checkOption, ones, type Tensor, zeros } from '../tensor';
import { Module, Parameter } from './module';

export interface BatchNormLayerOptions {
  /** Is added to the variance. */
  eps?: number;
  /** The share of the newest statistics in the running ones; null: they are the mean over all batches so far. */
  momentum?: number | null;
  /** Whether there are a weight and a bias. */
  affine?: boolean;
  /** Whether there are running statistics; without them those of the batch are used in evaluation, too. */
  trackRunningStats?: boolean;
  dtype?: Real;
}

export type InstanceNormLayerOptions = BatchNormLayerOptions;

/** What the layers with running statistics share. */
abstract class Tracked extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Cell | null;
  readonly runningVar: Cell | null;
  /** How often the running statistics were updated, i32. */
  readonly numBatchesTracked: Cell | null;
  readonly eps: number;
  readonly momentum: number | null;
  readonly #dtype: Real;
  readonly #name: string;

  constructor(
    name: string,
    readonly numFeatures: number,
    { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true, dtype = 'f32' }: BatchNormLayerOptions,
  ) {
    super();
    checkCounts(name, { numFeatures });
    checkEps(name, eps);
    checkOption(
      name,
      'momentum',
      momentum,
      momentum === null || (momentum >= 0 && momentum <= 1),
      'from 0 to 1, or null',
    );
    this.eps = eps;
    this.momentum = momentum;
    this.#dtype = dtype;
    this.#name = name;
    const shape = [numFeatures];
    this.weight = affine ? new Parameter(ones(shape, { dtype })) : null;
    this.bias = affine ? new Parameter(zeros(shape, { dtype })) : null;
    this.runningMean = trackRunningStats ? new Cell(zeros(shape, { dtype })) : null;
    this.runningVar = trackRunningStats ? new Cell(ones(shape, { dtype })) : null;
    this.numBatchesTracked = trackRunningStats ? new Cell(zeros([], { dtype: 'i32' })) : null;
  }

  /** Counts a batch; the share of its statistics in the running ones. */
  protected count(): number | Tensor {
    if (!this.numBatchesTracked) return 0;
    const batches = add(this.numBatchesTracked, 1);
    assign(this.numBatchesTracked, batches);
    return this.momentum ?? reciprocal(cast(batches, this.#dtype));
  }

  protected check(x: Tensor, ranks: readonly number[], channels: number, layouts: string): void {
    if (ranks.includes(x.rank) && x.shape[channels] === this.numFeatures) return;
    throw new ShapeError(`x must be ${layouts} with C = ${this.numFeatures}; got shape ${show(x.shape)}.`, {
      op: this.#name,
      argument: 'x',
      got: x.shape,
      expected: this.numFeatures,
    });
  }
}

function checkEps(op: string, eps: number | null): void {
  checkOption(op, 'eps', eps, eps === null || (Number.isFinite(eps) && eps >= 0), 'a finite number from 0 on');
}

abstract class BatchNorm extends Tracked {
  protected normalize(x: Tensor): Tensor {
    const { runningMean, runningVar, weight, bias, eps } = this;
    // Read in any case: the program depends on it.
    const training = this.training;
    const momentum = training ? this.count() : 0;
    return batchNorm(x, runningMean, runningVar, weight, bias, { training: training || !runningMean, momentum, eps });
  }
}

/**
 * y = (x - mean) / √(variance + eps) · weight + bias for each channel (Ioffe & Szegedy 2015). In training the statistics are the batch's, and
 * the running ones move towards them by `momentum` (their variance is divided by n - 1); in evaluation they are the running ones.
 *
 * - x [N, C] or [N, C, L] -> y of x's shape, C = `numFeatures`
 * - `weight` [C] ones and `bias` [C] zeros (with `affine`)
 * - `runningMean` [C] zeros, `runningVar` [C] ones and `numBatchesTracked` [] 0 (with `trackRunningStats`): state, no parameters
 */
export class BatchNorm1d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super('nn.BatchNorm1d', numFeatures, options);
  }

  override forward(x: Tensor): Tensor {
    this.check(x, [2, 3], 1, '[N, C] or [N, C, L]');
    return this.normalize(x);
  }
}

/** As `BatchNorm1d`, for x [N, C, H, W]. */
export class BatchNorm2d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super('nn.BatchNorm2d', numFeatures, options);
  }

  override forward(x: Tensor): Tensor {
    this.check(x, [4], 1, '[N, C, H, W]');
    return this.normalize(x);
  }
}

abstract class InstanceNorm extends Tracked {
  constructor(name: string, numFeatures: number, options: InstanceNormLayerOptions) {
    super(name, numFeatures, { affine: false, trackRunningStats: false, ...options });
  }

  protected normalize(x: Tensor): Tensor {
    const { runningMean, runningVar, weight, bias, eps } = this;
    const training = this.training;
    const momentum = training ? this.count() : 0;
    const options = { runningMean, runningVar, useInputStats: training || !runningMean, momentum, eps };
    return instanceNorm(x, weight, bias, options);
  }

  /** A single example is a batch of one. */
  protected batched(x: Tensor, rank: number, layouts: string): Tensor {
    this.check(x, [rank - 1, rank], x.rank - rank + 1, layouts);
    if (x.rank === rank) return this.normalize(x);
    return this.normalize(x.reshape([1, ...x.shape])).reshape(x.shape);
  }
}

/**
 * y = (x - mean) / √(variance + eps) · weight + bias for each channel of each example (Ulyanov et al. 2016). With `trackRunningStats` running
 * statistics move as BatchNorm1d's towards the mean over the examples, and are used in evaluation.
 *
 * - x [N, C, L] or [C, L] -> y of x's shape, C = `numFeatures`
 * - `weight` [C] ones and `bias` [C] zeros, with `affine`, which is false unless given, as is `trackRunningStats`
 */
export class InstanceNorm1d extends InstanceNorm {
  constructor(numFeatures: number, options: InstanceNormLayerOptions = {}) {
    super('nn.InstanceNorm1d', numFeatures, options);
  }

  override forward(x: Tensor): Tensor {
    return this.batched(x, 3, '[N, C, L] or [C, L]');
  }
}

/** As `InstanceNorm1d`, for x [N, C, H, W] or [C, H, W]. */
export class InstanceNorm2d extends InstanceNorm {
  constructor(numFeatures: number, options: InstanceNormLayerOptions = {}) {
    super('nn.InstanceNorm2d', numFeatures, options);
  }

  override forward(x: Tensor): Tensor {
    return this.batched(x, 4, '[N, C, H, W] or [C, H, W]');
  }
}

export interface LayerNormOptions {
  /** Is added to the variance. */
  eps?: number;
  /** Whether there are a weight and, unless `bias` is false, a bias. */
  elementwiseAffine?: boolean;
  bias?: boolean;
  dtype?: Real;
}

function lengths(op: string, normalizedShape: number | Shape): number[] {
  const shape =
    typeof normalizedShape === 'number' ? [normalizedShape] : checkShape(op, normalizedShape, 'normalizedShape');
  checkOption(op, 'normalizedShape', show(shape), shape.length > 0, 'the lengths of one axis or more');
  for (const length of shape) checkCounts(op, { normalizedShape: length });
  return shape;
}

/**
 * y = (x - mean) / √(variance + eps) · weight + bias over the last axes (Ba et al. 2016).
 *
 * - x [..., ...`normalizedShape`] -> y of x's shape; a number means the last axis alone
 * - `weight` ones and `bias` zeros, of shape `normalizedShape`
 */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;

  constructor(
    normalizedShape: number | Shape,
    { eps = 1e-5, elementwiseAffine = true, bias = true, dtype = 'f32' }: LayerNormOptions = {},
  ) {
    super();
    checkEps('nn.LayerNorm', eps);
    this.normalizedShape = lengths('nn.LayerNorm', normalizedShape);
    this.eps = eps;
    this.weight = elementwiseAffine ? new Parameter(ones(this.normalizedShape, { dtype })) : null;
    this.bias = elementwiseAffine && bias ? new Parameter(zeros(this.normalizedShape, { dtype })) : null;
  }

  override forward(x: Tensor): Tensor {
    return layerNorm(x, this.normalizedShape, this.weight, this.bias, { eps: this.eps });
  }
}

export interface RMSNormOptions {
  /** Is added to the mean square; 2⁻²³ for f32 and 2⁻⁵² for f64 where it is null. */
  eps?: number | null;
  /** Whether there is a weight. */
  elementwiseAffine?: boolean;
  dtype?: Real;
}

/**
 * y = x / √(mean(x²) + eps) · weight over the last axes (Zhang & Sennrich 2019).
 *
 * - x [..., ...`normalizedShape`] -> y of x's shape; a number means the last axis alone
 * - `weight` ones, of shape `normalizedShape`
 */
export class RMSNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number | null;
  readonly weight: Parameter | null;

  constructor(
    normalizedShape: number | Shape,
    { eps = null, elementwiseAffine = true, dtype = 'f32' }: RMSNormOptions = {},
  ) {
    super();
    checkEps('nn.RMSNorm', eps);
    this.normalizedShape = lengths('nn.RMSNorm', normalizedShape);
    this.eps = eps;
    this.weight = elementwiseAffine ? new Parameter(ones(this.normalizedShape, { dtype })) : null;
  }

  override forward(x: Tensor): Tensor {
    return rmsNorm(x, this.normalizedShape, this.weight, this.eps === null ? {} : { eps: this.eps });
  }
}

export interface GroupNormOptions {
  /** Is added to the variance. */
  eps?: number;
  /** Whether there are a weight and a bias. */
  affine?: boolean;
  dtype?: Real;
}

/**
 * y = (x - mean) / √(variance + eps) · weight + bias for each example and each of `numGroups` groups of neighbouring channels (Wu & He
 * 2018).
 *
 * - x [N, C, ...] -> y of x's shape, C = `numChannels`
 * - `weight` [C] ones and `bias` [C] zeros (with `affine`)
 */
export class GroupNorm extends Module {
  readonly eps: number;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    { eps = 1e-5, affine = true, dtype = 'f32' }: GroupNormOptions = {},
  ) {
    super();
    checkCounts('nn.GroupNorm', { numGroups, numChannels });
    checkOption(
      'nn.GroupNorm',
      'numGroups',
      numGroups,
      numChannels % numGroups === 0,
      `a divisor of numChannels, ${numChannels}`,
    );
    checkEps('nn.GroupNorm', eps);
    this.eps = eps;
    this.weight = affine ? new Parameter(ones([numChannels], { dtype })) : null;
    this.bias = affine ? new Parameter(zeros([numChannels], { dtype })) : null;
  }

  override forward(x: Tensor): Tensor {
    if (x.shape[1] !== this.numChannels) {
      throw new ShapeError(`x must be [N, C, ...] with C = ${this.numChannels}; got shape ${show(x.shape)}.`, {
        op: 'nn.GroupNorm',
        argument: 'x',
        got: x.shape,
        expected: this.numChannels,
      });
    }
    return groupNorm(x, this.numGroups, this.weight, this.bias, { eps: this.eps });
  }
}
