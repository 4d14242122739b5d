import { type InterpolateOptions, interpolate } from '../ops/upsample';
import type { Tensor } from '../tensor';
import { Module } from './module';

/** Resizes x, see interpolate: [N, C, L] -> [N, C, size], [N, C, H, W] -> [N, C, …size]. */
export class Upsample extends Module {
  constructor(private readonly options: InterpolateOptions) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return interpolate(x, this.options);
  }
}
