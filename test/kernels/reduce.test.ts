import { describe, expect, it } from 'vitest';
import { Op, REDUCE_BLOCK, REDUCE_COLUMNS, Reduce, ReduceFn, Type } from '../../assembly/isa';
import { type Core, cores } from './core';
import { add, foldBlock, multiply, rounder } from './law';
import { numbers, range, record } from './record';

const sizes = range(68).slice(1);

interface Case {
  fn: ReduceFn;
  type?: Type;
  outer?: number;
  n: number;
  inner?: number;
  items?: number;
  shift?: number;
}

function allocate(core: Core, type: Type, values: ArrayLike<number> | number, shift: number) {
  if (type === Type.REAL) return core.reals(values, shift);
  return type === Type.I32 ? core.ints(values, shift) : core.u8s(values, shift);
}

function reduce(core: Core, x: ArrayLike<number>, c: Case): number[] {
  const { fn, type = Type.REAL, outer = 1, n, inner = 1, items = 1, shift = 0 } = c;
  core.reset();
  const sums = fn === ReduceFn.SUM || fn === ReduceFn.PROD;
  const blocks = sums ? Math.max(1, Math.ceil(n / REDUCE_BLOCK)) : 1;
  const arg = fn === ReduceFn.ARGMAX || fn === ReduceFn.ARGMIN;
  const source = allocate(core, type, x, shift);
  const destination = allocate(core, arg ? Type.I32 : type, outer * blocks * inner, shift);
  const total = outer * blocks * Math.ceil(inner / REDUCE_COLUMNS);
  core.run(
    record(Op.REDUCE, Math.ceil(total / items), {
      [Reduce.FN]: fn,
      [Reduce.TYPE]: type,
      [Reduce.OUTER]: outer,
      [Reduce.N]: n,
      [Reduce.INNER]: inner,
      [Reduce.BLOCKS]: blocks,
      [Reduce.ITEMS]: items,
      [Reduce.SOURCE]: source.byteOffset,
      [Reduce.DESTINATION]: destination.byteOffset,
    }),
  );
  return [...destination];
}

function transposed(x: ArrayLike<number>, rows: number, columns: number): number[] {
  return Array.from({ length: rows * columns }, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)]!);
}

