import { describe, expect, it } from 'vitest';
import { Op, Softmax, SoftmaxBackward } from '../../assembly/isa';
import { cores } from './core';
import { rounder, sumByLaw } from './law';
import { numbers, range, record } from './record';

const shapes: [number, number][] = [
  ...range(68)
    .slice(1)
    .map((n): [number, number] => [3, n]),
  [64, 10],
  [2, 4095],
  [2, 4096],
  [3, 4097],
  [1, 9000],
];

describe.each(cores)('softmax, $precision', (core) => {
  const round = rounder(core);
  const epsilon = core.precision === 'f32' ? 2 ** -23 : 2 ** -52;

  function forward(x: ArrayLike<number>, log: number, rows: number, n: number, options: Options = {}): number[] {
    core.reset();
    const source = core.reals(x, options.shift);
    const destination = options.inPlace ? source : core.reals(rows * n, options.shift);
    const per = options.per ?? rows;
    core.run(
      record(Op.SOFTMAX, Math.ceil(rows / per), {
        [Softmax.LOG]: log,
        [Softmax.ROWS]: rows,
        [Softmax.N]: n,
        [Softmax.CHUNK]: per,
        [Softmax.SOURCE]: source.byteOffset,
        [Softmax.DESTINATION]: destination.byteOffset,
      }),
    );
    return [...destination];
  }

  function backward(
    y: ArrayLike<number>,
    g: ArrayLike<number>,
    log: number,
    rows: number,
    n: number,
    options: Options = {},
  ): number[] {
    core.reset();
    const output = core.reals(y, options.shift);
    const cotangent = core.reals(g, options.shift);
    const destination = options.inPlace ? cotangent : options.ontoOutput ? output : core.reals(rows * n, options.shift);
    const per = options.per ?? rows;
    core.run(
      record(Op.SOFTMAX_BACKWARD, Math.ceil(rows / per), {
        [SoftmaxBackward.LOG]: log,
        [SoftmaxBackward.ROWS]: rows,
        [SoftmaxBackward.N]: n,
        [SoftmaxBackward.CHUNK]: per,
        [SoftmaxBackward.OUTPUT]: output.byteOffset,
        [SoftmaxBackward.COTANGENT]: cotangent.byteOffset,
        [SoftmaxBackward.DESTINATION]: destination.byteOffset,
      }),
    );
    return [...destination];
  }

  interface Options {
    per?: number;
    shift?: number;
    inPlace?: boolean;
    ontoOutput?: boolean;
  }

  const rowsOf = (x: ArrayLike<number>, rows: number, n: number) =>
    Array.from({ length: rows }, (_, row) => Array.from({ length: n }, (_, i) => x[row * n + i]!));

  function reference(row: number[], log: number): number[] {
    const max = row.reduce((a, b) => Math.max(a, b));
    const sum = row.reduce((total, x) => total + Math.exp(x - max), 0);
    return row.map((x) => (log ? x - max - Math.log(sum) : Math.exp(x - max) / sum));
  }

  it.each([0, 1])('forward agrees with float64 loops (LOG %i)', (log) => {
    for (const [rows, n] of shapes) {
      const x = numbers(rows * n, n, 8).map(round);
      const y = forward(x, log, rows, n, { shift: n % 4 });
      const expected = rowsOf(x, rows, n).flatMap((row) => reference(row, log));
      for (let i = 0; i < y.length; i++) {
        const bound = epsilon * (log ? 2 * (16 + Math.abs(expected[i]!)) : (8 + Math.sqrt(n)) * expected[i]!);
        expect(Math.abs(y[i]! - expected[i]!), `[${rows}, ${n}] at ${i}`).toBeLessThanOrEqual(bound);
      }
    }
  });

  it.each([0, 1])('in place and in chunks gives the same bits (LOG %i)', (log) => {
    for (const [rows, n] of shapes) {
      const x = numbers(rows * n, n, 8);
      const g = numbers(rows * n, n + 1);
      const y = forward(x, log, rows, n);
      expect(forward(x, log, rows, n, { inPlace: true, shift: 1 })).toEqual(y);
      expect(forward(x, log, rows, n, { per: 1 })).toEqual(y);
      const dx = backward(y, g, log, rows, n);
      expect(backward(y, g, log, rows, n, { inPlace: true, shift: 3 })).toEqual(dx);
      expect(backward(y, g, log, rows, n, { ontoOutput: true })).toEqual(dx);
      expect(backward(y, g, log, rows, n, { per: 1, inPlace: true })).toEqual(dx);
    }
  });

  it('backward of softmax keeps the order of the law', () => {
    for (const [rows, n] of shapes) {
      const y = numbers(rows * n, n).map(round);
      const g = numbers(rows * n, n + 1).map(round);
      const cotangents = rowsOf(g, rows, n);
      const expected = rowsOf(y, rows, n).flatMap((row, r) => {
        const sum = sumByLaw(
          row.map((v, i) => round(v * cotangents[r]![i]!)),
          round,
        );
        return row.map((v, i) => round(v * round(cotangents[r]![i]! - sum)));
      });
      expect(backward(y, g, 0, rows, n), `[${rows}, ${n}]`).toEqual(expected);
    }
  });

  it('backward of its logarithm keeps the order of the law', () => {
    for (const [rows, n] of shapes) {
      const g = numbers(rows * n, n + 1).map(round);
      // exp(0) is 1: what remains is g - Σ g.
      const expected = rowsOf(g, rows, n).flatMap((row) => {
        const sum = sumByLaw(row, round);
        return row.map((v) => round(v - sum));
      });
      expect(backward(new Array(rows * n).fill(0), g, 1, rows, n), `[${rows}, ${n}]`).toEqual(expected);
    }
  });

  it('backward of the logarithm agrees with float64 loops', () => {
    const [rows, n] = [5, 37];
    const y = forward(numbers(rows * n, 3, 4), 1, rows, n);
    const g = numbers(rows * n, 4).map(round);
    const cotangents = rowsOf(g, rows, n);
    const expected = rowsOf(y, rows, n).flatMap((row, r) => {
      const sum = cotangents[r]!.reduce((a, b) => a + b);
      return row.map((v, i) => cotangents[r]![i]! - Math.exp(v) * sum);
    });
    const dx = backward(y, g, 1, rows, n);
    for (let i = 0; i < dx.length; i++) expect(Math.abs(dx[i]! - expected[i]!)).toBeLessThan(64 * epsilon);
  });

  it.each([0, 1])('survives what is large, infinite or NaN, row by row (LOG %i)', (log) => {
    const big = core.precision === 'f32' ? 1e30 : 1e300;
    const bad = [
      [big, -big, 0],
      [1, -Infinity, 1],
      [-Infinity, -Infinity, -Infinity],
      [Number.NaN, 1, 2],
      [Infinity, 0, 0],
      [0, 0, 0],
    ];
    const y = rowsOf(forward(bad.flat(), log, 6, 3), 6, 3);
    const expected = [[1, 0, 0], [0.5, 0, 0.5], null, null, null, [1 / 3, 1 / 3, 1 / 3]];
    for (const [r, row] of y.entries()) {
      const probabilities = log ? row.map(Math.exp) : row;
      for (let i = 0; i < 3; i++) {
        const wanted = expected[r]?.[i];
        if (wanted === undefined) expect(probabilities[i]).toBeNaN();
        else expect(probabilities[i]).toBeCloseTo(wanted, 6);
      }
    }
  });
});
