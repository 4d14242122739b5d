import { allocate, dtypeOf, type TypedArray } from '../dtype';
import { DataError, ShapeError } from '../errors';
import { show, sizeOf } from '../shape';

/** An array of any rank on plain, row-major elements: what readers give and `tensor(data, { shape })` takes. */
export interface NdArray<Data extends TypedArray = TypedArray> {
  readonly shape: readonly number[];
  readonly data: Data;
}

/** Arrays of the same examples, one along the first axis of each: inputs `x`, targets `y`. */
export interface Examples {
  readonly x: NdArray;
  readonly y: NdArray;
}

/** What to train on: examples in memory, or batches that someone else makes. */
export type Dataset = Examples | Iterable<Examples> | AsyncIterable<Examples>;

export function inMemory(dataset: Dataset): dataset is Examples {
  return !(Symbol.iterator in dataset || Symbol.asyncIterator in dataset);
}

/** The number of examples, the same in all arrays and not 0: otherwise a ShapeError or DataError that names both sides. */
export function countExamples(examples: Examples | Readonly<Record<string, NdArray>>, op = 'data'): number {
  const arrays = Object.entries(examples as Readonly<Record<string, NdArray>>);
  for (const [argument, { shape, data }] of arrays) {
    if (shape.length === 0) {
      throw new ShapeError(`${argument} is a single number; it needs a first axis that counts examples.`, {
        op,
        argument,
        got: shape,
      });
    }
    if (sizeOf(shape) !== data.length) {
      throw new ShapeError(`${argument} has ${data.length} elements, which do not fill its shape ${show(shape)}.`, {
        op,
        argument,
        got: data.length,
        expected: shape,
      });
    }
  }
  const [first, x] = arrays[0]!;
  const n = x.shape[0]!;
  const shapes = arrays.map(([, { shape }]) => show(shape)).join(' and ');
  for (const [argument, { shape }] of arrays) {
    if (shape[0] === n) continue;
    throw new ShapeError(`${first} has ${n} examples and ${argument} has ${shape[0]}: shapes ${shapes}.`, {
      op,
      argument,
      got: shape,
      expected: x.shape,
    });
  }
  if (n === 0) throw new DataError(`there are no examples: shapes ${shapes}.`, { op, argument: first, got: x.shape });
  return n;
}

/** The rows of an array at `indices`, in their order, copied. */
export function takeRows<Data extends TypedArray>(
  { shape, data }: NdArray<Data>,
  indices: ArrayLike<number>,
): NdArray<Data> {
  const width = sizeOf(shape.slice(1));
  const rows = allocate(dtypeOf(data), indices.length * width) as Data;
  for (let row = 0; row < indices.length; row++) {
    const start = indices[row]! * width;
    rows.set(data.subarray(start, start + width), row * width);
  }
  return { shape: [indices.length, ...shape.slice(1)], data: rows };
}

/** The examples at `indices`: a part of a split, or a batch. */
export function takeExamples({ x, y }: Examples, indices: ArrayLike<number>): Examples {
  return { x: takeRows(x, indices), y: takeRows(y, indices) };
}
