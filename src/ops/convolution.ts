import { Convolution, ConvolutionTranspose, ConvolutionWeight, Op, ReduceFn, Window } from '../../assembly/isa';
import { bytesOf, checkReals, checkSame } from '../dtype';
import { ShapeError } from '../errors';
import { collapse, type Emitter, isContiguous, type View } from '../graph/emitter';
import type { Op as Defined } from '../graph/op';
import { type Geometry, type Pair, planConvolution, planTranspose, planWeight } from '../machine/convolution';
import { planPack } from '../machine/gemm';
import { sameShape, show, sizeOf, stridesOf } from '../shape';
import { checkAxes, checkCounts, checkOption, checkReal, type PerAxis, Tensor } from '../tensor';
import { defineExtensionOp } from './extension';
import { packed } from './matmul';
import { permute, reshape, squeeze, unsqueeze } from './movement';
import { reduceBlocks, sum } from './reduce';

/**
 * How positions of y see x: position Y through tap i what stands at Y·stride + i·dilation - pad in x with `base` - 1 zeros between its
 * elements, each number down and across. Stride or base are 1. The family is closed under gradients: as seen from y, x is at
 * X·base - i·dilation + pad, with stride - 1 zeros between y's elements.
 */
interface Look {
  stride: Pair;
  base: Pair;
  dilation: Pair;
  pad: Pair;
  groups: number;
  /** Positions of y: rows and columns. */
  size: Pair;
}

const both = (f: (axis: 0 | 1) => number): Pair => [f(0), f(1)];
const areaOf = ({ shape }: { shape: readonly number[] }) => shape.slice(-2) as unknown as Pair;
const isOne = ([y, x]: Pair) => y === 1 && x === 1;

/** The same, as seen from y: what x's gradient is made with. */
function turned({ stride, base, dilation, pad, groups }: Look, size: Pair): Look {
  return {
    stride: base,
    base: stride,
    dilation: both((at) => -dilation[at]),
    pad: both((at) => -pad[at]),
    groups,
    size,
  };
}

/** [G·O, C, …] -> [G·C, O, …]. */
function swapped(w: Tensor, groups: number): Tensor {
  if (groups === 1) return permute(w, [1, 0, 2, 3]);
  const [all, inner, ...kernel] = w.shape as [number, number, number, number];
  const outer = all / groups;
  const apart = permute(reshape(w, [groups, outer, inner, ...kernel]), [0, 2, 1, 3, 4]);
  return reshape(apart, [groups * inner, outer, ...kernel]);
}

const convolutionOp: Defined<Look> = /* @__PURE__ */ defineExtensionOp<Look>({
  name: 'convolution',
  version: 1,
  // x [N, G·C, H, W], w [G·O, C, K, L], perhaps b [G·O] -> [N, G·O, …size]
  shape: ([x, w, b], { size }) => {
    const inputs = b ? [x!, w!, b] : [x!, w!];
    checkReals('convolution', inputs);
    return [{ shape: [x!.shape[0]!, w!.shape[0]!, ...size], dtype: checkSame('convolution', inputs) }];
  },
  emit: (program, [out], [x, w, b], look) => emitConvolution(program, out!, x!, w!, b, look),
  vjp: ([g], { inputs: [x, w, b], options }) => [
    convolve(g!, swapped(w!, options.groups), turned(options, areaOf(x!))),
    weightGradient(x!, g!, options, areaOf(w!)),
    ...(b ? [sum(sum(g!, { axis: [2, 3] }), { axis: 0 })] : []),
  ],
});

