import { ValueError } from '../errors';
import { permutation, Stream } from './philox';

export interface SplitOptions {
  /** Fractions of all examples; a part that is asked for has at least one. */
  validation?: number;
  test?: number;
  seed?: number;
  /** One label per example: every part has each label in (almost) the proportion that the whole has. */
  stratify?: ArrayLike<number | string>;
}

export interface Split {
  train: Int32Array;
  validation: Int32Array;
  test: Int32Array;
}

/** Parts 0 … n - 1 at random. The indices of each part rise; the seed alone decides who is where. */
export function split(n: number, { validation = 0, test = 0, seed = 0, stratify }: SplitOptions = {}): Split {
  const sizes = { test: partSize('test', test, n), validation: partSize('validation', validation, n) };
  if (sizes.test + sizes.validation >= n) {
    throw new ValueError(
      `validation (${validation}) and test (${test}) leave nothing to train on: ` +
        `they take ${sizes.validation} and ${sizes.test} of ${n} examples.`,
      { op: 'split', argument: 'validation', got: [validation, test], expected: n },
    );
  }
  if (stratify && stratify.length !== n) {
    throw new ValueError(`stratify has ${stratify.length} labels for ${n} examples.`, {
      op: 'split',
      argument: 'stratify',
      got: stratify.length,
      expected: n,
    });
  }
  const shuffled = permutation(n, { seed, stream: Stream.SPLIT });
  const order = stratify ? Int32Array.from(groupByLabel(shuffled, stratify)) : shuffled;
  const [testPart, rest] = deal(order, sizes.test);
  const [validationPart, train] = deal(rest, sizes.validation);
  return { train: train.sort(), validation: validationPart.sort(), test: testPart.sort() };
}

function partSize(argument: string, fraction: number, n: number): number {
  if (fraction >= 0 && fraction < 1) return fraction === 0 ? 0 : Math.max(1, Math.round(fraction * n));
  throw new ValueError(`${argument} must be a fraction from 0 up to, but not including, 1; got ${fraction}.`, {
    op: 'split',
    argument,
    got: fraction,
    expected: '0 ≤ fraction < 1',
  });
}

/** The same order, label after label. */
function groupByLabel(order: Int32Array, labels: ArrayLike<number | string>): number[] {
  const groups = new Map<number | string, number[]>();
  for (const index of order) {
    const label = labels[index]!;
    const group = groups.get(label);
    if (group) group.push(index);
    else groups.set(label, [index]);
  }
  return [...groups.values()].flat();
}

/** Takes exactly `count`, spread evenly (Bresenham's rule): of any run, here a label's, a share that is off by less than one. */
function deal(order: Int32Array, count: number): [taken: Int32Array, rest: Int32Array] {
  const taken = (_: number, place: number) => (place * count) % order.length < count;
  return [order.filter(taken), order.filter((index, place) => !taken(index, place))];
}
