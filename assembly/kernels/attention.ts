import { ATTENTION_OPERAND, Attention, AttentionBackward, AttentionPart } from '../isa';
import { exp, log } from '../math';
import { LANES, SHIFT, address, double, multiplyAdd, word } from '../real';
import { storeUpTo } from '../tail';
import { PANEL_PITCH, PANEL_WIDTH, pack, packedRows } from './pack';

/**
 * Scores stand as [key][query], a panel of PANEL_WIDTH queries at a time, two vectors to a key:
 *
 *     ┌ key 0: queries 0 … 7 ┐   what belongs to a query (its largest score, its sum) is a lane: nothing is added across lanes;
 *     │ key 1: queries 0 … 7 │   and the panel is read as it is by the products that follow: for p·v as a panel of A whose k are
 *     └ …                    ┘   keys, and in the gradients of k and v as rows of A whose k are queries
 *
 * So a block of keys is three kinds of product, all of tiles of 4 × two vectors: keys × queries (`score`), queries × columns of v or k
 * (`blend`), keys × columns of q or g (`collect`). No more than ROWS × KEYS scores exist at any time.
 */
@inline
const TILE_ROWS: i32 = 4;
@inline
const ROWS_PITCH: usize = <usize>TILE_ROWS << SHIFT;

@inline
function stride(record: usize, field: i32): usize {
  return <usize>word(record, field) << SHIFT;
}

/** Where an operand's matrix of a head begins. */
@inline
function matrixOf(record: usize, operand: i32, head: i32): usize {
  const heads = word(record, Attention.HEADS);
  return (
    address(record, operand) +
    <usize>(head / heads) * stride(record, operand + 1) +
    <usize>(head % heads) * stride(record, operand + 2)
  );
}

@inline
function rowStride(record: usize, operand: i32): usize {
  return stride(record, operand + ATTENTION_OPERAND - 2);
}

@inline
function columnStride(record: usize, operand: i32): usize {
  return stride(record, operand + ATTENTION_OPERAND - 1);
}

/** Bytes of a panel of lines of `depth` elements, so many lines wide. */
@inline
function panelBytes(width: i32, depth: i32): usize {
  return <usize>(packedRows(depth) * width) << SHIFT;
}

/** Bytes of all panels of `count` lines. */
@inline
function panelsBytes(width: i32, count: i32, depth: i32): usize {
  return <usize>((count + width - 1) / width) * panelBytes(width, depth);
}

/** Bytes of a row of `columns` that ends with a whole panel. */
@inline
function rowBytes(columns: i32): usize {
  return <usize>((columns + PANEL_WIDTH - 1) / PANEL_WIDTH) * PANEL_PITCH;
}

/** Rows `first` on of an operand as panels of `width` rows. */
@inline
function packRowsOf(record: usize, operand: i32, matrix: usize, first: i32, count: i32, depth: i32, to: usize, width: i32): void {
  const row = rowStride(record, operand);
  const source = matrix + <usize>first * row;
  pack(source, row, columnStride(record, operand), count, depth, to, width, panelBytes(width, depth));
}

/** Rows `first` on of an operand as panels of columns. */
@inline
function packColumnsOf(record: usize, operand: i32, matrix: usize, first: i32, count: i32, columns: i32, to: usize): void {
  const row = rowStride(record, operand);
  const source = matrix + <usize>first * row;
  pack(source, columnStride(record, operand), row, columns, count, to, PANEL_WIDTH, panelBytes(PANEL_WIDTH, count));
}

/**
 * 4 rows × two vectors of C = A·B, as in gemm.ts. A's element (row, k) is at a + row · aRow + k · aPitch, constants where this is inlined;
 * where `skip` is not 0, A goes on that much further after each PANEL_WIDTH of k. C is scaled, or added to what is there.
 */
