import { Cell, Gemm, Op, Panels, Recurrent, RecurrentBackward } from '../../assembly/isa';
import { bytesOf, checkReals } from '../dtype';
import { ShapeError } from '../errors';
import type { Emitter, Pointer, View } from '../graph/emitter';
import type { Op as Defined } from '../graph/op';
import { planPack } from '../machine/gemm';
import { type Shape, sameShape, show } from '../shape';
import { arange, checkOption, checkReal, full, Tensor, zeros } from '../tensor';
import { add, gt, lt, mul, relu, sigmoid, sub, tanh, where } from './elementwise';
import { defineExtensionOp } from './extension';
import { checkLengths, type Lengths } from './lengths';
import { linear, matmul, packed } from './matmul';
import { broadcastTo, chunk, concat, reshape, slice, stack, transpose, unbind } from './movement';
import { sum } from './reduce';

interface Recurrence {
  cell: 'tanh' | 'relu' | 'lstm' | 'gru';
  /** Steps run from the last to the first. */
  reverse: boolean;
  /** Whether rows have lengths of their own. */
  varies: boolean;
}

const CELLS = {
  tanh: { kind: Cell.TANH, parts: 1 },
  relu: { kind: Cell.RELU, parts: 1 },
  lstm: { kind: Cell.LSTM, parts: 4 },
  gru: { kind: Cell.GRU, parts: 3 },
} as const;

/**
 * What `recurrent` takes: `extra` is LSTM's cell before the first step [N, H], or GRU's bias [H]. Where a sequence starts from nothing the plain
 * number 0 stands for h, and for the cell: products with it are left out.
 */
interface Operands<T> {
  projected: T;
  w: T;
  initial: T;
  extra: T | undefined;
  lengths: T | undefined;
  /** What comes behind, for `recurrentBackward`. */
  rest: T[];
}

function operandsOf<T>(inputs: readonly T[], { cell, varies }: Recurrence): Operands<T> {
  const [projected, w, initial, ...behind] = inputs as [T, T, T, ...T[]];
  const extra = CELLS[cell].parts > 1 ? behind.shift() : undefined;
  const lengths = varies ? behind.shift() : undefined;
  return { projected, w, initial, extra, lengths, rest: behind };
}

const isNothing = ({ shape }: { shape: Shape }) => shape.length === 0;

/** A step as ops do it. */
interface Step {
  t: number;
  before: Tensor;
  after: Tensor;
  /** LSTM's. */
  cellBefore: Tensor;
  cell: Tensor;
  /** What the kernel saves: parts of σ and tanh, and GRU's q. */
  parts: Tensor[];
  q: Tensor;
  /** [N, 1]: the rows that take part; undefined: all. */
  live: Tensor | undefined;
}

/** All steps in the order in which they run. */
function unroll(inputs: Tensor[], options: Recurrence): Step[] {
  const { projected, w, initial, extra, lengths } = operandsOf(inputs, options);
  const { cell: kind, reverse } = options;
  const { parts: count } = CELLS[kind];
  const steps = unbind(projected).map((p, t) => ({ p, t }));
  const full = (state: Tensor) => (isNothing(state) ? broadcastTo(state, [projected.shape[1]!, w.shape[1]!]) : state);
  let [h, c] = [full(initial), full(kind === 'lstm' ? extra! : initial)];
  return (reverse ? steps.reverse() : steps).map(({ p, t }): Step => {
    const live = lengths && reshape(gt(lengths, t), [lengths.size, 1]);
    const sums = matmul(h, transpose(w));
    const [before, cellBefore] = [h, c];
    let [parts, q, next, cell]: [Tensor[], Tensor, Tensor, Tensor] = [[], h, h, c];
    if (kind === 'gru') {
      const [sr, sz, sn] = chunk(sums, count, { axis: 1 }) as [Tensor, Tensor, Tensor];
      const [pr, pz, pn] = chunk(p, count, { axis: 1 }) as [Tensor, Tensor, Tensor];
      const [r, z] = [sigmoid(add(sr, pr)), sigmoid(add(sz, pz))];
      q = add(sn, extra!);
      const n = tanh(add(mul(r, q), pn));
      next = add(n, mul(z, sub(h, n)));
      parts = [r, z, n];
    } else if (kind === 'lstm') {
      const gates = chunk(add(sums, p), count, { axis: 1 });
      const [i, f, g, o] = gates.map((gate, at) => (at === 2 ? tanh(gate) : sigmoid(gate))) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      cell = add(mul(f, c), mul(i, g));
      next = mul(o, tanh(cell));
      parts = [i, f, g, o];
    } else next = (kind === 'relu' ? relu : tanh)(add(sums, p));
    if (live) [next, cell] = [where(live, next, h), where(live, cell, c)];
    [h, c] = [next, cell];
    return { t, before, after: h, cellBefore, cell, parts, q, live };
  });
}

