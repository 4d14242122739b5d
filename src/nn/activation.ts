import { leakyRelu, relu, sigmoid, tanh } from '../ops/elementwise';
import { softmax } from '../ops/softmax';
import type { Tensor } from '../tensor';
import { Module } from './module';

/** max(0, x), elementwise. */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** x where x > 0, else negativeSlope·x (Maas et al. 2013). */
export class LeakyReLU extends Module {
  constructor(private readonly options: { negativeSlope?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return leakyRelu(x, this.options);
  }
}

/** 1 / (1 + e^-x), elementwise. */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/** (e^x - e^-x) / (e^x + e^-x), elementwise. */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/** e^x / Σ e^x along an axis. With crossEntropy leave it out: that takes logits. */
export class Softmax extends Module {
  constructor(private readonly options: { axis?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return softmax(x, this.options);
  }
}
