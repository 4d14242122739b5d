import { GEMM_KC, GEMM_MC, GEMM_MR, Gemm, Panels } from '../isa';
import { relu } from '../math';
import { LANES, SHIFT, address, multiplyAdd, word } from '../real';
import { storeUpTo } from '../tail';
import { PANEL_PITCH, PANEL_WIDTH, depthOf, pack, packedRows } from './pack';

/**
 * A chunk's C is computed tile by tile: GEMM_MR rows of two vectors, held in registers for a block of k. Both operands
 * are packed into this thread's scratch first, so that the micro-kernel reads them in order, whatever their strides:
 *
 *     A, GEMM_KC deep, all rows of the chunk (in L2)        B, GEMM_KC deep, one panel at a time (in L1)
 *     ┌ a00 a10 a20 a30 ┐ panel of rows 0 … 3               ┌ b00 b01 … b07 ┐ panel of columns 0 … 7
 *     │ a01 a11 a21 a31 │                                   │ b10 b11 … b17 │
 *     └ …               ┘                                   └ …             ┘
 *
 * B's panels may also have been packed beforehand, for all chunks, or be read where they lie: `Panels`.
 *
 *     scratch: ┌─────────┬────────┬──────────────────────┐
 *              │ B panel │ strip  │ A panels             │   strip: the tiles of one panel of columns, where C is not
 *              └─────────┴────────┴──────────────────────┘          contiguous along them or ends inside them
 */
/** Rows of a tile. With a fused multiply-add fewer registers are in the way, and more rows share what is loaded of B. */
@inline
const MR: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : GEMM_MR;
@inline
const A_PITCH: usize = MR * sizeof<real>();
@inline
const STRIP: usize = 2 * <usize>GEMM_KC * PANEL_PITCH;
@inline
const A_PANELS: usize = STRIP + <usize>GEMM_MC * PANEL_PITCH;

export function gemm(record: usize, chunk: i32, scratch: usize): void {
  const m = word(record, Gemm.M);
  const n = word(record, Gemm.N);
  const chunkM = word(record, Gemm.CHUNK_M);
  const chunkN = word(record, Gemm.CHUNK_N);
  const across = (n + chunkN - 1) / chunkN;
  const perBatch = across * ((m + chunkM - 1) / chunkM);
  const items = word(record, Gemm.ITEMS);
  const end = min((chunk + 1) * items, word(record, Gemm.BATCH) * perBatch);
  for (let item = chunk * items; item < end; item++) {
    const batch = <usize>(item / perBatch);
    const row = ((item % perBatch) / across) * chunkM;
    const column = (item % across) * chunkN;
    const a = address(record, Gemm.A) + batch * stride(record, Gemm.A_BATCH) + <usize>row * stride(record, Gemm.A_ROW);
    const b = address(record, Gemm.B) + batch * stride(record, Gemm.B_BATCH);
    const c =
      address(record, Gemm.C) +
      batch * stride(record, Gemm.C_BATCH) +
      <usize>row * stride(record, Gemm.C_ROW) +
      <usize>column * stride(record, Gemm.C_COLUMN);
    block(record, a, b, row, column, c, min(chunkM, m - row), min(chunkN, n - column), scratch);
  }
}

@inline
function stride(record: usize, field: i32): usize {
  return <usize>word(record, field) << SHIFT;
}

