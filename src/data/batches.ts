import { ValueError } from '../errors';
import { permutation, Stream } from './philox';

export interface BatchOptions {
  batchSize: number;
  seed?: number;
  /** Counted from 0; every epoch of a seed has its own order. */
  epoch?: number;
  shuffle?: boolean;
  /** Leaves out the last batch where it would be smaller than the others. */
  dropLast?: boolean;
}

/** The batches of one epoch, as indices of examples: each example once, in an order that (seed, epoch) fixes. */
export function batches(
  n: number,
  { batchSize, seed = 0, epoch = 0, shuffle = true, dropLast = false }: BatchOptions,
): Int32Array[] {
  if (!(Number.isInteger(batchSize) && batchSize > 0)) {
    throw new ValueError(`batchSize must be a whole number above 0; got ${batchSize}.`, {
      op: 'batches',
      argument: 'batchSize',
      got: batchSize,
    });
  }
  const order = shuffle
    ? permutation(n, { seed, stream: Stream.BATCHES, position: epoch })
    : Int32Array.from({ length: n }, (_, index) => index);
  const count = dropLast ? Math.floor(n / batchSize) : Math.ceil(n / batchSize);
  return Array.from({ length: count }, (_, batch) => order.subarray(batch * batchSize, (batch + 1) * batchSize));
}