@inline
function tile(
  a: usize,
  aRow: usize,
  aPitch: usize,
  skips: bool,
  skip: usize,
  b: usize,
  k: i32,
  c: usize,
  cPitch: usize,
  scales: bool,
  scale: v128,
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
  do {
    const end = b + <usize>(skips ? min(k, PANEL_WIDTH) : k) * PANEL_PITCH;
    do {
      const vb0 = v128.load(b);
      const vb1 = v128.load(b, 16);
      const va0 = v128.load_splat<real>(a);
      vacc0x0 = multiplyAdd<real>(va0, vb0, vacc0x0);
      vacc0x1 = multiplyAdd<real>(va0, vb1, vacc0x1);
      const va1 = v128.load_splat<real>(a + aRow);
      vacc1x0 = multiplyAdd<real>(va1, vb0, vacc1x0);
      vacc1x1 = multiplyAdd<real>(va1, vb1, vacc1x1);
      const va2 = v128.load_splat<real>(a + 2 * aRow);
      vacc2x0 = multiplyAdd<real>(va2, vb0, vacc2x0);
      vacc2x1 = multiplyAdd<real>(va2, vb1, vacc2x1);
      const va3 = v128.load_splat<real>(a + 3 * aRow);
      vacc3x0 = multiplyAdd<real>(va3, vb0, vacc3x0);
      vacc3x1 = multiplyAdd<real>(va3, vb1, vacc3x1);
      a += aPitch;
      b += PANEL_PITCH;
    } while (b != end);
    a += skip;
    k -= PANEL_WIDTH;
  } while (skips && k > 0);
  putRow(c, vacc0x0, vacc0x1, scales, scale, add);
  putRow(c + cPitch, vacc1x0, vacc1x1, scales, scale, add);
  putRow(c + 2 * cPitch, vacc2x0, vacc2x1, scales, scale, add);
  putRow(c + 3 * cPitch, vacc3x0, vacc3x1, scales, scale, add);
}

@inline
function putRow(c: usize, vacc0: v128, vacc1: v128, scales: bool, scale: v128, add: bool): void {
  if (scales) {
    vacc0 = v128.mul<real>(vacc0, scale);
    vacc1 = v128.mul<real>(vacc1, scale);
  } else if (add) {
    vacc0 = v128.add<real>(v128.load(c), vacc0);
    vacc1 = v128.add<real>(v128.load(c, 16), vacc1);
  }
  v128.store(c, vacc0);
  v128.store(c, vacc1, 16);
}

/** scores[key][query] = scale · Σ_e k[key, e] · q[query, e], of one panel of queries and so many keys, rounded up to whole tiles. */
function score(kPanels: usize, qPanel: usize, e: i32, keys: i32, scale: v128, to: usize): void {
  const panel = panelBytes(TILE_ROWS, e);
  for (; keys > 0; keys -= TILE_ROWS) {
    tile(kPanels, sizeof<real>(), ROWS_PITCH, false, 0, qPanel, e, to, PANEL_PITCH, true, scale, false);
    kPanels += panel;
    to += <usize>TILE_ROWS * PANEL_PITCH;
  }
}

/**
 * c[query, column] (+)= Σ_key p[key][query] · x[key, column], of one panel of queries; x as panels of columns, `panel` bytes apart, c as rows
 * of `pitch` bytes.
 */
function blend(p: usize, x: usize, panel: usize, keys: i32, queries: i32, columns: i32, c: usize, pitch: usize, add: bool): void {
  for (; columns > 0; columns -= PANEL_WIDTH) {
    for (let query = 0; query < queries; query += TILE_ROWS) {
      const from = p + (<usize>query << SHIFT);
      const to = c + <usize>query * pitch;
      tile(from, sizeof<real>(), PANEL_PITCH, false, 0, x, keys, to, pitch, false, v128.splat<real>(0), add);
    }
    x += panel;
    c += PANEL_PITCH;
  }
}