const weightOp: Defined<Look & { kernel: Pair }> = /* @__PURE__ */ defineExtensionOp<Look & { kernel: Pair }>({
  name: 'convolutionWeight',
  version: 1,
  // x [N, G·C, H, W], y [N, G·O, …size] -> [G·O, C, …kernel]
  shape: ([x, y], { groups, kernel }) => {
    checkReals('convolutionWeight', [x!, y!]);
    const shape = [y!.shape[1]!, x!.shape[1]! / groups, ...kernel];
    return [{ shape, dtype: checkSame('convolutionWeight', [x!, y!]) }];
  },
  emit: (program, [out], [x, y], look) => emitWeight(program, out!, x!, y!, look),
  vjp: ([g], { inputs: [x, y], options: { kernel: _, ...look } }) => [
    convolve(y!, swapped(g!, look.groups), turned(look, areaOf(x!))),
    convolve(x!, g!, look),
  ],
});

function convolve(x: Tensor, w: Tensor, look: Look, b?: Tensor): Tensor {
  return convolutionOp(b ? [x, w, b] : [x, w], look)[0]!;
}

function weightGradient(x: Tensor, y: Tensor, look: Look, kernel: Pair): Tensor {
  if (isOne(look.base)) return weightOp([x, y], { ...look, kernel })[0]!;
  return swapped(weightOp([y, x], { ...turned(look, areaOf(x)), kernel })[0]!, look.groups);
}

/** What a record is told. */
function geometryOf(x: View, y: View, kernel: Pair, look: Look): Geometry {
  const { groups, size, stride, pad } = look;
  const [batch, channels] = x.shape as [number, number];
  const area = areaOf(x);
  const geometry = { ...look, batch, channels: channels / groups, outputs: y.shape[1]! / groups, area, kernel };
  // A window of one element sees a plane as it lies: as one row it fills more vectors.
  const isPlain = isOne(kernel) && isOne(stride) && pad.every((zeros) => zeros + 0 === 0) && sameShape(area, size);
  if (!isPlain || size[1] % 4 === 0 || y.strides[2] !== y.strides[3]! * size[1]) return geometry;
  const row: Pair = [1, size[0] * size[1]];
  return { ...geometry, area: row, size: row };
}

/** Rows (or columns) of one phase: those of which the same taps see elements of x, and not the zeros between. */
interface Phase {
  first: number;
  count: number;
  tap: number;
  step: number;
  taps: number;
  dilation: number;
  pad: number;
}

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/** With zeros between x's elements every base-th row of y sees x as without, through every so many-th tap. */
function phases({ base, dilation, pad, size }: Look, kernel: Pair, axis: 0 | 1): Phase[] {
  const [l, d, p] = [base[axis], dilation[axis], pad[axis]];
  const step = l / divisor(l, Math.abs(d));
  return Array.from({ length: Math.min(l, size[axis]) }, (_, first) => {
    const seen = Array.from({ length: kernel[axis] }, (_, i) => i).filter((i) => (first + i * d - p) % l === 0);
    const tap = seen[0] ?? 0;
    return {
      ...{ first, count: Math.ceil((size[axis] - first) / l), tap, step, taps: seen.length },
      ...{ dilation: (step * d) / l, pad: seen.length > 0 ? (p - first - tap * d) / l : 0 },
    };
  });
}

function emitConvolution(program: Emitter, out: View, x: View, w: View, b: View | undefined, look: Look): void {
  const kernel = areaOf(w);
  const source = program.contiguous(x);
  const bias = b && program.contiguous(b);
  if (isOne(look.base)) {
    emitPhase(program, out, source, w, bias, look);
    return;
  }
  for (const down of phases(look, kernel, 0)) {
    for (const across of phases(look, kernel, 1)) {
      const at = [down, across] as const;
      const part = (view: View, first: 'first' | 'tap', step: Pair, lengths: Pair): View => ({
        ...view,
        shape: [...view.shape.slice(0, 2), ...lengths],
        offset: view.offset + at.reduce((offset, phase, axis) => offset + phase[first] * view.strides[axis + 2]!, 0),
        strides: view.strides.map((stride, axis) => (axis < 2 ? stride : stride * step[axis - 2]!)),
      });
      emitPhase(
        program,
        part(
          out,
          'first',
          look.base,
          both((axis) => at[axis].count),
        ),
        source,
        part(
          w,
          'tap',
          both((axis) => at[axis].step),
          both((axis) => at[axis].taps),
        ),
        bias,
        {
          ...look,
          size: both((axis) => at[axis].count),
          dilation: both((axis) => at[axis].dilation),
          pad: both((axis) => at[axis].pad),
        },
      );
    }
  }
}

