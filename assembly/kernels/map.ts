import { FOLD, Fn, MAP_TILE, Map, Slot, Type } from '../isa';
import { cos, erf, exp, expm1, log, log1p, pow, relu, sigmoid, sin, tanh } from '../math';
import { SHIFT, address, double, word } from '../real';

/**
 * MAP works through a chunk tile by tile: operands are put where a vector loop can run over them, then each step is one
 * such loop over the whole tile. Its scratch:
 *
 *   0                     512              576
 *   ┌─────────────────────┬────────────────┬────────────────────────────────┐
 *   │ table: 32 × 16 bytes│ index: 8 words │ 32 × TILE_BYTES, one per slot  │
 *   └─────────────────────┴────────────────┴────────────────────────────────┘
 *   table entry: address of the slot's elements in this tile │ kind │ log2 of an element's bytes │ period (0: none)
 *
 * A tile has room for twice MAP_TILE elements: of an operand that repeats after P ≤ MAP_TILE elements (a bias row, a
 * scalar) P + MAP_TILE are laid out once a chunk, and each tile of the chunk starts somewhere in the first P of them.
 *
 * Loops take 4 or 16 elements at once and so run past the last one, by less than 32 bytes. Reading there is allowed
 * (SLACK); writing is not: a ragged last tile is computed in scratch and copied.
 */
const enum Entry {
  ADDRESS = 0,
  KIND = 1,
  WIDTH = 2,
  PERIOD = 3,
}
@inline
const INDEX: usize = 512;
@inline
const TILES: usize = 576;
/** 64 bytes off a power of two, so that the tiles of a step do not compete for the same lines of the cache. */
@inline
const TILE_BYTES: usize = 2 * MAP_TILE * 8 + 64;
/** Every loop's step divides this number of elements. */
@inline
const GROUP: i32 = 16;

@inline
function entryOf(scratch: usize, slot: i32): usize {
  return scratch + (<usize>slot << 4);
}

@inline
function setEntry(entry: usize, field: i32, value: i32): void {
  store<i32>(entry + (<usize>field << 2), value);
}

@inline
function tileOf(scratch: usize, slot: i32): usize {
  return scratch + TILES + <usize>slot * TILE_BYTES;
}

@inline
function sizeOf(dims: usize, axis: i32): i32 {
  return word(dims, 1 + 2 * axis);
}

@inline
function strideOf(dims: usize, axis: i32): i32 {
  return word(dims, 2 + 2 * axis);
}

/** log2 of an element's bytes: for each Type a nibble, the first the lowest. */
@inline
function widthOf(type: i32): i32 {
  return ((sizeof<real>() == 4 ? 0x30022 : 0x20023) >> (type << 2)) & 15;
}

/** Copies forward in whole vectors: reads and writes up to 15 bytes too many. */
@inline
function copyVectors(to: usize, from: usize, bytes: usize): void {
  const end = to + bytes;
  do {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
  } while (to < end);
}

/** Repeats the element at `from` in whole vectors: writes up to 15 bytes too many. */
@inline
function fillVectors(to: usize, from: usize, bytes: usize, width: i32): void {
  let value: v128;
  if (width == 2) value = v128.load32_splat(from);
  else if (width == 3) value = v128.load64_splat(from);
  else value = v128.load8_splat(from);
  const end = to + bytes;
  do {
    v128.store(to, value);
    to += 16;
  } while (to < end);
}

@inline
function copyStrided<T>(to: usize, from: usize, count: i32, stride: i32): void {
  const end = to + <usize>count * sizeof<T>();
  const advance = <usize>stride * sizeof<T>();
  do {
    store<T>(to, load<T>(from));
    to += sizeof<T>();
    from += advance;
  } while (to < end);
}

/**
 * Elements first … first + count - 1 of a strided operand, in order: their address if they are contiguous already, else
 * `tile`, where they are now. A run may be written past its end, since the next run follows there.
 */
