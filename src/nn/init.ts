import { ShapeError } from '../errors';
import { add, clamp, div, erf, exp, log, lt, mul, neg, sqrt, square, sub, where } from '../ops/elementwise';
import { reshape, transpose } from '../ops/movement';
import { normal as drawNormal, uniform as drawUniform, type RandomOptions } from '../ops/random';
import { type Shape, show, sizeOf } from '../shape';
import { checkOption, full, eye as identity, type Tensor, tensor } from '../tensor';

/** Makes the first value of a parameter. Weights are [out, in, …]: fan-in is in · …, fan-out is out · …. */
export type Initializer = (shape: Shape, options?: RandomOptions) => Tensor;

/** Inputs and outputs of one unit. Rank 2 at least. */
function fans(name: string, shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length < 2) {
    throw new ShapeError(`fan-in and fan-out need a weight of at least two axes, [out, in, …]; got ${show(shape)}.`, {
      op: `init.${name}`,
      argument: 'shape',
      got: shape,
    });
  }
  const receptive = sizeOf(shape.slice(2));
  return { fanIn: shape[1]! * receptive, fanOut: shape[0]! * receptive };
}

/** All zeros. As a weight this makes every unit of a layer learn the same. */
export const zeros = (): Initializer => constant(0);

/** All ones. */
export const ones = (): Initializer => constant(1);

/** One value everywhere. */
export const constant =
  (value: number): Initializer =>
  (shape, options) =>
    full(shape, value, options);

/** Ones on the diagonal, zeros elsewhere: passes its inputs on, as far as there are outputs. Rank 2. */
export const eye = (): Initializer => (shape, options) => {
  const [rows, columns] = matrix('eye', shape);
  return identity(rows, columns, options);
};

/** U(low, high). Throws a ValueError unless both are finite and low is not above high. */
export const uniform = ({ low = 0, high = 1 }: { low?: number; high?: number } = {}): Initializer => {
  checkFinite('uniform', { low, high });
  checkOption('init.uniform', 'low', low, low <= high, `at most high, ${high}`);
  return (shape, options) => drawUniform(shape, { ...options, low, high });
};

/** N(mean, std²). Throws a ValueError unless both are finite and std is not negative. */
export const normal = ({ mean = 0, std = 1 }: { mean?: number; std?: number } = {}): Initializer => {
  checkFinite('normal', { mean });
  checkSize('normal', { std });
  return (shape, options) => drawNormal(shape, { ...options, mean, std });
};

/**
 * N(mean, std²) without what lies outside [a, b], which are bounds of the values themselves, as in torch.nn.init.trunc_normal_: a
 * uniform number through the inverse of the distribution, so that each element takes one draw. Throws a ValueError unless a is
 * below b, std above 0, and some of the distribution between the bounds.
 */
export const truncatedNormal = ({
  mean = 0,
  std = 1,
  a = -2,
  b = 2,
}: {
  mean?: number;
  std?: number;
  a?: number;
  b?: number;
} = {}): Initializer => {
  checkFinite('truncatedNormal', { mean, std, a, b });
  checkOption('init.truncatedNormal', 'std', std, std > 0, 'above 0');
  checkOption('init.truncatedNormal', 'a', a, a < b, `below b, ${b}`);
  return (shape, options) => {
    const border = (value: number) =>
      erf(full([], (value - mean) / std / Math.SQRT2, { dtype: options?.dtype })).item();
    const [low, high] = [border(a), border(b)];
    checkOption('init.truncatedNormal', 'a', a, low < high, `nearer to mean, ${mean}: nothing lies between a and b`);
    const z = inverseErf(drawUniform(shape, { ...options, low, high }));
    return clamp(add(mul(z, Math.SQRT2 * std), mean), { min: a, max: b });
  };
};

/**
 * erf⁻¹ by the polynomials of Giles (2012, table 5), which are good for 1e-6, and Newton's method from there. x nearer than 1e-7
 * to ±1, 5.3 standard deviations out, counts as that far away.
 */
function inverseErf(x: Tensor): Tensor {
  const polynomial = (w: Tensor, coefficients: number[]) =>
    coefficients.reduce((y: Tensor | number, one) => add(mul(y, w), one), 0) as Tensor;
  const inside = clamp(x, { min: -1 + 1e-7, max: 1 - 1e-7 });
  const w = neg(log(mul(sub(1, inside), add(inside, 1))));
  const centre = polynomial(sub(w, 2.5), CENTRE);
  const tail = polynomial(sub(sqrt(w), 3), TAIL);
  let y = mul(inside, where(lt(w, 5), centre, tail));
  for (let step = 0; step < 2; step++) {
    const slope = mul(exp(neg(square(y))), 2 / Math.sqrt(Math.PI));
    y = sub(y, div(sub(erf(y), inside), slope));
  }
  return y;
}

/** The coefficients of powers of w - 2.5 where w is below 5, and of √w - 3 from there on; the highest power first. */
const CENTRE = [
  ...[2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3, -4.17768164e-3],
  ...[0.246640727, 1.50140941],
];
const TAIL = [
  ...[-2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3, 9.43887047e-3],
  ...[1.00167406, 2.83297682],
];

/**
 * gain times a random matrix whose rows, or columns where there are fewer of these, are orthonormal (Saxe et al. 2014): the Q with
 * positive diagonal in R of a normal matrix, which makes all such matrices equally likely (Mezzadri 2007). Axes behind the first
 * count as one. Throws a ShapeError below rank 2.
 */