/** One CONVOLUTION, or CONVOLUTION_TRANSPOSE; `out` has any strides. */
function emitPhase(program: Emitter, out: View, x: View, w: View, b: View | undefined, look: Look): void {
  const geometry = geometryOf(x, out, areaOf(w), look);
  const k = sizeOf(w.shape.slice(1));
  const isPlain = isContiguous(out) && out.offset === 0;
  const transpose = isPlain ? planTranspose(geometry, bytesOf(out.dtype)) : null;
  if (transpose) {
    const tapsFirst = [0, 2, 3, 1];
    const turnedWeight = {
      ...w,
      shape: tapsFirst.map((axis) => w.shape[axis]!),
      strides: tapsFirst.map((axis) => w.strides[axis]!),
    };
    program.record(
      Op.CONVOLUTION_TRANSPOSE,
      ConvolutionTranspose.WORDS,
      {
        ...transpose.fields,
        [Window.X]: program.read(x),
        [ConvolutionTranspose.PANELS]: program.read(panelsOf(program, turnedWeight)),
        [ConvolutionTranspose.Y]: program.write(out),
        [ConvolutionTranspose.BIAS]: b ? program.read(b) : 0,
      },
      [out],
      {
        chunks: transpose.chunks,
        flop: 2 * sizeOf(x.shape) * sizeOf(w.shape.slice(2)) * geometry.outputs,
        text: textOf(geometry),
      },
    );
    return;
  }
  const { fields, chunks } = planConvolution(geometry, bytesOf(out.dtype));
  if (chunks === 0 || geometry.batch === 0) return;
  const [image, channel, row, column] = out.strides as [number, number, number, number];
  program.record(
    Op.CONVOLUTION,
    Convolution.WORDS,
    {
      ...fields,
      [Window.X]: program.read(x),
      [Convolution.PANELS]: k > 0 ? program.read(panelsOf(program, w)) : 0,
      [Convolution.Y]: program.write(out),
      [Convolution.Y_IMAGE]: image,
      [Convolution.Y_CHANNEL]: channel,
      [Convolution.Y_ROW]: row,
      [Convolution.Y_COLUMN]: column,
      [Convolution.BIAS]: b ? program.read(b) : 0,
    },
    [out],
    {
      chunks,
      product: isPlain
        ? { view: out, rows: 1, columns: sizeOf(out.shape), flipped: false, relu: Convolution.RELU, adds: false }
        : null,
      flop: 2 * sizeOf(out.shape) * k,
      text: textOf(geometry),
    },
  );
}

/** Weights as PACK writes them, of the matrix [k, outputs]. */
function panelsOf(program: Emitter, w: View): View {
  const [outputs, ...taps] = w.shape as [number, number, number, number];
  const lines = collapse(taps, w.strides.slice(1));
  const { strides, ...view } = lines.sizes.length > 1 || w.buffer.kind === 'number' ? program.contiguous(w) : w;
  const along = collapse(taps, strides.slice(1)).strides[0]![0] ?? 1;
  const matrix = { pointer: { ...view, strides }, batch: 0, row: along, column: strides[0]! };
  return packed(program, planPack<View>(matrix, sizeOf(taps), outputs, bytesOf(w.dtype)));
}

