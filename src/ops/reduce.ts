import { Op, REDUCE_BLOCK, REDUCE_COLUMNS, Reduce, ReduceFn } from '../../assembly/isa';
import { checkDtypes, type DType, isReal } from '../dtype';
import { ShapeError } from '../errors';
import { defineOp } from '../graph/define-op';
import { cut, type Emitter, type View } from '../graph/emitter';
import { normalizeAxes, normalizeAxis, type Shape, sameShape, show, sizeOf } from '../shape';
import { checkNumeric, checkOption, checkReal, type Tensor } from '../tensor';
import { abs, add, cast, div, eq, exp, log, mul, sqrt, square, sub, where } from './elementwise';
import { broadcastTo, detach, pad, permute, reshape, slice, tensorSplit } from './movement';

export interface ReduceOptions {
  /** The axes to reduce; all of them where it is left out. */
  axis?: number | readonly number[];
  /** Keeps the reduced axes, with length 1. */
  keepDims?: boolean;
}

interface Axes {
  axes: number[];
}

/** The shape with the given axes at length 1. */
function kept(shape: Shape, axes: readonly number[]): number[] {
  return shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
}

/**
 * Emits the REDUCE of `x` over `axes` into `out`. The axes are brought together as [outer, n, inner]; where they do not lie
 * together the rest moves in front first. Order of a sum: assembly/isa.ts, REDUCE.
 */
function emitReduce(program: Emitter, fn: ReduceFn, out: View, x: View, axes: readonly number[]): void {
  const rank = x.shape.length;
  const rest = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  // Axes of length 1 stand in nobody's way.
  const spread = axes.filter((axis) => x.shape[axis] !== 1);
  const first = spread[0] ?? rank;
  const last = spread.at(-1) ?? rank - 1;
  const between = rest.some((axis) => axis > first && axis < last && x.shape[axis] !== 1);
  const order = between ? [...rest, ...axes] : x.shape.map((_, axis) => axis);
  const source = program.contiguous({
    ...x,
    shape: order.map((axis) => x.shape[axis]!),
    strides: order.map((axis) => x.strides[axis]!),
  });
  const n = sizeOf(axes.map((axis) => x.shape[axis]!));
  const inner = between ? 1 : sizeOf(rest.filter((axis) => axis > last).map((axis) => x.shape[axis]!));
  const outer = sizeOf(rest.map((axis) => x.shape[axis]!)) / Math.max(inner, 1);
  reduceBlocks(program, fn, out, source, outer, n, inner);
}

export function reduceBlocks(
  program: Emitter,
  fn: ReduceFn,
  out: View,
  source: View,
  outer: number,
  n: number,
  inner: number,
): void {
  const blocks = fn <= ReduceFn.PROD ? Math.max(1, Math.ceil(n / REDUCE_BLOCK)) : 1;
  const target = blocks > 1 ? program.temporary({ shape: [outer, blocks, inner], dtype: source.dtype }) : out;
  const items = outer * blocks * Math.ceil(inner / REDUCE_COLUMNS);
  // Items of some thousand elements each.
  const length = Math.min(n, REDUCE_BLOCK) * Math.min(inner, REDUCE_COLUMNS);
  const { per, chunks } = cut(items, Math.ceil(16384 / Math.max(1, length)));
  program.record(
    Op.REDUCE,
    Reduce.WORDS,
    {
      [Reduce.FN]: fn,
      [Reduce.TYPE]: program.type(source.dtype),
      [Reduce.OUTER]: outer,
      [Reduce.N]: n,
      [Reduce.INNER]: inner,
      [Reduce.BLOCKS]: blocks,
      [Reduce.ITEMS]: per,
      [Reduce.SOURCE]: program.read(source),
      [Reduce.DESTINATION]: program.write(target),
    },
    [target],
    {
      chunks,
      lanes:
        inner === 1 && blocks === 1
          ? {
              ...{ count: outer, per, field: Reduce.ITEMS },
              each: [
                [source, n],
                [target, 1],
              ],
            }
          : undefined,
      flop: outer * n * inner,
    },
  );
  if (blocks > 1) reduceBlocks(program, fn, out, target, outer, blocks, inner);
}

/* @__NO_SIDE_EFFECTS__ */
function defineReduction(
  name: string,
  fn: ReduceFn,
  check: (dtype: DType) => DType,
  rule?: (g: Tensor, x: Tensor, y: Tensor, axes: number[]) => Tensor,
  empty = false,
) {
  return defineOp<Axes>({
    name,
    version: 1,
    // [..., n, ...] -> [..., 1, ...]
    shape: ([x], { axes }) => {
      const dtype = check(x!.dtype);
      if (!empty && axes.some((axis) => x!.shape[axis] === 0)) {
        throw new ShapeError(`there is no ${name} of nothing: shape ${show(x!.shape)} is empty along the axis.`, {
          op: name,
          argument: 'x',
          got: x!.shape,
        });
      }
      return [{ shape: kept(x!.shape, axes), dtype }];
    },
    emit: (program, [out], [x], { axes }) => emitReduce(program, fn, out!, x!, axes),
    vjp: rule
      ? ([g], { inputs: [x], outputs: [y], options }) => [isReal(x!.dtype) ? rule(g!, x!, y!, options.axes) : null]
      : undefined,
  });
}

