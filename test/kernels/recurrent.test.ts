import { describe, expect, it } from 'vitest';
import { Cell, Gemm, Op, Pack, Panels, Recurrent, RecurrentBackward } from '../../assembly/isa';
import { planPack } from '../../src/machine/gemm';
import { cores } from './core';
import { numbers, range, record } from './record';

const CELLS = { TANH: Cell.TANH, RELU: Cell.RELU, LSTM: Cell.LSTM, GRU: Cell.GRU };
const PARTS = { TANH: 1, RELU: 1, LSTM: 4, GRU: 3 };

interface Problem {
  cell: keyof typeof CELLS;
  t: number;
  n: number;
  h: number;
  reverse: boolean;
  lengths?: number[];
  /** Starts from zeros, which are not there, and the last product of the gradient is left out. */
  fresh?: boolean;
}

/** Operands and cotangents. */
function operandsOf({ cell, t, n, h }: Problem, round: (x: number) => number) {
  const wide = PARTS[cell] * h;
  const make = (size: number, seed: number) => numbers(size, seed, 0.9).map(round);
  return {
    ...{ projected: make(t * n * wide, 1), w: make(wide * h, 2), initial: make(n * h, 3) },
    ...{ extra: make(n * h, 4), g: make((t + 1) * n * h, 5), gCells: make((t + 1) * n * h, 6) },
  };
}

type Operands = ReturnType<typeof operandsOf>;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const sum = (xs: number[]) => xs.reduce((total, x) => total + x, 0);

/** What plain loops in float64 say: the results of both kernels. */
function reference({ cell, t: steps, n, h, reverse, lengths, fresh = false }: Problem, operands: Operands) {
  const { projected, w, initial, extra, g, gCells } = operands;
  const parts = PARTS[cell];
  const wide = parts * h;
  const isLstm = cell === 'LSTM';
  const isGru = cell === 'GRU';
  const states = new Array<number>((steps + 1) * n * h).fill(0);
  const gates = new Array<number>(steps * n * wide).fill(0);
  const more = new Array<number>((isLstm ? steps + 1 : steps) * n * h).fill(0);
  const d = new Array<number>(steps * n * wide).fill(0);
  const hidden = new Array<number>(steps * n * wide).fill(0);
  const [dInitial, dExtra]: number[][] = [[], []];
  for (const row of range(n)) {
    const slab = (at: number) => (at * n + row) * h;
    const order = reverse ? range(steps).reverse() : range(steps);
    const from = (t: number) => slab(reverse ? t + 1 : t);
    const to = (t: number) => slab(reverse ? t : t + 1);
    const start = slab(reverse ? steps : 0);
    const isLive = (t: number) => t < (lengths?.[row] ?? steps);
    for (const j of range(h)) {
      states[start + j] = fresh ? 0 : initial[row * h + j]!;
      if (isLstm) more[start + j] = fresh ? 0 : extra[row * h + j]!;
    }
    for (const t of order) {
      const at = (t * n + row) * wide;
      for (const j of range(h)) {
        const s = range(parts).map((part) =>
          sum(range(h).map((k) => w[(part * h + j) * h + k]! * states[from(t) + k]!)),
        );
        const p = range(parts).map((part) => projected[at + part * h + j]!);
        const old = states[from(t) + j]!;
        let next = old;
        let made: number[] = [];
        if (isLstm) {
          const c = more[from(t) + j]!;
          made = s.map((one, part) => (part === 2 ? Math.tanh : sigmoid)(one + p[part]!));
          const [i, f, a, o] = made as [number, number, number, number];
          more[to(t) + j] = isLive(t) ? f * c + i * a : c;
          next = o * Math.tanh(more[to(t) + j]!);
        } else if (isGru) {
          const [r, z] = [sigmoid(s[0]! + p[0]!), sigmoid(s[1]! + p[1]!)];
          const q = s[2]! + extra[j]!;
          const a = Math.tanh(r * q + p[2]!);
          made = [r, z, a];
          next = a + z * (old - a);
          if (isLive(t)) more[(t * n + row) * h + j] = q;
        } else next = cell === 'RELU' ? Math.max(0, s[0]! + p[0]!) : Math.tanh(s[0]! + p[0]!);
        states[to(t) + j] = isLive(t) ? next : old;
        if (isLive(t)) for (const [part, one] of made.entries()) gates[at + part * h + j] = one;
      }
    }
    let back = new Array<number>(h).fill(0);
    const backCell = new Array<number>(h).fill(0);
    for (const [i, t] of order.reverse().entries()) {
      const at = (t * n + row) * wide;
      const past = new Array<number>(h).fill(0);
      for (const j of range(h)) {
        const dh = back[j]! + g[to(t) + j]!;
        const dc = backCell[j]! + (isLstm ? gCells[to(t) + j]! : 0);
        past[j] = dh;
        backCell[j] = dc;
        if (!isLive(t)) continue;
        past[j] = 0;
        const own = range(parts).map((part) => gates[at + part * h + j]!);
        const put = (list: number[], values: number[]) => {
          for (const [part, value] of values.entries()) list[at + part * h + j] = value;
        };
        if (isLstm) {
          const [i, f, a, o] = own as [number, number, number, number];
          const c = Math.tanh(more[to(t) + j]!);
          const whole = dc + dh * o * (1 - c * c);
          put(d, [
            whole * a * i * (1 - i),
            whole * more[from(t) + j]! * f * (1 - f),
            whole * i * (1 - a * a),
            dh * c * o * (1 - o),
          ]);
          backCell[j] = whole * f;
        } else if (isGru) {
          const [r, z, a] = own as [number, number, number];
          const da = dh * (1 - z) * (1 - a * a);
          const dr = da * more[(t * n + row) * h + j]! * r * (1 - r);
          const dz = dh * (states[from(t) + j]! - a) * z * (1 - z);
          put(d, [dr, dz, da]);
          put(hidden, [dr, dz, da * r]);
          past[j] = dh * z;
        } else {
          const y = states[to(t) + j]!;
          put(d, [dh * (cell === 'TANH' ? 1 - y * y : Number(y > 0))]);
        }
      }
      if (fresh && i === steps - 1) {
        back = past;
        continue;
      }
      const source = isGru ? hidden : d;
      back = past.map((own, k) => own + sum(range(wide).map((j) => source[at + j]! * w[j * h + k]!)));
    }
    for (const j of range(h)) {
      dInitial!.push(back[j]! + g[start + j]!);
      if (isLstm) dExtra!.push(backCell[j]! + gCells[start + j]!);
    }
  }
  return {
    ...{ states, d, dInitial: dInitial! },
    ...(isLstm || isGru ? { gates, more } : {}),
    ...(isLstm ? { dExtra: dExtra! } : {}),
    ...(isGru ? { hidden } : {}),
  };
}