describe.each(cores)('reduce, $precision', (core) => {
  const round = rounder(core);

  it.each([
    ['sum', ReduceFn.SUM, 0, add],
    ['prod', ReduceFn.PROD, 1, multiply],
  ] as const)('%s of a row keeps the order of the law', (_, fn, start, join) => {
    for (const n of [0, ...sizes, 4095, 4096, 4097, 3 * 4096 + 5]) {
      for (const shift of [0, 1, 3]) {
        const x = numbers(n, n + 1).map((v) => round(fn === ReduceFn.PROD ? 1 + v / 8 : v));
        const expected = [];
        for (let i = 0; i < Math.max(n, 1); i += REDUCE_BLOCK) {
          expected.push(foldBlock(x.slice(i, i + REDUCE_BLOCK), start, join, round));
        }
        expect(reduce(core, x, { fn, n, shift }), `n ${n}`).toEqual(expected);
      }
    }
  });

  it.each([
    ['sum', ReduceFn.SUM],
    ['prod', ReduceFn.PROD],
    ['max', ReduceFn.MAX],
    ['min', ReduceFn.MIN],
    ['argmax', ReduceFn.ARGMAX],
    ['argmin', ReduceFn.ARGMIN],
  ])('%s down columns has the bits of the transposed rows', (_, fn) => {
    const shapes = [
      ...sizes.map((n) => [n, 5]),
      ...sizes.slice(1).map((inner) => [11, inner]),
      [33, 255],
      [65, 256],
      [100, 257],
      [31, 600],
      [4097, 3],
      [8200, 2],
    ];
    for (const [n, inner] of shapes as [number, number][]) {
      const x = numbers(2 * n * inner, n * inner).map(round);
      const rows = [...transposed(x.slice(0, n * inner), n, inner), ...transposed(x.slice(n * inner), n, inner)];
      // [2, N, INNER] gives [2, BLOCKS, INNER], [2 · INNER, N, 1] gives [2, INNER, BLOCKS].
      const down = reduce(core, x, { fn, outer: 2, n, inner, shift: 1 });
      const along = reduce(core, rows, { fn, outer: 2 * inner, n });
      const blocks = down.length / (2 * inner);
      const turned = [
        ...transposed(down.slice(0, blocks * inner), blocks, inner),
        ...transposed(down.slice(blocks * inner), blocks, inner),
      ];
      expect(turned, `[${n}, ${inner}]`).toEqual([...along]);
    }
  });

  it('gives the same whatever the chunks and their order', () => {
    const [outer, n, inner] = [3, 4100, 300];
    const x = numbers(outer * n * inner, 7);
    const whole = reduce(core, x, { fn: ReduceFn.SUM, outer, n, inner, items: 100 });
    expect(reduce(core, x, { fn: ReduceFn.SUM, outer, n, inner, items: 1 })).toEqual(whole);
    expect(reduce(core, x, { fn: ReduceFn.SUM, outer, n, inner, items: 5 })).toEqual(whole);
  });

  it('finds maxima and minima, and the first place of each', () => {
    for (const n of [...sizes, 255, 1000]) {
      const x = numbers(4 * n, n).map((v) => Math.round(v * 20) / 4); // many equals
      const rows = [0, 1, 2, 3].map((r) => x.slice(r * n, (r + 1) * n));
      const run = (fn: ReduceFn) => reduce(core, x, { fn, outer: 4, n, items: 3 });
      expect(run(ReduceFn.MAX)).toEqual(rows.map((row) => Math.max(...row)));
      expect(run(ReduceFn.MIN)).toEqual(rows.map((row) => Math.min(...row)));
      expect(run(ReduceFn.ARGMAX)).toEqual(rows.map((row) => row.indexOf(Math.max(...row))));
      expect(run(ReduceFn.ARGMIN)).toEqual(rows.map((row) => row.indexOf(Math.min(...row))));
    }
  });

  it.each([1, 2, 5])('lets a NaN win, the first one, with INNER %i', (inner) => {
    for (const n of [1, 2, 3, 4, 5, 9, 17, 40]) {
      for (let at = 0; at < n; at++) {
        const x = new Array(n * inner).fill(0).map((_, i) => (i * 7) % 5);
        for (let i = 0; i < inner; i++) x[at * inner + i] = Number.NaN;
        x[(n - 1) * inner] = Number.NaN;
        const run = (fn: ReduceFn) => reduce(core, x, { fn, n, inner })[0];
        expect(run(ReduceFn.MAX)).toBeNaN();
        expect(run(ReduceFn.MIN)).toBeNaN();
        expect(run(ReduceFn.ARGMAX)).toBe(at);
        expect(run(ReduceFn.ARGMIN)).toBe(at);
      }
    }
  });

  it('handles infinities and zeros of both signs', () => {
    const all = (value: number) => new Array(11).fill(value);
    expect(reduce(core, all(-Infinity), { fn: ReduceFn.MAX, n: 11 })).toEqual([-Infinity]);
    expect(reduce(core, all(-Infinity), { fn: ReduceFn.ARGMAX, n: 11 })).toEqual([0]);
    expect(reduce(core, all(Infinity), { fn: ReduceFn.MIN, n: 11 })).toEqual([Infinity]);
    const zeros = [-0, 0, -0];
    expect(reduce(core, zeros, { fn: ReduceFn.MAX, n: 3 })).toEqual([0]);
    expect(reduce(core, zeros, { fn: ReduceFn.MIN, n: 3 })).toEqual([-0]);
    expect(reduce(core, zeros, { fn: ReduceFn.ARGMAX, n: 3 })).toEqual([0]);
    expect(reduce(core, [-0, -0], { fn: ReduceFn.SUM, n: 2 })).toEqual([0]);
  });

  it('reduces whole numbers, wrapping', () => {
    const big = [2147483647, 1, 65537, 65537, -5, 12];
    const i32 = (fn: ReduceFn, inner = 1) => reduce(core, big, { fn, type: Type.I32, n: 6 / inner, inner });
    expect(i32(ReduceFn.SUM)).toEqual([big.reduce((a, b) => (a + b) | 0)]);
    expect(i32(ReduceFn.PROD)).toEqual([big.reduce(Math.imul)]);
    expect(i32(ReduceFn.SUM, 2)).toEqual([(2147483647 + 65537 - 5) | 0, 65550]);
    expect(i32(ReduceFn.PROD, 2)).toEqual([Math.imul(Math.imul(2147483647, 65537), -5), 65537 * 12]);
    expect(i32(ReduceFn.MAX, 2)).toEqual([2147483647, 65537]);
    expect(i32(ReduceFn.MIN)).toEqual([-5]);
    expect(i32(ReduceFn.ARGMAX, 2)).toEqual([0, 1]);
    expect(i32(ReduceFn.ARGMIN)).toEqual([4]);
    const ones = new Array(3 * 4100).fill(1);
    expect(reduce(core, ones, { fn: ReduceFn.SUM, type: Type.I32, n: 4100, inner: 3 })).toEqual([
      4096, 4096, 4096, 4, 4, 4,
    ]);
  });

  it('reduces bytes', () => {
    const x = [3, 200, 0, 0, 255, 7];
    const bytes = (fn: ReduceFn, inner: number) => reduce(core, x, { fn, type: Type.U8, n: 6 / inner, inner });
    expect(bytes(ReduceFn.MAX, 1)).toEqual([255]);
    expect(bytes(ReduceFn.MIN, 2)).toEqual([0, 0]);
    const flags = [0, 0, 0, 1, 0, 1];
    const bools = (fn: ReduceFn, n: number, inner: number) => [
      ...reduce(core, flags.slice(0, n * inner), { fn, type: Type.BOOL, n, inner }),
    ];
    expect(bools(ReduceFn.ANY, 3, 2)).toEqual([0, 1]);
    expect(bools(ReduceFn.ALL, 3, 2)).toEqual([0, 0]);
    expect(bools(ReduceFn.ALL, 1, 6)).toEqual(flags);
    expect(bools(ReduceFn.ANY, 0, 1)).toEqual([0]);
    expect(bools(ReduceFn.ALL, 0, 3)).toEqual([1, 1, 1]);
  });

  it('of nothing: 0 and 1', () => {
    expect(reduce(core, [], { fn: ReduceFn.SUM, outer: 2, n: 0, inner: 3 })).toEqual(new Array(6).fill(0));
    expect(reduce(core, [], { fn: ReduceFn.PROD, outer: 2, n: 0 })).toEqual([1, 1]);
  });
});
