import { FOLD, REDUCE_BLOCK, REDUCE_COLUMNS, Reduce, ReduceFn, Type } from '../isa';
import { LANES, SHIFT, address, word } from '../real';
import { firstLanes, storeFirst, storeUpTo } from '../tail';

/**
 * REDUCE. The law's eight lanes (isa.ts) are vectors: along a row they lie side by side,
 *
 *   f32  a0 = l0 l1 l2 l3   a1 = l4 l5 l6 l7
 *   f64  a0 = l0 l1   a1 = l2 l3   a2 = l4 l5   a3 = l6 l7
 *
 * and down columns vector ak holds lane k of LANES columns. A lane that gets no element stays at the identity, and adding
 * 0 to it (or multiplying it by 1) changes no bit, since a lane that started from +0 never becomes -0. Max and min are
 * free of order: v128.max gives NaN if either is NaN, and +0 of +0 and -0.
 */

/**
 * Rows walked down one vector column before the next. With more the lanes would be loaded less often, but rows that lie
 * a multiple of 4 KB apart would push each other out of L1.
 */
const ROW_TILE: i32 = 16;

@inline
function identity(fn: i32): real {
  if (fn == ReduceFn.PROD) return 1;
  if (fn == ReduceFn.MAX) return -Infinity;
  return 0;
}

// The functions below take `fn` as a literal wherever they are inlined: no test of it is left in a loop.

@inline
function join(fn: i32, a: v128, b: v128): v128 {
  if (fn == ReduceFn.PROD) return v128.mul<real>(a, b);
  if (fn == ReduceFn.MAX) return v128.max<real>(a, b);
  return v128.add<real>(a, b);
}

/** ((l0+l4)+(l2+l6)) + ((l1+l5)+(l3+l7)); a2 and a3 count in f64 only. */
@inline
function joinLanes(fn: i32, a0: v128, a1: v128, a2: v128, a3: v128): real {
  if (sizeof<real>() == 8) {
    a0 = join(fn, join(fn, a0, a2), join(fn, a1, a3));
  } else {
    a0 = join(fn, a0, a1);
    a0 = join(fn, a0, v128.shuffle<u64>(a0, a0, 1, 1));
  }
  const odd = sizeof<real>() == 8 ? v128.shuffle<u64>(a0, a0, 1, 1) : v128.shuffle<u32>(a0, a0, 1, 1, 1, 1);
  return v128.extract_lane<real>(join(fn, a0, odd), 0);
}

@inline
export function sumLanes(a0: v128, a1: v128, a2: v128, a3: v128): real {
  return joinLanes(ReduceFn.SUM, a0, a1, a2, a3);
}

/** The elements at `source`, or where `products` is true their products with the elements `other` bytes behind them; of MAX with signs flipped. */
@inline
function operand(fn: i32, products: bool, source: usize, other: usize, flip: v128): v128 {
  if (products) return v128.mul<real>(v128.load(source), v128.load(source + other));
  return fn == ReduceFn.MAX ? v128.xor(v128.load(source), flip) : v128.load(source);
}

@inline
function foldRow(fn: i32, products: bool, source: usize, other: usize, n: i32, flip: v128 = i64x2.splat(0)): real {
  const start = v128.splat<real>(identity(fn));
  let a0 = start;
  let a1 = start;
  let a2 = start;
  let a3 = start;
  for (const end = source + (<usize>(n & -8) << SHIFT); source < end; source += 8 << SHIFT) {
    a0 = join(fn, a0, operand(fn, products, source, other, flip));
    a1 = join(fn, a1, operand(fn, products, source + 16, other, flip));
    if (sizeof<real>() == 8) {
      a2 = join(fn, a2, operand(fn, products, source + 32, other, flip));
      a3 = join(fn, a3, operand(fn, products, source + 48, other, flip));
    }
  }
  // A group of 32 bytes of which one element exists reads less than SLACK behind it.
  const rest = n & 7;
  if (rest > 0) {
    a0 = join(fn, a0, v128.bitselect(operand(fn, products, source, other, flip), start, firstLanes(rest)));
    a1 = join(fn, a1, v128.bitselect(operand(fn, products, source + 16, other, flip), start, firstLanes(rest - LANES)));
  }
  if (sizeof<real>() == 8 && rest > 4) {
    a2 = join(fn, a2, v128.bitselect(operand(fn, products, source + 32, other, flip), start, firstLanes(rest - 4)));
    a3 = join(fn, a3, v128.bitselect(operand(fn, products, source + 48, other, flip), start, firstLanes(rest - 6)));
  }
  return joinLanes(fn, a0, a1, a2, a3);
}

