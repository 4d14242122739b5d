import { beforeEach, describe, expect, test } from 'vitest';
import { GEMM_KC, GEMM_MC, Gemm, Op } from '../../assembly/isa';
import { type Product, planGemm } from '../../src/machine/gemm';
import { type Core, cores, type Reals, sequence } from './core';

/** A matrix in a test: a buffer and the strides of its axes. */
interface Operand {
  data: Reals;
  batch: number;
  row: number;
  column: number;
}

interface Case {
  batch: number;
  m: number;
  n: number;
  k: number;
  a: Operand;
  b: Operand;
  c: Operand;
  beta: 0 | 1;
}

/** The law of GEMM in plain loops, every operation rounded to the build's precision. */
function reference({ batch, m, n, k, a, b, c, beta }: Case, round: (x: number) => number): number[] {
  const result = [...c.data];
  for (let s = 0; s < batch; s++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const at = s * c.batch + i * c.row + j * c.column;
        let sum = beta ? result[at]! : 0;
        const depth = Math.ceil(k / Math.ceil(k / GEMM_KC));
        for (let block = 0; block < k; block += depth) {
          let partial = 0;
          for (let p = block; p < Math.min(block + depth, k); p++) {
            const x = a.data[s * a.batch + i * a.row + p * a.column]!;
            const y = b.data[s * b.batch + p * b.row + j * b.column]!;
            partial = round(partial + round(x * y));
          }
          sum = round(sum + partial);
        }
        result[at] = sum;
      }
    }
  }
  return result;
}

const pointers = (x: Operand) => ({ ...x, pointer: x.data.byteOffset });

/** The record that the host would emit, its chunks cut as `cuts` say. */
function gemmRecord(
  { a, b, c, ...sizes }: Case,
  cuts: { rows?: number; columns?: number; items?: number } = {},
): number[] {
  const product: Product<number> = { ...sizes, a: pointers(a), b: pointers(b), c: pointers(c) };
  const { fields, chunks } = planGemm(product);
  const record = [Op.GEMM, chunks, ...Array.from({ length: Gemm.WORDS - 3 }, (_, i) => fields[i + 3]!)];
  const field = (at: Gemm) => record[at - 1]!;
  if (cuts.rows) record[Gemm.CHUNK_M - 1] = cuts.rows;
  if (cuts.columns) record[Gemm.CHUNK_N - 1] = cuts.columns;
  if (cuts.items) record[Gemm.ITEMS - 1] = cuts.items;
  const blocks = Math.ceil(field(Gemm.M) / field(Gemm.CHUNK_M)) * Math.ceil(field(Gemm.N) / field(Gemm.CHUNK_N));
  record[1] = Math.ceil((field(Gemm.BATCH) * blocks) / field(Gemm.ITEMS));
  return record;
}