function gather(tile: usize, from: usize, dims: usize, index: usize, first: i32, count: i32, width: i32): usize {
  const inner = word(dims, 0) - 1;
  const size = sizeOf(dims, inner);
  const stride = strideOf(dims, inner);
  let at = first % size;
  let rest = first / size;
  for (let axis = inner - 1; axis >= 0; axis--) {
    const outer = rest % sizeOf(dims, axis);
    rest /= sizeOf(dims, axis);
    store<i32>(index + (<usize>axis << 2), outer);
    from += <usize>(outer * strideOf(dims, axis)) << width;
  }
  let to = tile;
  while (true) {
    const run = min(size - at, count);
    const start = from + (<usize>(at * stride) << width);
    if (stride == 1) {
      if (run == count && to == tile) return start;
      copyVectors(to, start, <usize>run << width);
    } else if (stride == 0) {
      fillVectors(to, start, <usize>run << width, width);
    } else if (width == 2) {
      copyStrided<u32>(to, start, run, stride);
    } else if (width == 3) {
      copyStrided<u64>(to, start, run, stride);
    } else {
      copyStrided<u8>(to, start, run, stride);
    }
    count -= run;
    if (!count) return tile;
    to += <usize>run << width;
    at = 0;
    for (let axis = inner - 1; axis >= 0; axis--) {
      const place = index + (<usize>axis << 2);
      const outer = load<i32>(place) + 1;
      from += <usize>strideOf(dims, axis) << width;
      store<i32>(place, outer);
      if (outer < sizeOf(dims, axis)) break;
      from -= <usize>(outer * strideOf(dims, axis)) << width;
      store<i32>(place, 0);
    }
  }
}

/** After how many elements a strided operand repeats: outermost axes of stride 0 only repeat what lies within. */
function periodOf(dims: usize): i32 {
  const rank = word(dims, 0);
  let axis = 0;
  while (axis < rank && (strideOf(dims, axis) == 0 || sizeOf(dims, axis) == 1)) axis++;
  let period = 1;
  for (; axis < rank; axis++) period *= sizeOf(dims, axis);
  return period;
}

/** Lays out `count` elements that repeat the first `period` of the tile. */
function repeat(tile: usize, period: i32, count: i32, width: i32): void {
  if (period == 1) {
    fillVectors(tile, tile, <usize>count << width, width);
    return;
  }
  for (let filled = period; filled < count; filled += filled) {
    copyVectors(tile + (<usize>filled << width), tile, <usize>min(filled, count - filled) << width);
  }
}

function storeConstant(to: usize, type: i32, value: f64): void {
  if (widthOf(type) == 0) store<u8>(to, <u8>value);
  else if (type == Type.I32) store<i32>(to, <i32>value);
  else if (widthOf(type) == 2) store<f32>(to, <f32>value);
  else store<f64>(to, value);
}

/** Fills in the table, and the tiles that hold for the whole chunk; `count` elements of a tile are used. */
function prepare(record: usize, scratch: usize, count: i32): void {
  const size = word(record, Map.SIZE);
  const slots = word(record, Map.SLOTS);
  for (let slot = 0; slot < slots; slot++) {
    const at = Map.FIRST_SLOT + slot * Map.SLOT_WORDS;
    const kind = word(record, at);
    const type = word(record, at + 1);
    const width = widthOf(type);
    const entry = entryOf(scratch, slot);
    const tile = tileOf(scratch, slot);
    setEntry(entry, Entry.ADDRESS, <i32>tile);
    setEntry(entry, Entry.KIND, kind);
    setEntry(entry, Entry.WIDTH, width);
    setEntry(entry, Entry.PERIOD, 0);
    if (kind == Slot.CONSTANT) {
      storeConstant(tile, type, double(record, at + 2));
      repeat(tile, 1, count, width);
    } else if (kind == Slot.STRIDED) {
      const source = address(record, at + 2);
      const dims = record + (<usize>word(record, at + 3) << 2);
      const period = periodOf(dims);
      if (period == 1) {
        fillVectors(tile, source, <usize>count << width, width);
        setEntry(entry, Entry.KIND, Slot.CONSTANT);
      } else if (period < size && period <= MAP_TILE) {
        const row = gather(tile, source, dims, scratch + INDEX, 0, period, width);
        if (row != tile) copyVectors(tile, row, <usize>period << width);
        repeat(tile, period, period + count, width);
        setEntry(entry, Entry.PERIOD, period);
      }
    }
  }
}