const numeric = (name: string) => (dtype: DType) => {
  checkDtypes(name, [{ dtype }], (one) => isReal(one) || one === 'i32', 'f32, f64 and i32');
  return dtype;
};
const comparable = (name: string) => (dtype: DType) => {
  checkDtypes(name, [{ dtype }], (one) => one !== 'bool', 'f32, f64, i32 and u8');
  return dtype;
};
const boolean = (name: string) => (dtype: DType) => {
  checkDtypes(name, [{ dtype }], (one) => one === 'bool', 'bool');
  return dtype;
};
const index = (name: string) => (dtype: DType) => {
  numeric(name)(dtype);
  return 'i32' as const;
};

const sumOp = defineReduction('sum', ReduceFn.SUM, numeric('sum'), (g, x) => broadcastTo(g, x.shape), true);
const prodOp = defineReduction(
  'prod',
  ReduceFn.PROD,
  numeric('prod'),
  (g, x, _y, axes) => mul(broadcastTo(g, x.shape), productOfOthers(x, axes)),
  true,
);
// Elements that share the extreme value share its gradient, as in torch.amax.
const shareTies = (g: Tensor, x: Tensor, y: Tensor, axes: number[]) => {
  const ties = eq(x, y);
  const count = sumOp([cast(ties, x.dtype)], { axes })[0]!;
  return where(ties, div(g, count), 0);
};
const maxOp = defineReduction('max', ReduceFn.MAX, comparable('max'), shareTies);
const minOp = defineReduction('min', ReduceFn.MIN, comparable('min'), shareTies);
const argmaxOp = defineReduction('argmax', ReduceFn.ARGMAX, index('argmax'));
const argminOp = defineReduction('argmin', ReduceFn.ARGMIN, index('argmin'));
const anyOp = defineReduction('any', ReduceFn.ANY, boolean('any'), undefined, true);
const allOp = defineReduction('all', ReduceFn.ALL, boolean('all'), undefined, true);

/**
 * For each element the product of the others along `axes`: the slope of a product. The product of all divided by the
 * element would fail at zeros, so it is what comes before the element times what comes behind, both by doubling.
 */
function productOfOthers(x: Tensor, axes: number[]): Tensor {
  const rest = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...rest, ...axes];
  const n = sizeOf(axes.map((axis) => x.shape[axis]!));
  const rows = reshape(permute(x, order), [sizeOf(rest.map((axis) => x.shape[axis]!)), n]);
  const shift = (y: Tensor, by: number) =>
    by > 0
      ? pad(
          slice(y, `:, :${n - by}`),
          [
            [0, 0],
            [by, 0],
          ],
          { value: 1 },
        )
      : pad(
          slice(y, `:, ${-by}:`),
          [
            [0, 0],
            [0, -by],
          ],
          { value: 1 },
        );
  const products = (direction: 1 | -1) => {
    let y = shift(rows, direction);
    for (let step = 1; step < n - 1; step *= 2) y = mul(y, shift(y, direction * step));
    return y;
  };
  if (n === 0) return x;
  const others = reshape(
    mul(products(1), products(-1)),
    order.map((axis) => x.shape[axis]!),
  );
  return permute(
    others,
    order.map((_, axis) => order.indexOf(axis)),
  );
}

/* @__NO_SIDE_EFFECTS__ */
function reduction(name: string, op: (inputs: Tensor[], options: Axes) => Tensor[]) {
  return (x: Tensor, { axis, keepDims = false }: ReduceOptions = {}): Tensor => {
    const axes = normalizeAxes(name, axis, x.shape);
    const y = op([x], { axes })[0]!;
    return keepDims
      ? y
      : reshape(
          y,
          x.shape.filter((_, one) => !axes.includes(one)),
        );
  };
}

/** The sum over the axes. Of nothing: 0. */
export const sum = reduction('sum', sumOp);
/** The product over the axes. Of nothing: 1. */
export const prod = reduction('prod', prodOp);
/** The largest over the axes; NaN if there is one. */
export const max = reduction('max', maxOp);
export const min = reduction('min', minOp);
/** Whether any, or all, are true. */
export const any = reduction('any', anyOp);
export const all = reduction('all', allOp);