describe.each(cores)('gemm, $precision', (core: Core) => {
  const round = core.precision === 'f32' ? Math.fround : (x: number) => x;
  const random = sequence(7);
  const normal = (length: number) => Array.from({ length }, () => random() + random() - 1);
  beforeEach(() => core.reset());

  /** [batch, rows, columns], row by row or column by column, its lines `gap` longer than they need be. */
  function matrix(batch: number, rows: number, columns: number, transposed: boolean, gap = 0, misaligned = 0): Operand {
    const line = (transposed ? rows : columns) + gap;
    const lines = transposed ? columns : rows;
    return {
      data: core.reals(normal(batch * lines * line), misaligned),
      batch: lines * line,
      row: transposed ? 1 : line,
      column: transposed ? line : 1,
    };
  }

  function product(
    [m, n, k]: [number, number, number],
    layout: string,
    { batch = 1, beta = 0 as 0 | 1, gap = 0, misaligned = 0 } = {},
  ): Case {
    const a = matrix(batch, m, k, layout[0] === 'T', gap, misaligned);
    const b = matrix(batch, k, n, layout[1] === 'T', gap, 2 * misaligned);
    return { batch, m, n, k, a, b, c: matrix(batch, m, n, false, gap, misaligned), beta };
  }

  function check(example: Case, cuts?: Parameters<typeof gemmRecord>[1]) {
    const expected = reference(example, round);
    core.run(gemmRecord(example, cuts));
    expect([...example.c.data]).toEqual(expected);
  }

  describe.each(['NN', 'NT', 'TN', 'TT'])('%s', (layout) => {
    test('every m, n and k from 0 to 20, sampled', () => {
      for (let m = 0; m <= 20; m++) {
        for (let n = 0; n <= 20; n++) {
          core.reset();
          const k = (7 * m + 11 * n) % 21;
          check(product([m, n, k], layout, { beta: ((m + n) % 2) as 0 | 1, misaligned: m % 4, gap: n % 3 }));
        }
      }
    });

    test('k around the blocks of a sum', () => {
      for (const k of [1, GEMM_KC - 1, GEMM_KC, GEMM_KC + 1, 2 * GEMM_KC, 2 * GEMM_KC + 3]) {
        for (const [m, n] of [
          [1, 1],
          [4, 8],
          [5, 9],
          [2, 17],
          [17, 3],
        ] as const) {
          for (const beta of [0, 1] as const) {
            core.reset();
            check(product([m, n, k], layout, { beta, misaligned: 1 }));
          }
        }
      }
    });

    test('m and n around what a chunk may have', () => {
      for (const size of [GEMM_MC - 1, GEMM_MC, GEMM_MC + 1]) {
        core.reset();
        check(product([size, 9, 5], layout));
        check(product([9, size, 5], layout));
      }
    });

    test('the bits do not depend on how chunks are cut', () => {
      const example = product([37, 45, 300], layout, { batch: 2, gap: 1 });
      for (const rows of [1, 3, 4, 16, 64]) {
        for (const columns of [1, 5, 8, 24, 64]) {
          example.c.data.fill(0);
          check(example, { rows, columns, items: 1 + (rows % 3) });
        }
      }
    });

    test('the bits do not depend on which operand is called A', () => {
      for (const [m, n] of [
        [3, 40],
        [40, 3],
        [13, 21],
      ] as const) {
        const { a, b, c, ...sizes } = product([m, n, 270], layout);
        const flip = (x: Operand): Operand => ({ ...x, row: x.column, column: x.row });
        check({ ...sizes, a, b, c });
        const bits = [...c.data];
        core.run(gemmRecord({ ...sizes, m: n, n: m, a: flip(b), b: flip(a), c: flip(c) }));
        expect([...c.data]).toEqual(bits);
      }
    });
  });

  test('strides that are 1 nowhere, and negative ones', () => {
    const lines = (rows: number, columns: number): Operand => {
      const data = core.reals(normal(6 * rows * columns));
      return { data, batch: 0, row: 6 * columns, column: 3 };
    };
    const [m, n, k] = [13, 11, 19];
    const example = { batch: 1, m, n, k, a: lines(m, k), b: lines(k, n), c: lines(m, n), beta: 1 as const };
    check(example);
    // The same rows of A from the last to the first.
    const { data, row } = example.a;
    const reversed = { ...example.a, data: data.subarray((m - 1) * row) as Reals, row: -row };
    const before = [...example.c.data];
    core.run(gemmRecord({ ...example, a: reversed, beta: 0 }));
    const after = [...example.c.data];
    example.c.data.set(before);
    core.run(gemmRecord({ ...example, beta: 0 }));
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const at = (r: number) => r * example.c.row + j * example.c.column;
        expect(after[at(i)]).toBe(example.c.data[at(m - 1 - i)]);
      }
    }
  });

  test('batches, and one matrix for all of them', () => {
    for (const layout of ['NN', 'NT', 'TN', 'TT']) {
      for (const one of ['neither', 'a', 'b'] as const) {
        for (const [m, n, k] of [
          [1, 5, 3],
          [5, 1, 3],
          [4, 8, 6],
          [7, 9, 260],
        ] as [number, number, number][]) {
          core.reset();
          const example = product([m, n, k], layout, { batch: 5 });
          if (one !== 'neither') example[one].batch = 0;
          check(example);
          check(example, { rows: 4, columns: 8, items: 2 });
        }
      }
    }
  });

  test('many small products share a chunk', () => {
    const example = product([2, 3, 2], 'NN', { batch: 100_000 });
    expect(gemmRecord(example)[1]).toBeLessThan(100);
    check(example);
  });

  test('k = 0: zeros, or C as it was', () => {
    for (const beta of [0, 1] as const) {
      const example = product([5, 9, 0], 'NN', { beta, gap: 2 });
      check(example);
      expect(example.c.data.every((x, i) => i % 11 > 8 || beta === 1 || Object.is(x, 0))).toBe(true);
    }
  });

  test('NaN and infinity in C are not read where beta is 0, and reach their row and column in A and B', () => {
    const example = product([9, 10, 4], 'NN');
    example.c.data.fill(Number.NaN);
    check(example);
    expect(example.c.data.every(Number.isFinite)).toBe(true);
    example.a.data[3 * example.a.row] = Number.NaN;
    example.b.data[5] = Number.POSITIVE_INFINITY;
    core.run(gemmRecord(example));
    for (let i = 0; i < 9; i++) {
      for (let j = 0; j < 10; j++) expect(Number.isFinite(example.c.data[10 * i + j])).toBe(i !== 3 && j !== 5);
    }
  });
});

describe('planGemm', () => {
  const operand = (row: number, column: number, batch = 0) => ({ pointer: '', batch, row, column });
  const plan = (m: number, n: number, k: number, batch = 1) =>
    planGemm({
      ...{ batch, m, n, k },
      a: { ...operand(k, 1, m * k), pointer: 'a' },
      b: { ...operand(n, 1, k * n), pointer: 'b' },
      c: { ...operand(n, 1, m * n), pointer: 'c' },
    });

  test('few columns become few rows', () => {
    const { fields } = plan(1000, 10, 50);
    expect([fields[Gemm.M], fields[Gemm.N], fields[Gemm.A], fields[Gemm.B]]).toEqual([10, 1000, 'b', 'a']);
    expect([fields[Gemm.C_ROW], fields[Gemm.C_COLUMN]]).toEqual([1, 10]);
    expect(plan(10, 1000, 50).fields[Gemm.A]).toBe('a');
  });

  test('batches with one B are one tall product', () => {
    const { fields } = planGemm({
      ...{ batch: 6, m: 5, n: 32, k: 7 },
      ...{ a: operand(7, 1, 35), b: operand(32, 1, 0), c: operand(32, 1, 160) },
    });
    expect([fields[Gemm.BATCH], fields[Gemm.M], fields[Gemm.N]]).toEqual([1, 30, 32]);
  });

  test('a big product has chunks for several threads, a small one has one, and none is out of bounds', () => {
    expect(plan(512, 512, 512).chunks).toBe(8);
    expect(plan(32, 32, 32).chunks).toBe(1);
    for (const [m, n] of [
      [1, 1],
      [GEMM_MC + 1, 7],
      [100_000, 3],
      [3, 100_000],
      [1023, 1025],
    ] as const) {
      const { fields, chunks } = plan(m, n, 400);
      expect(fields[Gemm.CHUNK_M]).toBeLessThanOrEqual(GEMM_MC);
      expect(chunks).toBeLessThan(10_000);
    }
    expect(plan(2, 2, 2, 10_000_000).chunks).toBeLessThan(65536);
  });
});
