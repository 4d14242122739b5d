import { Normalize, NormalizeBackward, Op } from '../../assembly/isa';
import { Cell } from '../cell';
import { checkReals } from '../dtype';
import { ShapeError } from '../errors';
import { cut, double, type View } from '../graph/emitter';
import { assign } from '../graph/trace';
import { type Aval, type Shape, sameShape, show, sizeOf } from '../shape';
import { checkCounts, checkOption, checkReal, Tensor } from '../tensor';
import { add, div, mul, reciprocal, sqrt, sub } from './elementwise';
import { defineExtensionOp } from './extension';
import { detach, reshape } from './movement';
import { mean as average } from './reduce';

interface Normalization {
  eps: number;
  /** The root of the mean square rather than the standard deviation: nothing is taken off. */
  rms: boolean;
}

/** x [A, G, B] has a group for each of G. */
function groups({ shape }: Aval): { a: number; g: number; b: number; per: number; chunks: number } {
  const [a, g, b] = shape as [number, number, number];
  // Groups side by side share lines of the cache: 16 reals are one.
  return { a, g, b, ...cut(g, Math.max(b === 1 ? 16 : 1, Math.ceil(8192 / (a * b)))) };
}

/** [G] beside [A, G, B]. */
const perGroup = (x: Tensor) => reshape(x, [1, x.size, 1]);

const normalizeOp = /* @__PURE__ */ defineExtensionOp<Normalization>({
  name: 'normalize',
  version: 1,
  // [A, G, B] -> [A, G, B], variance [G], mean [G] (not with rms)
  shape: ([x], { rms }) => {
    checkReals('normalize', [x!]);
    const one = { shape: [x!.shape[1]!], dtype: x!.dtype };
    return rms ? [x!, one] : [x!, one, one];
  },
  emit: (program, [out, variance, mean], [x], { eps, rms }) => {
    const source = program.contiguous(x!);
    const { a, g, b, per, chunks } = groups(out!);
    const statistics = mean ? [variance!, mean] : [variance!];
    program.record(
      Op.NORMALIZE,
      Normalize.WORDS,
      {
        [Normalize.RMS]: Number(rms),
        [Normalize.A]: a,
        [Normalize.G]: g,
        [Normalize.B]: b,
        [Normalize.CHUNK]: per,
        ...double(Normalize.EPS, eps),
        [Normalize.SOURCE]: program.read(source),
        [Normalize.DESTINATION]: program.write(out!),
        [Normalize.VARIANCE]: program.write(variance!),
        [Normalize.MEAN]: mean ? program.write(mean) : 0,
      },
      [out!, ...statistics],
      {
        chunks,
        inPlace: [[out!, source]],
        lanes:
          a === 1
            ? {
                ...{ count: g, per, field: Normalize.CHUNK },
                each: [out!, source, ...statistics].map((view, i): [View, number] => [view, i < 2 ? b : 1]),
              }
            : undefined,
        flop: 8 * a * g * b,
      },
    );
  },
  vjp: ([g, gVariance, gMean], { inputs: [x], outputs: [y, variance], options }) => {
    const n = x!.size / variance!.size;
    const parts: Tensor[] = [];
    if (g) parts.push(normalizeBackwardOp([y!, variance!, g], options)[0]!);
    // The variance's slope is 2 (x - mean) / n, the mean's 1 / n.
    if (gVariance) {
      parts.push(mul(y!, perGroup(mul(gVariance, mul(sqrt(add(variance!, options.eps)), 2 / n)))));
    }
    if (gMean) parts.push(perGroup(div(gMean, n)));
    return [parts.length > 0 ? parts.reduce((sum, part) => add(sum, part)) : null];
  },
});

