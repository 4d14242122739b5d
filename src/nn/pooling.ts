import {
  type AveragePoolOptions,
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  avgPool1d,
  avgPool2d,
  type MaxPoolOptions,
  maxPool1d,
  maxPool2d,
} from '../ops/pooling';
import type { PerAxis, Tensor } from '../tensor';
import { Module } from './module';

/**
 * y[n, c, i] = max x[n, c, i·stride + k·dilation - padding] over k, of what lies inside x. No parameters.
 *
 * - x [N, C, L] or [C, L] -> y [N, C, M] or [C, M], M = ⌊(L + 2·padding - dilation·(kernelSize - 1) - 1) / stride⌋ + 1 (⌈ ⌉ with ceilMode)
 */
export class MaxPool1d extends Module {
  constructor(
    readonly kernelSize: number,
    private readonly options: MaxPoolOptions = {},
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return maxPool1d(x, this.kernelSize, this.options);
  }
}

/** MaxPool1d with two axes: x [N, C, H, W] or [C, H, W] -> y [N, C, H', W'] or [C, H', W'], each size as there. */
export class MaxPool2d extends Module {
  constructor(
    readonly kernelSize: PerAxis,
    private readonly options: MaxPoolOptions = {},
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return maxPool2d(x, this.kernelSize, this.options);
  }
}

/**
 * y[n, c, i] = the mean of x[n, c, i·stride + k - padding] over k, where padding counts as zeros (not without countIncludePad). No parameters.
 *
 * - x [N, C, L] or [C, L] -> y [N, C, M] or [C, M], M = ⌊(L + 2·padding - kernelSize) / stride⌋ + 1 (⌈ ⌉ with ceilMode)
 */
export class AvgPool1d extends Module {
  constructor(
    readonly kernelSize: number,
    private readonly options: AveragePoolOptions = {},
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return avgPool1d(x, this.kernelSize, this.options);
  }
}

/** AvgPool1d with two axes: x [N, C, H, W] or [C, H, W] -> y [N, C, H', W'] or [C, H', W'], each size as there. */
export class AvgPool2d extends Module {
  constructor(
    readonly kernelSize: PerAxis,
    private readonly options: AveragePoolOptions = {},
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return avgPool2d(x, this.kernelSize, this.options);
  }
}

/**
 * y[n, c, i] = max x[n, c, k] for ⌊i·L/M⌋ ≤ k < ⌈(i + 1)·L/M⌉, with M = `outputSize`. No parameters.
 *
 * - x [N, C, L] or [C, L] -> y [N, C, M] or [C, M]
 */
export class AdaptiveMaxPool1d extends Module {
  constructor(readonly outputSize: number) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return adaptiveMaxPool1d(x, this.outputSize);
  }
}

/** AdaptiveMaxPool1d with two axes: x [N, C, H, W] or [C, H, W] -> y [N, C, …outputSize] or [C, …outputSize]. */
export class AdaptiveMaxPool2d extends Module {
  constructor(readonly outputSize: PerAxis) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return adaptiveMaxPool2d(x, this.outputSize);
  }
}

/**
 * y[n, c, i] = the mean of x[n, c, k] for ⌊i·L/M⌋ ≤ k < ⌈(i + 1)·L/M⌉, with M = `outputSize`: with 1, global average pooling (Lin et al. 2014).
 * No parameters.
 *
 * - x [N, C, L] or [C, L] -> y [N, C, M] or [C, M]
 */
export class AdaptiveAvgPool1d extends Module {
  constructor(readonly outputSize: number) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return adaptiveAvgPool1d(x, this.outputSize);
  }
}

/** AdaptiveAvgPool1d with two axes: x [N, C, H, W] or [C, H, W] -> y [N, C, …outputSize] or [C, …outputSize]. */
export class AdaptiveAvgPool2d extends Module {
  constructor(readonly outputSize: PerAxis) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }
}