/** An [m, n] block of C from row and column `top`, `first` on, with all of k. */
export function block(record: usize, a: usize, b: usize, top: i32, first: i32, c: usize, m: i32, n: i32, scratch: usize): void {
  const k = word(record, Gemm.K);
  const aRow = stride(record, Gemm.A_ROW);
  const aColumn = stride(record, Gemm.A_COLUMN);
  const bRow = stride(record, Gemm.B_ROW);
  const bColumn = stride(record, Gemm.B_COLUMN);
  const cRow = stride(record, Gemm.C_ROW);
  const cColumn = stride(record, Gemm.C_COLUMN);
  let add = word(record, Gemm.BETA) != 0;
  if (k == 0 && !add) clear(c, cRow, cColumn, m, n);
  const depth = depthOf(k);
  const direct = cColumn == sizeof<real>() || cRow == sizeof<real>();
  const how = word(record, Gemm.PANELS);
  const finishes = (word(record, Gemm.ADDENDS) | word(record, Gemm.RELU)) != 0;
  if (k == 0 && finishes) finish(record, c, top, first, m, n);
  const aPanels = scratch + A_PANELS;
  const pitch = how == Panels.IN_PLACE ? bRow : PANEL_PITCH;
  for (let p = 0; p < k; p += depth) {
    const kc = min(depth, k - p);
    pack(a, aRow, aColumn, m, kc, aPanels, MR, <usize>kc * A_PITCH);
    const rows = packedRows(kc);
    const panel = how == Panels.IN_PLACE ? PANEL_PITCH : <usize>rows * PANEL_PITCH;
    const firstPanel = b + <usize>(first / PANEL_WIDTH) * panel;
    // Packed here, as many panels at a time as scratch has room for: two of GEMM_KC rows, more of fewer.
    const group = how == Panels.OWN ? 2 * GEMM_KC / rows * PANEL_WIDTH : n;
    for (let j = 0; j < n; j += group) {
      const columns = min(group, n - j);
      const target = c + <usize>j * cColumn;
      let panels = firstPanel;
      if (how == Panels.OWN) {
        panels = scratch;
        pack(b + <usize>(first + j) * bColumn, bColumn, bRow, columns, kc, scratch, PANEL_WIDTH, panel);
      }
      const full = direct ? columns / PANEL_WIDTH : 0;
      strips2(aPanels, panels, panel, pitch, kc, target, cRow, cColumn, m, full, add);
      for (let i = full * PANEL_WIDTH; i < columns; i += PANEL_WIDTH) {
        const strip = scratch + STRIP;
        const width = min(PANEL_WIDTH, columns - i);
        const last = panels + <usize>(i / PANEL_WIDTH) * panel;
        if (width > LANES) strips2(aPanels, last, panel, pitch, kc, strip, PANEL_PITCH, sizeof<real>(), m, 1, false);
        else strip1(aPanels, last, pitch, kc, strip, m);
        unstrip(strip, m, width, target + <usize>i * cColumn, cRow, cColumn, add);
      }
      if (p + kc == k && finishes) finish(record, target, top, first + j, m, columns);
    }
    a += <usize>kc * aColumn;
    b += how == Panels.PACKED ? <usize>((word(record, Gemm.N) + PANEL_WIDTH - 1) / PANEL_WIDTH) * panel : <usize>kc * bRow;
    add = true;
  }
}

/** What comes behind the sums, for an [m, n] block of C at (row, column). */
function finish(record: usize, c: usize, row: i32, column: i32, m: i32, n: i32): void {
  const across = stride(record, Gemm.C_COLUMN) == sizeof<real>();
  const relu = word(record, Gemm.RELU);
  const addends = word(record, Gemm.ADDENDS);
  const count = across ? n : m;
  const advance = stride(record, across ? Gemm.C_ROW : Gemm.C_COLUMN);
  for (let line = 0, lines = across ? m : n; line < lines; line++) {
    for (let i = 0; i < addends; i++) {
      const addend = record + (<usize>(Gemm.FIRST_ADDEND + i * Gemm.ADDEND_WORDS) << 2);
      const dRow = stride(addend, 1);
      const dColumn = stride(addend, 2);
      const d = address(addend, 0) + <usize>row * dRow + <usize>column * dColumn + <usize>line * (across ? dRow : dColumn);
      addLine(c, d, across ? dColumn : dRow, count);
    }
    if (relu) reluLine(c, count);
    c += advance;
  }
}

@inline
function addLine(c: usize, d: usize, step: usize, count: i32): void {
  const constant = v128.load_splat<real>(d);
  for (let i = 0; i < count; i += LANES) {
    const at = <usize>i << SHIFT;
    const x = step ? v128.load(d + at) : constant;
    storeUpTo(c + at, v128.add<real>(v128.load(c + at), x), count - i);
  }
}

@inline
function reluLine(c: usize, count: i32): void {
  for (let i = 0; i < count; i += LANES) {
    const at = c + (<usize>i << SHIFT);
    storeUpTo(at, relu(v128.load(at)), count - i);
  }
}

function clear(c: usize, cRow: usize, cColumn: usize, m: i32, n: i32): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) store<real>(c + <usize>i * cRow + <usize>j * cColumn, 0);
  }
}

/** Brings m rows of n reals from a strip to where C has them. */
function unstrip(strip: usize, m: i32, n: i32, c: usize, cRow: usize, cColumn: usize, add: bool): void {
  for (let row = 0; row < m; row++) {
    if (cColumn == sizeof<real>()) {
      put(c, v128.load(strip), n, add);
      if (n > LANES) put(c + 16, v128.load(strip, 16), n - LANES, add);
    } else {
      for (let column = 0; column < n; column++) {
        const x = load<real>(strip + (<usize>column << SHIFT));
        const target = c + <usize>column * cColumn;
        store<real>(target, add ? load<real>(target) + x : x);
      }
    }
    strip += PANEL_PITCH;
    c += cRow;
  }
}