function sumBlock(source: usize, n: i32): real {
  return foldRow(ReduceFn.SUM, false, source, 0, n);
}

function dotBlock(source: usize, other: usize, n: i32): real {
  return foldRow(ReduceFn.SUM, true, source, other, n);
}

@inline
function sumBlocks(products: bool, source: usize, other: usize, n: i32, scratch: usize): real {
  let end = scratch;
  for (; n > 0; n -= REDUCE_BLOCK) {
    const block = min(n, REDUCE_BLOCK);
    store<real>(end, products ? dotBlock(source, other, block) : sumBlock(source, block));
    source += <usize>REDUCE_BLOCK << SHIFT;
    end += sizeof<real>();
  }
  return sumSpan(scratch, <i32>((end - scratch) >> SHIFT), end);
}

/** The sum of `n` reals by the law, over any number of blocks, whose sums go to `scratch`. */
export function sumSpan(source: usize, n: i32, scratch: usize): real {
  return n <= REDUCE_BLOCK ? sumBlock(source, n) : sumBlocks(false, source, 0, n, scratch);
}

/** The sum of the products of two rows, by the same law. */
export function dotSpan(a: usize, b: usize, n: i32, scratch: usize): real {
  return n <= REDUCE_BLOCK ? dotBlock(a, b - a, n) : sumBlocks(true, a, b - a, n, scratch);
}

/** No sign is flipped for a maximum, every one for a minimum: what is the largest then is the smallest. */
@inline
function flipFor(least: bool): v128 {
  return v128.and(v128.splat<real>(-0.0), i32x4.splat(-<i32>least));
}

function extremeRow(least: bool, source: usize, n: i32): real {
  const extreme = foldRow(ReduceFn.MAX, false, source, 0, n, flipFor(least));
  return least ? -extreme : extreme;
}

function prodBlock(source: usize, n: i32): real {
  return foldRow(ReduceFn.PROD, false, source, 0, n);
}

/**
 * Folds `columns` ≤ REDUCE_COLUMNS columns of `n` rows, `stride` bytes apart. The eight vectors of a column rest in
 * `scratch` between row tiles, so that memory is read almost in order.
 */