/** c[key, column] (+)= Σ_query p[key][query] · x[query, column], over all panels of p, which lie `panel` bytes apart. */
function collect(p: usize, panel: usize, x: usize, queries: i32, keys: i32, columns: i32, c: usize, pitch: usize, add: bool): void {
  const xPanel = panelBytes(PANEL_WIDTH, queries);
  for (; columns > 0; columns -= PANEL_WIDTH) {
    for (let key = 0; key < keys; key += TILE_ROWS) {
      const from = p + <usize>key * PANEL_PITCH;
      const to = c + <usize>key * pitch;
      const skip = panel - PANEL_PITCH;
      tile(from, PANEL_PITCH, sizeof<real>(), true, skip, x, queries, to, pitch, false, v128.splat<real>(0), add);
    }
    x += xPanel;
    c += PANEL_PITCH;
  }
}

/** Adds the mask to a panel of scores; `spare` takes it as a panel. */
function addMask(record: usize, head: i32, query: i32, queries: i32, key: i32, keys: i32, scores: usize, spare: usize): void {
  const row = rowStride(record, Attention.MASK);
  const column = columnStride(record, Attention.MASK);
  const source = matrixOf(record, Attention.MASK, head) + <usize>query * row + <usize>key * column;
  pack(source, row, column, queries, keys, spare, PANEL_WIDTH, 0);
  for (const end = scores + <usize>keys * PANEL_PITCH; scores < end; scores += PANEL_PITCH) {
    v128.store(scores, v128.add<real>(v128.load(scores), v128.load(spare)));
    v128.store(scores, v128.add<real>(v128.load(scores, 16), v128.load(spare, 16)), 16);
    spare += PANEL_PITCH;
  }
}

/** -∞ for keys `from` … keys - 1 of a block that begins at `key`, where they come behind their query. */
function hide(query: i32, key: i32, from: i32, keys: i32, scores: usize): void {
  const lanes = sizeof<real>() == 4 ? f32x4(0, 1, 2, 3) : f64x2(0, 1);
  const query0 = v128.add<real>(lanes, v128.splat<real>(<real>query));
  const query1 = v128.add<real>(query0, v128.splat<real>(<real>LANES));
  const lowest = v128.splat<real>(-Infinity);
  for (let i = from; i < keys; i++) {
    const at = scores + <usize>i * PANEL_PITCH;
    const own = v128.splat<real>(<real>(key + i));
    v128.store(at, v128.bitselect(v128.load(at), lowest, v128.ge<real>(query0, own)));
    v128.store(at, v128.bitselect(v128.load(at, 16), lowest, v128.ge<real>(query1, own)), 16);
  }
}

/** Keys of a block, of `keys` from `key` on, that some query of a panel sees. */
@inline
function visible(causal: i32, query: i32, key: i32, keys: i32): i32 {
  return causal ? max(0, min(keys, query + PANEL_WIDTH - key)) : keys;
}

/** Mask and causality. */
@inline
function restrict(record: usize, head: i32, query: i32, queries: i32, key: i32, keys: i32, scores: usize, spare: usize): void {
  if (word(record, Attention.MASK)) addMask(record, head, query, queries, key, keys, scores, spare);
  if (word(record, Attention.CAUSAL)) hide(query, key, max(0, query + 1 - key), keys, scores);
}

/** 0 where nothing was seen yet: what is subtracted from a score. */
@inline
function finiteMax(m: v128): v128 {
  return v128.and(m, v128.gt<real>(m, v128.splat<real>(-Infinity)));
}

