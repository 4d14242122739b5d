/**
 * The build's precision. `asc --use real=f32` (or f64) makes `real` a global type: one source, two binaries. Generic
 * builtins follow it: `v128.mul<real>` is f32x4.mul in one and f64x2.mul in the other.
 */

/** Which build this is, so that a thread knows its own programs: the bytes of a real, and one more in the relaxed build. */
@inline
export const BUILD: i32 = sizeof<real>() + (ASC_FEATURE_RELAXED_SIMD ? 1 : 0);

/** a · b + c. The relaxed build lets the engine round once or twice, whichever is fastest: its bits differ between machines. */
@inline
export function multiplyAdd<T>(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? v128.relaxed_madd<T>(a, b, c) : v128.add<T>(c, v128.mul<T>(a, b));
}

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
