import { GEMM_KC, GEMM_MC, GEMM_MR, GEMM_NR, Gemm, MAX_CHUNKS, PANEL_BYTES, Pack, Panels } from '../../assembly/isa';

/** A matrix, or `batch` many: its first element and its strides, which count elements. */
export interface Matrix<Pointer> {
  pointer: Pointer;
  batch: number;
  row: number;
  column: number;
}

/** C = A·B + beta·C for each of `batch`, with A [m, k], B [k, n], C [m, n]. */
export interface Product<Pointer> {
  batch: number;
  m: number;
  n: number;
  k: number;
  a: Matrix<Pointer>;
  b: Matrix<Pointer>;
  c: Matrix<Pointer>;
  beta?: 0 | 1;
  /** Of a product that was turned around by `planGemm`. */
  flipped?: boolean;
}

export interface GemmPlan<Pointer> {
  /** Those of `Gemm` in assembly/isa.ts. */
  fields: Record<number, number | Pointer>;
  chunks: number;
  /** Whether a PACK record must have written B's panels; B then points at them. */
  packed: PackPlan<Pointer> | null;
  /** Whether rows and columns changed places: Cᵀ = Bᵀ·Aᵀ. */
  flipped: boolean;
  /** Where chunks are runs of C's memory, C having no gaps: of so many lines of so many elements, so many a chunk. */
  lines: { count: number; length: number; per: number } | null;
}

export interface PackPlan<Pointer> {
  /** Those of `Pack` in assembly/isa.ts, without DESTINATION. */
  fields: Record<number, number | Pointer>;
  chunks: number;
  /** Of the destination. */
  bytes: number;
}

/** Multiply-adds of a chunk, below which claiming it, and packing its rows, begins to show. */
const CHUNK_WORK = 1e6;
/** Chunks of a big product: enough for several threads to end at about the same time. */
const CHUNKS = 16;
const ENOUGH = 4;
/** Rows that are whole tiles in every build: GEMM_MR, and six in the relaxed one, divide them. */
const WHOLE_TILES = 12;
/** Rows of a chunk at least where they pack nothing of B, and columns, which share the packing of A. */
const LEAST_ROWS = 16;
const LEAST_COLUMNS = 64;
/**
 * From so many rows on B is packed once, for all chunks, and rows are shared out. Below, that would send more between the caches
 * of the threads than it saves: columns are shared out, and each chunk packs its own.
 */
const MANY_ROWS = 256;
/** A panel of B is packed to be read by several tiles: not for so few rows. */
const FEW_ROWS = 16;
/** Nor if its rows, which then lie far apart, are so few that they stay in L1, and do not all fall into the same lines of it. */
const FEW_TERMS = 128;
const ALIASED = 512;
/** Elements of a chunk of packing. */
const PACK_ELEMENTS = 16384;

/** How a product of reals of so many bytes runs best, as a GEMM record. Nothing chosen here alters a bit of the result. */
export function planGemm<Pointer>(product: Product<Pointer>, bytes: number): GemmPlan<Pointer> {
  const oriented = orient(mergeBatch(product));
  const { batch, m, n, k, a, b, c, beta = 0 } = oriented;
  // A tile costs the same if it is not full.
  const work = k * Math.max(m, GEMM_MR) * Math.max(n, GEMM_NR);
  const wanted = Math.ceil(Math.min(CHUNKS, Math.max(1, (batch * work) / CHUNK_WORK)) / Math.max(1, batch));
  const inPlace = b.column === 1 && (m <= FEW_ROWS || (k <= FEW_TERMS && (b.row * bytes) % ALIASED !== 0));
  const packed = !inPlace && batch === 1 && m >= MANY_ROWS ? planPack(b, k, n, bytes) : null;
  const most = (size: number, least: number) => Math.max(1, Math.floor(size / least));
  const rowBlocks = Math.max(1, Math.ceil(m / GEMM_MC), inPlace || packed ? Math.min(wanted, most(m, LEAST_ROWS)) : 1);
  // Whole rows, which lie together in C, can be worked on further while they are in the cache.
  const columnBlocks = rowBlocks >= ENOUGH ? 1 : Math.min(Math.ceil(wanted / rowBlocks), most(n, LEAST_COLUMNS));
  const chunkM = blockSize(m, rowBlocks, m / rowBlocks < 2 * WHOLE_TILES ? GEMM_MR : WHOLE_TILES);
  const chunkN = blockSize(n, columnBlocks, GEMM_NR);
  const total = batch * Math.ceil(m / chunkM) * Math.ceil(n / chunkN);
  const items = Math.max(1, Math.floor(CHUNK_WORK / Math.max(1, work)), Math.ceil(total / MAX_CHUNKS));
  return {
    fields: {
      [Gemm.BATCH]: batch,
      [Gemm.M]: m,
      [Gemm.N]: n,
      [Gemm.K]: k,
      [Gemm.BETA]: beta,
      [Gemm.CHUNK_M]: chunkM,
      [Gemm.CHUNK_N]: chunkN,
      [Gemm.ITEMS]: items,
      [Gemm.A]: a.pointer,
      [Gemm.A_BATCH]: a.batch,
      [Gemm.A_ROW]: a.row,
      [Gemm.A_COLUMN]: a.column,
      [Gemm.B]: b.pointer,
      [Gemm.B_BATCH]: b.batch,
      [Gemm.B_ROW]: b.row,
      [Gemm.B_COLUMN]: b.column,
      [Gemm.C]: c.pointer,
      [Gemm.C_BATCH]: c.batch,
      [Gemm.C_ROW]: c.row,
      [Gemm.C_COLUMN]: c.column,
      [Gemm.PANELS]: packed ? Panels.PACKED : inPlace ? Panels.IN_PLACE : Panels.OWN,
    },
    packed,
    flipped: oriented.flipped ?? false,
    chunks: Math.ceil(total / items),
    lines: linesOf(oriented, chunkM, chunkN, items),
  };
}

