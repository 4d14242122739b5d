import { GEMM_KC, PANEL_BYTES, Pack } from '../isa';
import { LANES, SHIFT, address, word } from '../real';

/** Bytes of a row of a panel of B, and its columns. */
@inline
export const PANEL_PITCH: usize = PANEL_BYTES;
@inline
export const PANEL_WIDTH: i32 = 2 * LANES;

/** k per block of a sum over k: as few blocks as may be, alike but for the last. */
@inline
export function depthOf(k: i32): i32 {
  const blocks = max(1, (k + GEMM_KC - 1) / GEMM_KC);
  return max(1, (k + blocks - 1) / blocks);
}

/** Rows that are written where k are packed. */
@inline
export function packedRows(k: i32): i32 {
  return (k + LANES - 1) & -LANES;
}

export function packPanels(record: usize, chunk: i32): void {
  const k = word(record, Pack.K);
  const n = word(record, Pack.N);
  const row = <usize>word(record, Pack.ROW) << SHIFT;
  const column = <usize>word(record, Pack.COLUMN) << SHIFT;
  const panels = (n + PANEL_WIDTH - 1) / PANEL_WIDTH;
  const depth = depthOf(k);
  const items = word(record, Pack.ITEMS);
  const end = min((chunk + 1) * items, ((k + depth - 1) / depth) * panels);
  for (let item = chunk * items; item < end; ) {
    const block = item / panels;
    const panel = item % panels;
    // To the end of the chunk or of the block.
    const count = min(end - item, panels - panel);
    const kc = min(depth, k - block * depth);
    const bytes = <usize>packedRows(kc) * PANEL_PITCH;
    const source = address(record, Pack.SOURCE) + <usize>(block * depth) * row + <usize>(panel * PANEL_WIDTH) * column;
    const target =
      address(record, Pack.DESTINATION) +
      <usize>(block * panels * packedRows(depth)) * PANEL_PITCH +
      <usize>panel * bytes;
    pack(source, column, row, min(count * PANEL_WIDTH, n - panel * PANEL_WIDTH), kc, target, PANEL_WIDTH, bytes);
    item += count;
  }
}

/**
 * Rewrites `lines` lines of `k` reals as panels of `width` lines (at most 2 · LANES) that a micro-kernel reads in order:
 * element p of a panel's line i goes to panel + p · pitch + i, with a pitch of `width` reals; panels lie `panel` bytes apart.
 * In the source, lines lie `across` bytes apart and the elements of a line `along`.
 *
 * Where one of the two is a real's size, whole vectors move. They may read up to a vector behind the last real, and write
 * (into scratch) what lies beyond the last line, and up to LANES - 1 rows beyond row k: k is rounded up to LANES there.
 */
export function pack(
  source: usize,
  across: usize,
  along: usize,
  lines: i32,
  k: i32,
  target: usize,
  width: i32,
  panel: usize,
): void {
  const pitch = <usize>width << SHIFT;
  const step = <usize>width * across;
  if (across == sizeof<real>() && (4 * LANES) % width == 0) {
    // Panels that lie side by side take whole lines of the cache; one by one, each line would come in for every panel. Six rows, the
    // relaxed build's, do not divide them.
    const panels = 4 * LANES / width;
    const second: usize = panels == 4 ? panel : 16;
    const third: usize = panels == 4 ? 2 * panel : panel;
    for (; lines >= 4 * LANES; lines -= 4 * LANES) {
      packFourVectors(source, along, k, target, pitch, second, third, third + second);
      source += 64;
      target += <usize>panels * panel;
    }
  }
  for (; lines > 0; lines -= width) {
    packPanel(source, across, along, min(lines, width), k, target, pitch);
    source += step;
    target += panel;
  }
}

function packPanel(source: usize, across: usize, along: usize, lines: i32, k: i32, target: usize, pitch: usize): void {
  if (across == sizeof<real>()) {
    packRows(source, along, lines > LANES, k, target, pitch);
    return;
  }
  let line = 0;
  if (along == sizeof<real>()) {
    for (; line + LANES <= lines; line += LANES) {
      packTransposed(source + <usize>line * across, across, k, target + (<usize>line << SHIFT), pitch);
    }
  }
  for (; line < lines; line++) {
    packLine(source + <usize>line * across, along, k, target + (<usize>line << SHIFT), pitch);
  }
}

/** Four vectors of lines that lie side by side, each to its own place in one of four panels, or of two. */
@inline
function packFourVectors(
  source: usize,
  along: usize,
  k: i32,
  target: usize,
  pitch: usize,
  second: usize,
  third: usize,
  fourth: usize,
): void {
  for (; k > 0; k--) {
    v128.store(target, v128.load(source));
    v128.store(target + second, v128.load(source, 16));
    v128.store(target + third, v128.load(source, 32));
    v128.store(target + fourth, v128.load(source, 48));
    source += along;
    target += pitch;
  }
}

/** Lines that lie side by side, one or two vectors of them. */
@inline
function packRows(source: usize, along: usize, two: bool, k: i32, target: usize, pitch: usize): void {
  for (; k > 0; k--) {
    v128.store(target, v128.load(source));
    if (two) v128.store(target, v128.load(source, 16), 16);
    source += along;
    target += pitch;
  }
}

/** LANES lines, each contiguous: squares of LANES × LANES are transposed. */
@inline
function packTransposed(source: usize, across: usize, k: i32, target: usize, pitch: usize): void {
  for (; k > 0; k -= LANES) {
    const row0 = v128.load(source);
    const row1 = v128.load(source + across);
    if (sizeof<real>() == 8) {
      v128.store(target, v128.shuffle<f64>(row0, row1, 0, 2));
      v128.store(target + pitch, v128.shuffle<f64>(row0, row1, 1, 3));
    } else {
      const row2 = v128.load(source + 2 * across);
      const row3 = v128.load(source + 3 * across);
      const left01 = v128.shuffle<f32>(row0, row1, 0, 4, 1, 5);
      const left23 = v128.shuffle<f32>(row2, row3, 0, 4, 1, 5);
      const right01 = v128.shuffle<f32>(row0, row1, 2, 6, 3, 7);
      const right23 = v128.shuffle<f32>(row2, row3, 2, 6, 3, 7);
      v128.store(target, v128.shuffle<f64>(left01, left23, 0, 2));
      v128.store(target + pitch, v128.shuffle<f64>(left01, left23, 1, 3));
      v128.store(target + 2 * pitch, v128.shuffle<f64>(right01, right23, 0, 2));
      v128.store(target + 3 * pitch, v128.shuffle<f64>(right01, right23, 1, 3));
    }
    source += 16;
    target += <usize>LANES * pitch;
  }
}

/** One line. */
@inline
function packLine(source: usize, along: usize, k: i32, target: usize, pitch: usize): void {
  for (; k > 0; k--) {
    store<real>(target, load<real>(source));
    source += along;
    target += pitch;
  }
}
