import { countExamples, type Examples, inMemory, type NdArray, takeExamples } from '../data/dataset';
import { split } from '../data/split';
import { ShapeError } from '../errors';
import { type Aval, show } from '../shape';
import { Tensor } from '../tensor';
import type { Rows } from './protocol';

/** A tensor, or a typed array with a shape. */
export type ArrayLikeData = Tensor | NdArray;

/** Arrays of the same examples along their first axes. */
export interface LabelledData {
  x: ArrayLikeData;
  y: ArrayLikeData;
}

/**
 * Batches, made anew for every epoch. What offers `seek` is asked for an epoch (from 0) from one of its batches on: so a run that is resumed need not go
 * through what it has seen, and an epoch may depend on its number.
 */
export type Batches = (Iterable<LabelledData> | AsyncIterable<LabelledData>) & {
  seek?(position: { epoch: number; batch: number }): Iterable<LabelledData> | AsyncIterable<LabelledData>;
};

/** What `train` takes: everything in memory, or batches. */
export type TrainData = LabelledData | Batches;

export function isInMemory(data: TrainData): data is LabelledData {
  return inMemory(data as never);
}

/** As a typed array with a shape. */
export function toArray(array: ArrayLikeData): NdArray {
  return array instanceof Tensor ? { shape: array.shape, data: array.values() } : array;
}

/** Checked: as many targets as inputs, and some. */
export function toRows(data: LabelledData, op = 'train'): Rows {
  const rows = { x: toArray(data.x), y: toArray(data.y) };
  countExamples(rows as Examples, op);
  return rows;
}

/** The kind of a batch of `size` rows. `tensors` tell bool from u8, which arrays cannot. */
export function batchAval(array: ArrayLikeData, size: number): Aval {
  const { shape, data } = toArray(array);
  const dtype = array instanceof Tensor ? array.dtype : dtypeName(data);
  return { shape: [size, ...shape.slice(1)], dtype };
}

function dtypeName(data: NdArray['data']): Aval['dtype'] {
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof Float64Array) return 'f64';
  return data instanceof Int32Array ? 'i32' : 'u8';
}

/** Holds out a fraction of the examples: seeded, and in equal shares of each class where targets are classes. */
export function holdOut(rows: Rows, fraction: number, seed: number): { train: Rows; validation: Rows } {
  const classes = rows.y.data instanceof Int32Array && rows.y.shape.length === 1;
  const n = rows.x.shape[0]!;
  const parts = split(n, { validation: fraction, seed, ...(classes ? { stratify: rows.y.data } : {}) });
  return { train: takeExamples(rows, parts.train), validation: takeExamples(rows, parts.validation) };
}

/** Throws unless validation examples are like the training ones. */
export function checkAlike(train: Rows, validation: Rows): void {
  for (const argument of ['x', 'y'] as const) {
    const [own, other] = [train[argument].shape.slice(1), validation[argument].shape.slice(1)];
    if (show(own) !== show(other)) {
      throw new ShapeError(
        `validation.${argument} has examples of shape ${show(other)}, the training data of shape ${show(own)}.`,
        { op: 'train', argument: 'validation', got: other, expected: own },
      );
    }
  }
}