/** Scores become p. What a panel of queries has seen, `state`, is two vectors of m and two of l; `factors` are the α. */
function exponentials(scores: usize, keys: i32, state: usize, factors: usize): void {
  const before0 = v128.load(state);
  const before1 = v128.load(state, 16);
  let m0 = before0;
  let m1 = before1;
  const end = scores + <usize>keys * PANEL_PITCH;
  // pmax passes over a NaN, which reaches l all the same.
  for (let at = scores; at < end; at += PANEL_PITCH) {
    m0 = v128.pmax<real>(m0, v128.load(at));
    m1 = v128.pmax<real>(m1, v128.load(at, 16));
  }
  v128.store(state, m0);
  v128.store(state, m1, 16);
  m0 = finiteMax(m0);
  m1 = finiteMax(m1);
  let sum0 = v128.splat<real>(0);
  let sum1 = sum0;
  for (let at = scores; at < end; at += PANEL_PITCH) {
    const p0 = exp(v128.sub<real>(v128.load(at), m0));
    const p1 = exp(v128.sub<real>(v128.load(at, 16), m1));
    v128.store(at, p0);
    v128.store(at, p1, 16);
    sum0 = v128.add<real>(sum0, p0);
    sum1 = v128.add<real>(sum1, p1);
  }
  const alpha0 = exp(v128.sub<real>(before0, m0));
  const alpha1 = exp(v128.sub<real>(before1, m1));
  v128.store(factors, alpha0);
  v128.store(factors, alpha1, 16);
  v128.store(state, v128.add<real>(v128.mul<real>(v128.load(state, 32), alpha0), sum0), 32);
  v128.store(state, v128.add<real>(v128.mul<real>(v128.load(state, 48), alpha1), sum1), 48);
}

/** Each row of c times its factor. */
function scaleRows(c: usize, pitch: usize, rows: i32, factors: usize): void {
  for (let row = 0; row < rows; row++) {
    const factor = v128.load_splat<real>(factors + (<usize>row << SHIFT));
    for (const end = c + pitch; c < end; c += 16) v128.store(c, v128.mul<real>(v128.load(c), factor));
  }
}

/** Brings rows from scratch to where an operand has them, or adds them to what is there. */
function putRows(record: usize, operand: i32, matrix: usize, first: i32, rows: i32, columns: i32, c: usize, pitch: usize, add: bool): void {
  const row = rowStride(record, operand);
  const column = columnStride(record, operand);
  let target = matrix + <usize>first * row;
  for (; rows > 0; rows--) {
    if (column == sizeof<real>()) {
      for (let i = 0; i < columns; i += LANES) {
        const at = <usize>i << SHIFT;
        const x = v128.load(c + at);
        storeUpTo(target + at, add ? v128.add<real>(v128.load(target + at), x) : x, columns - i);
      }
    } else {
      for (let i = 0; i < columns; i++) {
        const to = target + <usize>i * column;
        const x = load<real>(c + (<usize>i << SHIFT));
        store<real>(to, add ? load<real>(to) + x : x);
      }
    }
    target += row;
    c += pitch;
  }
}

/** α = 1 / l of a panel, and its LSE. */
@inline
function finish(state: usize, factors: usize, lse: usize, queries: i32): void {
  for (let half = 0; half < 2; half++) {
    const at = <usize>half << 4;
    const sum = v128.load(state + 32 + at);
    const one = v128.splat<real>(1);
    const l = v128.bitselect(one, sum, v128.eq<real>(sum, v128.splat<real>(0)));
    v128.store(factors + at, v128.div<real>(one, l));
    const y = v128.add<real>(finiteMax(v128.load(state + at)), log(l));
    storeUpTo(lse + at, y, max(0, queries - half * LANES));
  }
}

export function attention(record: usize, chunk: i32, scratch: usize): void {
  const items = word(record, Attention.ITEMS);
  const perHead = (word(record, Attention.T) + word(record, Attention.ROWS) - 1) / word(record, Attention.ROWS);
  const heads = word(record, Attention.OUTER) * word(record, Attention.HEADS);
  const end = min((chunk + 1) * items, heads * perHead);
  for (let item = chunk * items; item < end; item++) {
    attend(record, item / perHead, (item % perHead) * word(record, Attention.ROWS), scratch);
  }
}

