import { type InterpolateOptions, interpolate } from '../ops/upsample';
import type { Tensor } from '../tensor';
import { Module } from './module';

/**
 * y[n, c, i] = x[n, c, ⌊i·s⌋] with s = L / size (mode 'nearest'), or a mean of the two elements nearest to it along each axis, weighted by how
 * near they are ('linear', 'bilinear'); see interpolate. No parameters.
 *
 * - x [N, C, L] -> y [N, C, size], x [N, C, H, W] -> y [N, C, …size]
 */
export class Upsample extends Module {
  constructor(private readonly options: InterpolateOptions) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return interpolate(x, this.options);
  }
}