/** m rows × `panels` times two vectors of C, of which rows or columns are contiguous. */
function strips2(
  aPanels: usize,
  b: usize,
  bPanel: usize,
  pitch: usize,
  k: i32,
  columns: usize,
  cRow: usize,
  cColumn: usize,
  m: i32,
  panels: i32,
  add: bool,
): void {
  for (; panels > 0; panels--) {
    let a = aPanels;
    let c = columns;
    let rows = m;
    for (; rows >= MR; rows -= MR) {
      tile(MR, 2, a, b, pitch, k, c, cRow, cColumn, add);
      a += <usize>k * A_PITCH;
      c += <usize>MR * cRow;
    }
    if (MR > 5 && rows == 5) tile(5, 2, a, b, pitch, k, c, cRow, cColumn, add);
    else if (MR > 4 && rows == 4) tile(4, 2, a, b, pitch, k, c, cRow, cColumn, add);
    else if (rows == 3) tile(3, 2, a, b, pitch, k, c, cRow, cColumn, add);
    else if (rows == 2) tile(2, 2, a, b, pitch, k, c, cRow, cColumn, add);
    else if (rows == 1) tile(1, 2, a, b, pitch, k, c, cRow, cColumn, add);
    b += bPanel;
    columns += <usize>PANEL_WIDTH * cColumn;
  }
}

/** m rows × one vector, into a strip. */
function strip1(a: usize, b: usize, pitch: usize, k: i32, c: usize, m: i32): void {
  for (; m >= MR; m -= MR) {
    tile(MR, 1, a, b, pitch, k, c, PANEL_PITCH, sizeof<real>(), false);
    a += <usize>k * A_PITCH;
    c += <usize>MR * PANEL_PITCH;
  }
  if (MR > 5 && m == 5) tile(5, 1, a, b, pitch, k, c, PANEL_PITCH, sizeof<real>(), false);
  else if (MR > 4 && m == 4) tile(4, 1, a, b, pitch, k, c, PANEL_PITCH, sizeof<real>(), false);
  else if (m == 3) tile(3, 1, a, b, pitch, k, c, PANEL_PITCH, sizeof<real>(), false);
  else if (m == 2) tile(2, 1, a, b, pitch, k, c, PANEL_PITCH, sizeof<real>(), false);
  else if (m == 1) tile(1, 1, a, b, pitch, k, c, PANEL_PITCH, sizeof<real>(), false);
}

/**
 * The micro-kernel: `rows` × `vectors` of C over a block of k > 0. Both are constants where it is inlined, so that only
 * the registers named remain: vacc2x1 is row 2, vector 1. Four rows, not five, and k not unrolled: V8 11 (Node 20) moves
 * all loads of the loop's body in front of its arithmetic, and 8 sums + 6 loads + 1 product are all the registers it has.
 */
