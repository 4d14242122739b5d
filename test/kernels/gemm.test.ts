import { beforeEach, describe, expect, test } from 'vitest';
import { GEMM_KC, GEMM_MC, Gemm, Op, Pack, Panels } from '../../assembly/isa';
import { type Product, planGemm, planPack } from '../../src/machine/gemm';
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

interface Cuts {
  rows?: number;
  columns?: number;
  items?: number;
  /** Where B's panels are to be; as planned where left out. */
  panels?: Panels;
}

/** The records that the host would emit, chunks cut as `cuts` say: GEMM, and PACK before it where B is to be packed. */
function gemmRecords(core: Core, { a, b, c, ...sizes }: Case, cuts: Cuts = {}): number[][] {
  const product: Product<number> = { ...sizes, a: pointers(a), b: pointers(b), c: pointers(c) };
  const bytes = core.Real.BYTES_PER_ELEMENT;
  const { fields, chunks, packed } = planGemm(product, bytes);
  const record = [Op.GEMM, chunks, ...Array.from({ length: Gemm.WORDS - 3 }, (_, i) => (fields[i + 3] ?? 0) as number)];
  const field = (at: Gemm) => record[at - 1]!;
  const set = (at: Gemm, value: number) => {
    record[at - 1] = value;
  };
  if (cuts.rows) set(Gemm.CHUNK_M, cuts.rows);
  if (cuts.columns) set(Gemm.CHUNK_N, cuts.columns);
  if (cuts.items) set(Gemm.ITEMS, cuts.items);
  if (cuts.panels !== undefined) set(Gemm.PANELS, cuts.panels);
  const blocks = Math.ceil(field(Gemm.M) / field(Gemm.CHUNK_M)) * Math.ceil(field(Gemm.N) / field(Gemm.CHUNK_N));
  record[1] = Math.ceil((field(Gemm.BATCH) * blocks) / field(Gemm.ITEMS));
  if (field(Gemm.PANELS) !== Panels.PACKED) return [record];
  const b2 = { pointer: field(Gemm.B), batch: 0, row: field(Gemm.B_ROW), column: field(Gemm.B_COLUMN) };
  const pack = packed ?? planPack(b2, field(Gemm.K), field(Gemm.N), bytes);
  const target = core.reals(pack.bytes / bytes);
  const words = Array.from({ length: Pack.WORDS - 3 }, (_, i) => (pack.fields[i + 3] ?? target.byteOffset) as number);
  set(Gemm.B, target.byteOffset);
  return [[Op.PACK, pack.chunks, ...words], record];
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

  function check(example: Case, cuts?: Cuts) {
    const expected = reference(example, round);
    core.run(...gemmRecords(core, example, cuts));
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
            const example = product([m, n, k], layout, { beta, misaligned: 1 });
            check(example);
            check(example, { panels: Panels.PACKED });
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

    test('the bits do not depend on where the panels of B are', () => {
      for (const [m, n, k] of [
        [5, 40, 7],
        [40, 77, 19],
        [37, 45, 600],
        [33, 1, 130],
      ] as const) {
        core.reset();
        const example = product([m, n, k], layout, { gap: 1 });
        for (const panels of [Panels.OWN, Panels.PACKED, ...(layout[1] === 'N' ? [Panels.IN_PLACE] : [])]) {
          const { a, b, c, ...sizes } = example;
          c.data.fill(0);
          // As it is: planGemm might call B what is A here.
          const record = gemmRecords(core, example)[0]!;
          if (record.at(Gemm.M - 1) !== sizes.m || record.at(Gemm.B_ROW - 1) !== b.row || a.row === b.row) continue;
          check(example, { rows: 8, columns: 16, panels });
        }
      }
    });

    test('what comes behind the sums: addends along rows, along columns, everywhere, and relu', () => {
      for (const [m, n, k] of [
        [1, 1, 1],
        [5, 9, 3],
        [67, 31, 20],
        [40, 130, 600],
        [300, 24, 5],
        [6, 7, 0],
      ] as const) {
        for (const kinds of [['bias'], ['column', 'matrix'], ['matrix', 'bias']]) {
          core.reset();
          const example = product([m, n, k], layout);
          const addends = kinds.map((kind) => {
            const [row, column] = { bias: [0, 1], column: [1, 0], matrix: [n, 1] }[kind]!;
            return { data: core.reals(normal(m * n), 1), row: row!, column: column! };
          });
          const expected = reference(example, round).map((sum, at) => {
            const [i, j] = [Math.floor(at / n), at % n];
            const all = addends.reduce((x, { data, row, column }) => round(x + data[i * row + j * column]!), sum);
            return all > 0 ? all : 0;
          });
          const records = gemmRecords(core, example);
          const record = records.at(-1)!;
          const flipped = record[Gemm.C_COLUMN - 1] !== 1;
          record[Gemm.RELU - 1] = 1;
          record[Gemm.ADDENDS - 1] = addends.length;
          addends.forEach(({ data, row, column }, i) => {
            const first = Gemm.FIRST_ADDEND + i * Gemm.ADDEND_WORDS - 1;
            record.splice(first, 3, data.byteOffset, flipped ? column : row, flipped ? row : column);
          });
          core.run(...records);
          expect([...example.c.data]).toEqual(expected);
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
        core.run(...gemmRecords(core, { ...sizes, m: n, n: m, a: flip(b), b: flip(a), c: flip(c) }));
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
    core.run(...gemmRecords(core, { ...example, a: reversed, beta: 0 }));
    const after = [...example.c.data];
    example.c.data.set(before);
    core.run(...gemmRecords(core, { ...example, beta: 0 }));
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
    expect(gemmRecords(core, example)[0]![1]).toBeLessThan(100);
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
    core.run(...gemmRecords(core, example));
    for (let i = 0; i < 9; i++) {
      for (let j = 0; j < 10; j++) expect(Number.isFinite(example.c.data[10 * i + j])).toBe(i !== 3 && j !== 5);
    }
  });
});

describe('planGemm', () => {
  const operand = (row: number, column: number, batch = 0) => ({ pointer: '', batch, row, column });
  const plan = (m: number, n: number, k: number, batch = 1) =>
    planGemm(
      {
        ...{ batch, m, n, k },
        a: { ...operand(k, 1, m * k), pointer: 'a' },
        b: { ...operand(n, 1, k * n), pointer: 'b' },
        c: { ...operand(n, 1, m * n), pointer: 'c' },
      },
      4,
    );

  test('few columns become few rows', () => {
    const { fields } = plan(1000, 10, 50);
    expect([fields[Gemm.M], fields[Gemm.N], fields[Gemm.A], fields[Gemm.B]]).toEqual([10, 1000, 'b', 'a']);
    expect([fields[Gemm.C_ROW], fields[Gemm.C_COLUMN]]).toEqual([1, 10]);
    expect(plan(10, 1000, 50).fields[Gemm.A]).toBe('a');
  });

  test('batches with one B are one tall product', () => {
    const { fields } = planGemm(
      {
        ...{ batch: 6, m: 5, n: 32, k: 7 },
        ...{ a: operand(7, 1, 35), b: operand(32, 1, 0), c: operand(32, 1, 160) },
      },
      4,
    );
    expect([fields[Gemm.BATCH], fields[Gemm.M], fields[Gemm.N]]).toEqual([1, 30, 32]);
  });

  test('a big product has chunks for several threads, a small one has one, and none is out of bounds', () => {
    expect(plan(512, 512, 512).chunks).toBe(15);
    expect(plan(512, 512, 512).packed?.bytes).toBe(4 * 512 * 512);
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
