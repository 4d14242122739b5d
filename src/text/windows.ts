import type { Examples, NdArray } from '../data/dataset';
import { multiplyHigh, philox4x32, Stream } from '../data/philox';
import { DataError } from '../errors';
import { checkCounts, checkOption } from '../tensor';

/** Windows of a corpus and what comes next in each: x and y [n, length] i32, y one token further on. */
export interface Windows extends Examples {
  x: NdArray<Int32Array>;
  y: NdArray<Int32Array>;
}

function cut(tokens: Int32Array, starts: ArrayLike<number>, length: number): Windows {
  const shape = [starts.length, length];
  const [x, y] = [new Int32Array(starts.length * length), new Int32Array(starts.length * length)];
  for (let i = 0; i < starts.length; i++) {
    const start = starts[i]!;
    x.set(tokens.subarray(start, start + length), i * length);
    y.set(tokens.subarray(start + 1, start + 1 + length), i * length);
  }
  return { x: { shape, data: x }, y: { shape, data: y } };
}

/** How many places a window and what follows it can begin at. */
function placesFor(op: string, tokens: Int32Array, length: number): number {
  if (tokens.length > length) return tokens.length - length;
  throw new DataError(`${tokens.length} tokens hold no window of ${length} and the token behind it.`, {
    op,
    argument: 'length',
    got: length,
    expected: tokens.length,
  });
}

/**
 * All windows of `length` tokens that begin at 0, stride, 2 · stride …, side by side unless told otherwise, as data for `train` and
 * `evaluate`. Throws a DataError where there is none, a ValueError unless length and stride are whole numbers from 1 on.
 */
export function windows(tokens: Int32Array, { length, stride = length }: { length: number; stride?: number }): Windows {
  checkCounts('windows', { length, stride });
  const count = Math.ceil(placesFor('windows', tokens, length) / stride);
  return cut(
    tokens,
    Array.from({ length: count }, (_, i) => i * stride),
    length,
  );
}

export interface RandomWindowsOptions {
  length: number;
  batchSize: number;
  /** Batches of one pass, which is an epoch of `train`; as many as it takes to see about every token once where it is left out. */
  steps?: number;
  seed?: number;
}

/**
 * Batches of windows that begin anywhere, as data for `train`: pass e over it is drawn by Philox from (seed, e), so that every epoch has
 * its own, and a resumed run goes on where it was. Throws as `windows` does.
 */
export function randomWindows(
  tokens: Int32Array,
  { length, batchSize, steps = Math.ceil(tokens.length / (length * batchSize)), seed = 0 }: RandomWindowsOptions,
): Iterable<Windows> & { seek(position: { epoch: number; batch: number }): Iterable<Windows> } {
  checkCounts('randomWindows', { length, batchSize, steps });
  const isSeed = Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32;
  checkOption('randomWindows', 'seed', seed, isSeed, 'a whole number from 0 to 4294967295');
  const places = placesFor('randomWindows', tokens, length);
  function* from(pass: number, first: number): Generator<Windows> {
    for (let step = first; step < steps; step++) {
      const starts = Array.from({ length: batchSize }, (_, i) => {
        const words = philox4x32([i >>> 2, step, pass, 0], [seed, Stream.WINDOWS]);
        return multiplyHigh(words[i & 3]!, places);
      });
      yield cut(tokens, starts, length);
    }
  }
  let passes = 0;
  return {
    [Symbol.iterator]: () => from(passes++, 0),
    seek: ({ epoch, batch }) => from(epoch, batch),
  };
}
