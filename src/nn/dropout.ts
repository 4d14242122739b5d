import { ValueError } from '../errors';
import { dropout } from '../ops/random';
import type { Tensor } from '../tensor';
import { Module } from './module';

/**
 * In training zeroes each element with probability p and divides the others by 1 - p; in evaluation passes x unchanged
 * (Srivastava et al. 2014). Any shape.
 */
export class Dropout extends Module {
  readonly p: number;

  constructor(p = 0.5) {
    super();
    if (!(p >= 0 && p <= 1)) {
      throw new ValueError(`p must be from 0 to 1; got ${p}.`, {
        op: 'nn.Dropout',
        argument: 'p',
        got: p,
        expected: '0 to 1',
      });
    }
    this.p = p;
  }

  override forward(x: Tensor): Tensor {
    return dropout(x, { p: this.p, training: this.training });
  }
}
