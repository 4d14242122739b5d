import type { DType } from './dtype';
import { ShapeError, ValueError } from './errors';

export type Shape = readonly number[];

/** What is known of a value before it is computed: JAX's abstract value. */
export interface Aval {
  shape: Shape;
  dtype: DType;
}

/** Elements of a tensor of this shape: 1 for rank 0, 0 where an axis is empty. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** `[2, 3]`, as errors print it. */
export function show(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** A list of axis lengths, checked: whole numbers that are not negative. */
export function checkShape(op: string, shape: unknown, argument = 'shape'): number[] {
  if (Array.isArray(shape) && shape.every((length) => Number.isSafeInteger(length) && length >= 0)) return [...shape];
  throw new ShapeError(
    `${argument} must be a list of whole numbers that are not negative; got ${JSON.stringify(shape)}.`,
    { op, argument, got: shape as never },
  );
}

/** numpy's rule: axes align at the end, and a length of 1 stretches. */
export function broadcastShapes(op: string, ...shapes: Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let length = 1;
    for (const shape of shapes) {
      const own = shape[axis - rank + shape.length] ?? 1;
      if (own === length || own === 1) continue;
      if (length !== 1) {
        throw new ShapeError(`shapes ${shapes.map(show).join(' and ')} do not broadcast together.`, {
          op,
          got: shapes as never,
        });
      }
      length = own;
    }
    return length;
  });
}

/** An axis counted from the end where negative, as a number from 0 to rank - 1. */
export function normalizeAxis(op: string, axis: number, shape: Shape, argument = 'axis'): number {
  const rank = shape.length;
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw new ValueError(
    `${argument} ${axis} is out of range for shape ${show(shape)}` +
      (rank ? `; allowed are ${-rank} to ${rank - 1}.` : ', which has no axes.'),
    { op, argument, got: axis, expected: rank ? `${-rank} to ${rank - 1}` : 'none' },
  );
}

/** Axes to reduce over, in rising order; all of them where none is given. */
export function normalizeAxes(op: string, axis: number | readonly number[] | undefined, shape: Shape): number[] {
  if (axis === undefined) return shape.map((_, index) => index);
  const axes = (typeof axis === 'number' ? [axis] : [...axis]).map((one) => normalizeAxis(op, one, shape));
  if (new Set(axes).size !== axes.length) {
    throw new ValueError(`axis names an axis twice: ${JSON.stringify(axis)} for shape ${show(shape)}.`, {
      op,
      argument: 'axis',
      got: axis as never,
    });
  }
  return axes.sort((a, b) => a - b);
}
