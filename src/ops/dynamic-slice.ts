import { Copy, DynamicCopy, Op } from '../../assembly/isa';
import type { Cell } from '../cell';
import { bytesOf } from '../dtype';
import { DtypeError, ShapeError } from '../errors';
import { collapse, cut, type Emitter, isContiguous, type View } from '../graph/emitter';
import type { Value } from '../graph/graph';
import type { Op as Defined } from '../graph/op';
import { checkShape, type Shape, sameShape, show, sizeOf } from '../shape';
import { checkOption, checkTensor, Tensor, tensor } from '../tensor';
import { defineExtensionOp } from './extension';
import { concat, reshape } from './movement';

// Each is the other's transpose, and a block of zeros or a whole of zeros is the number 0.

/** The block at `start` of `whole`, as a view that records move there: what DYNAMIC_COPY needs beyond its two sides. */
interface Moved {
  whole: View;
  start: View;
  to: boolean;
}

/**
 * Copies between views of one shape; one of them lies at the start of a `whole`, and is moved. Where there is none, `to` may be the same
 * place, and it can wait for what is `after`. @internal
 */
export function copyMoved(program: Emitter, to: View, from: View, moved: Moved | null, after?: View): void {
  const { sizes, strides } = collapse(to.shape, from.strides, to.strides);
  const { per, chunks } = cut(sizes[0] ?? 1, Math.ceil(8192 / Math.max(1, sizeOf(sizes.slice(1)))));
  const axes = sizes.flatMap((size, axis) => [size, strides[0]![axis]!, strides[1]![axis]!]);
  const at = Copy.FIRST_AXIS + axes.length;
  const starts = (moved?.whole.shape ?? []).flatMap((length, axis) => [
    length,
    length - to.shape[axis]!,
    moved!.whole.strides[axis]!,
  ]);
  program.record(
    Op.DYNAMIC_COPY,
    at + DynamicCopy.FIRST_START,
    {
      [Copy.ELEMENT]: bytesOf(to.dtype),
      [Copy.RANK]: sizes.length,
      [Copy.CHUNK]: per,
      [Copy.SOURCE]: program.read(from),
      [Copy.DESTINATION]: program.write(to),
      ...Object.fromEntries(axes.map((word, i) => [Copy.FIRST_AXIS + i, word])),
      [at + DynamicCopy.TO]: Number(moved?.to ?? false),
      [at + DynamicCopy.STARTS]: starts.length / DynamicCopy.START_WORDS,
      ...((moved ?? after) && { [at + DynamicCopy.START]: program.read(moved?.start ?? after!) }),
    },
    [to],
    { chunks: sizeOf(to.shape) === 0 ? 0 : chunks, tail: starts, inPlace: moved ? [] : [[to, from]] },
  );
}

/** What lies at the place of `whole` where all starts are 0. */
const blockOf = (whole: View, shape: Shape): View => ({ ...whole, shape });

interface Block {
  size: Shape;
}

const dynamicSliceOp: Defined<Block> = /* @__PURE__ */ defineExtensionOp<Block>({
  name: 'dynamicSlice',
  version: 1,
  // [...], i32 [rank] -> size
  shape: ([x], { size }) => [{ shape: size, dtype: x!.dtype }],
  emit: (program, [out], [x, start], { size }) => {
    copyMoved(program, out!, blockOf(x!, size), { whole: x!, start: program.contiguous(start!), to: false });
  },
  vjp: ([g], { inputs: [x, start], options }) => [
    dynamicUpdateOp([0, g!, start!], { ...options, shape: x!.shape })[0]!,
    null,
  ],
});

/** All blocks that make `value` of the cell's old value, first to last; null where it is made otherwise. */
function blocksOf(cell: Cell, { node: { origin } }: Value): { values: Value[]; size: Shape }[] | null {
  if (origin.kind === 'cell' && origin.cell === cell) return [];
  if (origin.kind !== 'op' || origin.op !== (dynamicUpdateOp as unknown)) return null;
  const [x, ...values] = origin.inputs as [Value, ...Value[]];
  const before = blocksOf(cell, x);
  return before && [...before, { values, size: (origin.options as unknown as Block).size }];
}

function replaceBlock(program: Emitter, whole: View, [update, start]: View[], { size }: Block): void {
  let block = update!;
  if (block.buffer.kind === 'number') {
    block = program.temporary({ shape: size, dtype: whole.dtype });
    program.copy(block, update!);
  }
  copyMoved(program, blockOf(whole, size), block, { whole, start: program.contiguous(start!), to: true });
}

