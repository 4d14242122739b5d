import { NORMALIZE_ROWS, Normalize, NormalizeBackward, REDUCE_BLOCK } from '../isa';
import { LANES, SHIFT, address, double, word } from '../real';
import { firstLanes, storeUpTo } from '../tail';
import { sumLanes, sumSpan } from './reduce';

/** What a pass over a group adds up: x, or x - m and its square, or g and g·y. */
const enum Pass {
  MEAN = 0,
  SQUARES = 1,
  BACKWARD = 2,
}

/**
 * Places in scratch: a group's two sums (vectors of them, where groups lie side by side), the sums of up to REDUCE_BLOCK blocks, and
 * the sums of so many of those, with room behind for `sumSpan`'s own.
 */
const SECOND: usize = 16;
const BLOCKS: usize = 64;
const OTHER_BLOCKS: usize = BLOCKS + 8 * REDUCE_BLOCK;
const TOTALS: usize = OTHER_BLOCKS + 8 * REDUCE_BLOCK;
const OTHER_TOTALS: usize = TOTALS + 245760;
const SPARE: usize = OTHER_TOTALS + 245760;

@inline
function first(pass: i32, source: usize, shift: v128): v128 {
  return pass == Pass.SQUARES ? v128.sub<real>(v128.load(source), shift) : v128.load(source);
}

@inline
function second(pass: i32, one: v128, other: usize): v128 {
  return v128.mul<real>(one, pass == Pass.BACKWARD ? v128.load(other) : one);
}

// The functions below take `pass` as a literal wherever they are inlined: no test of it is left in a loop.

/** The two sums of up to REDUCE_BLOCK elements side by side, to `to` and `toOther`. */
@inline
function sumBlock(pass: i32, source: usize, other: usize, shift: v128, n: i32, to: usize, toOther: usize): void {
  const zero = v128.splat<real>(0);
  let a0 = zero;
  let a1 = zero;
  let a2 = zero;
  let a3 = zero;
  let b0 = zero;
  let b1 = zero;
  let b2 = zero;
  let b3 = zero;
  const distance = other - source;
  for (const end = source + (<usize>(n & -8) << SHIFT); source < end; source += 8 << SHIFT) {
    const x0 = first(pass, source, shift);
    const x1 = first(pass, source + 16, shift);
    a0 = v128.add<real>(a0, x0);
    a1 = v128.add<real>(a1, x1);
    if (pass != Pass.MEAN) {
      b0 = v128.add<real>(b0, second(pass, x0, source + distance));
      b1 = v128.add<real>(b1, second(pass, x1, source + distance + 16));
    }
    if (sizeof<real>() == 8) {
      const x2 = first(pass, source + 32, shift);
      const x3 = first(pass, source + 48, shift);
      a2 = v128.add<real>(a2, x2);
      a3 = v128.add<real>(a3, x3);
      if (pass != Pass.MEAN) {
        b2 = v128.add<real>(b2, second(pass, x2, source + distance + 32));
        b3 = v128.add<real>(b3, second(pass, x3, source + distance + 48));
      }
    }
  }
  // A lane without an element adds 0. Vectors without any are not read: they can lie beyond the slack.
  for (let rest = n & 7, vector = 0; rest > 0; rest -= LANES, vector++) {
    const mask = firstLanes(rest);
    const x = first(pass, source, shift);
    const p = v128.and(x, mask);
    const q = pass == Pass.MEAN ? zero : v128.and(second(pass, x, source + distance), mask);
    source += 16;
    if (vector == 0) {
      a0 = v128.add<real>(a0, p);
      b0 = v128.add<real>(b0, q);
    } else if (vector == 1) {
      a1 = v128.add<real>(a1, p);
      b1 = v128.add<real>(b1, q);
    } else if (vector == 2) {
      a2 = v128.add<real>(a2, p);
      b2 = v128.add<real>(b2, q);
    } else {
      a3 = v128.add<real>(a3, p);
      b3 = v128.add<real>(b3, q);
    }
  }
  store<real>(to, sumLanes(a0, a1, a2, a3));
  if (pass != Pass.MEAN) store<real>(toOther, sumLanes(b0, b1, b2, b3));
}

function meanBlock(source: usize, n: i32, to: usize): void {
  sumBlock(Pass.MEAN, source, source, v128.splat<real>(0), n, to, to);
}

function squaresBlock(source: usize, shift: v128, n: i32, to: usize, toOther: usize): void {
  sumBlock(Pass.SQUARES, source, source, shift, n, to, toOther);
}

function backwardBlock(source: usize, other: usize, n: i32, to: usize, toOther: usize): void {
  sumBlock(Pass.BACKWARD, source, other, v128.splat<real>(0), n, to, toOther);
}