@inline
function tile(
  rows: i32,
  vectors: i32,
  a: usize,
  b: usize,
  pitch: usize,
  k: i32,
  c: usize,
  cRow: usize,
  cColumn: usize,
  add: bool,
): void {
  let vacc0x0 = v128.splat<real>(0);
  let vacc0x1 = v128.splat<real>(0);
  let vacc1x0 = v128.splat<real>(0);
  let vacc1x1 = v128.splat<real>(0);
  let vacc2x0 = v128.splat<real>(0);
  let vacc2x1 = v128.splat<real>(0);
  let vacc3x0 = v128.splat<real>(0);
  let vacc3x1 = v128.splat<real>(0);
  let vacc4x0 = v128.splat<real>(0);
  let vacc4x1 = v128.splat<real>(0);
  let vacc5x0 = v128.splat<real>(0);
  let vacc5x1 = v128.splat<real>(0);
  const end = a + <usize>k * A_PITCH;
  do {
    const vb0 = v128.load(b);
    const vb1 = vectors > 1 ? v128.load(b, 16) : vb0;
    const va0 = v128.load_splat<real>(a);
    vacc0x0 = multiplyAdd<real>(va0, vb0, vacc0x0);
    if (vectors > 1) vacc0x1 = multiplyAdd<real>(va0, vb1, vacc0x1);
    if (rows > 1) {
      const va1 = v128.load_splat<real>(a, sizeof<real>());
      vacc1x0 = multiplyAdd<real>(va1, vb0, vacc1x0);
      if (vectors > 1) vacc1x1 = multiplyAdd<real>(va1, vb1, vacc1x1);
    }
    if (rows > 2) {
      const va2 = v128.load_splat<real>(a, 2 * sizeof<real>());
      vacc2x0 = multiplyAdd<real>(va2, vb0, vacc2x0);
      if (vectors > 1) vacc2x1 = multiplyAdd<real>(va2, vb1, vacc2x1);
    }
    if (rows > 3) {
      const va3 = v128.load_splat<real>(a, 3 * sizeof<real>());
      vacc3x0 = multiplyAdd<real>(va3, vb0, vacc3x0);
      if (vectors > 1) vacc3x1 = multiplyAdd<real>(va3, vb1, vacc3x1);
    }
    if (rows > 4) {
      const va4 = v128.load_splat<real>(a, 4 * sizeof<real>());
      vacc4x0 = multiplyAdd<real>(va4, vb0, vacc4x0);
      if (vectors > 1) vacc4x1 = multiplyAdd<real>(va4, vb1, vacc4x1);
    }
    if (rows > 5) {
      const va5 = v128.load_splat<real>(a, 5 * sizeof<real>());
      vacc5x0 = multiplyAdd<real>(va5, vb0, vacc5x0);
      if (vectors > 1) vacc5x1 = multiplyAdd<real>(va5, vb1, vacc5x1);
    }
    a += A_PITCH;
    b += pitch;
  } while (a != end);
  if (cColumn == sizeof<real>()) {
    putRow(vectors, c, vacc0x0, vacc0x1, add);
    if (rows > 1) putRow(vectors, c + cRow, vacc1x0, vacc1x1, add);
    if (rows > 2) putRow(vectors, c + 2 * cRow, vacc2x0, vacc2x1, add);
    if (rows > 3) putRow(vectors, c + 3 * cRow, vacc3x0, vacc3x1, add);
    if (rows > 4) putRow(vectors, c + 4 * cRow, vacc4x0, vacc4x1, add);
    if (rows > 5) putRow(vectors, c + 5 * cRow, vacc5x0, vacc5x1, add);
  } else {
    putColumns(rows, c, cColumn, vacc0x0, vacc1x0, vacc2x0, vacc3x0, add);
    putColumns(rows, c + <usize>LANES * cColumn, cColumn, vacc0x1, vacc1x1, vacc2x1, vacc3x1, add);
    if (rows > 4) {
      const below = c + 4 * sizeof<real>();
      putColumns(rows - 4, below, cColumn, vacc4x0, vacc5x0, vacc5x0, vacc5x0, add);
      putColumns(rows - 4, below + <usize>LANES * cColumn, cColumn, vacc4x1, vacc5x1, vacc5x1, vacc5x1, add);
    }
  }
}

@inline
function putRow(vectors: i32, c: usize, vacc0: v128, vacc1: v128, add: bool): void {
  put(c, vacc0, LANES, add);
  if (vectors > 1) put(c + 16, vacc1, LANES, add);
}

/** LANES columns of a tile, each of `rows` contiguous reals: the transpose of what the registers hold. */
@inline
function putColumns(
  rows: i32,
  c: usize,
  cColumn: usize,
  vacc0: v128,
  vacc1: v128,
  vacc2: v128,
  vacc3: v128,
  add: bool,
): void {
  if (sizeof<real>() == 8) {
    put(c, v128.shuffle<f64>(vacc0, vacc1, 0, 2), rows, add);
    put(c + cColumn, v128.shuffle<f64>(vacc0, vacc1, 1, 3), rows, add);
    if (rows > 2) {
      put(c + 16, v128.shuffle<f64>(vacc2, vacc3, 0, 2), rows - 2, add);
      put(c + 16 + cColumn, v128.shuffle<f64>(vacc2, vacc3, 1, 3), rows - 2, add);
    }
  } else {
    const left01 = v128.shuffle<f32>(vacc0, vacc1, 0, 4, 1, 5);
    const left23 = v128.shuffle<f32>(vacc2, vacc3, 0, 4, 1, 5);
    const right01 = v128.shuffle<f32>(vacc0, vacc1, 2, 6, 3, 7);
    const right23 = v128.shuffle<f32>(vacc2, vacc3, 2, 6, 3, 7);
    put(c, v128.shuffle<f64>(left01, left23, 0, 2), rows, add);
    put(c + cColumn, v128.shuffle<f64>(left01, left23, 1, 3), rows, add);
    put(c + 2 * cColumn, v128.shuffle<f64>(right01, right23, 0, 2), rows, add);
    put(c + 3 * cColumn, v128.shuffle<f64>(right01, right23, 1, 3), rows, add);
  }
}

/** Stores the first `count` reals of x (from LANES on: all), or adds them to what is there. */
@inline
function put(target: usize, x: v128, count: i32, add: bool): void {
  storeUpTo(target, add ? v128.add<real>(v128.load(target), x) : x, count);
}