/** One value a step, [N, …] each, in the order of time: [T, N, …]. */
const inTime = (steps: Step[], of: (step: Step) => Tensor) => stack([...steps].sort((a, b) => a.t - b.t).map(of));

/** What is saved of a step, of which rows that take no part have zeros. */
const saved = (x: Tensor, live: Tensor | undefined) => (live ? where(live, x, 0) : x);

const recurrentOp: Defined<Recurrence> = /* @__PURE__ */ defineExtensionOp<Recurrence>({
  name: 'recurrent',
  version: 1,
  // projected [T, N, G·H], w [G·H, H], initial [N, H], perhaps extra [N, H] or [H], perhaps lengths i32 [N] -> states [T + 1, N, H],
  // and LSTM: gates [T, N, G·H], cells [T + 1, N, H]; GRU: gates, q [T, N, H]
  shape: (inputs, options) => {
    const { projected, w, initial, extra } = operandsOf(inputs, options);
    checkReals('recurrent', [projected, w, initial]);
    const { dtype } = projected;
    const [t, n, h] = [...projected.shape.slice(0, 2), w.shape[1]] as [number, number, number];
    const states = { shape: [t + 1, n, h], dtype };
    if (!extra) return [states];
    return [states, projected, options.cell === 'gru' ? { shape: [t, n, h], dtype } : states];
  },
  emit: (program, outs, ins, options) => {
    const { projected, w, initial, extra, lengths } = operandsOf(ins, options);
    const [states, gates, more] = outs as [View, View?, View?];
    const [wide, h] = w.shape as [number, number];
    const pointer = (x: View | undefined) => (x && !isNothing(x) ? program.read(program.contiguous(x)) : 0);
    const panels = panelsOf(program, w, true);
    const { fields, chunks, tail, flop } = fieldsOf(program, options, states, lengths, panels, [wide, h], 0);
    program.record(
      Op.RECURRENT,
      Recurrent.PRODUCT,
      {
        ...fields,
        [Recurrent.STATES]: program.write(states),
        [Recurrent.GATES]: gates ? program.write(gates) : 0,
        [Recurrent.MORE]: more ? program.write(more) : 0,
        [Recurrent.PROJECTED]: program.read(program.contiguous(projected)),
        [Recurrent.INITIAL]: pointer(initial),
        [Recurrent.EXTRA]: pointer(extra),
      },
      outs,
      { chunks, tail, flop, text: textOf(options, states) },
    );
  },
  meaning: (inputs, options) => {
    const { extra } = operandsOf(inputs, options);
    const steps = unroll(inputs, options);
    const slabs = (start: Tensor, of: (step: Step) => Tensor) => {
      const own = reshape(start, [1, ...start.shape]);
      return concat(options.reverse ? [inTime(steps, of), own] : [own, inTime(steps, of)]);
    };
    const states = slabs(steps[0]!.before, ({ after }) => after);
    if (!extra) return [states];
    const gates = inTime(steps, ({ parts, live }) => saved(concat(parts, { axis: 1 }), live));
    return [
      states,
      gates,
      options.cell === 'gru'
        ? inTime(steps, ({ q, live }) => saved(q, live))
        : slabs(steps[0]!.cellBefore, ({ cell }) => cell),
    ];
  },
  vjp: ([g, , gMore], { inputs, outputs, options }) => {
    const { cell, reverse, varies } = options;
    const [states] = outputs as [Tensor];
    const [w, start] = inputs.slice(1) as [Tensor, Tensor];
    const cells = cell === 'lstm' && gMore ? [gMore] : [];
    const [d, initial, more] = recurrentBackwardOp(
      [...inputs, ...outputs, g ?? full(states.shape, 0, states), ...cells],
      options,
    );
    const hidden = cell === 'gru' ? more! : d!;
    const [wide, h] = w.shape as [number, number];
    // All steps at once: one product, as long as the sequence, but for a step that starts from nothing.
    const whole = !isNothing(start);
    const before = slice(states, whole ? (reverse ? '1:' : ':-1') : '1:-1');
    const behind = whole ? hidden : slice(hidden, reverse ? ':-1' : '1:');
    const rows = (x: Tensor, columns: number) => reshape(x, [before.shape[0]! * before.shape[1]!, columns]);
    const dw = matmul(transpose(rows(behind, wide)), rows(before, h));
    const extra = cell === 'gru' ? [sum(slice(hidden, `..., ${2 * h}:`), { axis: [0, 1] })] : more ? [more] : [];
    return [d!, dw, initial!, ...extra, ...(varies ? [null] : [])];
  },
});

