import { Gather, Op, ScatterAdd } from '../../assembly/isa';
import { bytesOf, checkDtypes, type DType, isReal } from '../dtype';
import { IndexError, ShapeError, ValueError } from '../errors';
import { defineOp } from '../graph/define-op';
import { cut, type View } from '../graph/emitter';
import type { Op as Defined } from '../graph/op';
import { type Aval, normalizeAxis, show, sizeOf } from '../shape';
import { eye, type Tensor } from '../tensor';
import { reshape, slice } from './movement';

// Both ops work on [OUTER, N, INNER] with an index of shape [OUTER, COUNT, INNER] (an element each) or [COUNT] (whole
// rows), and are each other's transpose; the public functions below reshape to that.

interface Picking {
  /** The function that was called, for errors. */
  of: string;
}

function indexFields(index: View, wholeRows: boolean) {
  const [outer, step, inner] = wholeRows ? [0, 1, 0] : index.strides;
  return { outer: outer!, step: step!, inner: inner! };
}

/** What a lane reads: its own elements, and its own indices unless all lanes share them. */
function pickedFrom(x: View, elements: number, index: View, { shape }: View, indices: number): [View, number][] {
  return shape.length === 1
    ? [[x, elements]]
    : [
        [x, elements],
        [index, indices],
      ];
}

const gatherOp: Defined<Picking> = /* @__PURE__ */ defineOp<Picking>({
  name: 'gather',
  version: 1,
  // [O, N, I] x i32 [O, C, I] or [C] -> [O, C, I]
  shape: ([x, index]) => {
    const [outer, , inner] = x!.shape;
    const count = index!.shape.length === 1 ? index!.shape[0]! : index!.shape[1]!;
    if (x!.shape[1] === 0 && sizeOf(index!.shape) > 0) {
      throw new IndexError(`there is nothing to pick along an axis of length 0, and ${sizeOf(index!.shape)} indices.`, {
        op: 'gather',
        argument: 'index',
        value: 0,
        limit: 0,
      });
    }
    return [{ shape: [outer!, count, inner!], dtype: x!.dtype }];
  },
  emit: (program, [out], [x, index], { of }) => {
    program.name = of;
    const source = program.contiguous(x!);
    const indices = program.contiguous(index!);
    const [outer, n, inner] = x!.shape as [number, number, number];
    const count = out!.shape[1]!;
    const { per, chunks } = cut(outer * count, Math.ceil(4096 / Math.max(1, inner)));
    const at = indexFields(indices, index!.shape.length === 1);
    program.record(
      Op.GATHER,
      Gather.WORDS,
      {
        [Gather.ELEMENT]: bytesOf(out!.dtype),
        [Gather.OUTER]: outer,
        [Gather.N]: n,
        [Gather.INNER]: inner,
        [Gather.COUNT]: count,
        [Gather.INDEX_OUTER]: at.outer,
        [Gather.INDEX_STEP]: at.step,
        [Gather.INDEX_INNER]: at.inner,
        [Gather.ITEMS]: per,
        [Gather.SOURCE]: program.read(source),
        [Gather.INDEX]: program.read(indices),
        [Gather.DESTINATION]: program.write(out!),
      },
      [out!],
      {
        chunks: sizeOf(out!.shape) === 0 ? 0 : chunks,
        lanes: {
          ...{ count: outer * count, per, field: Gather.ITEMS },
          each: [[out!, inner], ...(count === 1 ? pickedFrom(source, n * inner, indices, index!, inner) : [])],
        },
      },
    );
  },
  vjp: ([g], { inputs: [x, index], options }) => [
    scatterAddOp([g!, index!], { ...options, n: x!.shape[1]! })[0]!,
    null,
  ],
});

const scatterAddOp: Defined<Picking & { n: number }> = /* @__PURE__ */ defineOp<Picking & { n: number }>({
  name: 'scatterAdd',
  version: 1,
  // [O, C, I] x i32 [O, C, I] or [C] -> [O, N, I]
  shape: ([y], { n }) => {
    checkDtypes('scatterAdd', [y!], (dtype) => isReal(dtype) || dtype === 'i32', 'f32, f64 and i32');
    return [{ shape: [y!.shape[0]!, n, y!.shape[2]!], dtype: y!.dtype }];
  },
  emit: (program, [out], [y, index], { of, n }) => {
    program.name = of;
    const source = program.contiguous(y!);
    const indices = program.contiguous(index!);
    const [outer, count, inner] = y!.shape as [number, number, number];
    const { per, chunks } = cut(outer * inner, Math.ceil(4096 / Math.max(1, count)));
    const at = indexFields(indices, index!.shape.length === 1);
    program.copy(out!, program.number(0, out!.dtype));
    program.record(
      Op.SCATTER_ADD,
      ScatterAdd.WORDS,
      {
        [ScatterAdd.TYPE]: program.type(out!.dtype),
        [ScatterAdd.OUTER]: outer,
        [ScatterAdd.N]: n,
        [ScatterAdd.INNER]: inner,
        [ScatterAdd.COUNT]: count,
        [ScatterAdd.INDEX_OUTER]: at.outer,
        [ScatterAdd.INDEX_STEP]: at.step,
        [ScatterAdd.INDEX_INNER]: at.inner,
        [ScatterAdd.CHUNK]: per,
        [ScatterAdd.SOURCE]: program.read(source),
        [ScatterAdd.INDEX]: program.read(indices),
        [ScatterAdd.DESTINATION]: program.write(out!),
      },
      [out!],
      {
        chunks: sizeOf(y!.shape) === 0 ? 0 : chunks,
        lanes:
          inner === 1
            ? {
                ...{ count: outer, per, field: ScatterAdd.CHUNK },
                each: [[out!, n], ...pickedFrom(source, count, indices, index!, count)],
              }
            : undefined,
        flop: outer * count * inner,
      },
    );
  },
  vjp: ([g], { inputs: [, index], options: { of } }) => [gatherOp([g!, index!], { of })[0]!, null],
});

