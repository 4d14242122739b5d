import { describe, expect, it } from 'vitest';
import { Attention, AttentionBackward, AttentionPart, Op } from '../../assembly/isa';
import { cores, type Reals } from './core';
import { double, numbers, range, record } from './record';

interface Shape {
  heads: number;
  t: number;
  s: number;
  e: number;
  ev: number;
}

interface How {
  causal?: boolean;
  /** A mask of [T, S] for all heads; some of it -∞. */
  mask?: 'none' | 'reals' | 'some';
  scale?: number;
  /** Where buffers begin, in elements off their alignment. */
  shift?: number;
  /** Heads lie inside rows, [T, heads, E], and columns apart, as in a transposed operand. */
  inside?: boolean;
  apart?: number;
  rows?: number;
  keys?: number;
  items?: number;
  parts?: boolean;
}

interface Data {
  q: number[];
  k: number[];
  v: number[];
  g: number[];
  mask: number[] | null;
}

const sum = (xs: number[]) => xs.reduce((total, x) => total + x, 0);

/** What plain loops in float64 say, over contiguous [heads, rows, columns]. */
function reference({ heads, t, s, e, ev }: Shape, { q, k, v, g, mask }: Data, { causal = false, scale = 0.3 }: How) {
  const [y, lse]: [number[], number[]] = [[], []];
  const [dq, dk, dv] = [q, k, v].map((x) => new Array<number>(x.length).fill(0)) as [number[], number[], number[]];
  for (const head of range(heads)) {
    for (const i of range(t)) {
      const row = (head * t + i) * e;
      const scores = range(s).map((j) => {
        if (causal && j > i) return Number.NEGATIVE_INFINITY;
        const product = sum(range(e).map((c) => q[row + c]! * k[(head * s + j) * e + c]!));
        return product * scale + (mask ? mask[i * s + j]! : 0);
      });
      const most = Math.max(...scores);
      const m = Number.isFinite(most) ? most : 0;
      const total = sum(scores.map((one) => Math.exp(one - m)));
      const p = scores.map((one) => (total > 0 ? Math.exp(one - m) / total : 0));
      lse.push(total > 0 ? m + Math.log(total) : 0);
      y.push(...range(ev).map((c) => sum(p.map((one, j) => (one === 0 ? 0 : one * v[(head * s + j) * ev + c]!)))));
      const own = range(ev).map((c) => g[(head * t + i) * ev + c]!);
      const dp = range(s).map((j) => sum(own.map((one, c) => one * v[(head * s + j) * ev + c]!)));
      const delta = sum(p.map((one, j) => one * dp[j]!));
      for (const j of range(s)) {
        const slope = p[j]! * (dp[j]! - delta) * scale;
        for (const c of range(e)) {
          dq[row + c]! += slope * k[(head * s + j) * e + c]!;
          dk[(head * s + j) * e + c]! += slope * q[row + c]!;
        }
        for (const c of range(ev)) dv[(head * s + j) * ev + c]! += p[j]! * own[c]!;
      }
    }
  }
  return { y, lse, dq, dk, dv };
}

function dataOf({ heads, t, s, e, ev }: Shape, kind: How['mask'] = 'none'): Data {
  const mask = kind === 'none' ? null : numbers(t * s, 5);
  return {
    q: numbers(heads * t * e, 1),
    k: numbers(heads * s * e, 2),
    v: numbers(heads * s * ev, 3),
    g: numbers(heads * t * ev, 4),
    // Every third, and all of the first row.
    mask: mask && kind === 'some' ? mask.map((x, i) => (i % 3 === 0 || i < s ? Number.NEGATIVE_INFINITY : x)) : mask,
  };
}