@inline
function foldColumns(
  fn: i32,
  source: usize,
  n: i32,
  stride: usize,
  columns: i32,
  destination: usize,
  scratch: usize,
  flip: v128 = i64x2.splat(0),
): void {
  const start = v128.splat<real>(identity(fn));
  let row = 0;
  do {
    const rows = min(n - row, ROW_TILE);
    const last = row + rows == n;
    let lanes = scratch;
    for (let column = 0; column < columns; column += LANES) {
      let a0 = start;
      let a1 = start;
      let a2 = start;
      let a3 = start;
      let a4 = start;
      let a5 = start;
      let a6 = start;
      let a7 = start;
      if (row > 0) {
        a0 = v128.load(lanes);
        a1 = v128.load(lanes, 16);
        a2 = v128.load(lanes, 32);
        a3 = v128.load(lanes, 48);
        a4 = v128.load(lanes, 64);
        a5 = v128.load(lanes, 80);
        a6 = v128.load(lanes, 96);
        a7 = v128.load(lanes, 112);
      }
      let pointer = source + (<usize>column << SHIFT);
      for (let group = rows >> 3; group > 0; group--) {
        a0 = join(fn, a0, operand(fn, false, pointer, 0, flip));
        a1 = join(fn, a1, operand(fn, false, (pointer += stride), 0, flip));
        a2 = join(fn, a2, operand(fn, false, (pointer += stride), 0, flip));
        a3 = join(fn, a3, operand(fn, false, (pointer += stride), 0, flip));
        a4 = join(fn, a4, operand(fn, false, (pointer += stride), 0, flip));
        a5 = join(fn, a5, operand(fn, false, (pointer += stride), 0, flip));
        a6 = join(fn, a6, operand(fn, false, (pointer += stride), 0, flip));
        a7 = join(fn, a7, operand(fn, false, (pointer += stride), 0, flip));
        pointer += stride;
      }
      const rest = rows & 7;
      if (rest > 0) a0 = join(fn, a0, operand(fn, false, pointer, 0, flip));
      if (rest > 1) a1 = join(fn, a1, operand(fn, false, (pointer += stride), 0, flip));
      if (rest > 2) a2 = join(fn, a2, operand(fn, false, (pointer += stride), 0, flip));
      if (rest > 3) a3 = join(fn, a3, operand(fn, false, (pointer += stride), 0, flip));
      if (rest > 4) a4 = join(fn, a4, operand(fn, false, (pointer += stride), 0, flip));
      if (rest > 5) a5 = join(fn, a5, operand(fn, false, (pointer += stride), 0, flip));
      if (rest > 6) a6 = join(fn, a6, operand(fn, false, (pointer += stride), 0, flip));
      if (last) {
        const even = join(fn, join(fn, a0, a4), join(fn, a2, a6));
        const odd = join(fn, join(fn, a1, a5), join(fn, a3, a7));
        const folded = join(fn, even, odd);
        const result = fn == ReduceFn.MAX ? v128.xor(folded, flip) : folded;
        storeUpTo(destination + (<usize>column << SHIFT), result, columns - column);
      } else {
        v128.store(lanes, a0);
        v128.store(lanes, a1, 16);
        v128.store(lanes, a2, 32);
        v128.store(lanes, a3, 48);
        v128.store(lanes, a4, 64);
        v128.store(lanes, a5, 80);
        v128.store(lanes, a6, 96);
        v128.store(lanes, a7, 112);
      }
      lanes += 128;
    }
    row += rows;
    source += <usize>rows * stride;
  } while (row < n);
}

function foldReals(
  fn: i32,
  source: usize,
  n: i32,
  inner: i32,
  columns: i32,
  destination: usize,
  scratch: usize,
): void {
  const stride = <usize>inner << SHIFT;
  if (inner == 1) {
    switch (fn) {
      case ReduceFn.SUM:
        return store<real>(destination, sumBlock(source, n));
      case ReduceFn.PROD:
        return store<real>(destination, prodBlock(source, n));
      default:
        return store<real>(destination, extremeRow(fn == ReduceFn.MIN, source, n));
    }
  } else {
    switch (fn) {
      case ReduceFn.SUM:
        return foldColumns(ReduceFn.SUM, source, n, stride, columns, destination, scratch);
      case ReduceFn.PROD:
        return foldColumns(ReduceFn.PROD, source, n, stride, columns, destination, scratch);
      default:
        return foldColumns(ReduceFn.MAX, source, n, stride, columns, destination, scratch, flipFor(fn == ReduceFn.MIN));
    }
  }
}

/** Whole numbers are free of order. ANY is the maximum of zeros and ones from 0, ALL their minimum from 1. */
function foldWhole<T>(fn: i32, source: usize, n: i32, inner: i32, columns: i32, destination: usize): void {
  for (let column = 0; column < columns; column++) {
    const first = source + <usize>column * sizeof<T>();
    const stride = <usize>inner * sizeof<T>();
    const end = first + <usize>n * stride;
    let result: T = fn == ReduceFn.PROD || fn == ReduceFn.ALL ? 1 : 0;
    switch (fn) {
      case ReduceFn.SUM:
        for (let p = first; p < end; p += stride) result += load<T>(p);
        break;
      case ReduceFn.PROD:
        for (let p = first; p < end; p += stride) result *= load<T>(p);
        break;
      case ReduceFn.MAX:
        result = load<T>(first);
      case ReduceFn.ANY:
        for (let p = first; p < end; p += stride) result = max<T>(result, load<T>(p));
        break;
      case ReduceFn.MIN:
        result = load<T>(first);
      case ReduceFn.ALL:
        for (let p = first; p < end; p += stride) result = min<T>(result, load<T>(p));
        break;
    }
    store<T>(destination + <usize>column * sizeof<T>(), result);
  }
}

