import { Random, RandomKind } from '../isa';
import { cos, log, sin } from '../math';
import { SHIFT, address, double, word } from '../real';

/**
 * RANDOM. Words are made a batch of four Philox blocks at a time and turned into numbers in place: a vector of words is a
 * vector of f32 or i32, or, taken two and two, of f64. The last batch of a chunk is made in scratch where it does not fit.
 */

const BATCH_WORDS: i32 = 16;
const BATCH_BYTES: usize = 64;
/** Words become numbers a tile at a time, while they are in the first cache. */
const TILE_BYTES: usize = 2048;

/** The high words of the four products of `x` and a constant; `low` is i32x4.mul(x, constant), the low words. */
@inline
function mulHigh(x: v128, constant: v128): v128 {
  const low = i64x2.extmul_low_i32x4_u(x, constant);
  const high = i64x2.extmul_high_i32x4_u(x, constant);
  return v128.shuffle<u32>(low, high, 1, 3, 5, 7);
}

/** Philox4x32-10: the words of whole batches from `block` on, in order. The four lanes are four blocks. */
function philox(seed: i32, stream: i32, position: i32, block: i32, destination: usize, bytes: usize): void {
  const multiplier0 = i32x4.splat(0xd2511f53);
  const multiplier1 = i32x4.splat(0xcd9e8d57);
  const weyl0 = i32x4.splat(0x9e3779b9);
  const weyl1 = i32x4.splat(0xbb67ae85);
  let blocks = i32x4.add(i32x4.splat(block), i32x4(0, 1, 2, 3));
  for (const end = destination + bytes; destination < end; destination += BATCH_BYTES) {
    let key0 = i32x4.splat(seed);
    let key1 = i32x4.splat(stream);
    let c0 = blocks;
    let c1 = i32x4.splat(0);
    let c2 = i32x4.splat(position);
    let c3 = c1;
    let round = 10;
    do {
      const high0 = mulHigh(c0, multiplier0);
      const high1 = mulHigh(c2, multiplier1);
      const low0 = i32x4.mul(c0, multiplier0);
      const low1 = i32x4.mul(c2, multiplier1);
      c0 = v128.xor(v128.xor(high1, c1), key0);
      c1 = low1;
      c2 = v128.xor(v128.xor(high0, c3), key1);
      c3 = low0;
      key0 = i32x4.add(key0, weyl0);
      key1 = i32x4.add(key1, weyl1);
    } while (--round);
    const low01 = v128.shuffle<u32>(c0, c1, 0, 4, 1, 5);
    const low23 = v128.shuffle<u32>(c2, c3, 0, 4, 1, 5);
    const high01 = v128.shuffle<u32>(c0, c1, 2, 6, 3, 7);
    const high23 = v128.shuffle<u32>(c2, c3, 2, 6, 3, 7);
    v128.store(destination, v128.shuffle<u64>(low01, low23, 0, 2));
    v128.store(destination, v128.shuffle<u64>(low01, low23, 1, 3), 16);
    v128.store(destination, v128.shuffle<u64>(high01, high23, 0, 2), 32);
    v128.store(destination, v128.shuffle<u64>(high01, high23, 1, 3), 48);
    blocks = i32x4.add(blocks, i32x4.splat(4));
  }
}

/** A vector of words as uniform reals in [0, 1): 24 or 53 bits. */
@inline
function uniform(words: v128): v128 {
  if (sizeof<real>() == 4) {
    return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(words, 8)), f32x4.splat(5.9604644775390625e-8));
  }
  const even = i32x4.shr_u(v128.shuffle<u32>(words, words, 0, 2, 0, 2), 5);
  const odd = i32x4.shr_u(v128.shuffle<u32>(words, words, 1, 3, 1, 3), 6);
  const high = f64x2.mul(f64x2.convert_low_i32x4_s(even), f64x2.splat(67108864));
  return f64x2.mul(f64x2.add(high, f64x2.convert_low_i32x4_s(odd)), f64x2.splat(1.1102230246251565e-16));
}

