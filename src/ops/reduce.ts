import { Op, REDUCE_BLOCK, REDUCE_COLUMNS, Reduce, ReduceFn } from '../../assembly/isa';
import { checkDtypes, type DType, isReal } from '../dtype';
import { ShapeError } from '../errors';
import { defineOp } from '../graph/define-op';
import { cut, type Emitter, type View } from '../graph/emitter';
import { normalizeAxes, normalizeAxis, type Shape, sameShape, show, sizeOf } from '../shape';
import type { Tensor } from '../tensor';
import { cast, div, eq, mul, where } from './elementwise';
import { broadcastTo, pad, permute, reshape, slice } from './movement';

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

function reduceBlocks(
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
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  const total = sum(x, options);
  checkDtypes('mean', [x], isReal, 'f32 and f64');
  return div(total, x.size / Math.max(1, total.size));
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
