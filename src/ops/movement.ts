import { ShapeError, ValueError } from '../errors';
import { defineOp } from '../graph/define-op';
import type { View } from '../graph/emitter';
import { isContiguous } from '../graph/emitter';
import type { Op } from '../graph/op';
import {
  type Aval,
  checkShape,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sameShape,
  show,
  sizeOf,
  stridesOf,
} from '../shape';
import { checkCounts, checkNumber, checkOption, type Tensor, zerosLike } from '../tensor';

// Most of these only look at memory differently: they emit nothing, and kernels read through the strides.

const reshapeOp = /* @__PURE__ */ defineOp<{ shape: Shape }>({
  name: 'reshape',
  version: 1,
  shape: ([x], { shape }) => [{ shape, dtype: x!.dtype }],
  view: (x, { shape }) => (isContiguous(x) ? { ...x, shape, strides: stridesOf(shape) } : null),
  vjp: ([g], { inputs: [x] }) => [reshape(g!, x!.shape)],
});

/** The same elements, row-major, in another shape. One length may be -1: it follows from the others. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const wanted = [...shape];
  const open = wanted.indexOf(-1);
  if (open >= 0) {
    const others = sizeOf(wanted.filter((_, axis) => axis !== open));
    wanted[open] = others > 0 ? x.size / others : 0;
  }
  if (sizeOf(wanted) !== x.size || !wanted.every((length) => Number.isInteger(length) && length >= 0)) {
    throw new ShapeError(`shape ${show(x.shape)} has ${x.size} elements; shape ${show(shape)} cannot hold them.`, {
      op: 'reshape',
      argument: 'shape',
      got: shape,
      expected: x.shape,
    });
  }
  return sameShape(wanted, x.shape) ? x : reshapeOp([x], { shape: wanted })[0]!;
}

const permuteOp = /* @__PURE__ */ defineOp<{ order: number[] }>({
  name: 'permute',
  version: 1,
  shape: ([x], { order }) => [{ shape: order.map((axis) => x!.shape[axis]!), dtype: x!.dtype }],
  view: (x, { shape }, { order }) => ({ ...x, shape, strides: order.map((axis) => x.strides[axis]!) }),
  vjp: ([g], { options: { order } }) => [permute(g!, inverse(order))],
});

function inverse(order: readonly number[]): number[] {
  const back = new Array<number>(order.length);
  order.forEach((axis, i) => {
    back[axis] = i;
  });
  return back;
}

/** The axes in another order: axis i of the result is axis order[i] of x. */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  const axes = order.map((axis) => normalizeAxis('permute', axis, x.shape, 'order'));
  if (axes.length !== x.rank || new Set(axes).size !== x.rank) {
    throw new ValueError(`order ${show(order)} must name each axis of shape ${show(x.shape)} once.`, {
      op: 'permute',
      argument: 'order',
      got: order,
      expected: x.shape,
    });
  }
  return axes.every((axis, i) => axis === i) ? x : permuteOp([x], { order: axes })[0]!;
}

/** Swaps two axes; the last two unless told otherwise. */
export function transpose(x: Tensor, axis0 = -2, axis1 = -1): Tensor {
  if (x.rank < 2) {
    throw new ShapeError(`two axes are needed to swap; shape ${show(x.shape)} has ${x.rank}.`, {
      op: 'transpose',
      argument: 'x',
      got: x.shape,
    });
  }
  const order = x.shape.map((_, axis) => axis);
  const [a, b] = [normalizeAxis('transpose', axis0, x.shape), normalizeAxis('transpose', axis1, x.shape)];
  [order[a], order[b]] = [b, a];
  return permute(x, order);
}

const broadcastOp = /* @__PURE__ */ defineOp<{ shape: Shape }>({
  name: 'broadcastTo',
  version: 1,
  shape: ([x], { shape }) => [{ shape, dtype: x!.dtype }],
  view: (x, { shape }) => {
    const lead = shape.length - x.shape.length;
    const strides = shape.map((length, axis) => {
      const own = axis - lead;
      return own < 0 || (x.shape[own] === 1 && length !== 1) ? 0 : x.strides[own]!;
    });
    return { ...x, shape, strides };
  },
  // Summed back to the shape of x by the backward pass, like every cotangent of an operand that was broadcast.
  vjp: ([g]) => [g!],
});

