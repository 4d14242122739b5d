import { Cell, Recurrent, RecurrentBackward } from '../isa';
import { relu, sigmoid, tanh } from '../math';
import { LANES, SHIFT, address, word } from '../real';
import { storeUpTo } from '../tail';
import { block } from './gemm';

/**
 * A chunk is some rows of the batch, which need nothing of the others in any step: it runs all steps, and no thread waits for another.
 * In a step the sums h·Wᵀ of all its rows, a small product whose weights stay in L2, go to where the gates (or the new states) will be,
 * and the cell then works on them where they lie, row by row.
 */

/** Parts of a row of sums, each as long as a state. */
@inline
function partsOf(kind: i32): i32 {
  return kind == Cell.LSTM ? 4 : kind == Cell.GRU ? 3 : 1;
}

/** How many steps the row takes. */
@inline
function stepsOf(record: usize, row: i32): i32 {
  const lengths = address(record, Recurrent.LENGTHS);
  return lengths ? load<i32>(lengths + (<usize>row << 2)) : word(record, Recurrent.T);
}

/** The most that any row of a chunk takes. */
function longestOf(record: usize, first: i32, rows: i32): i32 {
  let longest = 0;
  for (let row = 0; row < rows; row++) longest = max(longest, stepsOf(record, first + row));
  return longest;
}

@inline
function one(): v128 {
  return v128.splat<real>(1);
}

/** y·(1 - y), the slope of σ where it is y. */
@inline
function sigmoidSlope(y: v128): v128 {
  return v128.mul<real>(y, v128.sub<real>(one(), y));
}

/** 1 - y², that of tanh. */
@inline
function tanhSlope(y: v128): v128 {
  return v128.sub<real>(one(), v128.mul<real>(y, y));
}

@inline
function sumAt(a: usize, b: usize): v128 {
  return v128.add<real>(v128.load(a), v128.load(b));
}

export function recurrent(record: usize, chunk: i32, scratch: usize): void {
  const kind = word(record, Recurrent.KIND);
  const steps = word(record, Recurrent.T);
  const n = word(record, Recurrent.N);
  const h = word(record, Recurrent.H);
  const reverse = word(record, Recurrent.REVERSE) != 0;
  const first = chunk * word(record, Recurrent.CHUNK);
  const rows = min(word(record, Recurrent.CHUNK), n - first);
  const longest = longestOf(record, first, rows);
  const line = <usize>h << SHIFT;
  const wide = <usize>partsOf(kind) * line;
  const slab = <usize>n * line;
  const extra = address(record, Recurrent.EXTRA);
  const start = <usize>first * line;
  let before = address(record, Recurrent.STATES) + start + (reverse ? <usize>steps * slab : 0);
  // From states to the cells that belong to them.
  const toCells = address(record, Recurrent.MORE) - address(record, Recurrent.STATES);
  const initial = address(record, Recurrent.INITIAL);
  if (initial) {
    memory.copy(before, initial + start, <usize>rows * line);
    if (kind == Cell.LSTM) memory.copy(before + toCells, extra + start, <usize>rows * line);
  } else {
    memory.fill(before, 0, <usize>rows * line);
    if (kind == Cell.LSTM) memory.fill(before + toCells, 0, <usize>rows * line);
  }
  for (let step = 0; step < steps; step++) {
    const t = reverse ? steps - 1 - step : step;
    const at = <usize>t * <usize>n + <usize>first;
    let after = reverse ? before - slab : before + slab;
    const next = after;
    let p = address(record, Recurrent.PROJECTED) + at * wide;
    let gates = address(record, Recurrent.GATES) + at * wide;
    let q = address(record, Recurrent.MORE) + at * line;
    const sums = kind == Cell.LSTM || kind == Cell.GRU ? gates : after;
    if (step == 0 && !initial) memory.fill(sums, 0, <usize>rows * wide);
    else if (t < longest) {
      const product = record + (Recurrent.PRODUCT << 2);
      block(product, before, address(record, Recurrent.PANELS), 0, 0, sums, rows, partsOf(kind) * h, scratch);
    }
    for (let row = 0; row < rows; row++) {
      if (t < stepsOf(record, first + row)) {
        if (kind == Cell.LSTM) lstmRow(p, gates, before + toCells, after + toCells, after, h);
        else if (kind == Cell.GRU) gruRow(p, gates, extra, q, before, after, h);
        else plainRow(kind == Cell.RELU, p, after, h);
      } else {
        memory.copy(after, before, line);
        if (kind == Cell.LSTM) memory.copy(after + toCells, before + toCells, line);
        else if (kind == Cell.GRU) memory.fill(q, 0, line);
        if (kind == Cell.LSTM || kind == Cell.GRU) memory.fill(gates, 0, wide);
      }
      before += line;
      after += line;
      p += wide;
      gates += wide;
      q += line;
    }
    before = next;
  }
}

