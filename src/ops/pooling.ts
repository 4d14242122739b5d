import { Op, Pool } from '../../assembly/isa';
import { checkReals } from '../dtype';
import { ShapeError } from '../errors';
import { cut, type Emitter, type View } from '../graph/emitter';
import type { Op as Defined } from '../graph/op';
import { show, sizeOf } from '../shape';
import { checkAxes, checkOption, checkReal, type PerAxis, type Tensor } from '../tensor';
import { defineExtensionOp } from './extension';
import { gatherFor } from './gather';
import { reshape } from './movement';

// All pooling is of planes: x [P, H, W] -> y [P, OH, OW]. What lies in which window is worked out here, for each axis by itself, and
// is part of the record: windows of one size and step and those of adaptive pooling are the same to the kernel.

/** Of each output along an axis: its first element, the end of its elements, and how many count in a mean. */
type Window = [start: number, end: number, count: number];

interface Windows {
  rows: Window[];
  columns: Window[];
  /** Elements from one to the next within a window, both ways. */
  steps: [number, number];
}

/** Of a gradient: the rows and columns that the windows are of. */
interface Sized extends Windows {
  size: [number, number];
}

const areaOf = ({ shape }: Tensor) => shape.slice(1) as [number, number];

function isHalving(windows: Window[]): boolean {
  return windows.every(([start, end], i) => start === 2 * i && end === 2 * i + 2);
}

function emitPool(
  program: Emitter,
  op: Op,
  { rows, columns, steps }: Windows,
  { source, destination, indices, plane }: { source: View; destination: View; indices?: View; plane: View },
): void {
  const [planes, h, w] = plane.shape as [number, number, number];
  const [oh, ow] = [rows.length, columns.length];
  const views = [source, destination, ...(indices ? [indices] : [])];
  const { per, chunks } = cut(planes, Math.ceil(4096 / Math.max(1, h * w)));
  program.record(
    op,
    Pool.FIRST_WINDOW,
    {
      [Pool.PLANES]: planes,
      [Pool.H]: h,
      [Pool.W]: w,
      [Pool.OH]: oh,
      [Pool.OW]: ow,
      [Pool.STEP_Y]: steps[0],
      [Pool.STEP_X]: steps[1],
      [Pool.CHUNK]: per,
      [Pool.HALVES]: Number(steps[0] === 1 && steps[1] === 1 && isHalving(rows) && isHalving(columns)),
      [Pool.SOURCE]: program.read(source),
      [Pool.DESTINATION]: program.write(destination),
      [Pool.INDICES]: indices ? program[op === Op.MAX_POOL ? 'write' : 'read'](indices) : 0,
    },
    views,
    {
      chunks: sizeOf(destination.shape) === 0 ? 0 : chunks,
      lanes: {
        ...{ count: planes, per, field: Pool.CHUNK },
        each: views.map((view): [View, number] => [view, view.shape[1]! * view.shape[2]!]),
      },
      tail: [...rows, ...columns].flat(),
      flop: sizeOf(plane.shape),
    },
  );
}

const maxPoolOp: Defined<Windows> = /* @__PURE__ */ defineExtensionOp<Windows>({
  name: 'maxPool',
  version: 1,
  // [P, H, W] -> [P, OH, OW], and where in its plane each maximum stands
  shape: ([x], { rows, columns }) => {
    checkReals('maxPool', [x!]);
    const shape = [x!.shape[0]!, rows.length, columns.length];
    return [
      { shape, dtype: x!.dtype },
      { shape, dtype: 'i32' },
    ];
  },
  emit: (program, [out, indices], [x], windows) =>
    emitPool(program, Op.MAX_POOL, windows, {
      source: program.contiguous(x!),
      destination: out!,
      indices: indices!,
      plane: x!,
    }),
  vjp: ([g], { inputs: [x], outputs: [, indices], options }) => [
    maxPoolBackwardOp([g!, indices!], { ...options, size: areaOf(x!) })[0]!,
  ],
});

/** What came for each maximum, where it stands: the transpose of picking. */
const maxPoolBackwardOp = /* @__PURE__ */ defineExtensionOp<Sized>({
  name: 'maxPoolBackward',
  version: 1,
  // [P, OH, OW] x i32 [P, OH, OW] -> [P, H, W]
  shape: ([g], { size }) => [{ shape: [g!.shape[0]!, ...size], dtype: g!.dtype }],
  emit: (program, [out], [g, indices], windows) =>
    emitPool(program, Op.MAX_POOL_BACKWARD, windows, {
      source: program.contiguous(g!),
      destination: out!,
      indices: program.contiguous(indices!),
      plane: out!,
    }),
  vjp: ([g], { inputs: [x, indices] }) => {
    const flat = ({ shape: [planes, ...area] }: Tensor, of: Tensor) => reshape(of, [planes!, sizeOf(area)]);
    return [reshape(gatherFor('maxPool', flat(g!, g!), flat(x!, indices!), 1), x!.shape), null];
  },
});

