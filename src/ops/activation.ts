import { ShapeError } from '../errors';
import { normalizeAxis, show } from '../shape';
import { checkOption, checkReal, type Tensor } from '../tensor';
import {
  abs,
  add,
  clamp,
  div,
  erf,
  expm1,
  ge,
  gt,
  le,
  lt,
  mul,
  neg,
  sigmoid,
  softplus,
  square,
  sub,
  tanh,
  where,
} from './elementwise';
import { chunk, reshape } from './movement';
import { softmax } from './softmax';

// Activations composed of other ops, named as in torch.nn.functional. All of them keep NaN, have their limits at ±∞, and
// finite slopes for every finite x. `relu`, `sigmoid`, `tanh`, `softplus` and `softmax` have kernels of their own.

/** Beyond ±40, erf(x/√2) and gelu's tanh are ±1 in either precision. */
const SATURATED = 40;
/** e^-x is 0 in either precision. */
const VANISHED = 800;

/** x, but at least `low`: a factor of x meets one that has come to 0 there, and -∞ · 0 would be NaN. */
function notBelow(x: Tensor, low: number): Tensor {
  return where(lt(x, low), low, x);
}

/** x between two borders, the borders beyond them; the slope is 0 on them. */
function held(x: Tensor, low: number, high: number): Tensor {
  return where(le(x, low), low, where(ge(x, high), high, x));
}

/** min(max(0, x), 6) (Krizhevsky 2010). The slope is 0 at 0 and at 6. Throws a DtypeError unless x is real. */
export function relu6(x: Tensor): Tensor {
  checkReal('relu6', { x });
  return held(x, 0, 6);
}

/**
 * x where x > 0, else negativeSlope·x (Maas et al. 2013, §2). The slope at 0 is negativeSlope. Throws a DtypeError unless x is
 * real, a ValueError unless negativeSlope is finite.
 */
export function leakyRelu(x: Tensor, { negativeSlope = 0.01 }: { negativeSlope?: number } = {}): Tensor {
  checkReal('leakyRelu', { x });
  checkFinite('leakyRelu', { negativeSlope });
  return where(gt(x, 0), x, mul(x, negativeSlope));
}

/**
 * x where x > 0, else weight·x with a slope that is learnt (He et al. 2015, eq. 1). `weight` is one number or one for each
 * channel, axis 1 of x: [] or [1] or [C], x [N, C, …]. At 0 the slope is weight. Throws a DtypeError unless both are real and of one dtype, a
 * ShapeError for a weight of another shape.
 */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  checkReal('prelu', { x, weight });
  const channels = x.rank > 1 ? x.shape[1]! : 1;
  if (weight.rank > 1 || (weight.size !== 1 && weight.size !== channels)) {
    throw new ShapeError(
      `weight must hold one number, or one for each of the ${channels} channels of x, ${show(x.shape)}; got ${show(weight.shape)}.`,
      { op: 'prelu', argument: 'weight', got: weight.shape, expected: [channels] },
    );
  }
  const slope = weight.size === 1 ? reshape(weight, []) : reshape(weight, [channels, ...x.shape.slice(2).map(() => 1)]);
  const positive = gt(x, 0);
  // Without its positive part, or +∞ would meet the weight's cotangent of 0.
  return where(positive, x, mul(where(positive, 0, x), slope));
}

/** x where x > 0, else alpha·(e^(x/width) - 1). */
function exponentialLinear(x: Tensor, alpha: number, width: number): Tensor {
  const positive = gt(x, 0);
  // Without its positive part, or e^x would overflow, and ∞ meet a cotangent of 0.
  const negative = where(positive, 0, x);
  return where(positive, x, mul(expm1(width === 1 ? negative : div(negative, width)), alpha));
}

/**
 * x where x > 0, else alpha·(e^x - 1) (Clevert et al. 2016). The slope at 0 is alpha. Throws a DtypeError unless x is real, a
 * ValueError unless alpha is finite.
 */
export function elu(x: Tensor, { alpha = 1 }: { alpha?: number } = {}): Tensor {
  checkReal('elu', { x });
  checkFinite('elu', { alpha });
  return exponentialLinear(x, alpha, 1);
}

