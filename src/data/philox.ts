import { ValueError } from '../errors';

/**
 * Streams of random numbers that the host draws; a stream is the second word of the generator's key. The core's
 * stream is 0, so that no shuffle shares bits with a dropout.
 */
export const enum Stream {
  /** Dropout and other draws of a training run. */
  RUN = 3,
  BATCHES = 1, // position: the epoch
  SPLIT = 2,
  WINDOWS = 4, // position: the pass
  BLOCKS = 5, // of rows in files; position: the epoch
  BLOCK_ROWS = 6, // position: epoch · blocks + block
}

/** The high 32 bits of the exact 64-bit product of two u32. Every partial sum is below 2^32. */
export function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return aHigh * bHigh + (middle >>> 16) + (carry >>> 16);
}

/** Philox4x32-10 (Salmon et al., SC 2011): four random words from a counter of four and a key of two. */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0) >>> 0;
    const low1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/**
 * 0 … n - 1 in random order: the bits of the core's PERMUTATION (assembly/isa.ts) with key (seed, stream) and
 * counter (block, 0, position, 0).
 */
export function permutation(
  n: number,
  { seed, stream, position = 0 }: { seed: number; stream: number; position?: number },
): Int32Array {
  checkWord('seed', seed);
  const order = Int32Array.from({ length: n }, (_, index) => index);
  let words: readonly number[] = [];
  let block = -1;
  for (let i = n - 1; i >= 1; i--) {
    if (i >>> 2 !== block) {
      block = i >>> 2;
      words = philox4x32([block, 0, position, 0], [seed, stream]);
    }
    const other = multiplyHigh(words[i & 3]!, i + 1);
    const swapped = order[i]!;
    order[i] = order[other]!;
    order[other] = swapped;
  }
  return order;
}

function checkWord(argument: string, value: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffffffff) return;
  throw new ValueError(`${argument} must be a whole number from 0 to 4294967295; got ${value}.`, {
    argument,
    got: value,
    expected: '0 to 4294967295',
  });
}
