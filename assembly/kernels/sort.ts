import { Argsort, Type } from '../isa';
import { address, word } from '../real';

/** Whether x comes behind y: NaN behind all else, and where `descending` before it. */
@inline
function behind<T>(x: T, y: T, descending: bool): bool {
  if (isFloat<T>()) {
    if (x != x || y != y) return descending ? y != y && x == x : x != x && y == y;
  }
  return descending ? x < y : x > y;
}

/**
 * Merge sort from below: indices in runs of 1, 2, 4 … elements, merged from one buffer into the other. Stable, since of equals the
 * left run's goes first.
 */
function sortRow<T>(source: usize, n: i32, descending: bool, destination: usize, spare: usize): void {
  let passes = 0;
  for (let width = 1; width < n; width <<= 1) passes++;
  let from = passes & 1 ? spare : destination;
  let to = passes & 1 ? destination : spare;
  for (let i = 0; i < n; i++) store<i32>(from + (<usize>i << 2), i);
  for (let width = 1; width < n; width <<= 1) {
    for (let start = 0; start < n; start += width << 1) {
      const middle = min(start + width, n);
      const end = min(middle + width, n);
      let left = start;
      let right = middle;
      for (let i = start; i < end; i++) {
        const a = load<i32>(from + (<usize>left << 2));
        const b = load<i32>(from + (<usize>right << 2));
        const takeRight =
          left >= middle ||
          (right < end && behind<T>(load<T>(source + <usize>a * sizeof<T>()), load<T>(source + <usize>b * sizeof<T>()), descending));
        store<i32>(to + (<usize>i << 2), takeRight ? b : a);
        if (takeRight) right++;
        else left++;
      }
    }
    const next = from;
    from = to;
    to = next;
  }
}

function sortRows<T>(record: usize, chunk: i32): void {
  const n = word(record, Argsort.N);
  const per = word(record, Argsort.CHUNK);
  const end = min((chunk + 1) * per, word(record, Argsort.ROWS));
  for (let row = chunk * per; row < end; row++) {
    const first = <usize>row * <usize>n;
    sortRow<T>(
      address(record, Argsort.SOURCE) + first * sizeof<T>(),
      n,
      word(record, Argsort.DESCENDING) != 0,
      address(record, Argsort.DESTINATION) + (first << 2),
      address(record, Argsort.SPARE) + (first << 2),
    );
  }
}

export function argsort(record: usize, chunk: i32): void {
  const type = word(record, Argsort.TYPE);
  if (type == Type.REAL) sortRows<real>(record, chunk);
  else if (type == Type.I32) sortRows<i32>(record, chunk);
  else sortRows<u8>(record, chunk);
}