function emitWeight(program: Emitter, out: View, x: View, y: View, look: Look & { kernel: Pair }): void {
  const geometry = geometryOf(x, { ...y, strides: stridesOf(y.shape) }, look.kernel, look);
  const { fields, chunks, parts } = planWeight(geometry, bytesOf(out.dtype));
  const target =
    parts > 1
      ? program.temporary({ shape: [parts, ...out.shape], dtype: out.dtype })
      : { ...out, strides: stridesOf(out.shape) };
  program.record(
    Op.CONVOLUTION_WEIGHT,
    ConvolutionWeight.WORDS,
    {
      ...fields,
      [Window.X]: program.read(program.contiguous(x)),
      [ConvolutionWeight.Y]: program.read(program.contiguous(y)),
      [ConvolutionWeight.DESTINATION]: program.write(target),
    },
    [target],
    { chunks, flop: 2 * sizeOf(out.shape) * geometry.batch * sizeOf(look.size), text: textOf(geometry) },
  );
  if (parts > 1 && chunks > 0) reduceBlocks(program, ReduceFn.SUM, out, target, 1, parts, sizeOf(out.shape));
}

function textOf({ batch, groups, channels, outputs, kernel, size }: Geometry): string {
  return `${batch}×${size.join('×')}, ${groups > 1 ? `${groups} of ` : ''}${channels}→${outputs}, ${kernel.join('×')}`;
}

export interface ConvolutionOptions {
  /** Of the window's steps; 1 unless given. */
  stride?: PerAxis;
  /**
   * Zeros on both sides of each axis; 0 unless given, or 'valid'. 'same', which takes strides of 1, keeps the size: where the zeros are
   * of an odd number, the one more is behind.
   */
  padding?: PerAxis | 'same' | 'valid';
  /** How far apart the taps of the kernel are; 1 unless given. */
  dilation?: PerAxis;
  /** Into so many groups channels are cut, each with outputs of its own; as many as channels: depthwise. */
  groups?: number;
}

export interface ConvolutionTransposeOptions extends Omit<ConvolutionOptions, 'padding'> {
  /** Zeros that the convolution added, of which this is the transpose: they are cut off. 0 unless given. */
  padding?: PerAxis;
  /** Of the sizes that the convolution made alike: so much more behind, below stride or dilation. 0 unless given. */
  outputPadding?: PerAxis;
}

/** x and w (and b) as the ops take them: two spatial axes, and a batch. */
function checkOperands(
  op: string,
  [x, w, b]: readonly [Tensor, Tensor, Tensor?],
  rank: number,
  groups: number,
  transposed: boolean,
): void {
  checkReal(op, b ? { x, weight: w, bias: b } : { x, weight: w });
  checkSame(op, b ? [x, w, b] : [x, w]);
  const axes = rank === 1 ? 'L' : 'H, W';
  const refuse = (argument: string, message: string, got: readonly number[], expected: unknown) => {
    throw new ShapeError(message, { op, argument, got, expected });
  };
  const [xShape, wShape] = [show(x.shape), show(w.shape)];
  if (x.rank !== rank + 2 && x.rank !== rank + 1) {
    refuse('x', `x must be [N, C, ${axes}] or [C, ${axes}]; got ${xShape}, and weight ${wShape}.`, x.shape, w.shape);
  }
  const kernel = rank === 1 ? 'K' : 'K, K';
  const layout = transposed ? `[in, out / groups, ${kernel}]` : `[out, in / groups, ${kernel}]`;
  if (w.rank !== rank + 2 || w.size === 0) {
    refuse('weight', `weight must be ${layout}, none of them 0; got ${wShape}, and x ${xShape}.`, w.shape, x.shape);
  }
  checkCounts(op, { groups });
  const channels = x.shape[x.rank - rank - 1]!;
  const wanted = transposed ? w.shape[0]! : w.shape[1]! * groups;
  if (channels !== wanted) {
    refuse(
      'weight',
      `x has ${channels} channels; weight ${layout} is for ${wanted}${groups > 1 ? `, in ${groups} groups` : ''}: shapes ${xShape} and ${wShape}.`,
      w.shape,
      x.shape,
    );
  }
  if (w.shape[0]! % groups !== 0) {
    refuse(
      'weight',
      `${groups} groups do not divide the first axis of weight: shapes ${xShape} and ${wShape}.`,
      w.shape,
      x.shape,
    );
  }
  const outputs = transposed ? w.shape[1]! * groups : w.shape[0]!;
  if (b && !sameShape(b.shape, [outputs])) {
    refuse('bias', `bias must have shape [${outputs}], a number an output; got ${show(b.shape)}.`, b.shape, [outputs]);
  }
}