/** x repeated along axes of length 1 and along new axes in front, without a copy. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  const wanted = checkShape('broadcastTo', shape);
  const lead = wanted.length - x.rank;
  const fits = lead >= 0 && x.shape.every((length, axis) => length === wanted[axis + lead] || length === 1);
  if (!fits) {
    throw new ShapeError(`shape ${show(x.shape)} does not broadcast to ${show(wanted)}.`, {
      op: 'broadcastTo',
      argument: 'shape',
      got: wanted,
      expected: x.shape,
    });
  }
  return sameShape(wanted, x.shape) ? x : broadcastOp([x], { shape: wanted })[0]!;
}

/** Per axis: where a slice starts, its step and how many it takes. */
interface Ranges {
  ranges: { start: number; step: number; count: number }[];
}

const sliceOp: Op<Ranges> = /* @__PURE__ */ defineOp<Ranges>({
  name: 'slice',
  version: 1,
  shape: ([x], { ranges }) => [{ shape: ranges.map(({ count }) => count), dtype: x!.dtype }],
  view: (x, { shape }, { ranges }) => ({
    ...x,
    shape,
    offset: ranges.reduce(
      (offset, { start, count }, axis) => offset + (count > 0 ? start * x.strides[axis]! : 0),
      x.offset,
    ),
    strides: ranges.map(({ step }, axis) => step * x.strides[axis]!),
  }),
  vjp: ([g], { inputs: [x], options }) => [placeOp([g!], { ...options, shape: x!.shape })[0]!],
});

/** The transpose of slice: zeros of `shape`, with x written where the slice was taken. */
const placeOp: Op<Ranges & { shape: Shape; value?: number }> = /* @__PURE__ */ defineOp({
  name: 'place',
  version: 1,
  shape: ([x], { shape }) => [{ shape, dtype: x!.dtype }],
  emit: (program, [out], [x], { ranges, value = 0 }) => {
    program.copy(out!, program.number(value, out!.dtype));
    program.copy(within(out!, ranges, x!), x!);
  },
  vjp: ([g], { options: { ranges } }) => [sliceOp([g!], { ranges })[0]!],
});

/** The part of `out` that ranges select, in the shape of `x`. */
function within(out: View, ranges: Ranges['ranges'], x: Aval): View {
  return {
    ...out,
    shape: x.shape,
    offset: ranges.reduce((offset, { start }, axis) => offset + start * out.strides[axis]!, out.offset),
    strides: ranges.map(({ step }, axis) => step * out.strides[axis]!),
  };
}

/**
 * A part of x, written as in Python: '1:, ::2, -1'. An axis given by one number disappears; a step may be negative;
 * axes that are not mentioned stay whole, those at the place of '...' or else the last. Throws INDEX_OUT_OF_RANGE for a number beyond its axis.
 */
export function slice(x: Tensor, ranges: string): Tensor {
  const parts = ranges.split(',').map((part) => part.trim());
  const open = parts.indexOf('...');
  if (open >= 0) parts.splice(open, 1, ...new Array<string>(Math.max(0, x.rank - parts.length + 1)).fill(':'));
  if (parts.length > x.rank) {
    throw new ShapeError(`'${ranges}' names ${parts.length} axes; shape ${show(x.shape)} has ${x.rank}.`, {
      op: 'slice',
      argument: 'ranges',
      got: ranges,
      expected: x.shape,
    });
  }
  const parsed = x.shape.map((length, axis) => parseRange(parts[axis] ?? ':', length, ranges));
  const y = sliceOp([x], { ranges: parsed.map(({ start, step, count }) => ({ start, step, count })) })[0]!;
  return reshape(
    y,
    y.shape.filter((_, axis) => !parsed[axis]!.single),
  );
}