/** Two vectors of words as normals, by Box-Muller on neighbours. 1 - u is never 0. */
@inline
function normals(pointer: usize, mean: v128, deviation: v128): void {
  const low = uniform(v128.load(pointer));
  const high = uniform(v128.load(pointer, 16));
  const u = sizeof<real>() == 4 ? v128.shuffle<u32>(low, high, 0, 2, 4, 6) : v128.shuffle<u64>(low, high, 0, 2);
  const turns = sizeof<real>() == 4 ? v128.shuffle<u32>(low, high, 1, 3, 5, 7) : v128.shuffle<u64>(low, high, 1, 3);
  const logarithm = log(v128.sub<real>(v128.splat<real>(1), u));
  const radius = v128.sqrt<real>(v128.mul<real>(v128.splat<real>(-2), logarithm));
  const angle = v128.mul<real>(v128.splat<real>(6.283185307179586), turns);
  const x = v128.mul<real>(radius, cos(angle));
  const y = v128.mul<real>(radius, sin(angle));
  const first = sizeof<real>() == 4 ? v128.shuffle<u32>(x, y, 0, 4, 1, 5) : v128.shuffle<u64>(x, y, 0, 2);
  const second = sizeof<real>() == 4 ? v128.shuffle<u32>(x, y, 2, 6, 3, 7) : v128.shuffle<u64>(x, y, 1, 3);
  v128.store(pointer, v128.add<real>(mean, v128.mul<real>(deviation, first)));
  v128.store(pointer, v128.add<real>(mean, v128.mul<real>(deviation, second)), 16);
}

/** Turns the words from `pointer` on, whole batches, into numbers of the record's kind. */
function convert(record: usize, pointer: usize, bytes: usize): void {
  const end = pointer + bytes;
  const low = double(record, Random.LOW);
  const high = double(record, Random.HIGH);
  const lowReal = v128.splat<real>(<real>low);
  const highReal = v128.splat<real>(<real>high);
  switch (word(record, Random.KIND)) {
    case RandomKind.UNIFORM: {
      const range = v128.sub<real>(highReal, lowReal);
      do {
        v128.store(pointer, v128.add<real>(lowReal, v128.mul<real>(uniform(v128.load(pointer)), range)));
        pointer += 16;
      } while (pointer < end);
      break;
    }
    case RandomKind.NORMAL:
      for (; pointer < end; pointer += 32) normals(pointer, lowReal, highReal);
      break;
    case RandomKind.BERNOULLI:
      do {
        const hit = v128.lt<real>(uniform(v128.load(pointer)), highReal);
        v128.store(pointer, v128.and(hit, v128.splat<real>(1)));
        pointer += 16;
      } while (pointer < end);
      break;
    case RandomKind.INTEGER: {
      const first = i32x4.splat(<i32>low);
      const range = i32x4.splat(<i32>(<u32>(high - low)));
      do {
        v128.store(pointer, i32x4.add(first, mulHigh(v128.load(pointer), range)));
        pointer += 16;
      } while (pointer < end);
      break;
    }
  }
}

/** Fisher-Yates from the end; words come a batch at a time, the last batch first. */
function permutation(
  seed: i32,
  stream: i32,
  position: i32,
  size: i32,
  destination: usize,
  scratch: usize,
): void {
  for (let i = 0; i < size; i++) store<i32>(destination + (<usize>i << 2), i);
  for (let i = size - 1, ready = -1; i > 0; i--) {
    const batch = i & -BATCH_WORDS;
    if (batch != ready) {
      philox(seed, stream, position, batch >> 2, scratch, BATCH_BYTES);
      ready = batch;
    }
    const w = load<u32>(scratch + (<usize>(i - batch) << 2));
    const mine = destination + (<usize>i << 2);
    const other = destination + (<usize>((<u64>w * <u64>(i + 1)) >> 32) << 2);
    const value = load<i32>(mine);
    store<i32>(mine, load<i32>(other));
    store<i32>(other, value);
  }
}

export function random(record: usize, chunk: i32, scratch: usize): void {
  const generator = address(record, Random.GENERATOR);
  const seed = load<i32>(generator);
  const stream = load<i32>(generator, 4);
  const position = load<i32>(generator, 8) + word(record, Random.DRAW);
  const destination = address(record, Random.DESTINATION);
  const size = word(record, Random.SIZE);
  const kind = word(record, Random.KIND);
  if (kind == RandomKind.PERMUTATION) {
    permutation(seed, stream, position, size, destination, scratch);
    return;
  }
  // Words and numbers take the same room, of one (f32, i32) or two words (f64) each.
  const shift: usize = kind == RandomKind.INTEGER ? 2 : SHIFT;
  const first = chunk * word(record, Random.CHUNK);
  const count = min(size - first, word(record, Random.CHUNK));
  let pointer = destination + (<usize>first << shift);
  const end = pointer + (<usize>count << shift);
  let block = <i32>((<usize>first << shift) >> 4);
  while (end - pointer >= BATCH_BYTES) {
    const tile = min((end - pointer) & -BATCH_BYTES, TILE_BYTES);
    philox(seed, stream, position, block, pointer, tile);
    convert(record, pointer, tile);
    pointer += tile;
    block += <i32>(tile >> 4);
  }
  if (pointer < end) {
    philox(seed, stream, position, block, scratch, BATCH_BYTES);
    convert(record, scratch, BATCH_BYTES);
    memory.copy(pointer, scratch, end - pointer);
  }
}
