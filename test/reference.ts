import { expect } from 'vitest';
import { type DType, type Real, type Tensor, tensor } from 'wasmgrad';
import { sequence } from './kernels/core';

/**
 * Plain float64 loops that say what ops mean, and how close a tensor must come to it: the reference owns domain and
 * tolerance, so that no test chooses its own.
 */

/** A tensor as plain data: the oracles' JSON, where NaN and the infinities are strings. */
export interface Plain {
  shape: number[];
  dtype: DType;
  data: (number | string)[];
}

export const sizeOf = (shape: readonly number[]) => shape.reduce((size, length) => size * length, 1);

/** The tensor, its float64 in the precision that is tested. */
export function decode({ shape, dtype, data }: Plain, real: Real = 'f64'): Tensor {
  const arrays = { f32: Float32Array, f64: Float64Array, i32: Int32Array, u8: Uint8Array, bool: Uint8Array };
  const own = dtype === 'f64' ? real : dtype;
  return tensor(new arrays[own](data.map(Number)), { shape, dtype: own });
}

/** What 1 unit of size may be off by. */
const TOLERANCE = { f32: 1e-5, f64: 1e-10 };

/**
 * Real tensors: |a - b| ≤ tolerance · (|b| + rms of the tensor), NaN and infinities alike. All others: equal. `computed` is the
 * precision of the computation, where that is not the result's.
 */
export function expectClose(
  actual: Tensor,
  { shape, data }: Pick<Plain, 'shape' | 'data'>,
  title = '',
  computed: Real = 'f64',
): void {
  expect(actual.shape, title).toEqual(shape);
  const { dtype } = actual;
  const wanted = Float64Array.from(data, Number);
  const given = actual.values();
  const finite = wanted.filter(Number.isFinite);
  const rms = Math.sqrt(finite.reduce((total, x) => total + x * x, 0) / Math.max(1, finite.length));
  const tolerance = dtype === 'f32' || dtype === 'f64' ? Math.max(TOLERANCE[dtype], TOLERANCE[computed]) : 0;
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [given[i]!, wanted[i]!];
    const close = Number.isFinite(b) ? Math.abs(a - b) <= tolerance * (Math.abs(b) + rms) : Object.is(a, b);
    if (!close) expect.fail(`${title}: element ${i} is ${a}, not ${b} (${dtype}[${shape}], rms ${rms})`);
  }
}

/** The same shape, dtype and bits; one NaN is as good as another. */
export function expectSameBits(actual: Tensor, expected: Tensor, title = ''): void {
  expect([actual.dtype, actual.shape], title).toEqual([expected.dtype, expected.shape]);
  const [a, b] = [actual.values(), expected.values()];
  for (let i = 0; i < b.length; i++) {
    if (!Object.is(a[i], b[i]))
      expect.fail(`${title}: element ${i} is ${a[i]}, not ${b[i]} (${actual.dtype}[${actual.shape}])`);
  }
}

/** Numbers between low and high that follow from a seed. */
export function numbers(shape: number[], seed: number, low = -2, high = 2): Plain {
  const next = sequence(seed);
  return { shape, dtype: 'f64', data: Array.from({ length: sizeOf(shape) }, () => low + (high - low) * next()) };
}

/** Whole numbers from low to high - 1. */
export function integers(shape: number[], seed: number, low: number, high: number, dtype: DType = 'i32'): Plain {
  return {
    ...numbers(shape, seed, low, high),
    dtype,
    data: numbers(shape, seed, low, high).data.map((x) => Math.floor(x as number)),
  };
}

export const plain = (dtype: DType, shape: number[], data: (number | string)[]): Plain => ({ shape, dtype, data });

/** Where each element of `shape` lies in a tensor that was broadcast to it. */
function broadcastIndex(shape: readonly number[], own: readonly number[], flat: number): number {
  let [at, stride] = [0, 1];
  for (let axis = shape.length - 1, mine = own.length - 1; axis >= 0; axis--, mine--) {
    const i = flat % shape[axis]!;
    flat = Math.floor(flat / shape[axis]!);
    if (mine < 0) continue;
    if (own[mine] !== 1) at += i * stride;
    stride *= own[mine]!;
  }
  return at;
}

/** f of every element, over operands that broadcast to `shape`. */
export function elementwise(shape: number[], f: (...xs: number[]) => number, ...operands: Plain[]): Plain {
  const at = (i: number) => operands.map((x) => Number(x.data[broadcastIndex(shape, x.shape, i)]));
  return { shape, dtype: 'f64', data: Array.from({ length: sizeOf(shape) }, (_, i) => f(...at(i))) };
}

/** f of each list of elements along an axis. */
export function along(x: Plain, axis: number, f: (xs: number[]) => number[]): Plain {
  const inner = sizeOf(x.shape.slice(axis + 1));
  const outer = sizeOf(x.shape.slice(0, axis));
  const n = x.shape[axis]!;
  const rows = Array.from({ length: outer * inner }, (_, row) => {
    const [o, i] = [Math.floor(row / inner), row % inner];
    return f(Array.from({ length: n }, (_, k) => Number(x.data[(o * n + k) * inner + i])));
  });
  const length = rows[0]?.length ?? 0;
  const data = new Array<number>(outer * length * inner);
  rows.forEach((row, at) => {
    const [o, i] = [Math.floor(at / inner), at % inner];
    row.forEach((value, k) => {
      data[(o * length + k) * inner + i] = value;
    });
  });
  return { shape: x.shape.map((own, one) => (one === axis ? length : own)), dtype: 'f64', data };
}

/** [M, K] x [K, N] -> [M, N]. */
export function product(a: Plain, b: Plain): Plain {
  const [[m, k], n] = [a.shape as [number, number], b.shape[1]!];
  const data = Array.from({ length: m * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let total = 0;
    for (let l = 0; l < k; l++) total += Number(a.data[i * k + l]) * Number(b.data[l * n + j]);
    return total;
  });
  return { shape: [m, n], dtype: 'f64', data };
}

/** e^x over its sum along an axis, or the logarithm of that. */
export function softmaxOf(x: Plain, axis: number, log: boolean): Plain {
  return along(x, axis, (row) => {
    const most = Math.max(...row);
    const total = row.reduce((sum, one) => sum + Math.exp(one - most), 0);
    return row.map((one) => (log ? one - most - Math.log(total) : Math.exp(one - most) / total));
  });
}

/** Where the elements of a block lie in `shape`: a start below 0 counts from the end, then the block is moved inside. */
function placesOf(shape: readonly number[], start: readonly number[], size: readonly number[]): number[] {
  let places = [0];
  shape.forEach((length, axis) => {
    const from = start[axis]! < 0 ? start[axis]! + length : start[axis]!;
    const first = Math.max(0, Math.min(from, length - size[axis]!));
    places = places.flatMap((place) => Array.from({ length: size[axis]! }, (_, i) => place * length + first + i));
  });
  return places;
}

/** The block of x at `start`. */
export function blockOf(x: Plain, start: readonly number[], size: number[]): Plain {
  return { ...x, shape: size, data: placesOf(x.shape, start, size).map((place) => x.data[place]!) };
}

/** x with a block of it replaced. */
export function withBlock(x: Plain, block: Plain, start: readonly number[]): Plain {
  const data = [...x.data];
  placesOf(x.shape, start, block.shape).forEach((place, i) => {
    data[place] = block.data[i]!;
  });
  return { ...x, data };
}