const recurrentBackwardOp: Defined<Recurrence> = /* @__PURE__ */ defineExtensionOp<Recurrence>({
  name: 'recurrentBackward',
  version: 1,
  // What `recurrent` takes and makes, the cotangents of states [T + 1, N, H] and perhaps of LSTM's cells
  // -> those of projected [T, N, G·H] and initial [N, H], and LSTM: of extra; GRU: of what is added up from h [T, N, G·H]
  shape: (inputs, options) => {
    const { projected, w } = operandsOf(inputs, options);
    const state = { shape: [projected.shape[1]!, w.shape[1]!], dtype: projected.dtype };
    const { cell } = options;
    return [projected, state, ...(cell === 'gru' ? [projected] : cell === 'lstm' ? [state] : [])];
  },
  emit: (program, outs, ins, options) => {
    const { w, initial: start, lengths, rest } = operandsOf(ins, options);
    const own = rest.map((view) => program.contiguous(view));
    const isPlain = CELLS[options.cell].parts === 1;
    const [states, gates, more] = own as [View, View?, View?];
    const [g, cells] = own.slice(isPlain ? 1 : 3) as [View, View?];
    const [d, initial, last] = outs as [View, View, View?];
    const isGru = options.cell === 'gru';
    const [wide, h] = w.shape as [number, number];
    const panels = panelsOf(program, w, false);
    const size = [h, wide] as const;
    // Only then does anything go past the product.
    const beta = Number(isGru || options.varies);
    const { fields, chunks, tail, flop } = fieldsOf(program, options, states, lengths, panels, size, beta);
    program.record(
      Op.RECURRENT_BACKWARD,
      RecurrentBackward.PRODUCT,
      {
        ...fields,
        [Recurrent.STATES]: program.read(states),
        [Recurrent.GATES]: isPlain ? 0 : program.read(gates!),
        [Recurrent.MORE]: isPlain ? 0 : program.read(more!),
        [RecurrentBackward.STATES_COTANGENT]: program.read(g),
        [RecurrentBackward.CELLS_COTANGENT]: cells ? program.read(cells) : 0,
        [RecurrentBackward.GATES_COTANGENT]: program.write(d),
        [RecurrentBackward.HIDDEN]: isGru ? program.write(last!) : 0,
        [RecurrentBackward.INITIAL_COTANGENT]: program.write(initial),
        [RecurrentBackward.EXTRA_COTANGENT]: last && !isGru ? program.write(last) : 0,
        [RecurrentBackward.STARTS]: Number(!isNothing(start)),
      },
      outs,
      { chunks, tail, flop, text: textOf(options, states) },
    );
  },
  // Of the cotangents and of what `recurrent` takes, so that higher orders need none of what it saves.
  meaning: (inputs, options) => {
    const { cell: kind, reverse } = options;
    const { projected, w, initial, extra, rest } = operandsOf(inputs, options);
    const [g, gCells] = rest.slice(extra ? 3 : 1) as [Tensor, Tensor?];
    const steps = unroll(inputs, options);
    const slab = (of: Tensor, at: number) => slice(of, `${at}`);
    const sigmoidSlope = (y: Tensor) => mul(y, sub(1, y));
    const tanhSlope = (y: Tensor) => sub(1, mul(y, y));
    const nothing: Tensor = zeros([projected.shape[1]!, w.shape[1]!], projected);
    let [carried, carriedCell] = [nothing, nothing];
    const made = steps.reverse().map(({ t, before, after, cellBefore, cell, parts, q, live }, i) => {
      const at = reverse ? t : t + 1;
      const dh = add(carried, slab(g, at));
      const dc = gCells ? add(carriedCell, slab(gCells, at)) : carriedCell;
      let past: Tensor | null = null;
      let [gates, hidden]: Tensor[][] = [[], []];
      let cellPast = dc;
      if (kind === 'gru') {
        const [r, z, n] = parts as [Tensor, Tensor, Tensor];
        const dn = mul(mul(dh, sub(1, z)), tanhSlope(n));
        const dr = mul(mul(dn, q), sigmoidSlope(r));
        const dz = mul(mul(dh, sub(before, n)), sigmoidSlope(z));
        [gates, hidden] = [
          [dr, dz, dn],
          [dr, dz, mul(dn, r)],
        ];
        past = mul(dh, z);
      } else if (kind === 'lstm') {
        const [i, f, a, o] = parts as [Tensor, Tensor, Tensor, Tensor];
        const y = tanh(cell);
        const own = add(dc, mul(mul(dh, o), tanhSlope(y)));
        gates = [
          mul(mul(own, a), sigmoidSlope(i)),
          mul(mul(own, cellBefore), sigmoidSlope(f)),
          mul(mul(own, i), tanhSlope(a)),
          mul(mul(dh, y), sigmoidSlope(o)),
        ];
        hidden = gates;
        cellPast = mul(own, f);
      } else {
        gates = [kind === 'relu' ? where(gt(after, 0), dh, 0) : mul(dh, tanhSlope(after))];
        hidden = gates;
      }
      const d = saved(concat(gates!, { axis: 1 }), live);
      const e = kind === 'gru' ? saved(concat(hidden!, { axis: 1 }), live) : d;
      if (live) {
        past = where(live, past ?? 0, dh);
        cellPast = where(live, cellPast, dc);
      }
      const isLast = i === steps.length - 1;
      const sums = isLast && isNothing(initial) ? null : matmul(e, w);
      carried = past && sums ? add(past, sums) : (past ?? sums ?? nothing);
      carriedCell = cellPast;
      return { t, d, e };
    });
    const ordered = made.sort((a, b) => a.t - b.t);
    const start = reverse ? projected.shape[0]! : 0;
    const first = (all: Tensor | undefined, own: Tensor) => (all ? add(own, slab(all, start)) : own);
    const results = [stack(ordered.map(({ d }) => d)), first(g, carried)];
    if (kind === 'gru') results.push(stack(ordered.map(({ e }) => e)));
    if (kind === 'lstm') results.push(first(gCells, carriedCell));
    return results;
  },
});

