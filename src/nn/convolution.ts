import type { Real } from '../dtype';
import {
  type ConvolutionOptions,
  type ConvolutionTransposeOptions,
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
} from '../ops/convolution';
import { sizeOf } from '../shape';
import { checkAxes, checkCounts, checkOption, type PerAxis, type Tensor } from '../tensor';
import { type Initializer, uniform } from './init';
import { Module, Parameter } from './module';

interface LayerOptions {
  bias?: boolean;
  /** What padding consists of: there is only 'zeros'. */
  paddingMode?: 'zeros';
  dtype?: Real;
  /** Of the weight; PyTorch's unless given. */
  init?: Initializer;
  /** Of the bias. */
  biasInit?: Initializer;
}

export interface ConvOptions extends ConvolutionOptions, LayerOptions {}
export interface ConvTransposeOptions extends ConvolutionTransposeOptions, LayerOptions {}

/** What convolutions have in common: their parameters. */
abstract class Convolution<O extends ConvolutionOptions | ConvolutionTransposeOptions> extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  protected readonly options: O;

  constructor(
    name: string,
    [first, second, outChannels]: readonly [number, number, number],
    kernelSize: PerAxis,
    rank: number,
    { bias = true, paddingMode = 'zeros', dtype = 'f32', init, biasInit, ...options }: LayerOptions & O,
  ) {
    super();
    const kernel = checkAxes(name, 'kernelSize', kernelSize, rank, 1);
    checkOption(name, 'paddingMode', paddingMode, paddingMode === 'zeros', "'zeros'");
    const bound = 1 / Math.sqrt(second * sizeOf(kernel));
    const standard = uniform({ low: -bound, high: bound });
    this.weight = new Parameter((init ?? standard)([first, second, ...kernel], { dtype }));
    this.bias = bias ? new Parameter((biasInit ?? standard)([outChannels], { dtype })) : null;
    this.options = options as unknown as O;
  }
}

/** [out, in / groups, out]: the weight's first axes, and how many biases. */
function inward(name: string, inChannels: number, outChannels: number, groups = 1): readonly [number, number, number] {
  checkChannels(name, inChannels, outChannels, groups);
  return [outChannels, inChannels / groups, outChannels];
}

/** [in, out / groups, out]. */
function outward(name: string, inChannels: number, outChannels: number, groups = 1): readonly [number, number, number] {
  checkChannels(name, inChannels, outChannels, groups);
  return [inChannels, outChannels / groups, outChannels];
}

function checkChannels(name: string, inChannels: number, outChannels: number, groups: number): void {
  checkCounts(name, { inChannels, outChannels, groups });
  const divides = inChannels % groups === 0 && outChannels % groups === 0;
  checkOption(
    name,
    'groups',
    groups,
    divides,
    `a divisor of inChannels, ${inChannels}, and outChannels, ${outChannels}`,
  );
}

/**
 * y[n, o, l] = b[o] + Σ_{c, k} W[o, c, k] · x[n, c, l·stride + k·dilation - padding], a sum over the channels of o's group.
 *
 * - x [N, inChannels, L] or [inChannels, L] -> y [N, outChannels, M] or [outChannels, M],
 *   M = ⌊(L + 2·padding - dilation·(kernelSize - 1) - 1) / stride⌋ + 1
 * - `weight` [outChannels, inChannels / groups, kernelSize] and `bias` [outChannels], both U(-1/√n, 1/√n) with n = inChannels / groups ·
 *   kernelSize (PyTorch's: He et al. 2015 with a = √5)
 */
export class Conv1d extends Convolution<ConvolutionOptions> {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvOptions = {}) {
    super('nn.Conv1d', inward('nn.Conv1d', inChannels, outChannels, options.groups), kernelSize, 1, options);
  }

  override forward(x: Tensor): Tensor {
    return conv1d(x, this.weight, this.bias ?? undefined, this.options);
  }
}

/**
 * Conv1d with two axes.
 *
 * - x [N, inChannels, H, W] or [inChannels, H, W] -> y [N, outChannels, H', W'] or [outChannels, H', W'], each size as in Conv1d
 * - `weight` [outChannels, inChannels / groups, K, L] and `bias` [outChannels], both U(-1/√n, 1/√n) with n = inChannels / groups · K · L
 */
export class Conv2d extends Convolution<ConvolutionOptions> {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvOptions = {}) {
    super('nn.Conv2d', inward('nn.Conv2d', inChannels, outChannels, options.groups), kernelSize, 2, options);
  }

  override forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.bias ?? undefined, this.options);
  }
}

/**
 * The transpose of Conv1d, which makes of its result's size that of its input (Zeiler et al. 2010).
 *
 * - x [N, inChannels, L] or [inChannels, L] -> y [N, outChannels, M] or [outChannels, M],
 *   M = (L - 1)·stride - 2·padding + dilation·(kernelSize - 1) + outputPadding + 1
 * - `weight` [inChannels, outChannels / groups, kernelSize] and `bias` [outChannels], both U(-1/√n, 1/√n) with n = outChannels / groups ·
 *   kernelSize (PyTorch's)
 */
export class ConvTranspose1d extends Convolution<ConvolutionTransposeOptions> {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeOptions = {}) {
    const channels = outward('nn.ConvTranspose1d', inChannels, outChannels, options.groups);
    super('nn.ConvTranspose1d', channels, kernelSize, 1, options);
  }

  override forward(x: Tensor): Tensor {
    return convTranspose1d(x, this.weight, this.bias ?? undefined, this.options);
  }
}

/**
 * ConvTranspose1d with two axes.
 *
 * - x [N, inChannels, H, W] or [inChannels, H, W] -> y [N, outChannels, H', W'] or [outChannels, H', W'], each size as in ConvTranspose1d
 * - `weight` [inChannels, outChannels / groups, K, L] and `bias` [outChannels], both U(-1/√n, 1/√n) with n = outChannels / groups · K · L
 */
export class ConvTranspose2d extends Convolution<ConvolutionTransposeOptions> {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeOptions = {}) {
    const channels = outward('nn.ConvTranspose2d', inChannels, outChannels, options.groups);
    super('nn.ConvTranspose2d', channels, kernelSize, 2, options);
  }

  override forward(x: Tensor): Tensor {
    return convTranspose2d(x, this.weight, this.bias ?? undefined, this.options);
  }
}