function parseRange(text: string, length: number, ranges: string) {
  const match = /^(-?\d+)?(:(-?\d+)?(:(-?\d+)?)?)?$/.exec(text);
  const bad = (why: string) =>
    new ValueError(`'${text}' in '${ranges}' ${why}.`, {
      op: 'slice',
      argument: 'ranges',
      got: text,
      expected: length,
    });
  if (!match || text === '') throw bad('is no range; write it as in Python: start:stop:step, or one number');
  const [, from, colon, to, , by] = match;
  const clip = (value: number, low: number, high: number) =>
    Math.min(Math.max(value < 0 ? value + length : value, low), high);
  if (colon === undefined) {
    const start = Number(from) < 0 ? Number(from) + length : Number(from);
    if (start < 0 || start >= length) throw bad(`is beyond an axis of length ${length}`);
    return { start, step: 1, count: 1, single: true };
  }
  const step = by === undefined ? 1 : Number(by);
  if (step === 0) throw bad('has a step of 0');
  const start =
    from === undefined
      ? step > 0
        ? 0
        : length - 1
      : clip(Number(from), step > 0 ? 0 : -1, step > 0 ? length : length - 1);
  const stop =
    to === undefined ? (step > 0 ? length : -1) : clip(Number(to), step > 0 ? 0 : -1, step > 0 ? length : length - 1);
  return { start, step, count: Math.max(0, Math.ceil((stop - start) / step)), single: false };
}

/** Elements `start` to `start + count - 1` along an axis. */
function part(x: Tensor, axis: number, start: number, count: number): Tensor {
  const ranges = x.shape.map((length, one) =>
    one === axis ? { start, step: 1, count } : { start: 0, step: 1, count: length },
  );
  return sliceOp([x], { ranges })[0]!;
}

/**
 * x cut along an axis into parts of these lengths. An op for its gradient's sake: cotangents are laid side by side, once, where those of single
 * slices would each be as large as x, which in a loop over time is quadratic.
 */
const splitOp = /* @__PURE__ */ defineOp<{ axis: number; sizes: number[] }>({
  name: 'split',
  version: 1,
  meaning: ([x], { axis, sizes }) => {
    let end = 0;
    return sizes.map((size) => {
      end += size;
      return part(x!, axis, end - size, size);
    });
  },
  vjp: (cotangents, { outputs, options: { axis } }) => [
    concat(
      cotangents.map((g, i) => g ?? zerosLike(outputs[i]!)),
      { axis },
    ),
  ],
});

/**
 * x cut along an axis into `chunks` parts of equal length, the last one shorter where it does not come out; fewer parts where
 * they are used up (torch.chunk). Throws a ValueError unless `chunks` is a whole number from 1 on.
 */
export function chunk(x: Tensor, chunks: number, { axis = 0 }: { axis?: number } = {}): Tensor[] {
  const at = normalizeAxis('chunk', axis, x.shape);
  checkCounts('chunk', { chunks });
  const length = x.shape[at]!;
  // Nothing can be cut into as many parts as one likes.
  if (length === 0) return splitOp([x], { axis: at, sizes: new Array<number>(chunks).fill(0) });
  return splitWithSizes(x, Math.ceil(length / chunks), { axis: at });
}

/**
 * x cut along an axis: into parts of one length, the last one shorter where it does not come out, or into parts of the lengths of a list, which
 * must add up to the axis. It is torch.split, under the name that torch has for its list (torch.split_with_sizes): `split` here deals
 * examples out for training and test. Throws a ValueError unless a single length is a whole number from 1 on and those of a list
 * from 0 on and as long as the axis together.
 */