/** Where `value`, the row's maximum or minimum or a NaN, stands first. It does, so what is read behind the row cannot win. */
function indexOf(source: usize, value: real): i32 {
  const wanted = v128.splat<real>(value);
  const isNaN = v128.ne<real>(wanted, wanted);
  let index = -LANES;
  let hits = 0;
  do {
    index += LANES;
    const x = v128.load(source + (<usize>index << SHIFT));
    const hit = v128.or(v128.eq<real>(x, wanted), v128.and(v128.ne<real>(x, x), isNaN));
    hits = sizeof<real>() == 4 ? i32x4.bitmask(hit) : i64x2.bitmask(hit);
  } while (!hits);
  return index + ctz(hits);
}

/** The index of the first maximum (minimum) of each of `columns` columns. */
function argColumns<T>(least: bool, source: usize, n: i32, inner: i32, columns: i32, destination: usize): void {
  const stride = <usize>inner * sizeof<T>();
  for (let column = 0; column < columns; column++) {
    let pointer = source + <usize>column * sizeof<T>();
    let best = load<T>(pointer);
    let at = 0;
    for (let row = 1; row < n; row++) {
      const x = load<T>((pointer += stride));
      // Not `x > best`: a NaN has to win, and to stay.
      if (best == best && !(least ? x >= best : x <= best)) {
        best = x;
        at = row;
      }
    }
    store<i32>(destination + (<usize>column << 2), at);
  }
}

export function reduce(record: usize, chunk: i32, scratch: usize): void {
  const fn = word(record, Reduce.FN);
  const type = word(record, Reduce.TYPE);
  const n = word(record, Reduce.N);
  const inner = word(record, Reduce.INNER);
  const blocks = word(record, Reduce.BLOCKS);
  const size: usize = type == Type.REAL ? sizeof<real>() : type == Type.I32 ? 4 : 1;
  const arg = fn == ReduceFn.ARGMAX || fn == ReduceFn.ARGMIN;
  const resultSize: usize = arg ? 4 : size;
  const groups = (inner + REDUCE_COLUMNS - 1) / REDUCE_COLUMNS;
  const items = word(record, Reduce.ITEMS);
  const total = word(record, Reduce.OUTER) * blocks * groups;
  let passed: usize = 0;
  for (let item = chunk * items, end = min(item + items, total); item < end; item++) {
    const result = item / groups; // outer · blocks + block
    const column = (item % groups) * REDUCE_COLUMNS;
    const row = (result % blocks) * REDUCE_BLOCK;
    const rows = blocks == 1 ? n : min(n - row, REDUCE_BLOCK);
    const columns = min(inner - column, REDUCE_COLUMNS);
    const first = (<usize>(result / blocks) * <usize>n + <usize>row) * <usize>inner + <usize>column;
    if (item == chunk * items) passed = scratch + FOLD - first * size;
    const source = (address(record, Reduce.SOURCE) || passed) + first * size;
    const destination =
      address(record, Reduce.DESTINATION) + (<usize>result * <usize>inner + <usize>column) * resultSize;
    if (arg) {
      const least = fn == ReduceFn.ARGMIN;
      if (type == Type.I32) argColumns<i32>(least, source, rows, inner, columns, destination);
      else if (inner > 1) argColumns<real>(least, source, rows, inner, columns, destination);
      else store<i32>(destination, indexOf(source, extremeRow(least, source, rows)));
    } else if (type == Type.REAL) foldReals(fn, source, rows, inner, columns, destination, scratch);
    else if (type == Type.I32) foldWhole<i32>(fn, source, rows, inner, columns, destination);
    else foldWhole<u8>(fn, source, rows, inner, columns, destination);
  }
}