/** B's panels, written once. */
export function planPack<Pointer>(
  { pointer, row, column }: Matrix<Pointer>,
  k: number,
  n: number,
  bytes: number,
): PackPlan<Pointer> {
  const [width, lanes] = [PANEL_BYTES / bytes, PANEL_BYTES / bytes / 2];
  const panels = Math.ceil(n / width);
  const blocks = Math.ceil(k / GEMM_KC);
  const depth = Math.ceil(k / blocks);
  const rows = (size: number) => Math.ceil(size / lanes) * lanes;
  // Two panels share the lines of the cache in which they lie.
  const items = 2 * Math.max(1, Math.round(PACK_ELEMENTS / (2 * depth * width)));
  return {
    fields: {
      [Pack.K]: k,
      [Pack.N]: n,
      [Pack.ITEMS]: items,
      [Pack.SOURCE]: pointer,
      [Pack.ROW]: row,
      [Pack.COLUMN]: column,
    },
    chunks: Math.ceil((blocks * panels) / items),
    bytes: panels * PANEL_BYTES * ((blocks - 1) * rows(depth) + rows(k - (blocks - 1) * depth)),
  };
}

function linesOf<Pointer>(
  { batch, m, n, c }: Product<Pointer>,
  chunkM: number,
  chunkN: number,
  items: number,
): GemmPlan<Pointer>['lines'] {
  if (batch > 1 && (c.batch !== m * n || chunkM < m || chunkN < n)) return null;
  const byRows = (n === 1 || c.column === 1) && (m === 1 || c.row === n);
  if (byRows && chunkN >= n) return { count: batch * m, length: n, per: Math.min(chunkM, m) * items };
  const byColumns = (m === 1 || c.row === 1) && (n === 1 || c.column === m);
  if (byColumns && chunkM >= m) return { count: batch * n, length: m, per: Math.min(chunkN, n) * items };
  return null;
}

/** Batches with one B are the rows of one taller product, if A and C step through them as through rows; with one A, likewise. */
function mergeBatch<Pointer>(product: Product<Pointer>): Product<Pointer> {
  const { batch, m, n, a, b, c } = product;
  if (batch < 2) return product;
  if (b.batch === 0 && (m === 1 || (a.batch === m * a.row && c.batch === m * c.row))) {
    const [row, cRow] = m === 1 ? [a.batch, c.batch] : [a.row, c.row];
    return { ...product, batch: 1, m: batch * m, a: { ...a, row }, c: { ...c, row: cRow } };
  }
  if (a.batch === 0 && (n === 1 || (b.batch === n * b.column && c.batch === n * c.column))) {
    return transposed(mergeBatch(transposed(product)));
  }
  return product;
}

/**
 * C, or Cᵀ = Bᵀ·Aᵀ: whichever fills the tiles better. Few columns waste lanes, few rows only some speed. Where both do, C's rows
 * are those that lie in memory as such.
 */
function orient<Pointer>(product: Product<Pointer>): Product<Pointer> {
  const { c } = product;
  const upright = c.row === 1 && c.column !== 1 ? transposed(product) : product;
  const { m, n } = upright;
  return tiles(n, m) < 0.95 * tiles(m, n) ? transposed(upright) : upright;
}

function transposed<Pointer>({ a, b, c, m, n, flipped = false, ...rest }: Product<Pointer>): Product<Pointer> {
  const flip = (x: Matrix<Pointer>) => ({ ...x, row: x.column, column: x.row });
  return { ...rest, flipped: !flipped, m: n, n: m, a: flip(b), b: flip(a), c: flip(c) };
}

/** What [m, n] costs in full tiles, as measured: a tile of 1, 2 or 3 rows in 4, and of 1 … 4 columns in 8. */
function tiles(m: number, n: number): number {
  const rows = Math.floor(m / 4) + [0, 0.6, 0.7, 0.85][m % 4]!;
  const columns = Math.floor(n / 8) + (n % 8 === 0 ? 0 : n % 8 <= 4 ? 0.8 : 1);
  return rows * columns;
}

/** `size` in `blocks` parts of about the same size, multiples of `multiple`. */
function blockSize(size: number, blocks: number, multiple: number): number {
  return Math.max(1, Math.ceil(size / blocks / multiple)) * multiple;
}
