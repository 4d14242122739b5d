import {
  checkDepthMode,
  checkProbability,
  dropout,
  dropout1d,
  dropout2d,
  type StochasticDepthOptions,
  stochasticDepth,
} from '../ops/random';
import type { Tensor } from '../tensor';
import { Module } from './module';

/**
 * In training zeroes each element with probability p and divides the others by 1 - p; in evaluation passes x unchanged
 * (Srivastava et al. 2014). x of any shape. Throws a ValueError unless p is from 0 to 1.
 */
export class Dropout extends Module {
  constructor(readonly p = 0.5) {
    super();
    checkProbability('nn.Dropout', p);
  }

  override forward(x: Tensor): Tensor {
    return dropout(x, { p: this.p, training: this.training });
  }
}

/**
 * In training zeroes each channel with probability p and divides the others by 1 - p; in evaluation passes x unchanged
 * (Tompson et al. 2015, §3.2). x [N, C, L] or [C, L]. Throws a ValueError unless p is from 0 to 1.
 */
export class Dropout1d extends Module {
  constructor(readonly p = 0.5) {
    super();
    checkProbability('nn.Dropout1d', p);
  }

  override forward(x: Tensor): Tensor {
    return dropout1d(x, { p: this.p, training: this.training });
  }
}

/**
 * In training zeroes each channel with probability p and divides the others by 1 - p; in evaluation passes x unchanged
 * (Tompson et al. 2015, §3.2). x [N, C, H, W]. Throws a ValueError unless p is from 0 to 1.
 */
export class Dropout2d extends Module {
  constructor(readonly p = 0.5) {
    super();
    checkProbability('nn.Dropout2d', p);
  }

  override forward(x: Tensor): Tensor {
    return dropout2d(x, { p: this.p, training: this.training });
  }
}

/**
 * In training zeroes the whole of an example with probability p and divides the others by 1 - p; in evaluation passes x unchanged: around
 * the branch of a residual block, x + depth(branch(x)), it leaves the branch out at random (Huang et al. 2016; torchvision's
 * StochasticDepth, also called DropPath). x [N, ...]; with mode 'batch' all N share their fate. Throws a ValueError unless p is from 0 to
 * 1, and for another mode.
 */
export class StochasticDepth extends Module {
  readonly mode: 'row' | 'batch';

  constructor(
    readonly p: number,
    { mode = 'row' }: Pick<StochasticDepthOptions, 'mode'> = {},
  ) {
    super();
    checkProbability('nn.StochasticDepth', p);
    checkDepthMode('nn.StochasticDepth', mode);
    this.mode = mode;
  }

  override forward(x: Tensor): Tensor {
    return stochasticDepth(x, { p: this.p, mode: this.mode, training: this.training });
  }
}
