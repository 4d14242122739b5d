/**
 * The build's precision. `asc --use real=f32` (or f64) makes `real` a global type: one source, two binaries. Generic
 * builtins follow it: `v128.mul<real>` is f32x4.mul in one and f64x2.mul in the other.
 */

/** log2 of a real's bytes: `pointer + (i << SHIFT)` is element i. */
@inline
export const SHIFT: usize = alignof<real>();

/** Reals in a vector: 4 or 2. */
@inline
export const LANES: i32 = 16 >> (<i32>alignof<real>());

@inline
export function word(record: usize, field: i32): i32 {
  return load<i32>(record + (<usize>field << 2));
}

@inline
export function address(record: usize, field: i32): usize {
  return <usize>load<u32>(record + (<usize>field << 2));
}

/** An f64 in two words, not aligned. */
@inline
export function double(record: usize, field: i32): f64 {
  return load<f64>(record + (<usize>field << 2));
}