/** ROWS rows of a head from row `first` on. */
function attend(record: usize, head: i32, first: i32, scratch: usize): void {
  const t = word(record, Attention.T);
  const s = word(record, Attention.S);
  const e = word(record, Attention.E);
  const ev = word(record, Attention.EV);
  const block = word(record, Attention.KEYS);
  const causal = word(record, Attention.CAUSAL);
  const scale = v128.splat<real>(<real>double(record, Attention.SCALE));
  const rows = min(word(record, Attention.ROWS), t - first);
  const k = matrixOf(record, Attention.K, head);
  const v = matrixOf(record, Attention.V, head);
  const y = matrixOf(record, Attention.Y, head);
  const qPanel = panelBytes(PANEL_WIDTH, e);
  const pitch = rowBytes(ev);

  const factors = scratch;
  const states = factors + PANEL_PITCH;
  const scores = states + <usize>((rows + PANEL_WIDTH - 1) / PANEL_WIDTH) * 64;
  const spare = scores + <usize>block * PANEL_PITCH;
  const qPanels = spare + <usize>block * PANEL_PITCH;
  const kPanels = qPanels + panelsBytes(PANEL_WIDTH, rows, e);
  const vPanels = kPanels + panelsBytes(TILE_ROWS, block, e);
  const sums = vPanels + panelsBytes(PANEL_WIDTH, ev, block);

  packRowsOf(record, Attention.Q, matrixOf(record, Attention.Q, head), first, rows, e, qPanels, PANEL_WIDTH);
  for (let at = states; at < scores; at += 64) {
    v128.store(at, v128.splat<real>(-Infinity));
    v128.store(at, v128.splat<real>(-Infinity), 16);
    v128.store(at, v128.splat<real>(0), 32);
    v128.store(at, v128.splat<real>(0), 48);
  }
  const seen = causal ? min(s, first + rows) : s;
  for (let key = 0; key < seen; key += block) {
    const count = min(block, s - key);
    packRowsOf(record, Attention.K, k, key, count, e, kPanels, TILE_ROWS);
    packColumnsOf(record, Attention.V, v, key, count, ev, vPanels);
    for (let i = 0, panel = 0; i < rows; i += PANEL_WIDTH, panel++) {
      const query = first + i;
      const queries = min(PANEL_WIDTH, rows - i);
      const keys = visible(causal, query, key, count);
      if (keys == 0) continue;
      const sum = sums + <usize>i * pitch;
      score(kPanels, qPanels + <usize>panel * qPanel, e, keys, scale, scores);
      restrict(record, head, query, queries, key, keys, scores, spare);
      exponentials(scores, keys, states + <usize>panel * 64, factors);
      if (key > 0) scaleRows(sum, pitch, queries, factors);
      blend(scores, vPanels, panelBytes(PANEL_WIDTH, count), keys, queries, ev, sum, pitch, key > 0);
    }
  }
  const lse = address(record, Attention.LSE) + (<usize>(head * t + first) << SHIFT);
  for (let i = 0, panel = 0; i < rows; i += PANEL_WIDTH, panel++) {
    const queries = min(PANEL_WIDTH, rows - i);
    const sum = sums + <usize>i * pitch;
    finish(states + <usize>panel * 64, factors, lse + (<usize>i << SHIFT), queries);
    scaleRows(sum, pitch, queries, factors);
    putRows(record, Attention.Y, y, first + i, queries, ev, sum, pitch, false);
  }
}

/** p and s of a panel, from scores and g·vᵀ, in their places. */
function slopes(scores: usize, products: usize, keys: i32, lse: usize, delta: usize, scale: v128): void {
  const lse0 = v128.load(lse);
  const lse1 = v128.load(lse, 16);
  const delta0 = v128.load(delta);
  const delta1 = v128.load(delta, 16);
  for (const end = scores + <usize>keys * PANEL_PITCH; scores < end; scores += PANEL_PITCH) {
    const p0 = exp(v128.sub<real>(v128.load(scores), lse0));
    const p1 = exp(v128.sub<real>(v128.load(scores, 16), lse1));
    const s0 = v128.mul<real>(p0, v128.sub<real>(v128.load(products), delta0));
    const s1 = v128.mul<real>(p1, v128.sub<real>(v128.load(products, 16), delta1));
    v128.store(scores, p0);
    v128.store(scores, p1, 16);
    v128.store(products, v128.mul<real>(s0, scale));
    v128.store(products, v128.mul<real>(s1, scale), 16);
    products += PANEL_PITCH;
  }
}