/** Rows of a chunk: whole tiles of GEMM, two at least where that leaves several chunks, so that what they read of the weights is shared. */
const rowsOf = (n: number) => (n < 16 ? 4 : n < 128 ? 8 : 16);

/** The weights of a product with h (w transposed), or with cotangents of the gates. */
function panelsOf(program: Emitter, w: View, isTransposed: boolean): View {
  const own = w.buffer.kind === 'number' ? program.contiguous(w) : w;
  const [wide, h] = own.shape as [number, number];
  const [row, column] = own.strides as [number, number];
  const bytes = bytesOf(own.dtype);
  return packed(
    program,
    isTransposed
      ? planPack<View>({ pointer: own, batch: 0, row: column, column: row }, h, wide, bytes)
      : planPack<View>({ pointer: own, batch: 0, row, column }, wide, h, bytes),
  );
}

/** What both records have in common; the product is that of rows of `from` with a matrix [from, to]. */
function fieldsOf(
  program: Emitter,
  { cell, reverse }: Recurrence,
  states: View,
  lengths: View | undefined,
  panels: View,
  [to, from]: readonly [number, number],
  beta: number,
): { fields: Record<number, number | Pointer>; chunks: number; tail: number[]; flop: number } {
  const [slabs, n, h] = states.shape as [number, number, number];
  const product: Record<number, number> = {
    [Gemm.N]: to,
    [Gemm.K]: from,
    [Gemm.BETA]: beta,
    [Gemm.A_ROW]: from,
    [Gemm.A_COLUMN]: 1,
    [Gemm.C_ROW]: to,
    [Gemm.C_COLUMN]: 1,
    [Gemm.PANELS]: Panels.PACKED,
  };
  const rows = rowsOf(n);
  return {
    fields: {
      [Recurrent.KIND]: CELLS[cell].kind,
      [Recurrent.T]: slabs - 1,
      [Recurrent.N]: n,
      [Recurrent.H]: h,
      [Recurrent.CHUNK]: rows,
      [Recurrent.REVERSE]: Number(reverse),
      [Recurrent.LENGTHS]: lengths ? program.read(program.contiguous(lengths)) : 0,
      [Recurrent.PANELS]: program.read(panels),
    },
    chunks: Math.ceil(n / rows),
    tail: Array.from({ length: Gemm.WORDS }, (_, field) => product[field] ?? 0),
    flop: 2 * (slabs - 1) * n * to * from,
  };
}