const normalizeBackwardOp = /* @__PURE__ */ defineExtensionOp<Normalization>({
  name: 'normalizeBackward',
  version: 1,
  // y [A, G, B], variance [G], cotangent [A, G, B] -> [A, G, B]
  shape: ([y]) => [y!],
  emit: (program, [out], [y, variance, g], { eps, rms }) => {
    const [output, spread, cotangent] = [program.contiguous(y!), program.contiguous(variance!), program.contiguous(g!)];
    const { a, g: count, b, per, chunks } = groups(out!);
    program.record(
      Op.NORMALIZE_BACKWARD,
      NormalizeBackward.WORDS,
      {
        [NormalizeBackward.RMS]: Number(rms),
        [NormalizeBackward.A]: a,
        [NormalizeBackward.G]: count,
        [NormalizeBackward.B]: b,
        [NormalizeBackward.CHUNK]: per,
        ...double(NormalizeBackward.EPS, eps),
        [NormalizeBackward.OUTPUT]: program.read(output),
        [NormalizeBackward.VARIANCE]: program.read(spread),
        [NormalizeBackward.COTANGENT]: program.read(cotangent),
        [NormalizeBackward.DESTINATION]: program.write(out!),
      },
      [out!],
      {
        chunks,
        inPlace: [[out!, cotangent]],
        lanes:
          a === 1
            ? {
                ...{ count, per, field: NormalizeBackward.CHUNK },
                each: [
                  [out!, b],
                  [output, b],
                  [cotangent, b],
                  [spread, 1],
                ],
              }
            : undefined,
        flop: 8 * a * count * b,
      },
    );
  },
  meaning: ([y, variance, g], { eps, rms }) => {
    const axes = { axis: [0, 2], keepDims: true };
    const centred = rms ? g! : sub(g!, average(g!, axes));
    const scale = perGroup(reciprocal(sqrt(add(variance!, eps))));
    return [mul(sub(centred, mul(y!, average(mul(g!, y!), axes))), scale)];
  },
});

interface Normalized {
  y: Tensor;
  /** [G]; the variance is that of a whole population. */
  variance: Tensor;
  mean: Tensor | undefined;
}

/** x seen as [a, g, b], with mean 0 and variance 1 in each group; in x's own shape. */
function normalized(x: Tensor, [a, g, b]: [number, number, number], options: Normalization): Normalized {
  // A single group lies in one piece.
  const shape = g === 1 ? [1, 1, a * b] : [a, g, b];
  const [y, variance, mean] = normalizeOp([reshape(x, shape)], options);
  return { y: reshape(y!, x.shape), variance: variance!, mean };
}

/** A weight or bias may be left out, also before the options. */
type Optional = Tensor | null | undefined;
/** What may stand behind the tensors that a function needs: `weight, bias, options`, each of which can be left out. */
export type Affine<O> =
  | [options?: O]
  | [weight: Optional, options?: O]
  | [weight: Optional, bias: Optional, options?: O];

function affineOf<O extends object>(
  rest: readonly unknown[],
): { weight: Optional; bias: Optional; options: Partial<O> } {
  const at = rest.findIndex((one) => one != null && !(one instanceof Tensor));
  const [weight, bias] = at < 0 ? rest : rest.slice(0, at);
  return { weight: weight as Optional, bias: bias as Optional, options: at < 0 ? {} : (rest[at] as Partial<O>) };
}

/** x · weight + bias, of which each may be missing; they are of shape `own` and stand beside x as `beside`. */
function affine(op: string, x: Tensor, weight: Optional, bias: Optional, own: Shape, beside: Shape): Tensor {
  const checked = (argument: string, value: Tensor) => reshape(checkStatistic(op, argument, value, x, own), beside);
  const scaled = weight ? mul(x, checked('weight', weight)) : x;
  return bias ? add(scaled, checked('bias', bias)) : scaled;
}

/** Throws unless a tensor beside x has the shape it must have, and x's dtype. */
function checkStatistic(op: string, argument: string, value: Tensor, x: Tensor, shape: Shape): Tensor {
  checkReal(op, { x, [argument]: value });
  if (!sameShape(value.shape, shape)) {
    throw new ShapeError(
      `${argument} must be ${show(shape)} for x of shape ${show(x.shape)}; got ${show(value.shape)}.`,
      {
        op,
        argument,
        got: value.shape,
        expected: shape,
      },
    );
  }
  return value;
}

function checkEps(op: string, eps: number): void {
  checkOption(op, 'eps', eps, Number.isFinite(eps) && eps >= 0, 'a finite number from 0 on');
}

/** x [N, C, ...]: its channels, and what lies in one of an example. */
function channelsOf(op: string, x: Tensor): { n: number; c: number; inner: number; beside: number[] } {
  checkReal(op, { x });
  if (x.rank < 2) {
    throw new ShapeError(`x must be [N, C, ...]; got shape ${show(x.shape)}.`, { op, argument: 'x', got: x.shape });
  }
  const [n, c, ...inner] = x.shape as [number, number, ...number[]];
  return { n, c, inner: sizeOf(inner), beside: [1, c, ...inner.map(() => 1)] };
}

function checkSeveral(op: string, x: Tensor, count: number): void {
  if (count > 1) return;
  throw new ShapeError(
    `statistics need more than one number a channel; x has shape ${show(x.shape)} (train's dropLast leaves out a last batch of one).`,
    {
      op,
      argument: 'x',
      got: x.shape,
    },
  );
}

