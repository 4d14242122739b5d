import { describe, expect, it } from 'vitest';
import { Cholesky, Op, Solve, Status } from '../../assembly/isa';
import { cores } from './core';
import { rounder } from './law';
import { numbers, range, record } from './record';

type Matrix = number[][];

const rowsOf = (values: ArrayLike<number>, columns: number): Matrix =>
  range(values.length / columns).map((i) => range(columns).map((j) => values[i * columns + j]!));

describe.each(cores)('solve and cholesky, $precision', (core) => {
  const round = rounder(core);

  /** Row i loses factor times row k. */
  function subtract(row: number[], other: number[], factor: number, from = 0): void {
    for (let j = from; j < row.length; j++) row[j] = round(row[j]! - round(factor * other[j]!));
  }

  /** SOLVE's law (assembly/isa.ts) in plain loops. */
  function eliminate(a: Matrix, b: Matrix): Matrix {
    const n = a.length;
    for (let k = 0; k < n; k++) {
      const sizes = a.slice(k).map((row) => Math.abs(row[k]!));
      const pivot = k + sizes.indexOf(Math.max(...sizes));
      for (const rows of [a, b]) [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
      for (let i = k + 1; i < n; i++) {
        const factor = round(a[i]![k]! / a[k]![k]!);
        subtract(a[i]!, a[k]!, factor, k + 1);
        subtract(b[i]!, b[k]!, factor);
      }
    }
    for (let k = n - 1; k >= 0; k--) {
      b[k] = b[k]!.map((value) => round(value / a[k]![k]!));
      for (let i = 0; i < k; i++) subtract(b[i]!, b[k]!, a[i]![k]!);
    }
    return b;
  }

  function solve(as: number[], bs: number[], n: number, m: number, per: number, shift: number) {
    core.reset();
    const batch = as.length / (n * n);
    const [a, b] = [core.reals(as, shift), core.reals(bs, shift)];
    const [factors, x] = [core.reals(as.length, shift), core.reals(bs.length, shift)];
    const status = core.run(
      record(Op.SOLVE, Math.ceil(batch / per), {
        [Solve.BATCH]: batch,
        [Solve.N]: n,
        [Solve.M]: m,
        [Solve.CHUNK]: per,
        [Solve.A]: a.byteOffset,
        [Solve.B]: b.byteOffset,
        [Solve.FACTORS]: factors.byteOffset,
        [Solve.DESTINATION]: x.byteOffset,
      }),
    );
    return { status, x: [...x], a: [...a], b: [...b] };
  }

  it('solves systems of every size by its law, and leaves what it is given alone', () => {
    for (const n of [...range(20).slice(1), 33, 67]) {
      for (const m of [1, 2, 5, 8]) {
        const [as, bs] = [numbers(3 * n * n, n).map(round), numbers(3 * n * m, 100 + n).map(round)];
        const { status, x, a, b } = solve(as, bs, n, m, 2, n % 4);
        const expected = range(3).flatMap((i) =>
          eliminate(
            rowsOf(as.slice(i * n * n, (i + 1) * n * n), n),
            rowsOf(bs.slice(i * n * m, (i + 1) * n * m), m),
          ).flat(),
        );
        expect(status).toBe(Status.DONE);
        expect(x).toEqual(expected);
        expect([a, b]).toEqual([as, bs]);
      }
    }
  });

  it('says which matrix is singular', () => {
    const { status } = solve([1, 2, 3, 4, 1, 2, 2, 4], [1, 1, 1, 1], 2, 1, 1, 0);
    expect(status).toBe(Status.FAULT);
  });

  function cholesky(as: number[], n: number, per: number, shift: number) {
    core.reset();
    const batch = as.length / (n * n);
    const [a, l] = [core.reals(as, shift), core.reals(as.length, shift)];
    const status = core.run(
      record(Op.CHOLESKY, Math.ceil(batch / per), {
        [Cholesky.BATCH]: batch,
        [Cholesky.N]: n,
        [Cholesky.CHUNK]: per,
        [Cholesky.SOURCE]: a.byteOffset,
        [Cholesky.DESTINATION]: l.byteOffset,
      }),
    );
    return { status, l: [...l] };
  }

  /** CHOLESKY's law. */
  function factorise(a: Matrix): Matrix {
    const l = a.map((row) => row.map(() => 0));
    a.forEach((_, j) => {
      for (let i = j; i < a.length; i++) {
        let sum = a[i]![j]!;
        for (let k = 0; k < j; k++) sum = round(sum - round(l[i]![k]! * l[j]![k]!));
        l[i]![j] = i === j ? round(Math.sqrt(sum)) : round(sum / l[j]![j]!);
      }
    });
    return l;
  }

  it('factorises matrices of every size by its law, reading their lower triangles alone', () => {
    for (const n of [...range(20).slice(1), 33, 67]) {
      // Diagonally dominant, hence positive definite; what is above the diagonal means nothing.
      const as = numbers(3 * n * n, n).map((value, i) => {
        const [row, column] = [Math.floor(i / n) % n, i % n];
        return round(row === column ? n + 1 + value : row < column ? Number.NaN : value);
      });
      const { status, l } = cholesky(as, n, 2, n % 4);
      expect(status).toBe(Status.DONE);
      expect(l).toEqual(range(3).flatMap((i) => factorise(rowsOf(as.slice(i * n * n, (i + 1) * n * n), n)).flat()));
    }
  });

  it('says which matrix is not positive definite', () => {
    expect(cholesky([4, 0, 2, 1], 2, 1, 0).status).toBe(Status.FAULT);
  });
});
