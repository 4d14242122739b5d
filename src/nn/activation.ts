import type { Real } from '../dtype';
import {
  celu,
  elu,
  gelu,
  glu,
  hardshrink,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  logSigmoid,
  mish,
  prelu,
  relu6,
  selu,
  silu,
  softmin,
  softshrink,
  softsign,
  tanhshrink,
  threshold,
} from '../ops/activation';
import { relu, sigmoid, softplus, tanh } from '../ops/elementwise';
import { logSoftmax, softmax } from '../ops/softmax';
import { checkCounts, full, type Tensor } from '../tensor';
import { Module, Parameter } from './module';

// Activations as layers, named as in torch.nn: input and output [...], of one shape unless it says otherwise. What each does at
// its kinks, and what it throws, is told at the function of src/ops.

/** max(0, x): [...] -> [...]. */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** min(max(0, x), 6): [...] -> [...] (Krizhevsky 2010). */
export class ReLU6 extends Module {
  override forward(x: Tensor): Tensor {
    return relu6(x);
  }
}

/** x where x > 0, else negativeSlope·x: [...] -> [...] (Maas et al. 2013). */
export class LeakyReLU extends Module {
  constructor(private readonly options: { negativeSlope?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return leakyRelu(x, this.options);
  }
}

/**
 * x where x > 0, else weight·x (He et al. 2015): [N, C, …] -> [N, C, …].
 *
 * - `weight` [numParameters], one slope for all channels or one for each; starts as `init`, 0.25
 *
 * Throws a ValueError unless numParameters is a whole number from 1 on.
 */
export class PReLU extends Module {
  readonly weight: Parameter;

  constructor(numParameters = 1, { init = 0.25, dtype = 'f32' }: { init?: number; dtype?: Real } = {}) {
    super();
    checkCounts('nn.PReLU', { numParameters });
    this.weight = new Parameter(full([numParameters], init, { dtype }));
  }

  override forward(x: Tensor): Tensor {
    return prelu(x, this.weight);
  }
}

/** x where x > 0, else alpha·(e^x - 1): [...] -> [...] (Clevert et al. 2016). */
export class ELU extends Module {
  constructor(private readonly options: { alpha?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return elu(x, this.options);
  }
}

/** 1.0507·x where x > 0, else 1.7581·(e^x - 1), which keeps mean 0 and variance 1: [...] -> [...] (Klambauer et al. 2017); goes with `init.lecunNormal`. */
export class SELU extends Module {
  override forward(x: Tensor): Tensor {
    return selu(x);
  }
}

/** x where x > 0, else alpha·(e^(x/alpha) - 1): [...] -> [...] (Barron 2017). */
export class CELU extends Module {
  constructor(private readonly options: { alpha?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return celu(x, this.options);
  }
}

/** x·Φ(x), Φ the normal distribution, or its approximation by tanh: [...] -> [...] (Hendrycks & Gimpel 2016). */
export class GELU extends Module {
  constructor(private readonly options: { approximate?: 'none' | 'tanh' } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return gelu(x, this.options);
  }
}

/** x / (1 + e^-x), also called swish: [...] -> [...] (Elfwing et al. 2018). */
export class SiLU extends Module {
  override forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/** x·tanh(log(1 + e^x)): [...] -> [...] (Misra 2020). */
export class Mish extends Module {
  override forward(x: Tensor): Tensor {
    return mish(x);
  }
}

/** log(1 + e^(beta·x)) / beta, and x itself where beta·x is above the threshold: [...] -> [...] (Dugas et al. 2001). */
export class Softplus extends Module {
  constructor(private readonly options: { beta?: number; threshold?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return softplus(x, this.options);
  }
}

/** x / (1 + |x|): [...] -> [...] (Turian et al. 2009). */
export class Softsign extends Module {
  override forward(x: Tensor): Tensor {
    return softsign(x);
  }
}

/** x held between minVal and maxVal: [...] -> [...] (Collobert 2004). */
export class Hardtanh extends Module {
  constructor(private readonly options: { minVal?: number; maxVal?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return hardtanh(x, this.options);
  }
}

/** 0 up to -3, 1 from 3 on, x/6 + 1/2 between them: [...] -> [...] (Howard et al. 2019). */
export class Hardsigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return hardsigmoid(x);
  }
}

/** x·hardsigmoid(x): [...] -> [...] (Howard et al. 2019). */
export class Hardswish extends Module {
  override forward(x: Tensor): Tensor {
    return hardswish(x);
  }
}

/** x where |x| > lambd, else 0: [...] -> [...]. */
export class Hardshrink extends Module {
  constructor(private readonly options: { lambd?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return hardshrink(x, this.options);
  }
}

/** x moved towards 0 by lambd, and 0 where that would pass it: [...] -> [...] (Donoho 1995). */
export class Softshrink extends Module {
  constructor(private readonly options: { lambd?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return softshrink(x, this.options);
  }
}

/** x - tanh(x): [...] -> [...]. */
export class Tanhshrink extends Module {
  override forward(x: Tensor): Tensor {
    return tanhshrink(x);
  }
}

/** 1 / (1 + e^-x): [...] -> [...]. */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/** log(1 / (1 + e^-x)): [...] -> [...]. */
export class LogSigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return logSigmoid(x);
  }
}

/** (e^x - e^-x) / (e^x + e^-x): [...] -> [...]. */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/** x where x > threshold, else value: [...] -> [...]. */
export class Threshold extends Module {
  constructor(private readonly options: { threshold: number; value: number }) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return threshold(x, this.options);
  }
}

/** a·sigmoid(b), a and b the halves of x along an axis, the last unless told otherwise: [..., 2n, ...] -> [..., n, ...] (Dauphin et al. 2017). */
export class GLU extends Module {
  constructor(private readonly options: { axis?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return glu(x, this.options);
  }
}

/** e^x / Σ e^x along an axis, the last unless told otherwise: [...] -> [...]. With crossEntropy leave it out: that takes logits. */
export class Softmax extends Module {
  constructor(private readonly options: { axis?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return softmax(x, this.options);
  }
}

/** e^-x / Σ e^-x along an axis, the last unless told otherwise: [...] -> [...]. */
export class Softmin extends Module {
  constructor(private readonly options: { axis?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return softmin(x, this.options);
  }
}

/** x - log Σ e^x along an axis, the last unless told otherwise: [...] -> [...]; goes with `nllLoss`. */
export class LogSoftmax extends Module {
  constructor(private readonly options: { axis?: number } = {}) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return logSoftmax(x, this.options);
  }
}