interface Running {
  runningMean: Tensor | null | undefined;
  runningVar: Tensor | null | undefined;
  momentum: number | Tensor;
}

/** (1 - momentum) · old + momentum · new in what of the running statistics is a cell; `of` makes their shape of [G]. */
function track(
  { runningMean, runningVar, momentum }: Running,
  found: Normalized,
  n: number,
  of: (x: Tensor) => Tensor,
): void {
  const blend = (cell: Tensor | null | undefined, value: Tensor) => {
    if (cell instanceof Cell) assign(cell, add(cell, mul(sub(of(detach(value)), cell), momentum)));
  };
  blend(runningMean, found.mean!);
  blend(runningVar, mul(found.variance, n / (n - 1)));
}

/** (x - mean) / √(variance + eps) with statistics that are given. */
function standardized(x: Tensor, mean: Tensor, variance: Tensor, eps: number, beside: Shape): Tensor {
  return mul(sub(x, reshape(mean, beside)), reshape(reciprocal(sqrt(add(variance, eps))), beside));
}

export interface BatchNormOptions {
  /** Statistics are those of x, and the running ones are updated; otherwise the running ones are used. */
  training?: boolean;
  /** The share of the newest statistics in the running ones. */
  momentum?: number | Tensor;
  /** Is added to the variance. */
  eps?: number;
}

/**
 * (x - mean) / √(variance + eps) · weight + bias for each channel of x [N, C, ...] (Ioffe & Szegedy 2015; F.batch_norm). In training
 * mean and variance are those of the batch, Σ (x - mean)² / n, and the running ones, [C], where they are cells, become
 * (1 - momentum) · old + momentum · new by `assign`, the variance divided by n - 1; otherwise the running ones take their place. weight and
 * bias are [C] and may be left out, the running statistics be null in training. Throws a DtypeError unless x and what goes with it are real and
 * of one dtype, a ShapeError for other shapes and for a single number a channel in training, a ValueError for a bad option.
 */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  ...rest: Affine<BatchNormOptions>
): Tensor {
  const op = 'batchNorm';
  const { weight, bias, options } = affineOf<BatchNormOptions>(rest);
  const { training = false, momentum = 0.1, eps = 1e-5 } = options;
  checkEps(op, eps);
  checkMomentum(op, momentum);
  const { n, c, inner, beside } = channelsOf(op, x);
  for (const [argument, value] of Object.entries({ runningMean, runningVar })) {
    if (value || !training) checkStatistic(op, argument, value!, x, [c]);
  }
  let y: Tensor;
  if (training) {
    checkSeveral(op, x, n * inner);
    const found = normalized(x, [n, c, inner], { eps, rms: false });
    track({ runningMean, runningVar, momentum }, found, n * inner, (value) => value);
    y = found.y;
  } else y = standardized(x, runningMean!, runningVar!, eps, beside);
  return affine(op, y, weight, bias, [c], beside);
}

function checkMomentum(op: string, momentum: number | Tensor): void {
  if (momentum instanceof Tensor) return;
  checkOption(op, 'momentum', momentum, momentum >= 0 && momentum <= 1, 'from 0 to 1');
}

/** The trailing axes that are normalised together, checked. */
function trailing(op: string, x: Tensor, normalizedShape: Shape): number {
  checkReal(op, { x });
  checkOption(
    op,
    'normalizedShape',
    Array.isArray(normalizedShape) ? show(normalizedShape) : normalizedShape,
    Array.isArray(normalizedShape) && normalizedShape.length > 0,
    'the lengths of one axis or more',
  );
  const own = x.shape.slice(Math.max(0, x.rank - normalizedShape.length));
  if (!sameShape(own, normalizedShape)) {
    throw new ShapeError(`the last axes of x, of shape ${show(x.shape)}, must be ${show(normalizedShape)}.`, {
      op,
      argument: 'x',
      got: x.shape,
      expected: normalizedShape,
    });
  }
  return sizeOf(own);
}

export interface NormOptions {
  /** Is added to the variance. */
  eps?: number;
}

/**
 * (x - mean) / √(variance + eps) · weight + bias over the last axes of x, which are `normalizedShape` (Ba et al. 2016; F.layer_norm); the
 * variance is Σ (x - mean)² / n. weight and bias are of that shape and may be left out. Throws a DtypeError unless all are real and
 * of one dtype, a ShapeError for other shapes, a ValueError for a bad option.
 */