/** The two sums of a group of `a` rows of `b` elements, `stride` bytes apart, to scratch. */
function sumGroup(
  pass: i32,
  source: usize,
  other: usize,
  shift: v128,
  a: i32,
  b: i32,
  stride: usize,
  scratch: usize,
): void {
  let blocks = 0;
  let totals = 0;
  const distance = other - source;
  for (let row = 0; row < a; row++) {
    let pointer = source;
    for (let rest = b; rest > 0; rest -= REDUCE_BLOCK) {
      if (blocks == REDUCE_BLOCK) {
        const at = <usize>(totals++) << SHIFT;
        store<real>(scratch + TOTALS + at, sumSpan(scratch + BLOCKS, blocks, 0));
        if (pass != Pass.MEAN) {
          store<real>(scratch + OTHER_TOTALS + at, sumSpan(scratch + OTHER_BLOCKS, blocks, 0));
        }
        blocks = 0;
      }
      const at = scratch + (<usize>(blocks++) << SHIFT);
      const n = min(rest, REDUCE_BLOCK);
      if (pass == Pass.MEAN) meanBlock(pointer, n, at + BLOCKS);
      else if (pass == Pass.SQUARES) squaresBlock(pointer, shift, n, at + BLOCKS, at + OTHER_BLOCKS);
      else backwardBlock(pointer, pointer + distance, n, at + BLOCKS, at + OTHER_BLOCKS);
      pointer += <usize>REDUCE_BLOCK << SHIFT;
    }
    source += stride;
  }
  store<real>(scratch, total(BLOCKS, TOTALS, blocks, totals, scratch));
  if (pass != Pass.MEAN) store<real>(scratch + SECOND, total(OTHER_BLOCKS, OTHER_TOTALS, blocks, totals, scratch));
}

/** The sum of what lies at `blocks`, and of `totals` of as many before. */
function total(blocks: usize, totals: usize, count: i32, full: i32, scratch: usize): real {
  const last = sumSpan(scratch + blocks, count, 0);
  if (full == 0) return last;
  store<real>(scratch + totals + (<usize>full << SHIFT), last);
  return sumSpan(scratch + totals, full + 1, scratch + SPARE);
}

/** The two sums of each of LANES groups side by side, of `a` elements that are `stride` bytes apart, to scratch. */
@inline
function sumColumns(
  pass: i32,
  source: usize,
  other: usize,
  shift: v128,
  a: i32,
  stride: usize,
  scratch: usize,
): void {
  const zero = v128.splat<real>(0);
  const distance = other - source;
  let p = zero;
  let q = zero;
  for (let rest = a; rest > 0; rest -= NORMALIZE_ROWS) {
    let a0 = zero;
    let a1 = zero;
    let a2 = zero;
    let a3 = zero;
    let b0 = zero;
    let b1 = zero;
    let b2 = zero;
    let b3 = zero;
    const rows = min(rest, NORMALIZE_ROWS);
    let row = rows;
    for (; row >= 4; row -= 4) {
      let x = first(pass, source, shift);
      a0 = v128.add<real>(a0, x);
      if (pass != Pass.MEAN) b0 = v128.add<real>(b0, second(pass, x, source + distance));
      source += stride;
      x = first(pass, source, shift);
      a1 = v128.add<real>(a1, x);
      if (pass != Pass.MEAN) b1 = v128.add<real>(b1, second(pass, x, source + distance));
      source += stride;
      x = first(pass, source, shift);
      a2 = v128.add<real>(a2, x);
      if (pass != Pass.MEAN) b2 = v128.add<real>(b2, second(pass, x, source + distance));
      source += stride;
      x = first(pass, source, shift);
      a3 = v128.add<real>(a3, x);
      if (pass != Pass.MEAN) b3 = v128.add<real>(b3, second(pass, x, source + distance));
      source += stride;
    }
    if (row > 0) {
      const x = first(pass, source, shift);
      a0 = v128.add<real>(a0, x);
      if (pass != Pass.MEAN) b0 = v128.add<real>(b0, second(pass, x, source + distance));
      source += stride;
    }
    if (row > 1) {
      const x = first(pass, source, shift);
      a1 = v128.add<real>(a1, x);
      if (pass != Pass.MEAN) b1 = v128.add<real>(b1, second(pass, x, source + distance));
      source += stride;
    }
    if (row > 2) {
      const x = first(pass, source, shift);
      a2 = v128.add<real>(a2, x);
      if (pass != Pass.MEAN) b2 = v128.add<real>(b2, second(pass, x, source + distance));
      source += stride;
    }
    p = v128.add<real>(p, v128.add<real>(v128.add<real>(a0, a2), v128.add<real>(a1, a3)));
    if (pass != Pass.MEAN) q = v128.add<real>(q, v128.add<real>(v128.add<real>(b0, b2), v128.add<real>(b1, b3)));
  }
  v128.store(scratch, p);
  if (pass != Pass.MEAN) v128.store(scratch + SECOND, q);
}

function meanColumns(source: usize, a: i32, stride: usize, scratch: usize): void {
  sumColumns(Pass.MEAN, source, source, v128.splat<real>(0), a, stride, scratch);
}

function squaresColumns(source: usize, shift: v128, a: i32, stride: usize, scratch: usize): void {
  sumColumns(Pass.SQUARES, source, source, shift, a, stride, scratch);
}

function backwardColumns(source: usize, other: usize, a: i32, stride: usize, scratch: usize): void {
  sumColumns(Pass.BACKWARD, source, other, v128.splat<real>(0), a, stride, scratch);
}

