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

/** The maximum of each window, see maxPool1d: x [N, C, L] or [C, L]. */
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

/** The maximum of each window, see maxPool2d: x [N, C, H, W] or [C, H, W]. */
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

/** The mean of each window, see avgPool1d: x [N, C, L] or [C, L]. */
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

/** The mean of each window, see avgPool2d: x [N, C, H, W] or [C, H, W]. */
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

/** Maxima of so many windows: x [N, C, L] or [C, L]. */
export class AdaptiveMaxPool1d extends Module {
  constructor(readonly outputSize: number) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return adaptiveMaxPool1d(x, this.outputSize);
  }
}

/** Maxima of so many windows both ways: x [N, C, H, W] or [C, H, W]. */
export class AdaptiveMaxPool2d extends Module {
  constructor(readonly outputSize: PerAxis) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return adaptiveMaxPool2d(x, this.outputSize);
  }
}

/** Means of so many windows: x [N, C, L] or [C, L]. With 1, global average pooling (Lin et al. 2014). */
export class AdaptiveAvgPool1d extends Module {
  constructor(readonly outputSize: number) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return adaptiveAvgPool1d(x, this.outputSize);
  }
}

/** Means of so many windows both ways: x [N, C, H, W] or [C, H, W]. With 1, global average pooling (Lin et al. 2014). */
export class AdaptiveAvgPool2d extends Module {
  constructor(readonly outputSize: PerAxis) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }
}