function checkIndex(op: string, index: Aval): void {
  checkDtypes(op, [index], (dtype: DType) => dtype === 'i32', 'i32');
}

function around(shape: readonly number[], axis: number): [number, number, number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
}

/**
 * One element for each index, along an axis: y[i, j, k] = x[i, index[i, j, k], k] for axis 1 (torch.gather). The i32 index has
 * x's rank, and no other axis longer than x's. An index outside the axis is INDEX_OUT_OF_RANGE.
 */
export function gather(x: Tensor, index: Tensor, { axis }: { axis: number }): Tensor {
  return gatherFor('gather', x, index, axis);
}

/** gather on behalf of another function, which errors then name. @internal */
export function gatherFor(op: string, x: Tensor, index: Tensor, axis: number): Tensor {
  checkIndex(op, index);
  const at = normalizeAxis(op, axis, x.shape);
  const fits = index.rank === x.rank && index.shape.every((length, one) => one === at || length <= x.shape[one]!);
  if (!fits) {
    throw new ShapeError(
      `index of shape ${show(index.shape)} must have the rank of x, ${show(x.shape)}, and no axis but ${at} longer than x's.`,
      { op, argument: 'index', got: index.shape, expected: x.shape },
    );
  }
  const part = x.shape.some((length, one) => one !== at && length !== index.shape[one])
    ? slice(x, index.shape.map((length, one) => (one === at ? ':' : `:${length}`)).join(', '))
    : x;
  const y = gatherOp([reshape(part, around(part.shape, at)), reshape(index, around(index.shape, at))], { of: op })[0]!;
  return reshape(y, index.shape);
}

/** The sums of what falls on each of `n` places along an axis; an index of one axis takes whole slices. @internal */
export function scatterAddFor(op: string, src: Tensor, index: Tensor, axis: number, n: number): Tensor {
  const places = index.rank === 1 ? index : reshape(index, around(index.shape, axis));
  const sums = scatterAddOp([reshape(src, around(src.shape, axis)), places], { of: op, n })[0]!;
  return reshape(
    sums,
    src.shape.map((length, one) => (one === axis ? n : length)),
  );
}

/** Whole slices of x along an axis, in the order of a rank-1 i32 index; an index may come twice. */
export function indexSelect(x: Tensor, index: Tensor, { axis = 0 }: { axis?: number } = {}): Tensor {
  checkIndex('indexSelect', index);
  if (index.rank !== 1) {
    throw new ShapeError(`index must have one axis; got shape ${show(index.shape)}.`, {
      op: 'indexSelect',
      argument: 'index',
      got: index.shape,
    });
  }
  const at = normalizeAxis('indexSelect', axis, x.shape);
  const y = gatherOp([reshape(x, around(x.shape, at)), index], { of: 'indexSelect' })[0]!;
  return reshape(
    y,
    x.shape.map((length, one) => (one === at ? index.size : length)),
  );
}

/** Row index[…] of weight [V, D] for each index: [...] -> [..., D]. */
export function embedding(index: Tensor, weight: Tensor): Tensor {
  return rowsFor('embedding', index, weight);
}

/** embedding on behalf of another function, which errors then name. @internal */
export function rowsFor(op: string, index: Tensor, weight: Tensor): Tensor {
  checkIndex(op, index);
  if (weight.rank !== 2) {
    throw new ShapeError(`weight must have shape [V, D]; got ${show(weight.shape)}.`, {
      op,
      argument: 'weight',
      got: weight.shape,
    });
  }
  const rows = gatherOp([reshape(weight, [1, ...weight.shape]), reshape(index, [index.size])], { of: op })[0]!;
  return reshape(rows, [...index.shape, weight.shape[1]!]);
}

/**
 * 1 at each index and 0 elsewhere, along a new last axis of `numClasses` (the largest index + 1 where it is left out, which
 * needs values: not inside a trace).
 */
export function oneHot(
  index: Tensor,
  { numClasses, dtype = 'f32' }: { numClasses?: number; dtype?: DType } = {},
): Tensor {
  checkIndex('oneHot', index);
  const classes = numClasses ?? Array.from(index.values('oneHot')).reduce((most, one) => Math.max(most, one), 0) + 1;
  if (!Number.isInteger(classes) || classes < 1) {
    throw new ValueError(`numClasses must be a whole number from 1 on; got ${classes}.`, {
      op: 'oneHot',
      argument: 'numClasses',
      got: classes,
      expected: '1, 2, …',
    });
  }
  return rowsFor('oneHot', index, eye(classes, classes, { dtype }));
}