/** Points the table at the tile of `count` elements from `first` on, in the chunk that begins at `start`. */
function place(record: usize, scratch: usize, start: i32, first: i32, count: i32): void {
  const slots = word(record, Map.SLOTS);
  for (let slot = 0; slot < slots; slot++) {
    const at = Map.FIRST_SLOT + slot * Map.SLOT_WORDS;
    const entry = entryOf(scratch, slot);
    const kind = word(entry, Entry.KIND);
    const width = word(entry, Entry.WIDTH);
    const period = word(entry, Entry.PERIOD);
    let from = address(record, at + 2);
    if (kind == Slot.DIRECT) {
      from += <usize>first << width;
    } else if (kind == Slot.PASSED) {
      from = scratch + FOLD + (<usize>(first - start) << width);
    } else if (kind != Slot.STRIDED) {
      continue;
    } else if (period) {
      from = tileOf(scratch, slot) + (<usize>(first % period) << width);
    } else {
      const dims = record + (<usize>word(record, at + 3) << 2);
      from = gather(tileOf(scratch, slot), from, dims, scratch + INDEX, first, count, width);
    }
    setEntry(entry, Entry.ADDRESS, <i32>from);
  }
}

export function map(record: usize, chunk: i32, scratch: usize): void {
  const per = word(record, Map.CHUNK);
  const start = chunk * per;
  const end = start + min(word(record, Map.SIZE) - start, per);
  if (end <= start) return;
  prepare(record, scratch, min(end - start, MAP_TILE));
  const steps = word(record, Map.STEPS);
  const firstStep = record + (<usize>(Map.FIRST_SLOT + word(record, Map.SLOTS) * Map.SLOT_WORDS) << 2);
  for (let first = start; first < end; first += MAP_TILE) {
    const count = min(end - first, MAP_TILE);
    place(record, scratch, start, first, count);
    let step = firstStep;
    for (let i = 0; i < steps; i++) {
      const slot = word(step, 1);
      const entry = entryOf(scratch, slot);
      const to = address(entry, Entry.ADDRESS);
      const a = address(entryOf(scratch, word(step, 2)), Entry.ADDRESS);
      const b = address(entryOf(scratch, word(step, 3)), Entry.ADDRESS);
      const c = address(entryOf(scratch, word(step, 4)), Entry.ADDRESS);
      if (count % GROUP && word(entry, Entry.KIND) == Slot.DIRECT) {
        const tile = tileOf(scratch, slot);
        apply(word(step, 0), tile, a, b, c, count);
        memory.copy(to, tile, <usize>count << word(entry, Entry.WIDTH));
      } else {
        apply(word(step, 0), to, a, b, c, count);
      }
      step += <usize>Map.STEP_WORDS << 2;
    }
  }
}

/**
 * The loops. Each helper below takes `fn` as a constant, so that the compiler leaves one branch of its chain; do not write
 * the chains as `if … return`, of which it keeps the other branches' code.
 */
@inline
function unary(fn: i32, to: usize, a: usize, count: i32): void {
  const end = to + (<usize>count << SHIFT);
  do {
    v128.store(to, unaryOf(fn, v128.load(a)));
    to += 16;
    a += 16;
  } while (to < end);
}

@inline
function unaryOf(fn: i32, x: v128): v128 {
  return fn == Fn.NEG ? v128.neg<real>(x)
    : fn == Fn.ABS ? v128.abs<real>(x)
    : fn == Fn.SQRT ? v128.sqrt<real>(x)
    : fn == Fn.EXP ? exp(x)
    : fn == Fn.LOG ? log(x)
    : fn == Fn.LOG1P ? log1p(x)
    : fn == Fn.EXPM1 ? expm1(x)
    : fn == Fn.TANH ? tanh(x)
    : fn == Fn.SIGMOID ? sigmoid(x)
    : fn == Fn.ERF ? erf(x)
    : fn == Fn.SIN ? sin(x)
    : fn == Fn.COS ? cos(x)
    : fn == Fn.FLOOR ? v128.floor<real>(x)
    : fn == Fn.CEIL ? v128.ceil<real>(x)
    : fn == Fn.ROUND ? v128.nearest<real>(x)
    : fn == Fn.SIGN ? sign(x)
    : fn == Fn.RELU ? relu(x)
    : v128.div<real>(v128.splat<real>(1), x);
}

@inline
function sign(x: v128): v128 {
  const zero = v128.splat<real>(0);
  const one = v128.splat<real>(1);
  const up = v128.and(v128.gt<real>(x, zero), one);
  const down = v128.and(v128.lt<real>(x, zero), one);
  return v128.or(v128.sub<real>(up, down), v128.ne<real>(x, x)); // all bits set is a NaN
}

