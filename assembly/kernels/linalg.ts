import { fault } from '../fault';
import { Cholesky, Fault, Solve } from '../isa';
import { address, LANES, SHIFT, word } from '../real';

@inline
function at(matrix: usize, row: i32, column: i32, columns: i32): usize {
  return matrix + ((<usize>row * <usize>columns + <usize>column) << SHIFT);
}

/** destination[i] -= factor · source[i] for i < count. */
function subtractRow(destination: usize, source: usize, factor: real, count: i32): void {
  const factors = v128.splat<real>(factor);
  let i = 0;
  for (; i <= count - LANES; i += LANES) {
    const by = <usize>i << SHIFT;
    const product = v128.mul<real>(factors, v128.load(source + by));
    v128.store(destination + by, v128.sub<real>(v128.load(destination + by), product));
  }
  for (; i < count; i++) {
    const by = <usize>i << SHIFT;
    store<real>(destination + by, load<real>(destination + by) - factor * load<real>(source + by));
  }
}

function swapRows(a: usize, b: usize, count: i32): void {
  for (let i = 0; i < count; i++) {
    const by = <usize>i << SHIFT;
    const kept = load<real>(a + by);
    store<real>(a + by, load<real>(b + by));
    store<real>(b + by, kept);
  }
}

/** Gaussian elimination in place, on a and x at once; false where no pivot is left, or none that is finite. */
function eliminate(a: usize, x: usize, n: i32, m: i32): bool {
  for (let k = 0; k < n; k++) {
    let best: real = -1;
    let pivot = k;
    for (let i = k; i < n; i++) {
      const size = abs<real>(load<real>(at(a, i, k, n)));
      if (size > best) {
        best = size;
        pivot = i;
      }
    }
    if (!(best > 0 && best < Infinity)) return false;
    if (pivot != k) {
      swapRows(at(a, k, k, n), at(a, pivot, k, n), n - k);
      swapRows(at(x, k, 0, m), at(x, pivot, 0, m), m);
    }
    for (let i = k + 1; i < n; i++) {
      const factor = load<real>(at(a, i, k, n)) / load<real>(at(a, k, k, n));
      subtractRow(at(a, i, k + 1, n), at(a, k, k + 1, n), factor, n - k - 1);
      subtractRow(at(x, i, 0, m), at(x, k, 0, m), factor, m);
    }
  }
  return true;
}

function substitute(a: usize, x: usize, n: i32, m: i32): void {
  for (let k = n - 1; k >= 0; k--) {
    const pivot = load<real>(at(a, k, k, n));
    for (let j = 0; j < m; j++) store<real>(at(x, k, j, m), load<real>(at(x, k, j, m)) / pivot);
    for (let i = 0; i < k; i++) subtractRow(at(x, i, 0, m), at(x, k, 0, m), load<real>(at(a, i, k, n)), m);
  }
}

export function solve(record: usize, chunk: i32): void {
  const n = word(record, Solve.N);
  const m = word(record, Solve.M);
  const batch = word(record, Solve.BATCH);
  const per = word(record, Solve.CHUNK);
  const square = (<usize>n * <usize>n) << SHIFT;
  const right = (<usize>n * <usize>m) << SHIFT;
  for (let one = chunk * per; one < min((chunk + 1) * per, batch); one++) {
    const a = address(record, Solve.FACTORS) + <usize>one * square;
    const x = address(record, Solve.DESTINATION) + <usize>one * right;
    memory.copy(a, address(record, Solve.A) + <usize>one * square, square);
    memory.copy(x, address(record, Solve.B) + <usize>one * right, right);
    if (eliminate(a, x, n, m)) substitute(a, x, n, m);
    else fault(Fault.SINGULAR, record, one, batch);
  }
}

/** The factor of one matrix; false where it is not positive definite, or not finite. */
function factorise(a: usize, l: usize, n: i32): bool {
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = load<real>(at(a, i, j, n));
      for (let k = 0; k < j; k++) sum -= load<real>(at(l, i, k, n)) * load<real>(at(l, j, k, n));
      if (i == j) {
        if (!(sum > 0 && sum < Infinity)) return false;
        sum = sqrt<real>(sum);
      } else sum /= load<real>(at(l, j, j, n));
      store<real>(at(l, i, j, n), sum);
      if (i > j) store<real>(at(l, j, i, n), 0);
    }
  }
  return true;
}

export function cholesky(record: usize, chunk: i32): void {
  const n = word(record, Cholesky.N);
  const batch = word(record, Cholesky.BATCH);
  const per = word(record, Cholesky.CHUNK);
  const square = (<usize>n * <usize>n) << SHIFT;
  for (let one = chunk * per; one < min((chunk + 1) * per, batch); one++) {
    const a = address(record, Cholesky.SOURCE) + <usize>one * square;
    const l = address(record, Cholesky.DESTINATION) + <usize>one * square;
    if (!factorise(a, l, n)) fault(Fault.NOT_POSITIVE, record, one, batch);
  }
}
