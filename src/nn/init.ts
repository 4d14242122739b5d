import { ShapeError, ValueError } from '../errors';
import { normal as drawNormal, uniform as drawUniform, type RandomOptions } from '../ops/random';
import { type Shape, show, sizeOf } from '../shape';
import { full, type Tensor } from '../tensor';

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

/** One value everywhere. */
export const constant =
  (value: number): Initializer =>
  (shape, options) =>
    full(shape, value, options);

/** U(low, high). */
export const uniform =
  ({ low = 0, high = 1 }: { low?: number; high?: number } = {}): Initializer =>
  (shape, options) =>
    drawUniform(shape, { ...options, low, high });

/** N(mean, std²). */
export const normal =
  ({ mean = 0, std = 1 }: { mean?: number; std?: number } = {}): Initializer =>
  (shape, options) =>
    drawNormal(shape, { ...options, mean, std });

/** Draws of variance `scale / fan`: U(-√(3v), √(3v)) or N(0, v). */
function scaled(
  name: string,
  kind: 'uniform' | 'normal',
  scale: number,
  fan: (fanIn: number, fanOut: number) => number,
): Initializer {
  if (!(scale >= 0)) {
    throw new ValueError(`gain must be a number from 0 on; got ${scale}.`, {
      op: `init.${name}`,
      argument: 'gain',
      got: scale,
    });
  }
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