@inline
function binary(fn: i32, to: usize, a: usize, b: usize, count: i32): void {
  const end = to + (<usize>count << SHIFT);
  do {
    v128.store(to, binaryOf(fn, v128.load(a), v128.load(b)));
    to += 16;
    a += 16;
    b += 16;
  } while (to < end);
}

@inline
function binaryOf(fn: i32, x: v128, y: v128): v128 {
  return fn == Fn.ADD ? v128.add<real>(x, y)
    : fn == Fn.SUB ? v128.sub<real>(x, y)
    : fn == Fn.MUL ? v128.mul<real>(x, y)
    : fn == Fn.DIV ? v128.div<real>(x, y)
    : fn == Fn.MAXIMUM ? v128.max<real>(x, y)
    : fn == Fn.MINIMUM ? v128.min<real>(x, y)
    : fn == Fn.GATE ? v128.and(y, v128.gt<real>(x, v128.splat<real>(0)))
    : pow(x, y);
}

/** Four lanes of 32 bits to four bytes, saturating. */
@inline
function storeBytes(to: usize, lanes: v128): void {
  const words = i16x8.narrow_i32x4_s(lanes, lanes);
  v128.store_lane<u32>(to, i8x16.narrow_i16x8_u(words, words), 0);
}

/** Four bytes to four lanes of 32 bits. */
@inline
function loadBytes(from: usize): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(from)));
}

/** Comparisons of reals, four at once. */
@inline
function compare(fn: i32, to: usize, a: usize, b: usize, count: i32): void {
  const end = to + <usize>count;
  do {
    let mask = compareOf(fn, v128.load(a), v128.load(b));
    if (sizeof<real>() == 8) mask = v128.shuffle<i32>(mask, compareOf(fn, v128.load(a, 16), v128.load(b, 16)), 0, 2, 4, 6);
    storeBytes(to, v128.and(mask, i32x4.splat(1)));
    to += 4;
    a += 4 * sizeof<real>();
    b += 4 * sizeof<real>();
  } while (to < end);
}

@inline
function compareOf(fn: i32, x: v128, y: v128): v128 {
  return fn == Fn.EQ ? v128.eq<real>(x, y)
    : fn == Fn.NE ? v128.ne<real>(x, y)
    : fn == Fn.LT ? v128.lt<real>(x, y)
    : fn == Fn.LE ? v128.le<real>(x, y)
    : fn == Fn.IS_FINITE ? v128.eq<real>(v128.sub<real>(x, x), v128.splat<real>(0))
    : v128.ne<real>(x, v128.splat<real>(0));
}

@inline
function integer(fn: i32, to: usize, a: usize, b: usize, count: i32): void {
  const end = to + (<usize>count << 2);
  do {
    v128.store(to, integerOf(fn, v128.load(a), v128.load(b)));
    to += 16;
    a += 16;
    b += 16;
  } while (to < end);
}

@inline
function integerOf(fn: i32, x: v128, y: v128): v128 {
  const zero = i32x4.splat(0);
  return fn == Fn.NEG_I ? i32x4.neg(x)
    : fn == Fn.ABS_I ? i32x4.abs(x)
    : fn == Fn.SIGN_I ? i32x4.sub(i32x4.lt_s(x, zero), i32x4.gt_s(x, zero))
    : fn == Fn.ADD_I ? i32x4.add(x, y)
    : fn == Fn.SUB_I ? i32x4.sub(x, y)
    : fn == Fn.MUL_I ? i32x4.mul(x, y)
    : fn == Fn.MAXIMUM_I ? i32x4.max_s(x, y)
    : i32x4.min_s(x, y);
}

function divideIntegers(to: usize, a: usize, b: usize, count: i32): void {
  const end = to + (<usize>count << 2);
  do {
    const x = load<i32>(a);
    const y = load<i32>(b);
    let q = 0;
    if (y == -1) q = -x; // the machine traps on -2^31 / -1
    else if (y) q = x / y - i32((x ^ y) < 0 && x % y != 0);
    store<i32>(to, q);
    to += 4;
    a += 4;
    b += 4;
  } while (to < end);
}