/** 1 / √(variance + eps). */
@inline
function scaleOf(variance: v128, eps: f64): v128 {
  return v128.div<real>(v128.splat<real>(1), v128.sqrt<real>(v128.add<real>(variance, v128.splat<real>(<real>eps))));
}

/** A sum that the passes left in scratch: of LANES groups side by side, or that of one in every lane. */
@inline
function sumAt(columns: bool, scratch: usize): v128 {
  return columns ? v128.load(scratch) : v128.splat<real>(load<real>(scratch));
}

export function normalize(record: usize, chunk: i32, scratch: usize): void {
  const rms = word(record, Normalize.RMS) != 0;
  const a = word(record, Normalize.A);
  const g = word(record, Normalize.G);
  const b = word(record, Normalize.B);
  const eps = double(record, Normalize.EPS);
  const stride = (<usize>g * <usize>b) << SHIFT;
  const columns = b == 1;
  const n = v128.splat<real>(<real>a * <real>b);
  const zero = v128.splat<real>(0);
  const start = chunk * word(record, Normalize.CHUNK);
  const end = min(start + word(record, Normalize.CHUNK), g);
  const step = columns ? LANES : 1;
  for (let group = start; group < end; group += step) {
    const at = (<usize>group * <usize>b) << SHIFT;
    let source = address(record, Normalize.SOURCE) + at;
    let shift = zero;
    if (!rms) {
      if (columns) meanColumns(source, a, stride, scratch);
      else sumGroup(Pass.MEAN, source, source, zero, a, b, stride, scratch);
      shift = v128.div<real>(sumAt(columns, scratch), n);
    }
    if (columns) squaresColumns(source, shift, a, stride, scratch);
    else sumGroup(Pass.SQUARES, source, source, shift, a, b, stride, scratch);
    const e = rms ? zero : v128.div<real>(sumAt(columns, scratch), n);
    const squares = v128.div<real>(sumAt(columns, scratch + SECOND), n);
    // Not pmax: a NaN stays.
    const variance = v128.max<real>(zero, v128.sub<real>(squares, v128.mul<real>(e, e)));
    const count = columns ? end - group : 1;
    storeUpTo(address(record, Normalize.VARIANCE) + (<usize>group << SHIFT), variance, count);
    if (!rms) storeUpTo(address(record, Normalize.MEAN) + (<usize>group << SHIFT), v128.add<real>(shift, e), count);
    const scale = scaleOf(variance, eps);
    let destination = address(record, Normalize.DESTINATION) + at;
    const width = columns ? min(count, LANES) : b;
    for (let row = 0; row < a; row++) {
      for (let i = 0; i < width; i += LANES) {
        const x = v128.load(source + (<usize>i << SHIFT));
        const y = v128.mul<real>(v128.sub<real>(v128.sub<real>(x, shift), e), scale);
        storeUpTo(destination + (<usize>i << SHIFT), y, width - i);
      }
      source += stride;
      destination += stride;
    }
  }
}

export function normalizeBackward(record: usize, chunk: i32, scratch: usize): void {
  const rms = word(record, NormalizeBackward.RMS) != 0;
  const a = word(record, NormalizeBackward.A);
  const g = word(record, NormalizeBackward.G);
  const b = word(record, NormalizeBackward.B);
  const eps = double(record, NormalizeBackward.EPS);
  const stride = (<usize>g * <usize>b) << SHIFT;
  const columns = b == 1;
  const n = v128.splat<real>(<real>a * <real>b);
  const zero = v128.splat<real>(0);
  const start = chunk * word(record, NormalizeBackward.CHUNK);
  const end = min(start + word(record, NormalizeBackward.CHUNK), g);
  const step = columns ? LANES : 1;
  for (let group = start; group < end; group += step) {
    const at = (<usize>group * <usize>b) << SHIFT;
    let output = address(record, NormalizeBackward.OUTPUT) + at;
    let cotangent = address(record, NormalizeBackward.COTANGENT) + at;
    let destination = address(record, NormalizeBackward.DESTINATION) + at;
    if (columns) backwardColumns(cotangent, output, a, stride, scratch);
    else sumGroup(Pass.BACKWARD, cotangent, output, zero, a, b, stride, scratch);
    const mean = rms ? zero : v128.div<real>(sumAt(columns, scratch), n);
    const slope = v128.div<real>(sumAt(columns, scratch + SECOND), n);
    const scale = scaleOf(
      sumAt(columns, address(record, NormalizeBackward.VARIANCE) + (<usize>group << SHIFT)),
      eps,
    );
    const width = columns ? min(end - group, LANES) : b;
    for (let row = 0; row < a; row++) {
      for (let i = 0; i < width; i += LANES) {
        const offset = <usize>i << SHIFT;
        const y = v128.load(output + offset);
        const dy = v128.sub<real>(v128.load(cotangent + offset), mean);
        const dx = v128.mul<real>(v128.sub<real>(dy, v128.mul<real>(y, slope)), scale);
        storeUpTo(destination + offset, dx, width - i);
      }
      output += stride;
      cotangent += stride;
      destination += stride;
    }
  }
}