const SELU = { alpha: 1.6732632423543772, scale: 1.0507009873554805 };

/**
 * 1.0507·elu(x, { alpha: 1.6733 }): mean 0 and variance 1 stay, on average (Klambauer et al. 2017, eq. 2). The slope at 0 is the
 * left one, 1.7581. Throws a DtypeError unless x is real.
 */
export function selu(x: Tensor): Tensor {
  checkReal('selu', { x });
  return mul(exponentialLinear(x, SELU.alpha, 1), SELU.scale);
}

/**
 * x where x > 0, else alpha·(e^(x/alpha) - 1), whose slope at 0 is 1 from both sides (Barron 2017). Throws a DtypeError unless x
 * is real, a ValueError unless alpha is above 0.
 */
export function celu(x: Tensor, { alpha = 1 }: { alpha?: number } = {}): Tensor {
  checkReal('celu', { x });
  checkOption('celu', 'alpha', alpha, alpha > 0 && Number.isFinite(alpha), 'a finite number above 0');
  return exponentialLinear(x, alpha, alpha);
}

/**
 * x·Φ(x), Φ the normal distribution: x·(1 + erf(x/√2))/2, or with `approximate: 'tanh'` x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2
 * (Hendrycks & Gimpel 2016, §2). Throws a DtypeError unless x is real, a ValueError for another approximation.
 */
export function gelu(x: Tensor, { approximate = 'none' }: { approximate?: 'none' | 'tanh' } = {}): Tensor {
  checkReal('gelu', { x });
  checkOption('gelu', 'approximate', approximate, ['none', 'tanh'].includes(approximate), "'none' or 'tanh'");
  const low = notBelow(x, -SATURATED);
  return mul(mul(low, 0.5), add(approximate === 'none' ? erf(mul(low, Math.SQRT1_2)) : tanhOfCube(low), 1));
}

function tanhOfCube(x: Tensor): Tensor {
  // The cube would overflow, and its slope meet that of tanh, 0.
  const z = clamp(x, { max: SATURATED });
  return tanh(mul(add(mul(mul(square(z), z), 0.044715), z), Math.sqrt(2 / Math.PI)));
}

/** x / (1 + e^-x), also called swish (Elfwing et al. 2018, eq. 4). Throws a DtypeError unless x is real. */
export function silu(x: Tensor): Tensor {
  checkReal('silu', { x });
  const low = notBelow(x, -VANISHED);
  return mul(low, sigmoid(low));
}

/** x·tanh(log(1 + e^x)) (Misra 2020, eq. 1). Throws a DtypeError unless x is real. */
export function mish(x: Tensor): Tensor {
  checkReal('mish', { x });
  const low = notBelow(x, -VANISHED);
  return mul(low, tanh(softplus(low)));
}

/** x / (1 + |x|) (Turian et al. 2009). Throws a DtypeError unless x is real. */
export function softsign(x: Tensor): Tensor {
  checkReal('softsign', { x });
  // ±1 to the last bit from far nearer on, and ∞/∞ is NaN.
  const finite = clamp(x, { min: -1e30, max: 1e30 });
  return div(finite, add(abs(finite), 1));
}

/**
 * minVal below it, maxVal above it, x between them (Collobert 2004). The slope is 0 at both. Throws a DtypeError unless x is
 * real, a ValueError unless minVal is below maxVal.
 */
export function hardtanh(x: Tensor, { minVal = -1, maxVal = 1 }: { minVal?: number; maxVal?: number } = {}): Tensor {
  checkReal('hardtanh', { x });
  checkOption('hardtanh', 'minVal', minVal, minVal < maxVal, `below maxVal, ${maxVal}`);
  return held(x, minVal, maxVal);
}

/**
 * 0 up to -3, 1 from 3 on, x/6 + 1/2 between them (Howard et al. 2019, §5.2). The slope at ±3 is 0. Throws a DtypeError unless x
 * is real.
 */
export function hardsigmoid(x: Tensor): Tensor {
  checkReal('hardsigmoid', { x });
  return div(held(add(x, 3), 0, 6), 6);
}

/**
 * x·hardsigmoid(x): 0 up to -3, x from 3 on (Howard et al. 2019, §5.2). The slope at ±3 is that of the middle, as in PyTorch: -1/2
 * and 3/2. Throws a DtypeError unless x is real.
 */