/** The op on two spatial axes and a batch, whatever of these the operands have. */
function run(x: Tensor, w: Tensor, b: Tensor | undefined, rank: number, look: Look): Tensor {
  const line = rank === 1;
  const batched = x.rank === rank + 2 ? x : unsqueeze(x, 0);
  const y = convolve(line ? unsqueeze(batched, -2) : batched, w, look, b);
  const area = line ? squeeze(y, -2) : y;
  return x.rank === rank + 2 ? area : squeeze(area, 0);
}

const pair = (each: number[], filler: number): Pair =>
  (each.length === 1 ? [filler, each[0]!] : each) as unknown as Pair;

function convolution(
  op: string,
  rank: number,
  x: Tensor,
  w: Tensor,
  rest: readonly [(Tensor | ConvolutionOptions)?, ConvolutionOptions?],
): Tensor {
  const [b, options] = rest[0] instanceof Tensor ? [rest[0], rest[1]] : [undefined, rest[0] ?? rest[1]];
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = (options ?? {}) as ConvolutionOptions;
  checkOperands(op, [x, w, b], rank, groups, false);
  const strides = checkAxes(op, 'stride', stride, rank, 1);
  const dilations = checkAxes(op, 'dilation', dilation, rank, 1);
  const kernel = w.shape.slice(2);
  const spans = kernel.map((length, axis) => (length - 1) * dilations[axis]!);
  const area = x.shape.slice(-rank);
  checkOption(
    op,
    'stride',
    show(strides),
    padding !== 'same' || strides.every((one) => one === 1),
    "1 for padding 'same'",
  );
  const ahead =
    padding === 'same'
      ? spans.map((span) => Math.floor(span / 2))
      : checkAxes(op, 'padding', padding === 'valid' ? 0 : padding, rank, 0);
  const size = area.map((length, axis) => {
    if (padding === 'same') return length;
    return Math.floor((length + 2 * ahead[axis]! - spans[axis]! - 1) / strides[axis]!) + 1;
  });
  if (!size.every((length) => length > 0)) {
    throw new ShapeError(
      `the kernel, ${show(spans.map((span) => span + 1))} with its dilation, is larger than what it looks at, ${show(area.map((length, axis) => length + 2 * ahead[axis]!))} with its padding: shapes ${show(x.shape)} and ${show(w.shape)}.`,
      { op, argument: 'weight', got: w.shape, expected: x.shape },
    );
  }
  return run(x, line(w, rank), b, rank, {
    ...{ stride: pair(strides, 1), base: [1, 1], dilation: pair(dilations, 1), pad: pair(ahead, 0), groups },
    size: pair(size, 1),
  });
}

const line = (w: Tensor, rank: number) => (rank === 1 ? unsqueeze(w, -2) : w);

function transposedConvolution(
  op: string,
  rank: number,
  x: Tensor,
  w: Tensor,
  rest: readonly [(Tensor | ConvolutionTransposeOptions)?, ConvolutionTransposeOptions?],
): Tensor {
  const [b, options] = rest[0] instanceof Tensor ? [rest[0], rest[1]] : [undefined, rest[0] ?? rest[1]];
  const given = (options ?? {}) as ConvolutionTransposeOptions;
  const { groups = 1 } = given;
  checkOperands(op, [x, w, b], rank, groups, true);
  const strides = checkAxes(op, 'stride', given.stride ?? 1, rank, 1);
  const dilations = checkAxes(op, 'dilation', given.dilation ?? 1, rank, 1);
  const padding = checkAxes(op, 'padding', given.padding ?? 0, rank, 0);
  const behind = checkAxes(op, 'outputPadding', given.outputPadding ?? 0, rank, 0);
  const isBelow = behind.every((one, axis) => one < Math.max(strides[axis]!, dilations[axis]!));
  checkOption(
    op,
    'outputPadding',
    show(behind),
    isBelow,
    `below stride ${show(strides)} or dilation ${show(dilations)}`,
  );
  const size = x.shape
    .slice(-rank)
    .map(
      (length, axis) =>
        (length - 1) * strides[axis]! +
        (w.shape[axis + 2]! - 1) * dilations[axis]! +
        behind[axis]! +
        1 -
        2 * padding[axis]!,
    );
  if (!size.every((length) => length > 0)) {
    throw new ShapeError(
      `padding ${show(padding)} leaves nothing of the result: size ${show(size)} from shapes ${show(x.shape)} and ${show(w.shape)}.`,
      { op, argument: 'padding', got: padding, expected: x.shape },
    );
  }
  const look = {
    ...{ stride: pair(strides, 1), base: [1, 1] as Pair, dilation: pair(dilations, 1), pad: pair(padding, 0), groups },
    size: [1, 1] as Pair,
  };
  return run(x, swapped(line(w, rank), groups), b, rank, turned(look, pair(size, 1)));
}