export function splitWithSizes(
  x: Tensor,
  sizes: number | readonly number[],
  { axis = 0 }: { axis?: number } = {},
): Tensor[] {
  const op = 'splitWithSizes';
  const at = normalizeAxis(op, axis, x.shape);
  const length = x.shape[at]!;
  if (typeof sizes === 'number') {
    checkCounts(op, { sizes });
    // One part of nothing, as in PyTorch.
    const count = Math.max(1, Math.ceil(length / sizes));
    return splitOp([x], {
      axis: at,
      sizes: Array.from({ length: count }, (_, i) => Math.min(sizes, length - i * sizes)),
    });
  }
  const own = checkShape(op, sizes, 'sizes');
  const total = own.reduce((sum, size) => sum + size, 0);
  checkOption(op, 'sizes', show(own), total === length, `lengths that add up to ${length}`);
  return splitOp([x], { axis: at, sizes: own });
}

/**
 * x cut along an axis: into `sections` parts, of which the first are longer by one where it does not come out, or at indices, so
 * that [2, 5] gives elements 0-1, 2-4 and the rest (torch.tensor_split). Throws a ValueError for less than one part, and unless
 * indices are whole and rising.
 */
export function tensorSplit(
  x: Tensor,
  sections: number | readonly number[],
  { axis = 0 }: { axis?: number } = {},
): Tensor[] {
  const at = normalizeAxis('tensorSplit', axis, x.shape);
  const length = x.shape[at]!;
  if (typeof sections === 'number') {
    checkCounts('tensorSplit', { sections });
    const [each, longer] = [Math.floor(length / sections), length % sections];
    return splitOp([x], {
      axis: at,
      sizes: Array.from({ length: sections }, (_, i) => each + Number(i < longer)),
    });
  }
  const ends = [...sections, length].map((end) => Math.min(end < 0 ? end + length : end, length));
  const rising = ends.every((end, i) => Number.isInteger(end) && end >= (ends[i - 1] ?? 0));
  checkOption('tensorSplit', 'sections', `[${sections}]`, rising, `whole indices that rise, up to ${length}`);
  return splitOp([x], { axis: at, sizes: ends.map((end, i) => end - (ends[i - 1] ?? 0)) });
}

/** The slices of x along an axis, without that axis (torch.unbind). */
export function unbind(x: Tensor, { axis = 0 }: { axis?: number } = {}): Tensor[] {
  const at = normalizeAxis('unbind', axis, x.shape);
  const rest = x.shape.filter((_, one) => one !== at);
  const length = x.shape[at]!;
  if (length === 0) return [];
  return splitOp([x], { axis: at, sizes: new Array<number>(length).fill(1) }).map((one) => reshape(one, rest));
}

/** x with the order of its elements turned round along the axes, all of them where none is given (torch.flip). */
export function flip(x: Tensor, { axis }: { axis?: number | readonly number[] } = {}): Tensor {
  const axes = normalizeAxes('flip', axis, x.shape);
  if (axes.length === 0) return x;
  const ranges = x.shape.map((count, one) =>
    axes.includes(one) ? { start: Math.max(0, count - 1), step: -1, count } : { start: 0, step: 1, count },
  );
  return sliceOp([x], { ranges })[0]!;
}

/**
 * x moved along the axes by so many places each, what leaves at one end coming in at the other; without axes it is moved as one row
 * (torch.roll). Throws a ValueError unless there is a whole shift for each axis.
 */
export function roll(
  x: Tensor,
  shifts: number | readonly number[],
  { axis }: { axis?: number | readonly number[] } = {},
): Tensor {
  const all = [shifts].flat() as number[];
  checkOption('roll', 'shifts', `[${all}]`, all.length > 0 && all.every(Number.isInteger), 'whole numbers');
  if (axis === undefined) {
    checkOption('roll', 'shifts', `[${all}]`, all.length === 1, 'a single one without an axis');
    return x.rank === 0 ? x : reshape(roll(reshape(x, [x.size]), all, { axis: 0 }), x.shape);
  }
  const axes = ([axis].flat() as number[]).map((one) => normalizeAxis('roll', one, x.shape));
  checkOption('roll', 'shifts', `[${all}]`, all.length === axes.length, `as many as axes, ${axes.length}`);
  return axes.reduce((y, at, i) => {
    const length = x.shape[at]!;
    const tail = length === 0 ? 0 : ((all[i]! % length) + length) % length;
    if (tail === 0) return y;
    return concat([part(y, at, length - tail, tail), part(y, at, 0, length - tail)], { axis: at });
  }, x);
}