export function hardswish(x: Tensor): Tensor {
  checkReal('hardswish', { x });
  const [below, above] = [lt(x, -3), gt(x, 3)];
  // Without what other branches have, which may be infinite and meet a cotangent of 0.
  const middle = where(below, 0, where(above, 0, x));
  return where(below, 0, where(above, x, div(mul(middle, add(middle, 3)), 6)));
}

/** x where |x| > lambd, else 0. The slope at ±lambd is 0. Throws a DtypeError unless x is real, a ValueError for a negative lambd. */
export function hardshrink(x: Tensor, { lambd = 0.5 }: { lambd?: number } = {}): Tensor {
  checkReal('hardshrink', { x });
  checkOption('hardshrink', 'lambd', lambd, lambd >= 0, 'a number from 0 on');
  return where(le(abs(x), lambd), 0, x);
}

/**
 * x moved towards 0 by lambd, and 0 where that would pass it (Donoho 1995). The slope at ±lambd is 0. Throws a DtypeError
 * unless x is real, a ValueError for a negative lambd.
 */
export function softshrink(x: Tensor, { lambd = 0.5 }: { lambd?: number } = {}): Tensor {
  checkReal('softshrink', { x });
  checkOption('softshrink', 'lambd', lambd, lambd >= 0, 'a number from 0 on');
  return sub(x, clamp(x, { min: -lambd, max: lambd }));
}

/** x - tanh(x). Throws a DtypeError unless x is real. */
export function tanhshrink(x: Tensor): Tensor {
  checkReal('tanhshrink', { x });
  return sub(x, tanh(x));
}

/** log(1 / (1 + e^-x)) = -softplus(-x), finite for every finite x. Throws a DtypeError unless x is real. */
export function logSigmoid(x: Tensor): Tensor {
  checkReal('logSigmoid', { x });
  return neg(softplus(neg(x), { threshold: Number.POSITIVE_INFINITY }));
}

/**
 * a·sigmoid(b), a and b the halves of x along an axis: [..., 2n, ...] -> [..., n, ...] (Dauphin et al. 2017, eq. 1). Throws a
 * DtypeError unless x is real, a ShapeError where the axis has an odd length.
 */
export function glu(x: Tensor, { axis = -1 }: { axis?: number } = {}): Tensor {
  checkReal('glu', { x });
  const at = normalizeAxis('glu', axis, x.shape);
  if (x.shape[at]! % 2 !== 0) {
    throw new ShapeError(`axis ${axis} of shape ${show(x.shape)} must have an even length, to be halved.`, {
      op: 'glu',
      argument: 'x',
      got: x.shape,
    });
  }
  const [a, b] = chunk(x, 2, { axis: at });
  return mul(a!, sigmoid(b!));
}

/**
 * softmax(-x): e^-x / Σ e^-x along an axis, the last unless told otherwise. Throws a DtypeError unless x is real, a ShapeError
 * where the axis is empty.
 */
export function softmin(x: Tensor, { axis = -1 }: { axis?: number } = {}): Tensor {
  checkReal('softmin', { x });
  if (x.rank > 0 && x.shape[normalizeAxis('softmin', axis, x.shape)] === 0) {
    throw new ShapeError(`axis ${axis} of shape ${show(x.shape)} is empty.`, {
      op: 'softmin',
      argument: 'x',
      got: x.shape,
    });
  }
  return softmax(neg(x), { axis });
}

/**
 * x where x > threshold, else value. The slope at the threshold is 0. Throws a DtypeError unless x is real, a ValueError unless
 * both options are numbers.
 */
export function threshold(x: Tensor, options: { threshold: number; value: number }): Tensor {
  checkReal('threshold', { x });
  for (const argument of ['threshold', 'value'] as const) {
    const value = options?.[argument];
    checkOption('threshold', argument, value, typeof value === 'number' && !Number.isNaN(value), 'a number');
  }
  return where(le(x, options.threshold), options.value, x);
}

function checkFinite(op: string, options: Record<string, number>): void {
  for (const [argument, value] of Object.entries(options)) {
    checkOption(op, argument, value, Number.isFinite(value), 'a finite number');
  }
}
