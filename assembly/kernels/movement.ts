import { Copy, Fill } from '../isa';
import { address, word } from '../real';

/** From here on memory.copy, a call into the engine, beats a loop of vectors. */
const LONG_RUN: usize = 512;

/** Copies `bytes` that do not overlap. */
@inline
export function copyBytes(destination: usize, source: usize, bytes: usize): void {
  if (bytes >= LONG_RUN) {
    memory.copy(destination, source, bytes);
    return;
  }
  for (; bytes >= 16; bytes -= 16) {
    v128.store(destination, v128.load(source));
    source += 16;
    destination += 16;
  }
  if (bytes & 8) {
    store<u64>(destination, load<u64>(source));
    source += 8;
    destination += 8;
  }
  if (bytes & 4) {
    store<u32>(destination, load<u32>(source));
    source += 4;
    destination += 4;
  }
  for (bytes &= 3; bytes > 0; bytes--) store<u8>(destination++, load<u8>(source++));
}

// COPY. An axis is (size, source stride, destination stride); axis 0 is cut to the chunk's `count` indices.

@inline
function axisWord(record: usize, axis: i32, field: i32): i32 {
  return word(record, Copy.FIRST_AXIS + axis * Copy.AXIS_WORDS + field);
}

@inline
function sizeOf(record: usize, axis: i32, count: i32): i32 {
  return axis == 0 ? count : axisWord(record, axis, 0);
}

@inline
function sourceStride(record: usize, axis: i32): i32 {
  return axisWord(record, axis, 1);
}

@inline
function destinationStride(record: usize, axis: i32): i32 {
  return axisWord(record, axis, 2);
}

/** One run along the innermost axis; strides in bytes, as two's complement, so that negative ones just add. */
@inline
function copyRun<T>(source: usize, from: usize, destination: usize, to: usize, count: i32): void {
  if (from == sizeof<T>() && to == sizeof<T>()) {
    copyBytes(destination, source, <usize>count * sizeof<T>());
    return;
  }
  for (; count > 0; count--) {
    store<T>(destination, load<T>(source));
    source += from;
    destination += to;
  }
}

/**
 * destination[i · to + j] = source[i + j · from] for i < rows, j < columns; strides in bytes. It goes along a strip of one
 * cache line of the source, tile by tile: every line that is read is used whole, and as many are written side by side as
 * it has elements.
 */
function transpose<T>(source: usize, from: usize, destination: usize, to: usize, rows: i32, columns: i32): void {
  const side = sizeof<T>() == 8 ? 2 : sizeof<T>() == 4 ? 4 : 1; // of a tile
  const strip = 64 / <i32>sizeof<T>();
  const whole = columns & -side;
  for (let top = 0; top < rows; top += strip) {
    const bottom = min(top + strip, rows);
    const tiled = top + ((bottom - top) & -side);
    for (let j = 0; j < whole; j += side) {
      let s = source + <usize>j * from + <usize>top * sizeof<T>();
      let d = destination + <usize>top * to + <usize>j * sizeof<T>();
      for (let i = top; i < tiled; i += side) {
        if (sizeof<T>() == 4) {
          const s1 = s + from;
          const s2 = s1 + from;
          const r0 = v128.load(s);
          const r1 = v128.load(s1);
          const r2 = v128.load(s2);
          const r3 = v128.load(s2 + from);
          const low01 = v128.shuffle<u32>(r0, r1, 0, 4, 1, 5);
          const low23 = v128.shuffle<u32>(r2, r3, 0, 4, 1, 5);
          const high01 = v128.shuffle<u32>(r0, r1, 2, 6, 3, 7);
          const high23 = v128.shuffle<u32>(r2, r3, 2, 6, 3, 7);
          v128.store(d, v128.shuffle<u64>(low01, low23, 0, 2));
          v128.store((d += to), v128.shuffle<u64>(low01, low23, 1, 3));
          v128.store((d += to), v128.shuffle<u64>(high01, high23, 0, 2));
          v128.store((d += to), v128.shuffle<u64>(high01, high23, 1, 3));
          d += to;
        } else if (sizeof<T>() == 8) {
          const r0 = v128.load(s);
          const r1 = v128.load(s + from);
          v128.store(d, v128.shuffle<u64>(r0, r1, 0, 2));
          v128.store((d += to), v128.shuffle<u64>(r0, r1, 1, 3));
          d += to;
        } else {
          store<T>(d, load<T>(s));
          d += to;
        }
        s += side * sizeof<T>();
      }
    }
    // What the tiles leave over: columns behind `whole` of every row, and all columns of the last rows.
    for (let i = top; i < bottom; i++) {
      for (let j = i < tiled ? whole : 0; j < columns; j++) {
        store<T>(
          destination + <usize>i * to + <usize>j * sizeof<T>(),
          load<T>(source + <usize>i * sizeof<T>() + <usize>j * from),
        );
      }
    }
  }
}