describe.each(cores)('attention in $precision', (core) => {
  const single = core.precision === 'f32';

  /** An operand as a program lays it out: [heads, rows, columns] somewhere, with its words from `field` on. */
  class Operand {
    readonly buffer: Reals;
    private readonly strides: [head: number, row: number, column: number];

    constructor(
      private readonly shape: [number, number, number],
      values: number[] | null,
      { shift = 0, inside = false, apart = 1 }: How,
    ) {
      const [heads, rows, columns] = shape;
      this.strides = inside
        ? [columns * apart, heads * columns * apart, apart]
        : [rows * columns * apart, columns * apart, apart];
      this.buffer = core.reals(heads * rows * columns * apart, shift);
      for (const [i, at] of this.places().entries()) if (values) this.buffer[at] = values[i]!;
    }

    private places(): number[] {
      const [heads, rows, columns] = this.shape;
      const [head, row, column] = this.strides;
      return range(heads).flatMap((h) =>
        range(rows).flatMap((i) => range(columns).map((c) => h * head + i * row + c * column)),
      );
    }

    words(field: number): Record<number, number> {
      const [head, row, column] = this.strides;
      return {
        [field]: this.buffer.byteOffset,
        [field + 1]: 0,
        [field + 2]: head,
        [field + 3]: row,
        [field + 4]: column,
      };
    }

    values(): number[] {
      return this.places().map((at) => this.buffer[at]!);
    }
  }

  function run(shape: Shape, data: Data, how: How) {
    const { heads, t, s, e, ev } = shape;
    const { causal = false, scale = 0.3, shift = 0, rows = 64, keys = 64, items = 1, parts = false } = how;
    core.reset();
    const operand = (length: number, columns: number, values: number[] | null) =>
      new Operand([heads, length, columns], values, how);
    const [q, k, v] = [operand(t, e, data.q), operand(s, e, data.k), operand(s, ev, data.v)];
    const [y, g] = [operand(t, ev, null), operand(t, ev, data.g)];
    const [dq, dk, dv] = [operand(t, e, null), operand(s, e, null), operand(s, ev, null)];
    const lse = core.reals(heads * t, shift);
    const mask = data.mask && core.reals(data.mask, shift);
    const fields = {
      [Attention.OUTER]: 1,
      [Attention.HEADS]: heads,
      [Attention.T]: t,
      [Attention.S]: s,
      [Attention.E]: e,
      [Attention.EV]: ev,
      [Attention.CAUSAL]: Number(causal),
      ...double(Attention.SCALE, scale),
      [Attention.ROWS]: rows,
      [Attention.KEYS]: keys,
      [Attention.ITEMS]: items,
      [Attention.LSE]: lse.byteOffset,
      ...q.words(Attention.Q),
      ...k.words(Attention.K),
      ...v.words(Attention.V),
      [Attention.MASK]: mask?.byteOffset ?? 0,
      [Attention.MASK + 3]: s,
      [Attention.MASK + 4]: 1,
      ...y.words(Attention.Y),
    };
    core.run(record(Op.ATTENTION, Math.ceil((heads * Math.ceil(t / rows)) / items), fields));
    const back = (part: AttentionPart, count: number, results: Record<number, number>) =>
      record(Op.ATTENTION_BACKWARD, Math.ceil((heads * count) / items), {
        ...fields,
        ...g.words(AttentionBackward.G),
        ...results,
        [AttentionBackward.PART]: part,
      });
    const ofRows = dq.words(AttentionBackward.DQ);
    const ofKeys = { ...dk.words(AttentionBackward.DK), ...dv.words(AttentionBackward.DV) };
    if (parts) {
      core.run(
        back(AttentionPart.ROWS, Math.ceil(t / rows), ofRows),
        back(AttentionPart.KEYS, Math.ceil(s / keys), ofKeys),
      );
    } else core.run(back(AttentionPart.HEAD, 1, { ...ofRows, ...ofKeys }));
    return { y: y.values(), lse: [...lse], dq: dq.values(), dk: dk.values(), dv: dv.values() };
  }

  function near(got: number[], wanted: number[], what: string) {
    const scale = 1 + Math.max(0, ...wanted.map(Math.abs));
    const worst = Math.max(0, ...wanted.map((one, i) => Math.abs(one - got[i]!)));
    expect(worst / scale, what).toBeLessThan(single ? 1e-5 : 1e-13);
  }

  function check(shape: Shape, how: How = {}) {
    const data = dataOf(shape, how.mask);
    const round = (xs: number[]) => [...core.Real.from(xs)];
    const seen = Object.fromEntries(
      Object.entries(data).map(([name, xs]) => [name, xs && round(xs)]),
    ) as unknown as Data;
    const wanted = reference(shape, seen, how);
    for (const [name, got] of Object.entries(run(shape, data, how))) {
      near(got, wanted[name as keyof typeof wanted]!, `${name} of ${JSON.stringify({ ...shape, ...how })}`);
    }
  }

  it('rows, keys and columns of every number', () => {
    for (const n of range(68).slice(1)) {
      check({ heads: 1, t: n, s: 9, e: 3, ev: 5 }, { shift: n % 4, causal: n % 2 > 0 });
      check({ heads: 2, t: 5, s: n, e: 4, ev: 3 }, { shift: n % 4, parts: n % 2 > 0 });
      check({ heads: 1, t: 3, s: 6, e: n, ev: 1 }, { shift: n % 4, keys: 8, rows: 8 });
      check({ heads: 1, t: 3, s: 6, e: 1, ev: n }, { shift: n % 4, keys: 8, rows: 8 });
    }
    check({ heads: 1, t: 12, s: 10, e: 512, ev: 512 }, { keys: 8, rows: 8, scale: 0.02 });
  });

  it('masks, and what causality hides, on both sides of blocks', () => {
    for (const mask of ['none', 'reals', 'some'] as const) {
      for (const causal of [false, true]) {
        for (const [t, s] of [
          [7, 7],
          [8, 17],
          [17, 8],
          [63, 65],
          [65, 63],
          [130, 20],
          [20, 130],
        ] as const) {
          check({ heads: 1, t, s, e: 5, ev: 6 }, { mask, causal, rows: 16, keys: 16, shift: 1 });
          check({ heads: 1, t, s, e: 5, ev: 6 }, { mask, causal, parts: true });
        }
      }
    }
  });

  it('operands that lie in any way', () => {
    for (const how of [{ inside: true }, { apart: 2 }, { inside: true, apart: 3, shift: 1 }]) {
      check({ heads: 3, t: 9, s: 11, e: 6, ev: 5 }, how);
      check({ heads: 2, t: 20, s: 17, e: 8, ev: 16 }, { ...how, parts: true, rows: 8, keys: 8, causal: true });
    }
  });

  it('cut in other chunks it has the same bits', () => {
    for (const causal of [false, true]) {
      const shape = { heads: 3, t: 41, s: 37, e: 6, ev: 5 };
      const data = dataOf(shape, 'some');
      const block = { rows: 16, keys: 8, causal };
      const whole = run(shape, data, { ...block, items: 9 });
      for (const how of [{ items: 1 }, { items: 2, parts: true }, { items: 5, parts: true, shift: 1, inside: true }]) {
        expect(run(shape, data, { ...block, ...how })).toEqual(whole);
      }
      const { y, lse } = run(shape, data, { ...block, rows: 48 });
      expect({ y, lse }).toEqual({ y: whole.y, lse: whole.lse });
    }
  });

  it('rows that see nothing are 0, and give no gradient', () => {
    const shape = { heads: 1, t: 2, s: 3, e: 2, ev: 2 };
    const { y, lse, dq } = run(shape, dataOf(shape, 'some'), {});
    expect([y.slice(0, 2), lse[0], dq.slice(0, 2)]).toEqual([[0, 0], 0, [0, 0]]);
    const nobody = { ...dataOf(shape), mask: new Array<number>(6).fill(Number.NEGATIVE_INFINITY) };
    expect(
      Object.values(run(shape, nobody, {}))
        .flat()
        .every((one) => one === 0),
    ).toBe(true);
  });

  it('scores of any size neither overflow nor vanish, and a NaN stays in its row', () => {
    const shape = { heads: 1, t: 9, s: 20, e: 3, ev: 4 };
    check(shape, { scale: 100, keys: 8 });
    check(shape, { scale: -100, keys: 8 });
    const data = dataOf(shape);
    data.q[3] = Number.NaN;
    const { y } = run(shape, data, { keys: 8 });
    y.forEach((one, i) => {
      expect(Number.isNaN(one), `element ${i}`).toBe(i >= 4 && i < 8);
    });
  });
});