/** The sum divided by the count. */
export function mean(x: Tensor, { axis, keepDims }: ReduceOptions = {}): Tensor {
  checkReal('mean', { x });
  const total = sum(x, { axis: normalizeAxes('mean', axis, x.shape), keepDims });
  return div(total, x.size / Math.max(1, total.size));
}

export interface VarianceOptions extends ReduceOptions {
  /** What is taken off the count that the sum is divided by: 1 is Bessel's, for samples; 0 for whole populations. */
  correction?: number;
}

/**
 * Σ (x - mean)² / (n - correction) over the axes, all of them where none is given (torch.var; `var` is a word of the language). NaN
 * where n is not above the correction. Throws a DtypeError unless x is real.
 */
export function variance(x: Tensor, options: VarianceOptions = {}): Tensor {
  return varianceFor('variance', x, options);
}

function varianceFor(op: string, x: Tensor, { axis, keepDims, correction = 1 }: VarianceOptions): Tensor {
  checkReal(op, { x });
  checkOption(op, 'correction', correction, Number.isFinite(correction), 'a finite number');
  const axes = normalizeAxes(op, axis, x.shape);
  const n = sizeOf(axes.map((one) => x.shape[one]!));
  const squares = square(sub(x, mean(x, { axis: axes, keepDims: true })));
  return div(sum(squares, { axis: axes, keepDims }), Math.max(0, n - correction));
}

/** The root of `variance`; its slope at 0 is 0 (torch.std). Throws a DtypeError unless x is real. */
export function std(x: Tensor, options: VarianceOptions = {}): Tensor {
  const squares = varianceFor('std', x, options);
  const none = eq(squares, 0);
  return where(none, 0, sqrt(where(none, 1, squares)));
}

/**
 * log Σ e^x over the axes, all of them where none is given, without overflow; its gradient is softmax(x) (torch.logsumexp). Of nothing:
 * -∞. Throws a DtypeError unless x is real.
 */
export function logsumexp(x: Tensor, { axis, keepDims = false }: ReduceOptions = {}): Tensor {
  checkReal('logsumexp', { x });
  const axes = normalizeAxes('logsumexp', axis, x.shape);
  const rest = x.shape.filter((_, one) => !axes.includes(one));
  const empty = axes.some((one) => x.shape[one] === 0);
  // The largest, which comes back in the end: a constant, and 0 where it is infinite, or ∞ - ∞ would be NaN.
  const largest = empty ? null : detach(max(x, { axis: axes, keepDims: true }));
  const shift = largest && where(eq(abs(largest), Number.POSITIVE_INFINITY), 0, largest);
  const total = log(sum(exp(shift ? sub(x, shift) : x), { axis: axes, keepDims: true }));
  const y = shift ? add(total, shift) : total;
  return keepDims ? y : reshape(y, rest);
}

/**
 * The sums of the first elements along an axis, up to each (torch.cumsum). Added by doubling: y gets y moved on by 1, then by 2, by 4, …
 * so that rounding grows with log n. Throws a DtypeError unless x is real or i32.
 */
export function cumsum(x: Tensor, { axis }: { axis: number }): Tensor {
  checkNumeric('cumsum', { x });
  // A single number counts as an axis of one element, as in PyTorch.
  const at = normalizeAxis('cumsum', axis, x.rank === 0 ? [1] : x.shape);
  const length = x.shape[at] ?? 1;
  let y = x;
  for (let step = 1; step < length; step *= 2) {
    const [before] = tensorSplit(y, [length - step], { axis: at });
    y = add(
      y,
      pad(
        before!,
        x.shape.map((_, one) => (one === at ? [step, 0] : [0, 0])),
      ),
    );
  }
  return y;
}

function argReduction(name: string, op: (inputs: Tensor[], options: Axes) => Tensor[]) {
  return (x: Tensor, { axis, keepDims = false }: { axis?: number; keepDims?: boolean } = {}): Tensor => {
    if (axis === undefined)
      return reshape(op([reshape(x, [x.size])], { axes: [0] })[0]!, keepDims ? x.shape.map(() => 1) : []);
    const one = normalizeAxis(name, axis, x.shape);
    const y = op([x], { axes: [one] })[0]!;
    return keepDims
      ? y
      : reshape(
          y,
          x.shape.filter((_, other) => other !== one),
        );
  };
}

/** The i32 index of the largest along an axis (of the flattened tensor without one); of equals the first, NaN before all. */
export const argmax = argReduction('argmax', argmaxOp);
export const argmin = argReduction('argmin', argminOp);

/** Sums a cotangent back to the shape of an operand that was broadcast. */
export function unbroadcast(g: Tensor, shape: Shape): Tensor {
  if (sameShape(g.shape, shape)) return g;
  const lead = g.shape.length - shape.length;
  const axes = g.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < lead || (shape[axis - lead] === 1 && g.shape[axis] !== 1));
  return reshape(sumOp([g], { axes })[0]!, shape);
}
