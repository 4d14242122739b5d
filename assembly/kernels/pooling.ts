import { Pool } from '../isa';
import { SHIFT, address, word } from '../real';

@inline
function start(window: usize): i32 {
  return load<i32>(window);
}

@inline
function end(window: usize): i32 {
  return load<i32>(window, 4);
}

@inline
function count(window: usize): i32 {
  return load<i32>(window, 8);
}

@inline
const WINDOW_BYTES: usize = <usize>Pool.WINDOW_WORDS << 2;

@inline
function rowsOf(record: usize): usize {
  return record + (<usize>Pool.FIRST_WINDOW << 2);
}

@inline
function columnsOf(record: usize): usize {
  return rowsOf(record) + <usize>word(record, Pool.OH) * WINDOW_BYTES;
}

/** Lanes of `candidate` where it is larger, or NaN. */
@inline
function wins(candidate: v128, best: v128): v128 {
  return v128.or(f32x4.gt(candidate, best), f32x4.ne(candidate, candidate));
}

/** Four maxima of 2 × 2 elements each, from eight columns of two rows: their indices are at + 0, 2, 4, 6 and what is added. */
@inline
function maxOfHalves(upper: usize, lower: usize, at: i32, width: i32, to: usize, indices: usize): void {
  const a = v128.load(upper);
  const b = v128.load(upper, 16);
  const c = v128.load(lower);
  const d = v128.load(lower, 16);
  let best = v128.shuffle<f32>(a, b, 0, 2, 4, 6);
  let offset = i32x4.splat(0);
  let candidate = v128.shuffle<f32>(a, b, 1, 3, 5, 7);
  let mask = wins(candidate, best);
  best = v128.bitselect(candidate, best, mask);
  offset = v128.bitselect(i32x4.splat(1), offset, mask);
  candidate = v128.shuffle<f32>(c, d, 0, 2, 4, 6);
  mask = wins(candidate, best);
  best = v128.bitselect(candidate, best, mask);
  offset = v128.bitselect(i32x4.splat(width), offset, mask);
  candidate = v128.shuffle<f32>(c, d, 1, 3, 5, 7);
  mask = wins(candidate, best);
  best = v128.bitselect(candidate, best, mask);
  offset = v128.bitselect(i32x4.splat(width + 1), offset, mask);
  v128.store(to, best);
  v128.store(indices, i32x4.add(offset, i32x4.add(i32x4.splat(at), i32x4(0, 2, 4, 6))));
}

function maxOfWindow(
  plane: usize,
  width: i32,
  row: usize,
  column: usize,
  stepY: i32,
  stepX: i32,
  to: usize,
  indices: usize,
): void {
  const firstX = start(column);
  const endX = end(column);
  let at = start(row) * width + firstX;
  let best = load<real>(plane + (<usize>at << SHIFT));
  for (let y = start(row); y < end(row); y += stepY) {
    for (let x = firstX; x < endX; x += stepX) {
      const candidate = load<real>(plane + (<usize>(y * width + x) << SHIFT));
      if (candidate > best || candidate != candidate) {
        best = candidate;
        at = y * width + x;
      }
    }
  }
  store<real>(to, best);
  store<i32>(indices, at);
}

export function maxPool(record: usize, chunk: i32): void {
  const width = word(record, Pool.W);
  const rows = word(record, Pool.OH);
  const columns = word(record, Pool.OW);
  const inPlane = <usize>(word(record, Pool.H) * width) << SHIFT;
  const outPlane = rows * columns;
  const stepY = word(record, Pool.STEP_Y);
  const stepX = word(record, Pool.STEP_X);
  const halves = sizeof<real>() == 4 && word(record, Pool.HALVES);
  const per = word(record, Pool.CHUNK);
  const last = min((chunk + 1) * per, word(record, Pool.PLANES));
  for (let plane = chunk * per; plane < last; plane++) {
    const source = address(record, Pool.SOURCE) + <usize>plane * inPlane;
    let to = address(record, Pool.DESTINATION) + (<usize>(plane * outPlane) << SHIFT);
    let indices = address(record, Pool.INDICES) + (<usize>(plane * outPlane) << 2);
    for (let y = 0; y < rows; y++) {
      const row = rowsOf(record) + <usize>y * WINDOW_BYTES;
      let x = 0;
      if (halves) {
        for (; x + 4 <= columns; x += 4) {
          const at = 2 * (y * width + x);
          const upper = source + (<usize>at << SHIFT);
          maxOfHalves(upper, upper + (<usize>width << SHIFT), at, width, to, indices);
          to += 16;
          indices += 16;
        }
      }
      for (; x < columns; x++) {
        maxOfWindow(source, width, row, columnsOf(record) + <usize>x * WINDOW_BYTES, stepY, stepX, to, indices);
        to += sizeof<real>();
        indices += 4;
      }
    }
  }
}