/** Σ of the products of two panels, a lane for each line. */
function dotPanels(a: usize, b: usize, depth: i32, to: usize): void {
  let sum0 = v128.splat<real>(0);
  let sum1 = sum0;
  for (; depth > 0; depth--) {
    sum0 = v128.add<real>(sum0, v128.mul<real>(v128.load(a), v128.load(b)));
    sum1 = v128.add<real>(sum1, v128.mul<real>(v128.load(a, 16), v128.load(b, 16)));
    a += PANEL_PITCH;
    b += PANEL_PITCH;
  }
  v128.store(to, sum0);
  v128.store(to, sum1, 16);
}

export function attentionBackward(record: usize, chunk: i32, scratch: usize): void {
  const part = word(record, AttentionBackward.PART);
  const whole = part == AttentionPart.KEYS ? word(record, Attention.S) : word(record, Attention.T);
  const size = word(record, part == AttentionPart.KEYS ? Attention.KEYS : Attention.ROWS);
  const perHead = part == AttentionPart.HEAD ? 1 : (whole + size - 1) / size;
  const items = word(record, Attention.ITEMS);
  const heads = word(record, Attention.OUTER) * word(record, Attention.HEADS);
  const end = min((chunk + 1) * items, heads * perHead);
  for (let item = chunk * items; item < end; item++) {
    const from = (item % perHead) * size;
    const to = from + size;
    attendBack(
      record,
      item / perHead,
      part == AttentionPart.ROWS ? from : 0,
      part == AttentionPart.ROWS ? min(to, whole) : word(record, Attention.T),
      part == AttentionPart.KEYS ? from : 0,
      part == AttentionPart.KEYS ? min(to, whole) : word(record, Attention.S),
      scratch,
    );
  }
}