/** Comparisons of i32, four at once. */
@inline
function compareIntegers(fn: i32, to: usize, a: usize, b: usize, count: i32): void {
  const end = to + <usize>count;
  do {
    const x = v128.load(a);
    const y = fn == Fn.I_TO_BOOL ? i32x4.splat(0) : v128.load(b);
      const mask = fn == Fn.EQ_I ? i32x4.eq(x, y)
      : fn == Fn.LT_I ? i32x4.lt_s(x, y)
      : fn == Fn.LE_I ? i32x4.le_s(x, y)
      : i32x4.ne(x, y);
    storeBytes(to, v128.and(mask, i32x4.splat(1)));
    to += 4;
    a += 16;
    b += 16;
  } while (to < end);
}

/** Bytes, sixteen at once. */
@inline
function bytes(fn: i32, to: usize, a: usize, b: usize, count: i32): void {
  const end = to + <usize>count;
  do {
    v128.store(to, bytesOf(fn, v128.load(a), v128.load(b)));
    to += 16;
    a += 16;
    b += 16;
  } while (to < end);
}

@inline
function bytesOf(fn: i32, x: v128, y: v128): v128 {
  const one = i8x16.splat(1);
  return fn == Fn.EQ_B ? v128.and(i8x16.eq(x, y), one)
    : fn == Fn.NE_B ? v128.and(i8x16.ne(x, y), one)
    : fn == Fn.LT_B ? v128.and(i8x16.lt_u(x, y), one)
    : fn == Fn.LE_B ? v128.and(i8x16.le_u(x, y), one)
    : fn == Fn.AND ? v128.and(x, y)
    : fn == Fn.OR ? v128.or(x, y)
    : fn == Fn.XOR ? v128.xor(x, y)
    : fn == Fn.NOT ? v128.xor(x, one)
    : v128.and(i8x16.ne(x, i8x16.splat(0)), one); // U8_TO_BOOL
}

/** `condition ? a : b` on lanes of 4 or 8 bytes, four at once. */
@inline
function where<T>(to: usize, condition: usize, a: usize, b: usize, count: i32): void {
  const end = to + <usize>count * sizeof<T>();
  do {
    const mask = i32x4.ne(loadBytes(condition), i32x4.splat(0));
    if (sizeof<T>() == 4) {
      v128.store(to, v128.bitselect(v128.load(a), v128.load(b), mask));
    } else {
      v128.store(to, v128.bitselect(v128.load(a), v128.load(b), i64x2.extend_low_i32x4_s(mask)));
      v128.store(to, v128.bitselect(v128.load(a, 16), v128.load(b, 16), i64x2.extend_high_i32x4_s(mask)), 16);
    }
    to += 4 * sizeof<T>();
    a += 4 * sizeof<T>();
    b += 4 * sizeof<T>();
    condition += 4;
  } while (to < end);
}

function whereBytes(to: usize, condition: usize, a: usize, b: usize, count: i32): void {
  const end = to + <usize>count;
  do {
    const mask = i8x16.ne(v128.load(condition), i8x16.splat(0));
    v128.store(to, v128.bitselect(v128.load(a), v128.load(b), mask));
    to += 16;
    condition += 16;
    a += 16;
    b += 16;
  } while (to < end);
}

/** f32 to f64, four at once. */
function widen(to: usize, a: usize, count: i32): void {
  const end = to + (<usize>count << 3);
  do {
    const x = v128.load(a);
    v128.store(to, f64x2.promote_low_f32x4(x));
    v128.store(to, f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 1)), 16);
    to += 32;
    a += 16;
  } while (to < end);
}

/** f64 to f32, four at once. */
function narrow(to: usize, a: usize, count: i32): void {
  const end = to + (<usize>count << 2);
  do {
    const low = f32x4.demote_f64x2_zero(v128.load(a));
    const high = f32x4.demote_f64x2_zero(v128.load(a, 16));
    v128.store(to, v128.shuffle<i64>(low, high, 0, 2));
    to += 16;
    a += 32;
  } while (to < end);
}

/** Four reals as i32, towards zero, saturating, NaN as 0. */
@inline
function loadTruncated(a: usize): v128 {
  if (sizeof<real>() == 4) return i32x4.trunc_sat_f32x4_s(v128.load(a));
  const low = i32x4.trunc_sat_f64x2_s_zero(v128.load(a));
  const high = i32x4.trunc_sat_f64x2_s_zero(v128.load(a, 16));
  return v128.shuffle<i64>(low, high, 0, 2);
}