const textOf = ({ cell }: Recurrence, { shape: [slabs, n, h] }: View) => `${cell} ${slabs! - 1}×${n}, ${h}`;

export interface RecurrentOptions<S> {
  /** What h (and c) are before the first step, [N, H]; zeros unless given. */
  state?: S;
  /** Steps run from the last to the first. */
  reverse?: boolean;
  /**
   * How many steps each sequence has, from 0 to T: beyond, outputs are 0, and the state is that at the sequence's own end; with `reverse` it is
   * there that its steps begin. What x holds beyond must be finite.
   */
  lengths?: Lengths;
}

export interface RnnOptions extends RecurrentOptions<Tensor> {
  nonlinearity?: 'tanh' | 'relu';
}

/** What a sequence gives. */
export interface Recurred<S> {
  /** h of each step, [T, N, H]. */
  output: Tensor;
  /** What the last step leaves, [N, H]. */
  state: S;
}

/** Biases may be left out, also before the options. */
type Rest<O> = [options?: O] | [biasIh: Optional, biasHh: Optional, options?: O];
type Optional = Tensor | null | undefined;

/** h and c. */
export type LstmState = readonly [Tensor, Tensor];

/** The operands, checked: x [T, N, I], weights [G·H, I] and [G·H, H], biases [G·H], states [N, H]. */
function recur<S extends readonly Tensor[]>(
  op: string,
  cell: Recurrence['cell'],
  [x, weightIh, weightHh]: readonly [Tensor, Tensor, Tensor],
  [biasIh, biasHh]: readonly Optional[],
  states: S | undefined,
  { reverse = false, lengths }: RecurrentOptions<unknown>,
): Recurred<Tensor[]> {
  const { parts } = CELLS[cell];
  const own = {
    ...{ x, weightIh, weightHh },
    ...(biasIh && { biasIh }),
    ...(biasHh && { biasHh }),
    ...Object.fromEntries((states ?? []).map((state, i) => [`state${i > 0 ? '[1]' : ''}`, state])),
  };
  checkReal(op, own);
  const check = (argument: string, { shape }: Tensor, wanted: string, holds: boolean, expected?: Shape) => {
    if (holds) return;
    throw new ShapeError(`${argument} must be ${wanted}; got ${show(shape)}, and x ${show(x.shape)}.`, {
      op,
      argument,
      got: shape,
      expected,
    });
  };
  check('x', x, '[T, N, I], of a step or more', x.rank === 3 && x.shape[0]! > 0);
  const [t, n, inputs] = x.shape as [number, number, number];
  const h = weightHh.shape[1]!;
  const whole = `${parts > 1 ? `${parts}·` : ''}H`;
  check('weightHh', weightHh, `[${whole}, H]`, weightHh.rank === 2 && weightHh.shape[0] === parts * h && h > 0);
  const exact = (argument: string, tensor: Tensor, names: string, shape: Shape) =>
    check(argument, tensor, `[${names}], ${show(shape)} here`, sameShape(tensor.shape, shape), shape);
  exact('weightIh', weightIh, `${whole}, I`, [parts * h, inputs]);
  if (biasIh) exact('biasIh', biasIh, whole, [parts * h]);
  if (biasHh) exact('biasHh', biasHh, whole, [parts * h]);
  for (const [argument, state] of Object.entries(own))
    if (argument.startsWith('state')) exact(argument, state, 'N, H', [n, h]);
  const ends = lengths === undefined ? undefined : checkLengths(op, 'lengths', lengths, n, 0, t).own;

  const nothing = (shape: Shape) => zeros(shape, x);
  // GRU's bias of what r multiplies is not the input's.
  const isGru = cell === 'gru';
  const ofHidden = biasHh && isGru ? concat([slice(biasHh, `:${2 * h}`), nothing([h])]) : biasHh;
  const bias = biasIh && ofHidden ? add(biasIh, ofHidden) : (biasIh ?? ofHidden);
  const projected = linear(x, weightIh, bias ?? undefined);
  const [initial, memory] = states ?? [0, 0];
  const extra = isGru ? [biasHh ? slice(biasHh, `${2 * h}:`) : nothing([h])] : cell === 'lstm' ? [memory!] : [];
  const options = { cell, reverse, varies: ends !== undefined };
  const results = recurrentOp([projected, weightHh, initial!, ...extra, ...(ends ? [ends] : [])], options);
  const slabs = results[0]!;
  const output = slice(slabs, reverse ? ':-1' : '1:');
  const isInside = ends && lt(reshape(arange(t), [t, 1, 1]), reshape(ends, [1, n, 1]));
  const last = reverse ? '0' : '-1';
  return {
    output: isInside ? where(isInside, output, 0) : output,
    state: [slabs, ...(cell === 'lstm' ? [results[2]!] : [])].map((one) => slice(one, last)),
  };
}