/** The gradients of rows firstRow … endRow - 1 and keys firstKey … endKey - 1 of a head, of which one may be all of it. */
function attendBack(record: usize, head: i32, firstRow: i32, endRow: i32, firstKey: i32, endKey: i32, scratch: usize): void {
  const e = word(record, Attention.E);
  const ev = word(record, Attention.EV);
  const block = word(record, Attention.KEYS);
  const blockRows = word(record, Attention.ROWS);
  const causal = word(record, Attention.CAUSAL);
  const scale = v128.splat<real>(<real>double(record, Attention.SCALE));
  const one = v128.splat<real>(1);
  const forRows = word(record, AttentionBackward.DQ) != 0;
  const forKeys = word(record, AttentionBackward.DK) != 0;
  const q = matrixOf(record, Attention.Q, head);
  const k = matrixOf(record, Attention.K, head);
  const v = matrixOf(record, Attention.V, head);
  const y = matrixOf(record, Attention.Y, head);
  const g = matrixOf(record, AttentionBackward.G, head);
  const lse = address(record, Attention.LSE) + (<usize>(head * word(record, Attention.T)) << SHIFT);
  const qPanel = panelBytes(PANEL_WIDTH, e);
  const gPanel = panelBytes(PANEL_WIDTH, ev);
  const panel = <usize>block * PANEL_PITCH;
  const pitch = rowBytes(e);
  const vPitch = rowBytes(ev);
  const panels = <usize>((blockRows + PANEL_WIDTH - 1) / PANEL_WIDTH);

  const deltas = scratch;
  const spare = deltas + panels * PANEL_PITCH;
  const scores = spare + panel;
  const products = scores + panels * panel;
  const qPanels = products + panels * panel;
  const gPanels = qPanels + panels * qPanel;
  const qColumns = gPanels + panels * gPanel;
  const gColumns = qColumns + panelsBytes(PANEL_WIDTH, e, blockRows);
  const kPanels = gColumns + panelsBytes(PANEL_WIDTH, ev, blockRows);
  const vPanels = kPanels + panelsBytes(TILE_ROWS, block, e);
  const kColumns = vPanels + panelsBytes(TILE_ROWS, block, ev);
  const yPanel = kColumns + panelsBytes(PANEL_WIDTH, e, block);
  const rowSums = yPanel + gPanel;
  const keySums = rowSums + <usize>PANEL_WIDTH * pitch;
  const valueSums = keySums + <usize>block * pitch;

  let packed = -1;
  for (let key = firstKey; key < endKey; key += block) {
    const count = min(block, endKey - key);
    // Rows above see none of these keys.
    const top = causal ? max(firstRow, (key / blockRows) * blockRows) : firstRow;
    if (top < endRow) {
      packRowsOf(record, Attention.K, k, key, count, e, kPanels, TILE_ROWS);
      packRowsOf(record, Attention.V, v, key, count, ev, vPanels, TILE_ROWS);
      if (forRows) packColumnsOf(record, Attention.K, k, key, count, e, kColumns);
    } else if (forKeys) {
      memory.fill(keySums, 0, <usize>block * (pitch + vPitch));
    }
    for (let row = top; row < endRow; row += blockRows) {
      const rows = min(blockRows, endRow - row);
      if (row != packed) {
        packed = row;
        packRowsOf(record, Attention.Q, q, row, rows, e, qPanels, PANEL_WIDTH);
        packRowsOf(record, AttentionBackward.G, g, row, rows, ev, gPanels, PANEL_WIDTH);
        if (forKeys) {
          packColumnsOf(record, Attention.Q, q, row, rows, e, qColumns);
          packColumnsOf(record, AttentionBackward.G, g, row, rows, ev, gColumns);
        }
        for (let i = 0, p: usize = 0; i < rows; i += PANEL_WIDTH, p++) {
          packRowsOf(record, Attention.Y, y, row + i, min(PANEL_WIDTH, rows - i), ev, yPanel, PANEL_WIDTH);
          dotPanels(gPanels + p * gPanel, yPanel, ev, deltas + p * PANEL_PITCH);
        }
      }
      for (let i = 0, p: usize = 0; i < rows; i += PANEL_WIDTH, p++) {
        const query = row + i;
        const queries = min(PANEL_WIDTH, rows - i);
        const keys = visible(causal, query, key, count);
        const s = scores + p * panel;
        const d = products + p * panel;
        if (keys > 0) {
          score(kPanels, qPanels + p * qPanel, e, keys, scale, s);
          restrict(record, head, query, queries, key, keys, s, spare);
          score(vPanels, gPanels + p * gPanel, ev, keys, one, d);
          slopes(s, d, keys, lse + (<usize>query << SHIFT), deltas + p * PANEL_PITCH, scale);
          if (forRows) {
            blend(d, kColumns, panelBytes(PANEL_WIDTH, count), keys, queries, e, rowSums, pitch, false);
            putRows(record, AttentionBackward.DQ, matrixOf(record, AttentionBackward.DQ, head), query, queries, e, rowSums, pitch, key > 0);
          }
        }
        if (forKeys && keys < count) {
          const hidden = <usize>(count - keys) * PANEL_PITCH;
          memory.fill(s + <usize>keys * PANEL_PITCH, 0, hidden);
          memory.fill(d + <usize>keys * PANEL_PITCH, 0, hidden);
        }
      }
      if (forKeys) {
        collect(products, panel, qColumns, rows, count, e, keySums, pitch, row > top);
        collect(scores, panel, gColumns, rows, count, ev, valueSums, vPitch, row > top);
      }
    }
    if (forKeys) {
      putRows(record, AttentionBackward.DK, matrixOf(record, AttentionBackward.DK, head), key, count, e, keySums, pitch, false);
      putRows(record, AttentionBackward.DV, matrixOf(record, AttentionBackward.DV, head), key, count, ev, valueSums, vPitch, false);
    }
  }
}