/** Four i32 as reals. */
@inline
function storeConverted(to: usize, lanes: v128): void {
  if (sizeof<real>() == 4) {
    v128.store(to, f32x4.convert_i32x4_s(lanes));
  } else {
    v128.store(to, f64x2.convert_low_i32x4_s(lanes));
    v128.store(to, f64x2.convert_low_i32x4_s(v128.shuffle<i64>(lanes, lanes, 1, 1)), 16);
  }
}

/** Casts between reals, i32 and u8, by way of four lanes of 32 bits. */
@inline
function cast(fn: i32, to: usize, a: usize, count: i32): void {
  const toReal = fn == Fn.I_TO_R || fn == Fn.U8_TO_R;
  const toByte = fn == Fn.R_TO_U8 || fn == Fn.I_TO_U8;
  const fromReal = fn == Fn.R_TO_I || fn == Fn.R_TO_U8;
  const fromByte = fn == Fn.U8_TO_R || fn == Fn.U8_TO_I;
  const advance: usize = toReal ? 4 * sizeof<real>() : toByte ? 4 : 16;
  const end = to + (<usize>count * advance) / 4;
  do {
    const lanes = fromReal ? loadTruncated(a) : fromByte ? loadBytes(a) : v128.load(a);
    if (toReal) storeConverted(to, lanes);
    else if (toByte) storeBytes(to, lanes);
    else v128.store(to, lanes);
    to += advance;
    a += fromReal ? 4 * sizeof<real>() : fromByte ? 4 : 16;
  } while (to < end);
}

