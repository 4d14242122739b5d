import { Upsample } from '../isa';
import { LANES, SHIFT, address, double, word } from '../real';
import { storeUpTo } from '../tail';

/**
 * UPSAMPLE goes along rows first: rows of the input, resized to the output's width, are kept in scratch, the even ones in one place and the
 * odd ones in another, and each row of the output is made of one or two of them. Columns are done COLUMNS at a time.
 */
const COLUMNS: i32 = 4096;

/** Field FIRST_TAP + TAP_WORDS · tap holds (first, second, weight of the second). */
@inline
function fieldOf(tap: i32): i32 {
  return Upsample.FIRST_TAP + tap * Upsample.TAP_WORDS;
}

/** Columns first … first + count - 1 of the output's width, of one row of the input. */
function resizeRow(record: usize, tap: i32, source: usize, count: i32, destination: usize): void {
  for (let i = 0; i < count; i++, tap++) {
    const field = fieldOf(tap);
    const left = word(record, field);
    const right = word(record, field + 1);
    let x = load<real>(source + (<usize>left << SHIFT));
    if (right != left) {
      const weight = <real>double(record, field + 2);
      x = (1 - weight) * x + weight * load<real>(source + (<usize>right << SHIFT));
    }
    store<real>(destination + (<usize>i << SHIFT), x);
  }
}

export function upsample(record: usize, chunk: i32, scratch: usize): void {
  const h = word(record, Upsample.H);
  const w = word(record, Upsample.W);
  const oh = word(record, Upsample.OH);
  const ow = word(record, Upsample.OW);
  const per = word(record, Upsample.CHUNK);
  const end = min((chunk + 1) * per, word(record, Upsample.PLANES));
  for (let plane = chunk * per; plane < end; plane++) {
    const source = address(record, Upsample.SOURCE) + (<usize>(plane * h * w) << SHIFT);
    const destination = address(record, Upsample.DESTINATION) + (<usize>(plane * oh * ow) << SHIFT);
    for (let first = 0; first < ow; first += COLUMNS) {
      const count = min(COLUMNS, ow - first);
      let even = -1;
      let odd = -1;
      for (let row = 0; row < oh; row++) {
        const field = fieldOf(row);
        const top = word(record, field);
        const bottom = word(record, field + 1);
        for (let y = top; y <= bottom; y++) {
          if ((y & 1 ? odd : even) == y) continue;
          const kept = scratch + (<usize>((y & 1) * COLUMNS) << SHIFT);
          resizeRow(record, oh + first, source + (<usize>(y * w) << SHIFT), count, kept);
          if (y & 1) odd = y;
          else even = y;
        }
        const upper = scratch + (<usize>((top & 1) * COLUMNS) << SHIFT);
        const lower = scratch + (<usize>((bottom & 1) * COLUMNS) << SHIFT);
        const to = destination + (<usize>(row * ow + first) << SHIFT);
        if (bottom == top) {
          memory.copy(to, upper, <usize>count << SHIFT);
          continue;
        }
        const weight = <real>double(record, field + 2);
        const v = v128.splat<real>(weight);
        const u = v128.splat<real>(1 - weight);
        for (let i = 0; i < count; i += LANES) {
          const at = <usize>i << SHIFT;
          const y = v128.add<real>(v128.mul<real>(u, v128.load(upper + at)), v128.mul<real>(v, v128.load(lower + at)));
          storeUpTo(to + at, y, count - i);
        }
      }
    }
  }
}

@inline
function addTo(pointer: usize, x: real): void {
  store<real>(pointer, load<real>(pointer) + x);
}

/** Gives row `factor` · g of the output's width back to a row of the input. */
function returnRow(record: usize, tap: i32, source: usize, factor: real, count: i32, destination: usize): void {
  for (let i = 0; i < count; i++, tap++) {
    const field = fieldOf(tap);
    const left = word(record, field);
    const right = word(record, field + 1);
    const g = factor * load<real>(source + (<usize>i << SHIFT));
    if (right == left) addTo(destination + (<usize>left << SHIFT), g);
    else {
      const weight = <real>double(record, field + 2);
      addTo(destination + (<usize>left << SHIFT), (1 - weight) * g);
      addTo(destination + (<usize>right << SHIFT), weight * g);
    }
  }
}

export function upsampleBackward(record: usize, chunk: i32): void {
  const h = word(record, Upsample.H);
  const w = word(record, Upsample.W);
  const oh = word(record, Upsample.OH);
  const ow = word(record, Upsample.OW);
  const per = word(record, Upsample.CHUNK);
  const end = min((chunk + 1) * per, word(record, Upsample.PLANES));
  for (let plane = chunk * per; plane < end; plane++) {
    const source = address(record, Upsample.SOURCE) + (<usize>(plane * oh * ow) << SHIFT);
    const destination = address(record, Upsample.DESTINATION) + (<usize>(plane * h * w) << SHIFT);
    memory.fill(destination, 0, <usize>(h * w) << SHIFT);
    for (let row = 0; row < oh; row++) {
      const field = fieldOf(row);
      const top = word(record, field);
      const bottom = word(record, field + 1);
      const weight: real = top == bottom ? 0 : <real>double(record, field + 2);
      const from = source + (<usize>(row * ow) << SHIFT);
      returnRow(record, oh, from, 1 - weight, ow, destination + (<usize>(top * w) << SHIFT));
      if (bottom != top) returnRow(record, oh, from, weight, ow, destination + (<usize>(bottom * w) << SHIFT));
    }
  }
}
