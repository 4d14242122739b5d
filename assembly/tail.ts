import { LANES } from './real';

/**
 * The end of a row that does not fill a vector. A load may run past it, since every buffer has slack behind it; what it
 * brings in is masked. A store may not: the next element can belong to another thread.
 */

/** All ones in lanes 0 … count - 1 of the reals, zeros in the others; any `count`, negative ones too. */
@inline
export function firstLanes(count: i32): v128 {
  return v128.lt<real>(sizeof<real>() == 4 ? f32x4(0, 1, 2, 3) : f64x2(0, 1), v128.splat<real>(<real>count));
}

/** Stores lanes 0 … count - 1 of elements of type T; `count` is less than a vector's. */
@inline
export function storeFirst<T>(pointer: usize, x: v128, count: i32): void {
  if (sizeof<T>() == 8) {
    if (count > 0) v128.store_lane<u64>(pointer, x, 0);
  } else {
    if (count & 2) {
      v128.store_lane<u64>(pointer, x, 0);
      x = v128.shuffle<u64>(x, x, 1, 1);
      pointer += 8;
    }
    if (count & 1) v128.store_lane<u32>(pointer, x, 0);
  }
}

/** Stores up to a whole vector of reals. */
@inline
export function storeUpTo(pointer: usize, x: v128, count: i32): void {
  if (count >= LANES) v128.store(pointer, x);
  else storeFirst<real>(pointer, x, count);
}