export function layerNorm(x: Tensor, normalizedShape: Shape, ...rest: Affine<NormOptions>): Tensor {
  const op = 'layerNorm';
  const { weight, bias, options } = affineOf<NormOptions>(rest);
  const { eps = 1e-5 } = options;
  checkEps(op, eps);
  const n = trailing(op, x, normalizedShape);
  const y = x.size === 0 ? x : normalized(x, [1, x.size / n, n], { eps, rms: false }).y;
  return affine(op, y, weight, bias, normalizedShape, normalizedShape);
}

/**
 * x / √(mean(x²) + eps) · weight over the last axes of x, which are `normalizedShape` (Zhang & Sennrich 2019; F.rms_norm). weight is of
 * that shape and may be left out; eps is the dtype's (2⁻²³ or 2⁻⁵²) unless given. Throws as `layerNorm` does.
 */
export function rmsNorm(
  x: Tensor,
  normalizedShape: Shape,
  ...rest: [options?: NormOptions] | [weight: Tensor | null | undefined, options?: NormOptions]
): Tensor {
  const op = 'rmsNorm';
  const { weight, bias, options } = affineOf<NormOptions>(rest);
  checkReal(op, { x });
  const { eps = x.dtype === 'f32' ? 2 ** -23 : 2 ** -52 } = options;
  checkEps(op, eps);
  checkOption(op, 'bias', bias, bias == null, 'left out');
  const n = trailing(op, x, normalizedShape);
  const y = x.size === 0 ? x : normalized(x, [1, x.size / n, n], { eps, rms: true }).y;
  return affine(op, y, weight, null, normalizedShape, normalizedShape);
}

/**
 * (x - mean) / √(variance + eps) · weight + bias for each example and each of `numGroups` groups of neighbouring channels of x [N, C, ...] (Wu
 * & He 2018; F.group_norm). weight and bias are [C] and may be left out. Throws a DtypeError unless all are real and of one dtype, a
 * ShapeError for other shapes, a ValueError unless the groups divide the channels, and for a bad option.
 */
export function groupNorm(x: Tensor, numGroups: number, ...rest: Affine<NormOptions>): Tensor {
  const op = 'groupNorm';
  const { weight, bias, options } = affineOf<NormOptions>(rest);
  const { eps = 1e-5 } = options;
  checkEps(op, eps);
  const { n, c, inner, beside } = channelsOf(op, x);
  checkCounts(op, { numGroups });
  checkOption(op, 'numGroups', numGroups, c % numGroups === 0, `a divisor of the ${c} channels`);
  const size = (c / numGroups) * inner;
  const y = x.size === 0 ? x : normalized(x, [1, n * numGroups, size], { eps, rms: false }).y;
  return affine(op, y, weight, bias, [c], beside);
}

export interface InstanceNormOptions extends NormOptions {
  /** [C]; a cell is updated as by `batchNorm`. */
  runningMean?: Tensor | null;
  runningVar?: Tensor | null;
  /** Statistics are those of x; otherwise the running ones. */
  useInputStats?: boolean;
  momentum?: number | Tensor;
}

/**
 * (x - mean) / √(variance + eps) · weight + bias for each channel of each example of x [N, C, ...] (Ulyanov et al. 2016; F.instance_norm).
 * weight and bias are [C] and may be left out. Running statistics, [C], are options: those that are cells get the mean over the examples,
 * as in `batchNorm`, and without `useInputStats` they are what is used. Throws a DtypeError unless all are real and of one dtype, a
 * ShapeError for other shapes and for a single number a channel, a ValueError for a bad option.
 */
export function instanceNorm(x: Tensor, ...rest: Affine<InstanceNormOptions>): Tensor {
  const op = 'instanceNorm';
  const { weight, bias, options } = affineOf<InstanceNormOptions>(rest);
  const { runningMean, runningVar, useInputStats = true, momentum = 0.1, eps = 1e-5 } = options;
  checkEps(op, eps);
  checkMomentum(op, momentum);
  const { n, c, inner, beside } = channelsOf(op, x);
  for (const [argument, value] of Object.entries({ runningMean, runningVar })) {
    if (value || !useInputStats) checkStatistic(op, argument, value!, x, [c]);
  }
  let y = x;
  if (!useInputStats) y = standardized(x, runningMean!, runningVar!, eps, beside);
  else {
    checkSeveral(op, x, inner);
    if (x.size > 0) {
      const found = normalized(x, [1, n * c, inner], { eps, rms: false });
      track({ runningMean, runningVar, momentum }, found, inner, (value) =>
        average(reshape(value, [n, c]), { axis: 0 }),
      );
      y = found.y;
    }
  }
  return affine(op, y, weight, bias, [c], beside);
}