/** Walks the axes from `axis` inwards. The innermost is a run or, with axis `across` unless that is -1, a transposed plane. */
function walk<T>(
  record: usize,
  axis: i32,
  last: i32,
  across: i32,
  count: i32,
  source: usize,
  destination: usize,
): void {
  if (axis == across) axis++;
  const size = sizeOf(record, axis, count);
  const from = <usize>sourceStride(record, axis) * sizeof<T>();
  const to = <usize>destinationStride(record, axis) * sizeof<T>();
  if (axis < last) {
    for (let i = 0; i < size; i++) {
      walk<T>(record, axis + 1, last, across, count, source, destination);
      source += from;
      destination += to;
    }
  } else if (across < 0) {
    copyRun<T>(source, from, destination, to, size);
  } else {
    const acrossSize = sizeOf(record, across, count);
    if (to == sizeof<T>()) {
      const acrossTo = <usize>destinationStride(record, across) * sizeof<T>();
      transpose<T>(source, from, destination, acrossTo, acrossSize, size);
    } else {
      const acrossFrom = <usize>sourceStride(record, across) * sizeof<T>();
      transpose<T>(source, acrossFrom, destination, to, size, acrossSize);
    }
  }
}

/** The axis that makes a transposed plane with the last: one has stride 1 in the source, the other in the destination. */
function axisAcross(record: usize, last: i32, count: i32): i32 {
  const from = sourceStride(record, last);
  const to = destinationStride(record, last);
  if ((from == 1) == (to == 1)) return -1;
  for (let axis = last - 1; axis >= 0; axis--) {
    const stride = to == 1 ? sourceStride(record, axis) : destinationStride(record, axis);
    if (stride == 1 && sizeOf(record, axis, count) > 1) return axis;
  }
  return -1;
}

function copyElements<T>(record: usize, chunk: i32, source: usize, destination: usize): void {
  const rank = word(record, Copy.RANK);
  if (rank == 0) {
    store<T>(destination, load<T>(source));
    return;
  }
  const per = word(record, Copy.CHUNK);
  const first = chunk * per;
  const count = min(per, axisWord(record, 0, 0) - first);
  source += <usize>(first * sourceStride(record, 0)) * sizeof<T>();
  destination += <usize>(first * destinationStride(record, 0)) * sizeof<T>();
  walk<T>(record, 0, rank - 1, axisAcross(record, rank - 1, count), count, source, destination);
}

/** A chunk of a record that begins as a COPY does, from and to other places than its own. */
export function copyBetween(record: usize, chunk: i32, source: usize, destination: usize): void {
  switch (word(record, Copy.ELEMENT)) {
    case 1:
      return copyElements<u8>(record, chunk, source, destination);
    case 4:
      return copyElements<u32>(record, chunk, source, destination);
    case 8:
      return copyElements<u64>(record, chunk, source, destination);
  }
}

export function copy(record: usize, chunk: i32): void {
  copyBetween(record, chunk, address(record, Copy.SOURCE), address(record, Copy.DESTINATION));
}

export function fill(record: usize, chunk: i32): void {
  const element = word(record, Fill.ELEMENT);
  const low = word(record, Fill.LOW);
  const first = chunk * word(record, Fill.CHUNK);
  const count = min(word(record, Fill.SIZE) - first, word(record, Fill.CHUNK));
  let pointer = address(record, Fill.DESTINATION) + <usize>first * <usize>element;
  let bytes = <usize>count * <usize>element;
  let pattern = i32x4.splat(low);
  if (element == 1) pattern = i8x16.splat(<i8>low);
  if (element == 8) pattern = i64x2.splat((<i64>word(record, Fill.HIGH) << 32) | <i64>(<u32>low));
  for (; bytes >= 16; bytes -= 16) {
    v128.store(pointer, pattern);
    pointer += 16;
  }
  if (bytes & 8) {
    v128.store_lane<u64>(pointer, pattern, 0);
    pointer += 8;
  }
  if (bytes & 4) {
    v128.store_lane<u32>(pointer, pattern, 0);
    pointer += 4;
  }
  for (bytes &= 3; bytes > 0; bytes--) store<u8>(pointer++, <u8>low);
}