/** x laid side by side with itself, `repeats` times along each axis; new axes come in front. */
function copies(x: Tensor, repeats: readonly number[]): Tensor {
  const shape = [...new Array<number>(repeats.length - x.rank).fill(1), ...x.shape];
  const apart = shape.flatMap((length) => [1, length]);
  const stretched = shape.flatMap((length, axis) => [repeats[axis]!, length]);
  return reshape(
    broadcastTo(reshape(x, apart), stretched),
    shape.map((length, axis) => length * repeats[axis]!),
  );
}

/**
 * x side by side with itself, `repeats` times along each axis; repeats for more axes make new ones in front (torch.Tensor.repeat).
 * Throws a ShapeError for repeats that are not whole, and for fewer than x has axes.
 */
export function repeat(x: Tensor, repeats: readonly number[]): Tensor {
  const counts = checkShape('repeat', repeats, 'repeats');
  if (counts.length < x.rank) {
    throw new ShapeError(`shape ${show(x.shape)} has ${x.rank} axes; repeats ${show(counts)} must have as many.`, {
      op: 'repeat',
      argument: 'repeats',
      got: counts,
      expected: x.shape,
    });
  }
  return copies(x, counts);
}

/** As `repeat`, but where there are fewer repeats they are those of the last axes (torch.tile). */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  const counts = checkShape('tile', repeats, 'repeats');
  return copies(x, [...new Array<number>(Math.max(0, x.rank - counts.length)).fill(1), ...counts]);
}

/** x in a frame of `value`s: `padding` has [before, after] for each axis. */
export function pad(
  x: Tensor,
  padding: readonly (readonly [number, number])[],
  { value = 0 }: { value?: number } = {},
): Tensor {
  const whole = padding.length === x.rank && padding.flat().every((one) => Number.isInteger(one) && one >= 0);
  if (!whole) {
    throw new ShapeError(
      `padding must have [before, after] for each axis of shape ${show(x.shape)}, whole and not negative; got ${JSON.stringify(padding)}.`,
      { op: 'pad', argument: 'padding', got: padding, expected: x.shape },
    );
  }
  checkNumber('pad', value, x.dtype);
  const shape = x.shape.map((length, axis) => length + padding[axis]![0] + padding[axis]![1]);
  const ranges = x.shape.map((count, axis) => ({ start: padding[axis]![0], step: 1, count }));
  return placeOp([x], { ranges, shape, value })[0]!;
}

const concatOp = /* @__PURE__ */ defineOp<{ axis: number }>({
  name: 'concat',
  version: 1,
  // [..., a, ...], [..., b, ...], … -> [..., a + b + …, ...]
  shape: (inputs, { axis }) => {
    const [first] = inputs as [Aval];
    for (const other of inputs) {
      const fits =
        other.shape.length === first.shape.length &&
        other.shape.every((length, one) => one === axis || length === first.shape[one]);
      if (!fits || other.dtype !== first.dtype) {
        throw new ShapeError(
          `tensors must agree in dtype and in every axis but ${axis}; got ${first.dtype}${show(first.shape)} and ${other.dtype}${show(other.shape)}.`,
          { op: 'concat', argument: 'tensors', got: other.shape, expected: first.shape },
        );
      }
    }
    const length = inputs.reduce((total, { shape }) => total + shape[axis]!, 0);
    return [{ shape: first.shape.map((own, one) => (one === axis ? length : own)), dtype: first.dtype }];
  },
  emit: (program, [out], ins, { axis }) => {
    let at = 0;
    for (const x of ins) {
      program.copy({ ...out!, shape: x.shape, offset: out!.offset + at * out!.strides[axis]! }, x);
      at += x.shape[axis]!;
    }
  },
  vjp: ([g], { inputs, options: { axis } }) => {
    let at = 0;
    return inputs.map((x) => {
      const ranges = g!.shape.map((length, one) => ({
        start: one === axis ? at : 0,
        step: 1,
        count: one === axis ? x.shape[axis]! : length,
      }));
      at += x.shape[axis]!;
      return sliceOp([g!], { ranges })[0]!;
    });
  },
});