const dynamicUpdateOp: Defined<Block & { shape: Shape }> = /* @__PURE__ */ defineExtensionOp<Block & { shape: Shape }>({
  name: 'dynamicUpdateSlice',
  version: 1,
  // x `shape` or 0, update `size` or 0, i32 [rank] -> shape
  shape: ([x], { shape }) => [{ shape, dtype: x!.dtype }],
  emit: (program, [out], [x, update, start], options) => {
    // Nothing is copied where x dies here: then it is changed where it lies.
    if (isContiguous(x!) && x!.buffer.kind === 'arena') copyMoved(program, out!, x!, null);
    else program.copy(out!, x!);
    replaceBlock(program, out!, [update!, start!], options);
  },
  patch: (cell, value) => {
    const blocks = blocksOf(cell, value);
    return (
      blocks && {
        values: blocks.flatMap(({ values }) => values),
        write: (program, whole, views) => {
          blocks.forEach((block, i) => {
            replaceBlock(program, whole, views.slice(2 * i), block);
          });
        },
      }
    );
  },
  vjp: ([g], { inputs: [, , start], options }) => [
    dynamicUpdateOp([g!, 0, start!], options)[0]!,
    dynamicSliceOp([g!, start!], { size: options.size })[0]!,
    null,
  ],
});

/** Where a block begins: an i32 tensor of one number an axis, or a list of numbers and i32 tensors of rank 0. */
export type BlockStart = Tensor | readonly (Tensor | number)[];

function startOf(op: string, start: BlockStart, { shape }: Tensor): Tensor {
  const refuse = (got: string) =>
    new ShapeError(`start must have ${shape.length} numbers, one for each axis of shape ${show(shape)}; got ${got}.`, {
      op,
      argument: 'start',
      got,
      expected: [shape.length],
    });
  const check = (one: Tensor) => {
    if (one.dtype === 'i32') return one;
    throw new DtypeError(`start must be of dtype i32; got ${one.dtype}${show(one.shape)}.`, {
      op,
      argument: 'start',
      got: one.dtype,
      expected: 'i32',
    });
  };
  if (start instanceof Tensor) {
    if (!sameShape(start.shape, [shape.length])) throw refuse(`shape ${show(start.shape)}`);
    return check(start);
  }
  if (!Array.isArray(start) || start.length !== shape.length) throw refuse(`${JSON.stringify(start)}`);
  const parts = start.map((one: Tensor | number) => {
    if (!(one instanceof Tensor)) {
      checkOption(op, 'start', one, Number.isInteger(one) && Math.abs(one) < 2 ** 31, 'whole numbers of 32 bits');
      return tensor([one], { dtype: 'i32' });
    }
    if (one.rank > 0) throw refuse(`a tensor of shape ${show(one.shape)} among them`);
    return reshape(check(one), [1]);
  });
  return parts.length === 0 ? tensor(new Int32Array(0)) : concat(parts);
}

function checkBlock(op: string, argument: string, size: Shape, { shape }: Tensor): void {
  if (size.length === shape.length && size.every((length, axis) => length <= shape[axis]!)) return;
  throw new ShapeError(`${argument} of shape ${show(size)} does not lie inside shape ${show(shape)}.`, {
    op,
    argument,
    got: size,
    expected: shape,
  });
}

/**
 * The block of shape `size` of x that begins at `start`, whose numbers are values and may change without a new trace: [...] -> size
 * (jax.lax.dynamic_slice). A number below 0 counts from the end; then each is moved as little as it takes for the block to lie inside x.
 * Throws a ShapeError unless there is a start for each axis and the block is no larger than x, a DtypeError unless starts are i32.
 */
export function dynamicSlice(x: Tensor, start: BlockStart, size: Shape): Tensor {
  const op = 'dynamicSlice';
  checkTensor(op, 'x', x);
  const block = checkShape(op, size, 'size');
  checkBlock(op, 'size', block, x);
  return dynamicSliceOp([x, startOf(op, start, x)], { size: block })[0]!;
}

/**
 * x with `update` in the place of the block that begins at `start`: [...], [...] -> [...] (jax.lax.dynamic_update_slice), where starts
 * are as in `dynamicSlice`. x is not copied where nothing needs it any more, and a cell that is assigned one such result after another of
 * itself is changed where it lies. Throws as `dynamicSlice`, and a DtypeError unless update has x's dtype.
 */
export function dynamicUpdateSlice(x: Tensor, update: Tensor, start: BlockStart): Tensor {
  const op = 'dynamicUpdateSlice';
  checkTensor(op, 'x', x);
  checkTensor(op, 'update', update);
  checkBlock(op, 'update', update.shape, x);
  if (update.dtype !== x.dtype) {
    throw new DtypeError(`update of dtype ${update.dtype} does not match x of dtype ${x.dtype}; cast one.`, {
      op,
      argument: 'update',
      got: update.dtype,
      expected: x.dtype,
    });
  }
  return dynamicUpdateOp([x, update, startOf(op, start, x)], { size: update.shape, shape: x.shape })[0]!;
}