/** Throws a ValueError for another than those that there are. @internal */
export function checkNonlinearity(op: string, nonlinearity: string): void {
  const isKnown = nonlinearity === 'tanh' || nonlinearity === 'relu';
  checkOption(op, 'nonlinearity', nonlinearity, isKnown, "'tanh' or 'relu'");
}

/** Tensors that may be left out, and the options behind them. */
function restOf<O extends object>(rest: readonly unknown[]): { biases: Optional[]; options: Partial<O> } {
  const at = rest.findIndex((one) => one != null && !(one instanceof Tensor));
  const biases = (at < 0 ? rest : rest.slice(0, at)) as Optional[];
  return { biases, options: at < 0 ? {} : (rest[at] as Partial<O>) };
}

/**
 * A recurrent layer over a sequence (Elman 1990; one layer of torch.nn.RNN): h' = f(x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh) with f tanh or relu.
 *
 * - x [T, N, I], weightIh [H, I], weightHh [H, H], biases [H], which may be left out -> output [T, N, H], state [N, H]
 *
 * Backpropagation goes through all steps; to cut it between two parts of a long sequence, pass `detach(state)` on to the next. Throws
 * a DtypeError unless all are real and of one dtype, a ShapeError where shapes do not fit, a ValueError for a bad option.
 */
export function rnn(x: Tensor, weightIh: Tensor, weightHh: Tensor, ...rest: Rest<RnnOptions>): Recurred<Tensor> {
  const { biases, options } = restOf<RnnOptions>(rest);
  const { nonlinearity = 'tanh', state } = options;
  checkNonlinearity('rnn', nonlinearity);
  const made = recur('rnn', nonlinearity, [x, weightIh, weightHh], biases, state && [state], options);
  return { output: made.output, state: made.state[0]! };
}

/**
 * A layer of long short-term memory over a sequence (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000; one layer of
 * torch.nn.LSTM): with i, f, g, o the four parts of x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh,
 *
 *     c' = σ(f)·c + σ(i)·tanh(g),   h' = σ(o)·tanh(c')
 *
 * - x [T, N, I], weightIh [4·H, I], weightHh [4·H, H], biases [4·H], which may be left out -> output [T, N, H], state h and c, each [N, H]
 *
 * Otherwise as `rnn`.
 */
export function lstm(
  x: Tensor,
  weightIh: Tensor,
  weightHh: Tensor,
  ...rest: Rest<RecurrentOptions<LstmState>>
): Recurred<LstmState> {
  const { biases, options } = restOf<RecurrentOptions<LstmState>>(rest);
  const { state } = options;
  const isPair = state === undefined || (Array.isArray(state) && state.length === 2);
  checkOption('lstm', 'state', state, isPair, 'a pair of tensors, [h, c]');
  const made = recur('lstm', 'lstm', [x, weightIh, weightHh], biases, state, options);
  return { output: made.output, state: made.state as [Tensor, Tensor] };
}

/**
 * A layer of gated recurrent units over a sequence (Cho et al. 2014, with r behind the product; one layer of torch.nn.GRU): with parts r, z, n of
 * a = x·W_ihᵀ + b_ih and of b = h·W_hhᵀ + b_hh,
 *
 *     r = σ(a_r + b_r),   z = σ(a_z + b_z),   n = tanh(a_n + r·b_n),   h' = n + z·(h - n)
 *
 * - x [T, N, I], weightIh [3·H, I], weightHh [3·H, H], biases [3·H], which may be left out -> output [T, N, H], state [N, H]
 *
 * Otherwise as `rnn`.
 */
export function gru(
  x: Tensor,
  weightIh: Tensor,
  weightHh: Tensor,
  ...rest: Rest<RecurrentOptions<Tensor>>
): Recurred<Tensor> {
  const { biases, options } = restOf<RecurrentOptions<Tensor>>(rest);
  const { state } = options;
  const made = recur('gru', 'gru', [x, weightIh, weightHh], biases, state && [state], options);
  return { output: made.output, state: made.state[0]! };
}