// Rows of one step, h long. What a vector holds beyond a row's end is another's, and is not stored.

function plainRow(isRelu: bool, p: usize, after: usize, h: i32): void {
  for (; h > 0; h -= LANES) {
    const sum = sumAt(after, p);
    storeUpTo(after, isRelu ? relu(sum) : tanh(sum), h);
    after += 16;
    p += 16;
  }
}

function lstmRow(p: usize, gates: usize, cell: usize, newCell: usize, after: usize, h: i32): void {
  const line = <usize>h << SHIFT;
  for (; h > 0; h -= LANES) {
    const i = sigmoid(sumAt(gates, p));
    const f = sigmoid(sumAt(gates + line, p + line));
    const g = tanh(sumAt(gates + 2 * line, p + 2 * line));
    const o = sigmoid(sumAt(gates + 3 * line, p + 3 * line));
    const c = v128.add<real>(v128.mul<real>(f, v128.load(cell)), v128.mul<real>(i, g));
    storeUpTo(gates, i, h);
    storeUpTo(gates + line, f, h);
    storeUpTo(gates + 2 * line, g, h);
    storeUpTo(gates + 3 * line, o, h);
    storeUpTo(newCell, c, h);
    storeUpTo(after, v128.mul<real>(o, tanh(c)), h);
    gates += 16;
    p += 16;
    cell += 16;
    newCell += 16;
    after += 16;
  }
}

function gruRow(p: usize, gates: usize, bias: usize, toQ: usize, before: usize, after: usize, h: i32): void {
  const line = <usize>h << SHIFT;
  for (; h > 0; h -= LANES) {
    const r = sigmoid(sumAt(gates, p));
    const z = sigmoid(sumAt(gates + line, p + line));
    const q = sumAt(gates + 2 * line, bias);
    const n = tanh(v128.add<real>(v128.mul<real>(r, q), v128.load(p + 2 * line)));
    storeUpTo(gates, r, h);
    storeUpTo(gates + line, z, h);
    storeUpTo(gates + 2 * line, n, h);
    storeUpTo(toQ, q, h);
    storeUpTo(after, v128.add<real>(n, v128.mul<real>(z, v128.sub<real>(v128.load(before), n))), h);
    gates += 16;
    p += 16;
    bias += 16;
    toQ += 16;
    before += 16;
    after += 16;
  }
}

export function recurrentBackward(record: usize, chunk: i32, scratch: usize): void {
  const kind = word(record, Recurrent.KIND);
  const steps = word(record, Recurrent.T);
  const n = word(record, Recurrent.N);
  const h = word(record, Recurrent.H);
  const reverse = word(record, Recurrent.REVERSE) != 0;
  const first = chunk * word(record, Recurrent.CHUNK);
  const rows = min(word(record, Recurrent.CHUNK), n - first);
  const longest = longestOf(record, first, rows);
  const line = <usize>h << SHIFT;
  const wide = <usize>partsOf(kind) * line;
  const slab = <usize>n * line;
  const start = <usize>first * line;
  const states = address(record, Recurrent.STATES);
  let after = states + start + (reverse ? 0 : <usize>steps * slab);
  const toCells = address(record, Recurrent.MORE) - states;
  const toCotangents = address(record, RecurrentBackward.STATES_COTANGENT) - states;
  const cells = address(record, RecurrentBackward.CELLS_COTANGENT);
  const toCellCotangents = cells - states;
  // What goes from step to step lies where at last the cotangents of the start will be.
  const carried = address(record, RecurrentBackward.INITIAL_COTANGENT) + start;
  const carriedCell = address(record, RecurrentBackward.EXTRA_COTANGENT) + start;
  memory.fill(carried, 0, <usize>rows * line);
  if (kind == Cell.LSTM) memory.fill(carriedCell, 0, <usize>rows * line);
  for (let step = steps - 1; step >= 0; step--) {
    const t = reverse ? steps - 1 - step : step;
    const at = <usize>t * <usize>n + <usize>first;
    let before = reverse ? after + slab : after - slab;
    const next = before;
    const sums = address(record, kind == Cell.GRU ? RecurrentBackward.HIDDEN : RecurrentBackward.GATES_COTANGENT) + at * wide;
    let d = address(record, RecurrentBackward.GATES_COTANGENT) + at * wide;
    let hidden = address(record, RecurrentBackward.HIDDEN) + at * wide;
    let gates = address(record, Recurrent.GATES) + at * wide;
    let q = address(record, Recurrent.MORE) + at * line;
    let back = carried;
    let backCell = carriedCell;
    for (let row = 0; row < rows; row++) {
      const g = after + toCotangents;
      const gCell = cells ? after + toCellCotangents : 0;
      if (t < stepsOf(record, first + row)) {
        if (kind == Cell.LSTM) lstmRowBackward(gates, before + toCells, after + toCells, g, gCell, back, backCell, d, h);
        else if (kind == Cell.GRU) gruRowBackward(gates, q, before, g, back, d, hidden, h);
        else plainRowBackward(kind == Cell.RELU, after, g, back, d, h);
      } else {
        addRow(g, back, h);
        if (gCell) addRow(gCell, backCell, h);
        memory.fill(d, 0, wide);
        if (kind == Cell.GRU) memory.fill(hidden, 0, wide);
      }
      before += line;
      after += line;
      d += wide;
      hidden += wide;
      gates += wide;
      q += line;
      back += line;
      backCell += line;
    }
    if (t < longest && (step > 0 || word(record, RecurrentBackward.STARTS))) {
      const product = record + (RecurrentBackward.PRODUCT << 2);
      block(product, sums, address(record, Recurrent.PANELS), 0, 0, carried, rows, h, scratch);
    }
    after = next;
  }
  for (let row = 0; row < rows; row++) {
    const at = <usize>row * line;
    addRow(after + toCotangents + at, carried + at, h);
    if (cells) addRow(after + toCellCotangents + at, carriedCell + at, h);
  }
}

