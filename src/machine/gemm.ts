import { GEMM_MC, GEMM_MR, GEMM_NR, Gemm, MAX_CHUNKS } from '../../assembly/isa';

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
}

export interface GemmPlan<Pointer> {
  /** Those of `Gemm` in assembly/isa.ts. */
  fields: Record<number, number | Pointer>;
  chunks: number;
}

/** Multiply-adds of a chunk, below which claiming it begins to show. */
const CHUNK_WORK = 1e6;
/**
 * A chunk packs its own operands, which costs the more the fewer rows and columns share them. So a product is halved, along its
 * longer side, for [two threads as long as chunks keep 64 lines; several as long as they keep 128].
 */
const HALVINGS = [
  { chunks: 4, lines: 64 },
  { chunks: 8, lines: 128 },
];
/** Columns of a chunk at most. */
const MAX_COLUMNS = 512;

/** How a product runs best, as a GEMM record. Nothing chosen here alters a bit of the result. */
export function planGemm<Pointer>(product: Product<Pointer>): GemmPlan<Pointer> {
  const { batch, m, n, k, a, b, c, beta = 0 } = orient(mergeBatch(product));
  let rowBlocks = Math.max(1, Math.ceil(m / GEMM_MC));
  let columnBlocks = Math.max(1, Math.ceil(n / MAX_COLUMNS));
  // A tile costs the same if it is not full.
  const work = k * Math.max(m, GEMM_MR) * Math.max(n, GEMM_NR);
  for (const { chunks, lines } of HALVINGS) {
    while (batch * rowBlocks * columnBlocks < chunks && work >= 2 * CHUNK_WORK * rowBlocks * columnBlocks) {
      const [rows, columns] = [m / rowBlocks, n / columnBlocks];
      if (Math.max(rows, columns) < 2 * lines) break;
      if (rows > columns) rowBlocks *= 2;
      else columnBlocks *= 2;
    }
  }
  const chunkM = blockSize(m, rowBlocks, GEMM_MR);
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
    },
    chunks: Math.ceil(total / items),
  };
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

/** C, or Cᵀ = Bᵀ·Aᵀ: whichever fills the tiles better. Few columns waste lanes, few rows only some speed. */
function orient<Pointer>(product: Product<Pointer>): Product<Pointer> {
  const { m, n } = product;
  return tiles(n, m) < 0.95 * tiles(m, n) ? transposed(product) : product;
}

function transposed<Pointer>({ a, b, c, m, n, ...rest }: Product<Pointer>): Product<Pointer> {
  const flip = (x: Matrix<Pointer>) => ({ ...x, row: x.column, column: x.row });
  return { ...rest, m: n, n: m, a: flip(b), b: flip(a), c: flip(c) };
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