describe.each(cores)('recurrent, $precision', (core) => {
  const single = core.precision === 'f32';
  const round = single ? Math.fround : (x: number) => x;
  const bytes = single ? 4 : 8;

  /** Both kernels, chunks of `per` rows, buffers `shift` elements off. */
  function run(problem: Problem, operands: Operands, { per = problem.n, shift = 0 } = {}) {
    core.reset();
    const { cell, t, n, h, reverse, lengths, fresh } = problem;
    const wide = PARTS[cell] * h;
    const reals = (values: ArrayLike<number> | number) => core.reals(values, shift);
    const w = reals(operands.w);
    const pack = (k: number, columns: number, row: number, column: number) => {
      const plan = planPack({ pointer: w.byteOffset, batch: 0, row, column }, k, columns, bytes);
      const panels = core.reals(plan.bytes / bytes);
      core.run(record(Op.PACK, plan.chunks, { ...plan.fields, [Pack.DESTINATION]: panels.byteOffset }));
      return panels.byteOffset;
    };
    const product = (columns: number, k: number, beta: number) => {
      const fields: Record<number, number> = {
        ...{ [Gemm.N]: columns, [Gemm.K]: k, [Gemm.BETA]: beta, [Gemm.A_ROW]: k, [Gemm.A_COLUMN]: 1 },
        ...{ [Gemm.C_ROW]: columns, [Gemm.C_COLUMN]: 1, [Gemm.PANELS]: Panels.PACKED },
      };
      return range(Gemm.WORDS).map((field) => fields[field] ?? 0);
    };
    const states = reals((t + 1) * n * h);
    const gates = reals(t * n * wide);
    const more = reals((cell === 'LSTM' ? t + 1 : t) * n * h);
    const shared = {
      ...{ [Recurrent.KIND]: CELLS[cell], [Recurrent.T]: t, [Recurrent.N]: n, [Recurrent.H]: h },
      ...{ [Recurrent.CHUNK]: per, [Recurrent.REVERSE]: Number(reverse) },
      [Recurrent.LENGTHS]: lengths ? core.ints(lengths).byteOffset : 0,
      ...{ [Recurrent.STATES]: states.byteOffset, [Recurrent.GATES]: gates.byteOffset },
      [Recurrent.MORE]: more.byteOffset,
    };
    const chunks = Math.ceil(n / per);
    const forward = {
      ...shared,
      [Recurrent.PANELS]: pack(h, wide, 1, h),
      [Recurrent.PROJECTED]: reals(operands.projected).byteOffset,
      [Recurrent.INITIAL]: fresh ? 0 : reals(operands.initial).byteOffset,
      [Recurrent.EXTRA]: reals(cell === 'GRU' ? operands.extra.slice(0, h) : operands.extra).byteOffset,
    };
    core.run(record(Op.RECURRENT, chunks, forward, product(wide, h, 0)));
    const [d, hidden] = [reals(t * n * wide), reals(t * n * wide)];
    const [dInitial, dExtra] = [reals(n * h), reals(n * h)];
    const backward = {
      ...shared,
      [Recurrent.PANELS]: pack(wide, h, h, 1),
      [RecurrentBackward.STATES_COTANGENT]: reals(operands.g).byteOffset,
      [RecurrentBackward.CELLS_COTANGENT]: cell === 'LSTM' ? reals(operands.gCells).byteOffset : 0,
      [RecurrentBackward.GATES_COTANGENT]: d.byteOffset,
      [RecurrentBackward.HIDDEN]: hidden.byteOffset,
      [RecurrentBackward.INITIAL_COTANGENT]: dInitial.byteOffset,
      [RecurrentBackward.EXTRA_COTANGENT]: dExtra.byteOffset,
      [RecurrentBackward.STARTS]: Number(!fresh),
    };
    const beta = Number(cell === 'GRU' || lengths !== undefined);
    core.run(record(Op.RECURRENT_BACKWARD, chunks, backward, product(h, wide, beta)));
    const all = { states, gates, more, d, hidden, dInitial, dExtra };
    return Object.fromEntries(Object.entries(all).map(([name, values]) => [name, [...values]]));
  }

  /** Every number of a result, and no other is NaN: what nothing was written to would be. */
  function near(got: Record<string, number[]>, wanted: Record<string, number[]>, what: string) {
    for (const [name, values] of Object.entries(wanted)) {
      const scale = 1 + Math.max(0, ...values.map(Math.abs));
      const worst = values.map((one, i) => Math.abs(one - got[name]![i]!) / scale);
      const bad = worst.findIndex((one) => !(one < (single ? 2e-5 : 1e-13)));
      if (bad >= 0) expect.fail(`${name}[${bad}] of ${what} is ${got[name]![bad]}, not ${values[bad]}`);
    }
  }

  describe.each(Object.keys(CELLS) as Problem['cell'][])('%s', (cell) => {
    it('is what loops say at every width, in both directions, with and without lengths', () => {
      for (const h of [...range(36).slice(1), 67, 130]) {
        const lengths = h % 3 ? undefined : [3, 0, 2, 1, 3].slice(0, 1 + (h % 5));
        const n = lengths?.length ?? 1 + (h % 6);
        const problem = { cell, t: 3, n, h, reverse: h % 2 > 0, lengths, fresh: h % 5 > 2 };
        const operands = operandsOf(problem, round);
        near(run(problem, operands, { shift: h % 4 }), reference(problem, operands), JSON.stringify(problem));
      }
    });

    it('is so where states are longer than a block of the sums', () => {
      const problem = { cell, t: 2, n: 2, h: 523, reverse: false };
      const operands = operandsOf(problem, round);
      operands.w = operands.w.map((one) => round(one / 16));
      near(run(problem, operands), reference(problem, operands), `${cell} of 523`);
    });

    it('gives the same bits however rows are cut', () => {
      for (const lengths of [undefined, range(19).map((row) => row % 5)]) {
        for (const reverse of [false, true]) {
          const problem = { cell, t: 4, n: 19, h: 9, reverse, lengths };
          const operands = operandsOf(problem, round);
          const whole = run(problem, operands);
          for (const per of [1, 3, 4, 8, 16]) expect(run(problem, operands, { per })).toEqual(whole);
        }
      }
    });
  });
});
