import { countExamples, type NdArray, takeRows } from '../data/dataset';
import { split } from '../data/split';
import { ShapeError } from '../errors';
import { type Aval, show } from '../shape';
import { Tensor } from '../tensor';
import type { Rows } from './protocol';
import { countRows } from './rows';

/** A tensor, or a typed array with a shape. */
export type ArrayLikeData = Tensor | NdArray;

/** An array, or several by name: what a model of several inputs, or targets, takes. */
export type DataTree = ArrayLikeData | { readonly [name: string]: DataTree };

/** Arrays of the same examples along their first axes. */
export interface LabelledData {
  x: DataTree;
  /** May be missing where a step of the user's own does without. */
  y?: DataTree;
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
  return !(Symbol.iterator in data || Symbol.asyncIterator in data);
}

const isArray = (tree: DataTree): tree is ArrayLikeData => tree instanceof Tensor || ArrayBuffer.isView(tree.data);

/** The arrays of a tree, in order, by the names that lead to them: `x`, or `x.left`. */
export function leavesOf(tree: DataTree, name: string): [string, ArrayLikeData][] {
  if (isArray(tree)) return [[name, tree]];
  return Object.entries(tree).flatMap(([key, part]) => leavesOf(part, `${name}.${key}`));
}

/** The same tree around other leaves, which are taken from the front of a list. */
export function rebuild(tree: DataTree, leaves: Tensor[]): unknown {
  if (isArray(tree)) return leaves.shift();
  return Object.fromEntries(Object.entries(tree).map(([key, part]) => [key, rebuild(part, leaves)]));
}

/** As a typed array with a shape. */
export function toArray(array: ArrayLikeData): NdArray {
  return array instanceof Tensor ? { shape: array.shape, data: array.values() } : array;
}

const partsOf = ({ x, y }: LabelledData) => [...leavesOf(x, 'x'), ...(y ? leavesOf(y, 'y') : [])];

/** The arrays of x, then those of y; checked: as many targets as inputs, and some. */
export function toRows(data: LabelledData, op = 'train'): Rows {
  const arrays = partsOf(data).map(([name, array]) => [name, toArray(array)] as const);
  countExamples(Object.fromEntries(arrays), op);
  return arrays.map(([, array]) => array);
}

/** The kinds of a batch of `size` rows. */
export function batchAvals(data: LabelledData, size: number): Aval[] {
  return partsOf(data).map(([, array]) => batchAval(array, size));
}

/** `tensors` tell bool from u8, which arrays cannot. */
function batchAval(array: ArrayLikeData, size: number): Aval {
  const { shape, data } = toArray(array);
  const dtype = array instanceof Tensor ? array.dtype : dtypeName(data);
  return { shape: [size, ...shape.slice(1)], dtype };
}

function dtypeName(data: NdArray['data']): Aval['dtype'] {
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof Float64Array) return 'f64';
  return data instanceof Int32Array ? 'i32' : 'u8';
}

/** Holds out a fraction of the examples: seeded, and in equal shares of each class where there is one array of classes. */
export function holdOut(
  { y }: Pick<LabelledData, 'y'>,
  rows: Rows,
  fraction: number,
  seed: number,
): { train: Rows; validation: Rows } {
  const targets = y && isArray(y) ? toArray(y) : null;
  const isClasses = targets && targets.data instanceof Int32Array && targets.shape.length === 1;
  const parts = split(countRows(rows), { validation: fraction, seed, ...(isClasses && { stratify: targets.data }) });
  const take = (indices: Int32Array) => rows.map((array) => takeRows(array, indices));
  return { train: take(parts.train), validation: take(parts.validation) };
}

/** Throws unless validation examples are like the training ones. */
export function checkAlike(train: LabelledData, validation: LabelledData): void {
  const shapes = new Map(partsOf(validation).map(([name, { shape }]) => [name, shape.slice(1)]));
  for (const [argument, { shape }] of partsOf(train)) {
    const [own, other] = [shape.slice(1), shapes.get(argument)];
    if (other && show(own) === show(other)) continue;
    const there = other ? `has examples of shape ${show(other)}` : 'is missing';
    throw new ShapeError(`validation.${argument} ${there}; the training data has examples of shape ${show(own)}.`, {
      ...{ op: 'train', argument: 'validation', got: other, expected: own },
    });
  }
}