/** Tensors one after another along an axis. */
export function concat(tensors: readonly Tensor[], { axis = 0 }: { axis?: number } = {}): Tensor {
  if (tensors.length === 0) {
    throw new ValueError('there must be at least one tensor.', { op: 'concat', argument: 'tensors', got: [] });
  }
  return concatOp([...tensors], { axis: normalizeAxis('concat', axis, tensors[0]!.shape) })[0]!;
}

/** Tensors of one shape side by side along a new axis. */
export function stack(tensors: readonly Tensor[], { axis = 0 }: { axis?: number } = {}): Tensor {
  if (tensors.length === 0) {
    throw new ValueError('there must be at least one tensor.', { op: 'stack', argument: 'tensors', got: [] });
  }
  for (const one of tensors) {
    if (!sameShape(one.shape, tensors[0]!.shape)) {
      throw new ShapeError(`tensors must have one shape; got ${show(tensors[0]!.shape)} and ${show(one.shape)}.`, {
        op: 'stack',
        argument: 'tensors',
        got: one.shape,
        expected: tensors[0]!.shape,
      });
    }
  }
  const at = normalizeAxis('stack', axis, [...tensors[0]!.shape, 1]);
  return concat(
    tensors.map((one) => unsqueeze(one, at)),
    { axis: at },
  );
}

/** Without the given axes, which must have length 1; without all such axes where none is given. */
export function squeeze(x: Tensor, axis?: number | readonly number[]): Tensor {
  const axes =
    axis === undefined
      ? x.shape.map((_, one) => one).filter((one) => x.shape[one] === 1)
      : (typeof axis === 'number' ? [axis] : axis).map((one) => normalizeAxis('squeeze', one, x.shape));
  const long = axes.find((one) => x.shape[one] !== 1);
  if (long !== undefined) {
    throw new ShapeError(`axis ${long} of shape ${show(x.shape)} has length ${x.shape[long]}, not 1.`, {
      op: 'squeeze',
      argument: 'axis',
      got: x.shape,
      expected: 1,
    });
  }
  return reshape(
    x,
    x.shape.filter((_, one) => !axes.includes(one)),
  );
}

/** With a new axis of length 1, which is axis number `axis` of the result. */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const at = normalizeAxis('unsqueeze', axis, [...x.shape, 1]);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/** Axes startAxis to endAxis (both included) as one. */
export function flatten(
  x: Tensor,
  { startAxis = 0, endAxis = -1 }: { startAxis?: number; endAxis?: number } = {},
): Tensor {
  if (x.rank === 0) return reshape(x, [1]);
  const [start, end] = [normalizeAxis('flatten', startAxis, x.shape), normalizeAxis('flatten', endAxis, x.shape)];
  if (start > end) {
    throw new ValueError(`startAxis ${startAxis} comes behind endAxis ${endAxis} in shape ${show(x.shape)}.`, {
      op: 'flatten',
      argument: 'startAxis',
      got: startAxis,
      expected: endAxis,
    });
  }
  return reshape(x, [...x.shape.slice(0, start), sizeOf(x.shape.slice(start, end + 1)), ...x.shape.slice(end + 1)]);
}

/** A copy that gradients do not pass: what is computed from it counts as constant. */
const detachOp = /* @__PURE__ */ defineOp({
  name: 'detach',
  version: 1,
  shape: ([x]) => [x!],
  view: (x) => x,
});

/** x as a constant: no gradient goes back through it. */
export function detach(x: Tensor): Tensor {
  return detachOp([x])[0]!;
}

/** x under another name, so that `grad` can tell its argument from other uses of the same value. @internal */
export const aliasOp = /* @__PURE__ */ defineOp({
  name: 'alias',
  version: 1,
  shape: ([x]) => [x!],
  view: (x) => x,
  vjp: ([g]) => [g!],
});