const averagePoolOp: Defined<Windows> = /* @__PURE__ */ defineExtensionOp<Windows>({
  name: 'averagePool',
  version: 1,
  // [P, H, W] -> [P, OH, OW]
  shape: ([x], { rows, columns }) => {
    checkReals('averagePool', [x!]);
    return [{ shape: [x!.shape[0]!, rows.length, columns.length], dtype: x!.dtype }];
  },
  emit: (program, [out], [x], windows) =>
    emitPool(program, Op.AVERAGE_POOL, windows, { source: program.contiguous(x!), destination: out!, plane: x! }),
  vjp: ([g], { inputs: [x], options }) => [averagePoolBackwardOp([g!], { ...options, size: areaOf(x!) })[0]!],
});

/** The transpose of averagePool: what of each mean goes back to each element. */
const averagePoolBackwardOp: Defined<Sized> = /* @__PURE__ */ defineExtensionOp<Sized>({
  name: 'averagePoolBackward',
  version: 1,
  // [P, OH, OW] -> [P, H, W]
  shape: ([g], { size }) => {
    checkReals('averagePoolBackward', [g!]);
    return [{ shape: [g!.shape[0]!, ...size], dtype: g!.dtype }];
  },
  emit: (program, [out], [g], windows) =>
    emitPool(program, Op.AVERAGE_POOL_BACKWARD, windows, {
      source: program.contiguous(g!),
      destination: out!,
      plane: out!,
    }),
  vjp: ([g], { options: { size: _, ...windows } }) => [averagePoolOp([g!], windows)[0]!],
});

export interface PoolOptions {
  /** From one window to the next; the window's size unless given. */
  stride?: PerAxis;
  /** Rows and columns around x, which no maximum sees; at most half a window. 0 unless given. */
  padding?: PerAxis;
  /** A last window may lie partly outside. */
  ceilMode?: boolean;
}
export interface MaxPoolOptions extends PoolOptions {
  /** From one element of a window to the next; 1 unless given. */
  dilation?: PerAxis;
}
export interface AveragePoolOptions extends PoolOptions {
  /** The padding counts as zeros; otherwise a mean is of the elements of x alone. True unless given. */
  countIncludePad?: boolean;
}

/** x as planes [P, H, W] (H is 1 with one axis), and what gives a result its axes back. */
function planesOf(op: string, x: Tensor, axes: number): { planes: Tensor; restore: (y: Tensor) => Tensor } {
  checkReal(op, { x });
  if (x.rank !== axes + 1 && x.rank !== axes + 2) {
    const wanted = axes === 1 ? '[N, C, L] or [C, L]' : '[N, C, H, W] or [C, H, W]';
    throw new ShapeError(`x must have the shape ${wanted}; got ${show(x.shape)}.`, {
      op,
      argument: 'x',
      got: x.shape,
      expected: wanted,
    });
  }
  const lead = x.shape.slice(0, -axes);
  const planes = reshape(x, [sizeOf(lead), ...(axes === 1 ? [1] : []), ...x.shape.slice(-axes)]);
  return { planes, restore: (y) => reshape(y, [...lead, ...y.shape.slice(-axes)]) };
}

/** The windows along an axis of `length`. */
function windowsAlong(
  length: number,
  [size, stride, padding, dilation]: [number, number, number, number],
  ceilMode: boolean,
  includePad: boolean,
): Window[] {
  const reach = dilation * (size - 1) + 1;
  const fits = (length + 2 * padding - reach) / stride;
  let count = (ceilMode ? Math.ceil(fits) : Math.floor(fits)) + 1;
  // A window that would see nothing but padding is none.
  if (ceilMode && (count - 1) * stride >= length + padding) count--;
  return Array.from({ length: Math.max(0, count) }, (_, i): Window => {
    const from = i * stride - padding;
    const to = Math.min(from + reach, length + padding);
    const start = from < 0 ? from + Math.ceil(-from / dilation) * dilation : from;
    const end = Math.min(to, length);
    return [start, end, includePad ? to - from : end - start];
  });
}