/**
 * Cross-correlation of x [N, C, L] or [C, L] with w [O, C / groups, K], b [O] added: y[n, o, l] = b[o] + Σ_{c, k} w[o, c, k] ·
 * x[n, c, l·stride + k·dilation - padding], as torch.nn.functional.conv1d. Throws a ShapeError where shapes do not fit, a ValueError for
 * options that are not what they should be.
 */
export function conv1d(x: Tensor, w: Tensor, options?: ConvolutionOptions): Tensor;
export function conv1d(x: Tensor, w: Tensor, b?: Tensor, options?: ConvolutionOptions): Tensor;
export function conv1d(x: Tensor, w: Tensor, ...rest: [(Tensor | ConvolutionOptions)?, ConvolutionOptions?]): Tensor {
  return convolution('conv1d', 1, x, w, rest);
}

/** conv1d with two axes: x [N, C, H, W] or [C, H, W], w [O, C / groups, K, L], as torch.nn.functional.conv2d. */
export function conv2d(x: Tensor, w: Tensor, options?: ConvolutionOptions): Tensor;
export function conv2d(x: Tensor, w: Tensor, b?: Tensor, options?: ConvolutionOptions): Tensor;
export function conv2d(x: Tensor, w: Tensor, ...rest: [(Tensor | ConvolutionOptions)?, ConvolutionOptions?]): Tensor {
  return convolution('conv2d', 2, x, w, rest);
}

/**
 * What takes conv1d's result back to the size of its input, its transpose: x [N, C, L] or [C, L], w [C, O / groups, K], b [O] -> y of length
 * (L - 1)·stride - 2·padding + (K - 1)·dilation + outputPadding + 1, as torch.nn.functional.conv_transpose1d.
 */
export function convTranspose1d(x: Tensor, w: Tensor, options?: ConvolutionTransposeOptions): Tensor;
export function convTranspose1d(x: Tensor, w: Tensor, b?: Tensor, options?: ConvolutionTransposeOptions): Tensor;
export function convTranspose1d(
  x: Tensor,
  w: Tensor,
  ...rest: [(Tensor | ConvolutionTransposeOptions)?, ConvolutionTransposeOptions?]
): Tensor {
  return transposedConvolution('convTranspose1d', 1, x, w, rest);
}

/** convTranspose1d with two axes: x [N, C, H, W] or [C, H, W], w [C, O / groups, K, L], as torch.nn.functional.conv_transpose2d. */
export function convTranspose2d(x: Tensor, w: Tensor, options?: ConvolutionTransposeOptions): Tensor;
export function convTranspose2d(x: Tensor, w: Tensor, b?: Tensor, options?: ConvolutionTransposeOptions): Tensor;
export function convTranspose2d(
  x: Tensor,
  w: Tensor,
  ...rest: [(Tensor | ConvolutionTransposeOptions)?, ConvolutionTransposeOptions?]
): Tensor {
  return transposedConvolution('convTranspose2d', 2, x, w, rest);
}
