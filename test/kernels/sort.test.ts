import { describe, expect, it } from 'vitest';
import { Argsort, Op, Type } from '../../assembly/isa';
import { cores } from './core';
import { numbers, range, record } from './record';

/** The order that a stable sort of JavaScript's gives, NaN above all. */
function order(x: ArrayLike<number>, descending: boolean): number[] {
  const rank = (i: number, j: number) => {
    const [a, b] = [x[i]!, x[j]!];
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
    return a - b;
  };
  return range(x.length).sort((i, j) => (descending ? rank(j, i) : rank(i, j)));
}

describe.each(cores)('argsort, $precision', (core) => {
  function sorted(values: number[], n: number, { type = Type.REAL, descending = false, per = 1, shift = 0 } = {}) {
    core.reset();
    const rows = values.length / n;
    const source =
      type === Type.REAL
        ? core.reals(values, shift)
        : type === Type.I32
          ? core.ints(values, shift)
          : core.u8s(values, shift);
    const destination = core.ints(values.length, shift);
    core.run(
      record(Op.ARGSORT, Math.ceil(rows / per), {
        [Argsort.TYPE]: type,
        [Argsort.ROWS]: rows,
        [Argsort.N]: n,
        [Argsort.CHUNK]: per,
        [Argsort.DESCENDING]: Number(descending),
        [Argsort.SOURCE]: source.byteOffset,
        [Argsort.DESTINATION]: destination.byteOffset,
        [Argsort.SPARE]: core.ints(values.length, shift).byteOffset,
      }),
    );
    return [...destination];
  }

  const rowsOf = (values: number[], n: number, descending = false) =>
    range(values.length / n).flatMap((row) => order(values.slice(row * n, (row + 1) * n), descending));

  it('sorts rows of every length', () => {
    for (const n of range(68).slice(1)) {
      const values = numbers(3 * n, n);
      expect(sorted(values, n, { shift: n % 4, per: 2 })).toEqual(rowsOf(values, n));
      expect(sorted(values, n, { descending: true })).toEqual(rowsOf(values, n, true));
    }
  });

  it('keeps equal elements in their order, both ways, of every type', () => {
    const values = numbers(300, 1, 4).map((x) => Math.abs(Math.trunc(x)));
    for (const type of [Type.REAL, Type.I32, Type.U8, Type.BOOL]) {
      expect(sorted(values, 100, { type })).toEqual(rowsOf(values, 100));
      expect(sorted(values, 100, { type, descending: true })).toEqual(rowsOf(values, 100, true));
    }
  });

  it('puts NaN above infinity', () => {
    const values = [2, Number.NaN, -Infinity, Infinity, Number.NaN, -1, 0, -0];
    expect(sorted(values, 8)).toEqual([2, 5, 6, 7, 0, 3, 1, 4]);
    expect(sorted(values, 8, { descending: true })).toEqual([1, 4, 3, 0, 6, 7, 5, 2]);
  });
});