function pool(
  op: string,
  x: Tensor,
  axes: number,
  kernelSize: PerAxis,
  {
    stride = kernelSize,
    padding = 0,
    dilation = 1,
    ceilMode = false,
    countIncludePad = true,
  }: MaxPoolOptions & AveragePoolOptions,
  apply: (planes: Tensor, windows: Windows) => Tensor,
): Tensor {
  const { planes, restore } = planesOf(op, x, axes);
  const sizes = checkAxes(op, 'kernelSize', kernelSize, axes, 1);
  const strides = checkAxes(op, 'stride', stride, axes, 1);
  const paddings = checkAxes(op, 'padding', padding, axes, 0);
  const dilations = checkAxes(op, 'dilation', dilation, axes, 1);
  const half = paddings.every((one, i) => one <= sizes[i]! / 2);
  checkOption(op, 'padding', `[${paddings}]`, half, `at most half of kernelSize, [${sizes}]`);
  const windows = sizes.map((size, i) => {
    const length = x.shape.at(i - axes)!;
    const found = windowsAlong(length, [size, strides[i]!, paddings[i]!, dilations[i]!], ceilMode, countIncludePad);
    if (length === 0 || found.length === 0) {
      throw new ShapeError(
        `no window of ${dilations[i]! * (size - 1) + 1} fits into an axis of ${length} with padding ${paddings[i]}: shape ${show(x.shape)}.`,
        { op, argument: 'x', got: x.shape, expected: `kernelSize [${sizes}]` },
      );
    }
    // PyTorch calls its maximum -∞, and writes outside of memory for the gradient.
    const inside = found.every(([start, end]) => start < end);
    checkOption(
      op,
      'dilation',
      `[${dilations}]`,
      inside,
      `such that each window sees an element of x, ${show(x.shape)}`,
    );
    return found;
  });
  const [columns, rows = [[0, 1, 1] as Window]] = windows.reverse() as [Window[], Window[]?];
  return restore(
    apply(planes, { rows, columns, steps: axes === 1 ? [1, dilations[0]!] : (dilations as [number, number]) }),
  );
}

function adaptive(
  op: string,
  x: Tensor,
  axes: number,
  outputSize: PerAxis,
  apply: (planes: Tensor, windows: Windows) => Tensor,
): Tensor {
  const { planes, restore } = planesOf(op, x, axes);
  const sizes = checkAxes(op, 'outputSize', outputSize, axes, 1);
  const windows = sizes.map((count, i) => {
    const length = x.shape.at(i - axes)!;
    if (length === 0) {
      throw new ShapeError(`there is nothing to pool along an axis of length 0: shape ${show(x.shape)}.`, {
        op,
        argument: 'x',
        got: x.shape,
      });
    }
    return Array.from({ length: count }, (_, part): Window => {
      const [start, end] = [Math.floor((part * length) / count), Math.ceil(((part + 1) * length) / count)];
      return [start, end, end - start];
    });
  });
  const [columns, rows = [[0, 1, 1] as Window]] = windows.reverse() as [Window[], Window[]?];
  return restore(apply(planes, { rows, columns, steps: [1, 1] }));
}

const greatest = (planes: Tensor, windows: Windows) => maxPoolOp([planes], windows)[0]!;
const means = (planes: Tensor, windows: Windows) => averagePoolOp([planes], windows)[0]!;

/**
 * The maximum of each window along the last axis: [N, C, L] -> [N, C, ⌊(L + 2·padding - dilation·(kernelSize - 1) - 1) / stride⌋ + 1],
 * or without N. A NaN wins; of equal elements the first has the gradient. Throws a ShapeError for another rank, or where no window
 * fits, a ValueError for options out of range.
 */
export function maxPool1d(x: Tensor, kernelSize: number, options: MaxPoolOptions = {}): Tensor {
  return pool('maxPool1d', x, 1, kernelSize, options, greatest);
}

/** As maxPool1d, of windows over the last two axes: [N, C, H, W] or [C, H, W]. */
export function maxPool2d(x: Tensor, kernelSize: PerAxis, options: MaxPoolOptions = {}): Tensor {
  return pool('maxPool2d', x, 2, kernelSize, options, greatest);
}

/** The mean of each window along the last axis: shapes and errors as of maxPool1d, with a dilation of 1. */
export function avgPool1d(x: Tensor, kernelSize: number, options: AveragePoolOptions = {}): Tensor {
  return pool('avgPool1d', x, 1, kernelSize, options, means);
}

/** As avgPool1d, of windows over the last two axes: [N, C, H, W] or [C, H, W]. */
export function avgPool2d(x: Tensor, kernelSize: PerAxis, options: AveragePoolOptions = {}): Tensor {
  return pool('avgPool2d', x, 2, kernelSize, options, means);
}

/** Maxima of `outputSize` windows that cover the last axis evenly: [N, C, L] -> [N, C, outputSize]. 1 is global pooling. */
export function adaptiveMaxPool1d(x: Tensor, outputSize: number): Tensor {
  return adaptive('adaptiveMaxPool1d', x, 1, outputSize, greatest);
}

/** As adaptiveMaxPool1d over the last two axes: [N, C, H, W] -> [N, C, …outputSize]. */
export function adaptiveMaxPool2d(x: Tensor, outputSize: PerAxis): Tensor {
  return adaptive('adaptiveMaxPool2d', x, 2, outputSize, greatest);
}

/** Means of `outputSize` windows that cover the last axis evenly: [N, C, L] -> [N, C, outputSize]. 1 is global pooling. */
export function adaptiveAvgPool1d(x: Tensor, outputSize: number): Tensor {
  return adaptive('adaptiveAvgPool1d', x, 1, outputSize, means);
}

/** As adaptiveAvgPool1d over the last two axes: [N, C, H, W] -> [N, C, …outputSize]. */
export function adaptiveAvgPool2d(x: Tensor, outputSize: PerAxis): Tensor {
  return adaptive('adaptiveAvgPool2d', x, 2, outputSize, means);
}