/** Adds a row to what is carried. */
function addRow(g: usize, back: usize, h: i32): void {
  for (; h > 0; h -= LANES) {
    storeUpTo(back, sumAt(back, g), h);
    g += 16;
    back += 16;
  }
}

function plainRowBackward(isRelu: bool, after: usize, g: usize, back: usize, d: usize, h: i32): void {
  const zero = v128.splat<real>(0);
  for (; h > 0; h -= LANES) {
    const y = v128.load(after);
    const dh = sumAt(back, g);
    const slope = isRelu ? v128.and(dh, v128.gt<real>(y, zero)) : v128.mul<real>(dh, tanhSlope(y));
    storeUpTo(d, slope, h);
    storeUpTo(back, zero, h);
    after += 16;
    g += 16;
    back += 16;
    d += 16;
  }
}

function lstmRowBackward(
  gates: usize,
  cell: usize,
  newCell: usize,
  g: usize,
  gCell: usize,
  back: usize,
  backCell: usize,
  d: usize,
  h: i32,
): void {
  const line = <usize>h << SHIFT;
  for (; h > 0; h -= LANES) {
    const i = v128.load(gates);
    const f = v128.load(gates + line);
    const a = v128.load(gates + 2 * line);
    const o = v128.load(gates + 3 * line);
    const dh = sumAt(back, g);
    const c = tanh(v128.load(newCell));
    let dc = v128.load(backCell);
    if (gCell) {
      dc = v128.add<real>(dc, v128.load(gCell));
      gCell += 16;
    }
    dc = v128.add<real>(dc, v128.mul<real>(v128.mul<real>(dh, o), tanhSlope(c)));
    storeUpTo(d, v128.mul<real>(v128.mul<real>(dc, a), sigmoidSlope(i)), h);
    storeUpTo(d + line, v128.mul<real>(v128.mul<real>(dc, v128.load(cell)), sigmoidSlope(f)), h);
    storeUpTo(d + 2 * line, v128.mul<real>(v128.mul<real>(dc, i), tanhSlope(a)), h);
    storeUpTo(d + 3 * line, v128.mul<real>(v128.mul<real>(dh, c), sigmoidSlope(o)), h);
    storeUpTo(back, v128.splat<real>(0), h);
    storeUpTo(backCell, v128.mul<real>(dc, f), h);
    gates += 16;
    cell += 16;
    newCell += 16;
    g += 16;
    back += 16;
    backCell += 16;
    d += 16;
  }
}

function gruRowBackward(
  gates: usize,
  fromQ: usize,
  before: usize,
  g: usize,
  back: usize,
  d: usize,
  hidden: usize,
  h: i32,
): void {
  const line = <usize>h << SHIFT;
  for (; h > 0; h -= LANES) {
    const r = v128.load(gates);
    const z = v128.load(gates + line);
    const n = v128.load(gates + 2 * line);
    const dh = sumAt(back, g);
    const dn = v128.mul<real>(v128.mul<real>(dh, v128.sub<real>(one(), z)), tanhSlope(n));
    const dr = v128.mul<real>(v128.mul<real>(dn, v128.load(fromQ)), sigmoidSlope(r));
    const dz = v128.mul<real>(v128.mul<real>(dh, v128.sub<real>(v128.load(before), n)), sigmoidSlope(z));
    storeUpTo(d, dr, h);
    storeUpTo(d + line, dz, h);
    storeUpTo(d + 2 * line, dn, h);
    storeUpTo(hidden, dr, h);
    storeUpTo(hidden + line, dz, h);
    storeUpTo(hidden + 2 * line, v128.mul<real>(dn, r), h);
    storeUpTo(back, v128.mul<real>(dh, z), h);
    gates += 16;
    fromQ += 16;
    before += 16;
    g += 16;
    back += 16;
    d += 16;
    hidden += 16;
  }
}