/** The transpose of maxOfHalves' picking: eight columns of two rows from four values. */
@inline
function spreadHalves(from: usize, indices: usize, at: i32, width: i32, upper: usize, lower: usize): void {
  const g = v128.load(from);
  const offset = i32x4.sub(v128.load(indices), i32x4.add(i32x4.splat(at), i32x4(0, 2, 4, 6)));
  const a = v128.and(g, i32x4.eq(offset, i32x4.splat(0)));
  const b = v128.and(g, i32x4.eq(offset, i32x4.splat(1)));
  const c = v128.and(g, i32x4.eq(offset, i32x4.splat(width)));
  const d = v128.and(g, i32x4.eq(offset, i32x4.splat(width + 1)));
  v128.store(upper, v128.shuffle<f32>(a, b, 0, 4, 1, 5));
  v128.store(upper, v128.shuffle<f32>(a, b, 2, 6, 3, 7), 16);
  v128.store(lower, v128.shuffle<f32>(c, d, 0, 4, 1, 5));
  v128.store(lower, v128.shuffle<f32>(c, d, 2, 6, 3, 7), 16);
}

export function maxPoolBackward(record: usize, chunk: i32): void {
  const width = word(record, Pool.W);
  const rows = word(record, Pool.OH);
  const columns = word(record, Pool.OW);
  const positions = word(record, Pool.H) * width;
  const halves = sizeof<real>() == 4 && word(record, Pool.HALVES);
  const isFilled = halves && columns % 4 == 0 && 4 * rows * columns == positions;
  const per = word(record, Pool.CHUNK);
  const last = min((chunk + 1) * per, word(record, Pool.PLANES));
  const first = <usize>(chunk * per * rows * columns);
  let from = address(record, Pool.SOURCE) + (first << SHIFT);
  let indices = address(record, Pool.INDICES) + (first << 2);
  for (let plane = chunk * per; plane < last; plane++) {
    const target = address(record, Pool.DESTINATION) + (<usize>(plane * positions) << SHIFT);
    if (!isFilled) memory.fill(target, 0, <usize>positions << SHIFT);
    for (let y = 0; y < rows; y++) {
      let x = 0;
      if (halves) {
        for (; x + 4 <= columns; x += 4) {
          const at = 2 * (y * width + x);
          const upper = target + (<usize>at << SHIFT);
          spreadHalves(from, indices, at, width, upper, upper + (<usize>width << SHIFT));
          from += 16;
          indices += 16;
        }
      }
      for (; x < columns; x++) {
        const to = target + (<usize>load<i32>(indices) << SHIFT);
        store<real>(to, load<real>(to) + load<real>(from));
        from += sizeof<real>();
        indices += 4;
      }
    }
  }
}

/** Of each window its mean; or `backward`, its transpose: a share of what came for the mean to each element. */
@inline
function average(record: usize, chunk: i32, backward: bool): void {
  const width = word(record, Pool.W);
  const inPlane = <usize>(word(record, Pool.H) * width) << SHIFT;
  const rows = rowsOf(record);
  const columns = columnsOf(record);
  const lastColumn = columns + <usize>word(record, Pool.OW) * WINDOW_BYTES;
  const per = word(record, Pool.CHUNK);
  const last = min((chunk + 1) * per, word(record, Pool.PLANES));
  const outPlane = word(record, Pool.OH) * word(record, Pool.OW);
  const planes = address(record, backward ? Pool.DESTINATION : Pool.SOURCE);
  let mean = address(record, backward ? Pool.SOURCE : Pool.DESTINATION) + (<usize>(chunk * per * outPlane) << SHIFT);
  for (let plane = chunk * per; plane < last; plane++) {
    const elements = planes + <usize>plane * inPlane;
    if (backward) memory.fill(elements, 0, inPlane);
    for (let row = rows; row < columns; row += WINDOW_BYTES) {
      for (let column = columns; column < lastColumn; column += WINDOW_BYTES) {
        const n = <real>(count(row) * count(column));
        const share = backward ? load<real>(mean) / n : <real>0;
        let sum: real = 0;
        for (let y = start(row); y < end(row); y++) {
          const line = elements + (<usize>(y * width) << SHIFT);
          for (let x = start(column); x < end(column); x++) {
            const at = line + (<usize>x << SHIFT);
            if (backward) store<real>(at, load<real>(at) + share);
            else sum += load<real>(at);
          }
        }
        if (!backward) store<real>(mean, sum / n);
        mean += sizeof<real>();
      }
    }
  }
}

export function averagePool(record: usize, chunk: i32): void {
  average(record, chunk, false);
}

export function averagePoolBackward(record: usize, chunk: i32): void {
  average(record, chunk, true);
}