export const orthogonal = ({ gain = 1 } = {}): Initializer => {
  checkFinite('orthogonal', { gain });
  return (shape, options) => {
    fans('orthogonal', shape);
    const drawn = drawNormal(shape, options);
    const rows = shape[0]!;
    const columns = sizeOf(shape.slice(1));
    const wide = rows < columns;
    // The vectors to be made orthonormal, one after another in memory.
    const matrix = reshape(drawn, [rows, columns]);
    const vectors = Float64Array.from((wide ? matrix : transpose(matrix)).values());
    orthonormalise(vectors, Math.min(rows, columns), Math.max(rows, columns));
    const q = tensor(drawn.dtype === 'f64' ? vectors : Float32Array.from(vectors), {
      shape: wide ? [rows, columns] : [columns, rows],
    });
    return mul(reshape(wide ? q : transpose(q), shape), gain);
  };
};

/** Gram-Schmidt, each vector twice, after which they are orthogonal to the last digits (Giraud et al. 2005). */
function orthonormalise(vectors: Float64Array, count: number, length: number): void {
  for (let j = 0; j < count; j++) {
    const own = vectors.subarray(j * length, (j + 1) * length);
    for (let i = 0; i < 2 * j; i++) {
      const other = vectors.subarray((i % j) * length, ((i % j) + 1) * length);
      let product = 0;
      for (let k = 0; k < length; k++) product += own[k]! * other[k]!;
      for (let k = 0; k < length; k++) own[k]! -= product * other[k]!;
    }
    let squares = 0;
    for (let k = 0; k < length; k++) squares += own[k]! * own[k]!;
    const size = Math.sqrt(squares);
    for (let k = 0; k < length; k++) own[k]! /= size;
  }
}

/**
 * N(0, std²) but for ⌈sparsity · rows⌉ zeros in each column, at random rows: of every input the same share of the outputs does not
 * hear (Martens 2010). Rank 2. Throws a ValueError unless sparsity is from 0 to 1.
 */
export const sparse = ({ sparsity, std = 0.01 }: { sparsity: number; std?: number }): Initializer => {
  checkOption('init.sparse', 'sparsity', sparsity, sparsity >= 0 && sparsity <= 1, 'from 0 to 1');
  checkSize('sparse', { std });
  return (shape, options) => {
    const [rows, columns] = matrix('sparse', shape);
    const weights = drawNormal(shape, { ...options, std });
    const keys = drawUniform(shape, { generator: options?.generator }).values();
    const values = weights.data();
    const zeros = Math.ceil(sparsity * rows);
    for (let column = 0; column < columns; column++) {
      const order = Array.from({ length: rows }, (_, row) => row * columns + column);
      for (const at of order.sort((i, j) => keys[i]! - keys[j]!).slice(0, zeros)) values[at] = 0;
    }
    return tensor(values, { shape });
  };
};

/** Rows and columns of a shape of rank 2. */
function matrix(name: string, shape: Shape): [number, number] {
  if (shape.length === 2) return shape as unknown as [number, number];
  throw new ShapeError(`the weight must have two axes, [out, in]; got ${show(shape)}.`, {
    op: `init.${name}`,
    argument: 'shape',
    got: shape,
  });
}

function checkFinite(name: string, options: Record<string, number>): void {
  for (const [argument, value] of Object.entries(options)) {
    checkOption(`init.${name}`, argument, value, Number.isFinite(value), 'a finite number');
  }
}

function checkSize(name: string, options: Record<string, number>): void {
  for (const [argument, value] of Object.entries(options)) {
    checkOption(`init.${name}`, argument, value, value >= 0 && value < Number.POSITIVE_INFINITY, 'a number from 0 on');
  }
}

/** Draws of variance `scale / fan`: U(-√(3v), √(3v)) or N(0, v). */
function scaled(
  name: string,
  kind: 'uniform' | 'normal',
  scale: number,
  fan: (fanIn: number, fanOut: number) => number,
): Initializer {
  checkSize(name, { gain: scale });
  return (shape, options) => {
    const { fanIn, fanOut } = fans(name, shape);
    const variance = scale / Math.max(1, fan(fanIn, fanOut));
    const bound = Math.sqrt(3 * variance);
    return kind === 'uniform'
      ? drawUniform(shape, { ...options, low: -bound, high: bound })
      : drawNormal(shape, { ...options, std: Math.sqrt(variance) });
  };
}

const average = (fanIn: number, fanOut: number) => (fanIn + fanOut) / 2;
const inward = (fanIn: number) => fanIn;

/** Glorot & Bengio 2010 (torch: xavier_uniform_): U(-a, a) with a = gain·√(6 / (fanIn + fanOut)). */
export const glorotUniform = ({ gain = 1 } = {}): Initializer =>
  scaled('glorotUniform', 'uniform', gain * gain, average);
/** Glorot & Bengio 2010 (torch: xavier_normal_): N(0, gain²·2 / (fanIn + fanOut)). */
export const glorotNormal = ({ gain = 1 } = {}): Initializer => scaled('glorotNormal', 'normal', gain * gain, average);
/** He et al. 2015 (torch: kaiming_uniform_): U(-a, a) with a = gain·√(3 / fanIn); the gain for ReLU is √2. */
export const heUniform = ({ gain = Math.SQRT2 } = {}): Initializer =>
  scaled('heUniform', 'uniform', gain * gain, inward);
/** He et al. 2015 (torch: kaiming_normal_): N(0, gain² / fanIn): variance 2 / fanIn, the inputs of the layer, for ReLU. */
export const heNormal = ({ gain = Math.SQRT2 } = {}): Initializer => scaled('heNormal', 'normal', gain * gain, inward);
/** LeCun et al. 1998: U with variance 1 / fanIn. */
export const lecunUniform = (): Initializer => scaled('lecunUniform', 'uniform', 1, inward);
/** LeCun et al. 1998: N(0, 1 / fanIn). */
export const lecunNormal = (): Initializer => scaled('lecunNormal', 'normal', 1, inward);