/** One step of a tile. */
function apply(fn: i32, to: usize, a: usize, b: usize, c: usize, n: i32): void {
  switch (fn) {
    case Fn.COPY_R:
      copyVectors(to, a, <usize>n << SHIFT);
      break;
    case Fn.NEG:
      unary(Fn.NEG, to, a, n);
      break;
    case Fn.ABS:
      unary(Fn.ABS, to, a, n);
      break;
    case Fn.SQRT:
      unary(Fn.SQRT, to, a, n);
      break;
    case Fn.EXP:
      unary(Fn.EXP, to, a, n);
      break;
    case Fn.LOG:
      unary(Fn.LOG, to, a, n);
      break;
    case Fn.LOG1P:
      unary(Fn.LOG1P, to, a, n);
      break;
    case Fn.EXPM1:
      unary(Fn.EXPM1, to, a, n);
      break;
    case Fn.TANH:
      unary(Fn.TANH, to, a, n);
      break;
    case Fn.SIGMOID:
      unary(Fn.SIGMOID, to, a, n);
      break;
    case Fn.ERF:
      unary(Fn.ERF, to, a, n);
      break;
    case Fn.SIN:
      unary(Fn.SIN, to, a, n);
      break;
    case Fn.COS:
      unary(Fn.COS, to, a, n);
      break;
    case Fn.FLOOR:
      unary(Fn.FLOOR, to, a, n);
      break;
    case Fn.CEIL:
      unary(Fn.CEIL, to, a, n);
      break;
    case Fn.ROUND:
      unary(Fn.ROUND, to, a, n);
      break;
    case Fn.SIGN:
      unary(Fn.SIGN, to, a, n);
      break;
    case Fn.RELU:
      unary(Fn.RELU, to, a, n);
      break;
    case Fn.RECIPROCAL:
      unary(Fn.RECIPROCAL, to, a, n);
      break;
    case Fn.ADD:
      binary(Fn.ADD, to, a, b, n);
      break;
    case Fn.SUB:
      binary(Fn.SUB, to, a, b, n);
      break;
    case Fn.MUL:
      binary(Fn.MUL, to, a, b, n);
      break;
    case Fn.DIV:
      binary(Fn.DIV, to, a, b, n);
      break;
    case Fn.MAXIMUM:
      binary(Fn.MAXIMUM, to, a, b, n);
      break;
    case Fn.MINIMUM:
      binary(Fn.MINIMUM, to, a, b, n);
      break;
    case Fn.GATE:
      binary(Fn.GATE, to, a, b, n);
      break;
    case Fn.POW:
      binary(Fn.POW, to, a, b, n);
      break;
    case Fn.EQ:
      compare(Fn.EQ, to, a, b, n);
      break;
    case Fn.NE:
      compare(Fn.NE, to, a, b, n);
      break;
    case Fn.LT:
      compare(Fn.LT, to, a, b, n);
      break;
    case Fn.LE:
      compare(Fn.LE, to, a, b, n);
      break;
    case Fn.IS_FINITE:
      compare(Fn.IS_FINITE, to, a, a, n);
      break;
    case Fn.COPY_I:
      copyVectors(to, a, <usize>n << 2);
      break;
    case Fn.NEG_I:
      integer(Fn.NEG_I, to, a, a, n);
      break;
    case Fn.ABS_I:
      integer(Fn.ABS_I, to, a, a, n);
      break;
    case Fn.SIGN_I:
      integer(Fn.SIGN_I, to, a, a, n);
      break;
    case Fn.ADD_I:
      integer(Fn.ADD_I, to, a, b, n);
      break;
    case Fn.SUB_I:
      integer(Fn.SUB_I, to, a, b, n);
      break;
    case Fn.MUL_I:
      integer(Fn.MUL_I, to, a, b, n);
      break;
    case Fn.MAXIMUM_I:
      integer(Fn.MAXIMUM_I, to, a, b, n);
      break;
    case Fn.MINIMUM_I:
      integer(Fn.MINIMUM_I, to, a, b, n);
      break;
    case Fn.DIV_I:
      divideIntegers(to, a, b, n);
      break;
    case Fn.EQ_I:
      compareIntegers(Fn.EQ_I, to, a, b, n);
      break;
    case Fn.NE_I:
      compareIntegers(Fn.NE_I, to, a, b, n);
      break;
    case Fn.LT_I:
      compareIntegers(Fn.LT_I, to, a, b, n);
      break;
    case Fn.LE_I:
      compareIntegers(Fn.LE_I, to, a, b, n);
      break;
    case Fn.COPY_B:
      copyVectors(to, a, n);
      break;
    case Fn.EQ_B:
      bytes(Fn.EQ_B, to, a, b, n);
      break;
    case Fn.NE_B:
      bytes(Fn.NE_B, to, a, b, n);
      break;
    case Fn.LT_B:
      bytes(Fn.LT_B, to, a, b, n);
      break;
    case Fn.LE_B:
      bytes(Fn.LE_B, to, a, b, n);
      break;
    case Fn.AND:
      bytes(Fn.AND, to, a, b, n);
      break;
    case Fn.OR:
      bytes(Fn.OR, to, a, b, n);
      break;
    case Fn.XOR:
      bytes(Fn.XOR, to, a, b, n);
      break;
    case Fn.NOT:
      bytes(Fn.NOT, to, a, a, n);
      break;
    case Fn.WHERE_R:
      where<real>(to, a, b, c, n);
      break;
    case Fn.WHERE_I:
      where<i32>(to, a, b, c, n);
      break;
    case Fn.WHERE_B:
      whereBytes(to, a, b, c, n);
      break;
    case Fn.R_TO_OTHER:
      if (sizeof<real>() == 4) widen(to, a, n);
      else narrow(to, a, n);
      break;
    case Fn.OTHER_TO_R:
      if (sizeof<real>() == 4) narrow(to, a, n);
      else widen(to, a, n);
      break;
    case Fn.R_TO_I:
      cast(Fn.R_TO_I, to, a, n);
      break;
    case Fn.I_TO_R:
      cast(Fn.I_TO_R, to, a, n);
      break;
    case Fn.R_TO_U8:
      cast(Fn.R_TO_U8, to, a, n);
      break;
    case Fn.U8_TO_R:
      cast(Fn.U8_TO_R, to, a, n);
      break;
    case Fn.I_TO_U8:
      cast(Fn.I_TO_U8, to, a, n);
      break;
    case Fn.U8_TO_I:
      cast(Fn.U8_TO_I, to, a, n);
      break;
    case Fn.R_TO_BOOL:
      compare(Fn.R_TO_BOOL, to, a, a, n);
      break;
    case Fn.I_TO_BOOL:
      compareIntegers(Fn.I_TO_BOOL, to, a, a, n);
      break;
    case Fn.U8_TO_BOOL:
      bytes(Fn.U8_TO_BOOL, to, a, a, n);
      break;
  }
}
