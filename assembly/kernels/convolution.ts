import {
  CONVOLUTION_BYTES,
  Convolution,
  ConvolutionTranspose,
  ConvolutionWeight,
  GEMM_KC,
  GEMM_MR,
  Seen,
  WEIGHT_OUTPUTS,
  WEIGHT_POSITIONS,
  WEIGHT_X_BYTES,
  Window,
} from '../isa';
import { relu } from '../math';
import { LANES, SHIFT, address, multiplyAdd, word } from '../real';
import { storeUpTo } from '../tail';
import { PANEL_PITCH, PANEL_WIDTH, depthOf, packedRows } from './pack';

/**
 * Both convolutions are matrix products with x̂ [k, q]: what tap k sees from position q. That matrix is never made. Vectors of
 * positions that follow each other in a row lie somewhere as a whole, at
 *
 *     base + taps[k] + vectors[v]
 *
 * with two tables of byte offsets, and the loops that do the work know of nothing else. `Seen` (assembly/isa.ts) says where that is: in x
 * itself, in a band of x or in lines of x̂, a block of k at a time; both are copies in this thread's scratch, with zeros for what is outside x.
 */
@inline
const TAPS: usize = CONVOLUTION_BYTES + 64;
@inline
const VECTORS: usize = TAPS + <usize>(4 * GEMM_KC);

/** The offsets of taps k … k + count - 1. */
function tabulateTaps(record: usize, k: i32, count: i32, table: usize): void {
  const seen = word(record, Window.SEEN);
  const kernelY = word(record, Window.KERNEL_Y);
  const kernelX = word(record, Window.KERNEL_X);
  const width = word(record, Window.WIDTH);
  const dilationY = word(record, Window.DILATION_Y);
  const dilationX = word(record, Window.DILATION_X);
  const strideX = word(record, Window.STRIDE_X);
  const plane = word(record, Window.PLANE);
  let j = k % kernelX;
  let i = (k / kernelX) % kernelY;
  let channel = seen == Seen.IN_PLACE ? k / (kernelX * kernelY) : 0;
  for (let t = 0; t < count; t++) {
    let offset = t * plane;
    if (seen == Seen.IN_PLACE) {
      const y = i * dilationY - word(record, Window.PAD_Y);
      offset = ((channel * word(record, Window.HEIGHT) + y) * width + j * dilationX - word(record, Window.PAD_X)) << <i32>SHIFT;
    } else if (seen == Seen.BAND) {
      const x = j * dilationX - lowest(kernelX, dilationX);
      const y = i * dilationY - lowest(kernelY, dilationY);
      const phase = x % strideX;
      offset = (channel * phases(record) + phase) * plane + ((y * word(record, Window.PITCH) + x / strideX) << <i32>SHIFT);
    }
    store<i32>(table + (<usize>t << 2), offset);
    if (++j == kernelX) {
      j = 0;
      if (++i == kernelY) {
        i = 0;
        channel++;
      }
    }
  }
}

/** The offsets of the vectors of rows × columns positions, those of the first one being (row, column); returns how many. */
function tabulateVectors(
  record: usize,
  image: i32,
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
  offset: i32,
  table: usize,
  entry: usize,
): i32 {
  const seen = word(record, Window.SEEN);
  const pitch = word(record, Window.PITCH) * (seen == Seen.LINES ? 1 : word(record, Window.STRIDE_Y));
  if (seen == Seen.IN_PLACE) {
    const planes = word(record, Window.GROUPS) * word(record, Window.CHANNELS) * image;
    offset = (planes * word(record, Window.HEIGHT) * word(record, Window.WIDTH) + row * pitch + column) << <i32>SHIFT;
  }
  const first = table;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x += LANES) {
      store<i32>(table, offset + (x << <i32>SHIFT));
      table += entry;
    }
    offset += pitch << <i32>SHIFT;
  }
  return <i32>((table - first) / entry);
}

/** Where the first element that taps see lies from where they are applied. */
@inline
function lowest(kernel: i32, dilation: i32): i32 {
  return min(0, (kernel - 1) * dilation);
}

/** How far the taps of a window reach, at least 0. */
@inline
function span(kernel: i32, dilation: i32): i32 {
  return (kernel - 1) * (dilation < 0 ? -dilation : dilation);
}

/** Columns that are so many strides apart lie side by side; so many sets of them are there. */
@inline
function phases(record: usize): i32 {
  return min(
    word(record, Window.STRIDE_X),
    span(word(record, Window.KERNEL_X), word(record, Window.DILATION_X)) + 1,
  );
}

@inline
function bandRows(record: usize, rows: i32): i32 {
  return (
    (rows - 1) * word(record, Window.STRIDE_Y) + span(word(record, Window.KERNEL_Y), word(record, Window.DILATION_Y)) + 1
  );
}

/** Copies into scratch what taps k … k + count - 1 see from rows × columns positions; x is the group's first channel. */
function bring(
  record: usize,
  x: usize,
  k: i32,
  count: i32,
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
  target: usize,
): void {
  const seen = word(record, Window.SEEN);
  if (seen == Seen.IN_PLACE) return;
  const kernelX = word(record, Window.KERNEL_X);
  const kernelY = word(record, Window.KERNEL_Y);
  const dilationY = word(record, Window.DILATION_Y);
  const dilationX = word(record, Window.DILATION_X);
  const area = kernelX * kernelY;
  const strideY = word(record, Window.STRIDE_Y);
  const strideX = word(record, Window.STRIDE_X);
  const plane = <usize>word(record, Window.PLANE);
  const channelBytes = <usize>(word(record, Window.HEIGHT) * word(record, Window.WIDTH)) << SHIFT;
  const top = row * strideY - word(record, Window.PAD_Y);
  const left = column * strideX - word(record, Window.PAD_X);
  const pitch = word(record, Window.PITCH);
  if (seen == Seen.LINES) {
    for (; count > 0; count--, k++) {
      const channel = x + <usize>(k / area) * channelBytes;
      const y = top + ((k / kernelX) % kernelY) * dilationY;
      bringGrid(record, channel, y, strideY, rows, left + (k % kernelX) * dilationX, columns, target, pitch);
      target += plane;
    }
    return;
  }
  const all = phases(record);
  for (let channel = k / area, end = (k + count - 1) / area; channel <= end; channel++) {
    for (let phase = 0; phase < all; phase++) {
      bringGrid(
        record,
        x + <usize>channel * channelBytes,
        top + lowest(kernelY, dilationY),
        1,
        bandRows(record, rows),
        left + lowest(kernelX, dilationX) + phase,
        pitch,
        target,
        pitch,
      );
      target += plane;
    }
  }
}

/** Every STRIDE_X-th column from `left` on of every step-th row from `top` on of a channel, with zeros outside it and up to `pitch`. */
function bringGrid(
  record: usize,
  x: usize,
  top: i32,
  step: i32,
  rows: i32,
  left: i32,
  columns: i32,
  target: usize,
  pitch: i32,
): void {
  const height = word(record, Window.HEIGHT);
  const width = word(record, Window.WIDTH);
  const stride = word(record, Window.STRIDE_X);
  const from = left < 0 ? min(columns, reach(-left, stride)) : 0;
  const to = max(from, left < width ? min(columns, reach(width - left, stride)) : 0);
  const source = x + (<usize>(left + from * stride) << SHIFT);
  for (; rows > 0; rows--) {
    if (<u32>top < <u32>height && to > from) {
      if (from > 0) clear(target, from);
      copy(target + (<usize>from << SHIFT), source + (<usize>(top * width) << SHIFT), to - from, stride);
      if (to < pitch) clear(target + (<usize>to << SHIFT), pitch - to);
    } else clear(target, pitch);
    target += <usize>pitch << SHIFT;
    top += step;
  }
}

/** How many steps of `stride` a distance above 0 takes, the last one whole. */
@inline
function reach(distance: i32, stride: i32): i32 {
  return stride == 1 ? distance : (distance + stride - 1) / stride;
}

/** Zeros for n reals and up to a vector more: lines are written from left to right. */
@inline
function clear(target: usize, n: i32): void {
  const end = target + (<usize>n << SHIFT);
  for (; target < end; target += 16) v128.store(target, v128.splat<real>(0));
}

/** n reals that lie `step` apart, and up to a vector more. */
@inline
function copy(target: usize, source: usize, n: i32, step: i32): void {
  const end = target + (<usize>n << SHIFT);
  if (step == 1) {
    for (const most = end - 64; <isize>target <= <isize>most; target += 64) {
      v128.store(target, v128.load(source));
      v128.store(target, v128.load(source, 16), 16);
      v128.store(target, v128.load(source, 32), 32);
      v128.store(target, v128.load(source, 48), 48);
      source += 64;
    }
    for (; target < end; target += 16) {
      v128.store(target, v128.load(source));
      source += 16;
    }
  } else if (step == 2) {
    for (; target < end; target += 16) {
      const a = v128.load(source);
      const b = v128.load(source, 16);
      v128.store(target, sizeof<real>() == 8 ? v128.shuffle<f64>(a, b, 0, 2) : v128.shuffle<f32>(a, b, 0, 2, 4, 6));
      source += 32;
    }
  } else {
    for (; target < end; target += sizeof<real>()) {
      store<real>(target, load<real>(source));
      source += <usize>step << SHIFT;
    }
  }
}

@inline
function stride(record: usize, field: i32): usize {
  return <usize>word(record, field) << SHIFT;
}

/** Where one image's channels of a group begin, of `channels` a group. */
@inline
function channelsOf(record: usize, base: usize, image: i32, group: i32, channels: i32, positions: i32): usize {
  return base + (<usize>((image * word(record, Window.GROUPS) + group) * channels * positions) << SHIFT);
}

export function convolution(record: usize, chunk: i32, scratch: usize): void {
  const groups = word(record, Window.GROUPS);
  const rows = word(record, Window.ROWS);
  const columns = word(record, Window.COLUMNS);
  const per = word(record, Convolution.DOWN);
  const perRow = word(record, Convolution.ACROSS);
  const down = (rows + per - 1) / per;
  const across = (columns + perRow - 1) / perRow;
  const items = word(record, Convolution.ITEMS);
  const end = min((chunk + 1) * items, word(record, Window.BATCH) * groups * down * across);
  for (let item = chunk * items; item < end; item++) {
    const column = (item % across) * perRow;
    const row = ((item / across) % down) * per;
    const group = (item / across / down) % groups;
    const image = item / across / down / groups;
    block(record, image, group, row, min(per, rows - row), column, min(perRow, columns - column), scratch);
  }
}

/**
 * A block's table of vectors: where x̂ has them, and y, from its first position on, how many lanes they have and their row.
 *
 *     ┌────┬───┬───────┬─────┐
 *     │ x̂  │ y │ lanes │ row │   4 bytes each
 *     └────┴───┴───────┴─────┘
 */
@inline
const ENTRY: usize = 16;
/** Vectors that are done for all outputs, one after the other, before the next: what they see, and what they are multiplied by, stays in L1. */
@inline
const GROUP: i32 = 16;

/** `rows` × `columns` positions of all outputs of a group. */
function block(
  record: usize,
  image: i32,
  group: i32,
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
  scratch: usize,
): void {
  const channels = word(record, Window.CHANNELS);
  const outputs = word(record, Window.OUTPUTS);
  const groups = word(record, Window.GROUPS);
  const k = channels * word(record, Window.KERNEL_Y) * word(record, Window.KERNEL_X);
  const depth = depthOf(k);
  const kernelX = word(record, Window.KERNEL_X);
  const area = word(record, Window.KERNEL_Y) * kernelX;
  const inPlace = word(record, Window.SEEN) == Seen.IN_PLACE;
  const skips = word(record, Convolution.SKIPS) != 0;
  const x = channelsOf(
    record,
    address(record, Window.X),
    inPlace ? 0 : image,
    group,
    channels,
    word(record, Window.HEIGHT) * word(record, Window.WIDTH),
  );
  const rowStride = stride(record, Convolution.Y_ROW);
  const columnStride = stride(record, Convolution.Y_COLUMN);
  const channelStride = stride(record, Convolution.Y_CHANNEL);
  const y =
    address(record, Convolution.Y) +
    <usize>image * stride(record, Convolution.Y_IMAGE) +
    <usize>(group * outputs) * channelStride +
    <usize>row * rowStride +
    <usize>column * columnStride;
  const panels = (groups * outputs + PANEL_WIDTH - 1) / PANEL_WIDTH;
  const taps = scratch + TAPS;
  const vectors = scratch + VECTORS;
  const base = inPlace ? x : scratch;
  const count = tabulateVectors(record, image, row, rows, column, columns, 0, vectors, ENTRY);
  let entry = vectors;
  for (let r = row; r < row + rows; r++) {
    for (let q = 0; q < columns; q += LANES) {
      store<u32>(entry, <u32>(<usize>(r - row) * rowStride + <usize>q * columnStride), 4);
      store<i32>(entry, min(LANES, columns - q), 8);
      store<i32>(entry, r, 12);
      entry += ENTRY;
    }
  }
  let w = address(record, Convolution.PANELS);
  let p = 0;
  do {
    const kc = min(depth, k - p);
    if (kc > 0) {
      bring(record, x, p, kc, row, rows, column, columns, scratch);
      tabulateTaps(record, p, kc, taps);
    }
    const last = p + kc == k;
    const bias = last ? address(record, Convolution.BIAS) : 0;
    const zero = last && word(record, Convolution.RELU) != 0;
    const panel = <usize>packedRows(kc) * PANEL_PITCH;
    for (let v = 0; v < count; v += GROUP) {
      const end = vectors + <usize>min(count, v + GROUP) * ENTRY;
      for (let o = 0; o < outputs; ) {
        const output = group * outputs + o;
        const lane = output % PANEL_WIDTH;
        const a = w + <usize>(output / PANEL_WIDTH) * panel + (<usize>lane << SHIFT);
        const height = min(min(GEMM_MR, PANEL_WIDTH - lane), outputs - o);
        const c = y + <usize>o * channelStride;
        const d = bias ? bias + (<usize>output << SHIFT) : 0;
        for (let first = vectors + <usize>v * ENTRY; first < end; first += 2 * ENTRY) {
          // At the end the first once more.
          const second = first + ENTRY < end ? first + ENTRY : first;
          const apart = load<i32>(second) - load<i32>(first);
          const b = base + load<u32>(first);
          const c0 = c + load<u32>(first, 4);
          const c1 = c + load<u32>(second, 4);
          const lanes0 = load<i32>(first, 8);
          const lanes1 = load<i32>(second, 8);
          let runs = 1;
          let run = kc;
          let start = 0;
          if (skips) {
            const from = seenFrom(record, load<i32>(first, 12), load<i32>(second, 12));
            const seen = max(1, seenTo(record, load<i32>(first, 12), load<i32>(second, 12)) - from) * kernelX;
            if (seen < area) {
              run = seen;
              runs = channels;
              start = min(from * kernelX, area - run);
            }
          }
          const skipped = area - run;
          const t = taps + (<usize>start << 2);
          const weights = a + <usize>start * PANEL_PITCH;
          const isWhole = columnStride == sizeof<real>() && lanes0 + lanes1 == 2 * LANES;
          if (isWhole && height == 4) {
            tile(4, weights, b, apart, t, run, runs, skipped, c0, c1, channelStride, p > 0, d, zero);
          } else if (isWhole && height == 1) {
            tile(1, weights, b, apart, t, run, runs, skipped, c0, c1, channelStride, p > 0, d, zero);
          } else {
            const strip = scratch + CONVOLUTION_BYTES - 128;
            tile(4, weights, b, apart, t, run, runs, skipped, strip, strip + 16, PANEL_PITCH, false, 0, false);
            spread(strip, height, lanes0, c0, channelStride, columnStride, p > 0, d, zero);
            if (second != first) spread(strip + 16, height, lanes1, c1, channelStride, columnStride, p > 0, d, zero);
          }
        }
        o += height;
      }
    }
    w += <usize>panels * panel;
    p += kc;
  } while (p < k);
}

/** The first row of taps through which one of two rows of positions, row0 ≤ row1, sees x; and the one behind the last. */
@inline
function seenFrom(record: usize, row0: i32, row1: i32): i32 {
  const dilation = word(record, Window.DILATION_Y);
  // Rising taps see what is further down, or up.
  const y = word(record, Window.STRIDE_Y) * (dilation > 0 ? row1 : row0) - word(record, Window.PAD_Y);
  return dilation > 0
    ? max(0, (dilation - 1 - y) / dilation)
    : max(0, (y - word(record, Window.HEIGHT) - dilation) / -dilation);
}

@inline
function seenTo(record: usize, row0: i32, row1: i32): i32 {
  const dilation = word(record, Window.DILATION_Y);
  const kernel = word(record, Window.KERNEL_Y);
  const y = word(record, Window.STRIDE_Y) * (dilation > 0 ? row0 : row1) - word(record, Window.PAD_Y);
  return dilation > 0
    ? min(kernel, (word(record, Window.HEIGHT) - y + dilation - 1) / dilation)
    : min(kernel, y / -dilation + 1);
}

/**
 * `rows` outputs × two vectors of positions, `apart` from each other, over `runs` times `run` taps with some in between that are `skipped`. GEMM's
 * micro-kernel, but that of a panel's row of weights, 32 bytes, it reads some lanes only.
 */
@inline
function tile(
  rows: i32,
  a: usize,
  b: usize,
  apart: i32,
  taps: usize,
  run: i32,
  runs: i32,
  skipped: i32,
  c0: usize,
  c1: usize,
  cRow: usize,
  add: bool,
  bias: usize,
  zero: bool,
): void {
  let vacc0x0 = v128.splat<real>(0);
  let vacc0x1 = v128.splat<real>(0);
  let vacc1x0 = v128.splat<real>(0);
  let vacc1x1 = v128.splat<real>(0);
  let vacc2x0 = v128.splat<real>(0);
  let vacc2x1 = v128.splat<real>(0);
  let vacc3x0 = v128.splat<real>(0);
  let vacc3x1 = v128.splat<real>(0);
  if (run > 0) {
    do {
      const end = a + <usize>run * PANEL_PITCH;
      do {
        const x = b + load<u32>(taps);
        const vb0 = v128.load(x);
        const vb1 = v128.load(x + <usize>apart);
        const va0 = v128.load_splat<real>(a);
        vacc0x0 = multiplyAdd<real>(va0, vb0, vacc0x0);
        vacc0x1 = multiplyAdd<real>(va0, vb1, vacc0x1);
        if (rows > 1) {
          const va1 = v128.load_splat<real>(a, sizeof<real>());
          vacc1x0 = multiplyAdd<real>(va1, vb0, vacc1x0);
          vacc1x1 = multiplyAdd<real>(va1, vb1, vacc1x1);
          const va2 = v128.load_splat<real>(a, 2 * sizeof<real>());
          vacc2x0 = multiplyAdd<real>(va2, vb0, vacc2x0);
          vacc2x1 = multiplyAdd<real>(va2, vb1, vacc2x1);
          const va3 = v128.load_splat<real>(a, 3 * sizeof<real>());
          vacc3x0 = multiplyAdd<real>(va3, vb0, vacc3x0);
          vacc3x1 = multiplyAdd<real>(va3, vb1, vacc3x1);
        }
        a += PANEL_PITCH;
        taps += 4;
      } while (a != end);
      a += <usize>skipped * PANEL_PITCH;
      taps += <usize>skipped << 2;
    } while (--runs > 0);
  }
  put(c0, c1, vacc0x0, vacc0x1, add, bias, zero);
  if (rows > 1) {
    put(c0 + cRow, c1 + cRow, vacc1x0, vacc1x1, add, bias ? bias + sizeof<real>() : 0, zero);
    put(c0 + 2 * cRow, c1 + 2 * cRow, vacc2x0, vacc2x1, add, bias ? bias + 2 * sizeof<real>() : 0, zero);
    put(c0 + 3 * cRow, c1 + 3 * cRow, vacc3x0, vacc3x1, add, bias ? bias + 3 * sizeof<real>() : 0, zero);
  }
}

/** Both are read before one is written: they may be the same. */
@inline
function put(c0: usize, c1: usize, vacc0: v128, vacc1: v128, add: bool, bias: usize, zero: bool): void {
  if (add) {
    vacc0 = v128.add<real>(v128.load(c0), vacc0);
    vacc1 = v128.add<real>(v128.load(c1), vacc1);
  }
  if (bias) {
    const vbias = v128.load_splat<real>(bias);
    vacc0 = v128.add<real>(vacc0, vbias);
    vacc1 = v128.add<real>(vacc1, vbias);
  }
  if (zero) {
    vacc0 = relu(vacc0);
    vacc1 = relu(vacc1);
  }
  v128.store(c0, vacc0);
  v128.store(c1, vacc1);
}

export function convolutionTranspose(record: usize, chunk: i32, scratch: usize): void {
  const groups = word(record, Window.GROUPS);
  const blocks = word(record, Window.OUTPUTS) / GEMM_MR;
  const channels = word(record, Window.CHANNELS);
  const plane = <usize>(word(record, Window.HEIGHT) * word(record, Window.WIDTH)) << SHIFT;
  const taps = scratch + TAPS;
  for (let c = 0; c < channels; c++) store<u32>(taps + (<usize>c << 2), <u32>c * <u32>plane);
  const items = word(record, ConvolutionTranspose.ITEMS);
  const end = min((chunk + 1) * items, word(record, Window.BATCH) * groups * blocks);
  for (let item = chunk * items; item < end; item++) {
    scatter(record, item / blocks / groups, (item / blocks) % groups, (item % blocks) * GEMM_MR, plane, taps);
  }
}

/** GEMM_MR outputs of a group of an image, from `o` on; `taps` is the offset of each channel. */
function scatter(record: usize, image: i32, group: i32, o: i32, plane: usize, taps: usize): void {
  const channels = word(record, Window.CHANNELS);
  const outputs = word(record, Window.OUTPUTS);
  const kernelY = word(record, Window.KERNEL_Y);
  const kernelX = word(record, Window.KERNEL_X);
  const columns = word(record, Window.COLUMNS);
  const positions = word(record, Window.ROWS) * columns;
  const output = group * outputs + o;
  const x = channelsOf(record, address(record, Window.X), image, group, channels, <i32>(plane >> SHIFT));
  const y =
    channelsOf(record, address(record, ConvolutionTranspose.Y), image, group, outputs, positions) +
    (<usize>(o * positions) << SHIFT);
  const yPlane = <usize>positions << SHIFT;
  const bias = address(record, ConvolutionTranspose.BIAS);
  for (let row = 0; row < GEMM_MR; row++) {
    const value = v128.splat<real>(bias ? load<real>(bias + (<usize>(output + row) << SHIFT)) : 0);
    const target = y + <usize>row * yPlane;
    for (let i = 0; i < positions; i += LANES) storeUpTo(target + (<usize>i << SHIFT), value, positions - i);
  }
  let a =
    address(record, ConvolutionTranspose.PANELS) +
    <usize>(output / PANEL_WIDTH) * <usize>packedRows(channels * kernelY * kernelX) * PANEL_PITCH +
    (<usize>(output % PANEL_WIDTH) << SHIFT);
  const rowBytes = <usize>columns << SHIFT;
  const lineBytes = <usize>word(record, Window.WIDTH) << SHIFT;
  for (let i = 0; i < kernelY; i++) {
    const down = word(record, Window.PAD_Y) - i * word(record, Window.DILATION_Y);
    for (let j = 0; j < kernelX; j++) {
      const across = word(record, Window.PAD_X) - j * word(record, Window.DILATION_X);
      let row = y + <usize>down * rowBytes + (<usize>across << SHIFT);
      let column: usize = 0;
      for (let at: usize = 0; at < plane; at += 32) {
        const c0 = row + column;
        column += 16;
        if (column == lineBytes) {
          column = 0;
          row += rowBytes;
        }
        // At the end the first once more.
        const both = at + 16 < plane;
        const c1 = both ? row + column : c0;
        column += 16;
        if (column == lineBytes) {
          column = 0;
          row += rowBytes;
        }
        tile(4, a, x + at, both ? 16 : 0, taps, channels, 1, 0, c0, c1, yPlane, true, 0, false);
      }
      a += <usize>channels * PANEL_PITCH;
    }
  }
}

/** Brings the first `lanes` reals of rows in a strip to where y has them. */
function spread(
  strip: usize,
  rows: i32,
  lanes: i32,
  c: usize,
  channelStride: usize,
  columnStride: usize,
  add: bool,
  bias: usize,
  zero: bool,
): void {
  for (let o = 0; o < rows; o++) {
    const value = bias ? load<real>(bias + (<usize>o << SHIFT)) : 0;
    if (columnStride == sizeof<real>()) {
      let x = v128.load(strip);
      if (add) x = v128.add<real>(v128.load(c), x);
      if (bias) x = v128.add<real>(x, v128.splat<real>(value));
      storeUpTo(c, zero ? relu(x) : x, lanes);
    } else {
      for (let i = 0; i < lanes; i++) {
        const target = c + <usize>i * columnStride;
        let x = load<real>(strip + (<usize>i << SHIFT));
        if (add) x = load<real>(target) + x;
        if (bias) x += value;
        if (zero) x = x <= 0 ? 0 : x;
        store<real>(target, x);
      }
    }
    strip += PANEL_PITCH;
    c += channelStride;
  }
}

/**
 * Of CONVOLUTION_WEIGHT a thread has in scratch what the taps see from a piece, of WEIGHT_POSITIONS at most, y's lines, and for each tile, of four
 * outputs × two taps, the sums of its lanes:
 *
 *     ┌────────────────────┬───────────────────┬────────────────────────┐
 *     │ x̂, WEIGHT_X_BYTES  │ y, WEIGHT_OUTPUTS │ tiles: 8 vectors each  │
 *     └────────────────────┴───────────────────┴────────────────────────┘
 *
 * LINE is a constant, so that V8 folds it into the loads of a tile; an odd number of 32 bytes, so that lines do not push each other out of L1.
 */
@inline
const LINE: usize = 16 * <usize>WEIGHT_POSITIONS + PANEL_PITCH;
@inline
const Y_LINES: usize = WEIGHT_X_BYTES;
@inline
const TILES: usize = Y_LINES + <usize>WEIGHT_OUTPUTS * LINE;
@inline
const TILE: usize = 128;

export function convolutionWeight(record: usize, chunk: i32, scratch: usize): void {
  const groups = word(record, Window.GROUPS);
  const outputs = word(record, Window.OUTPUTS);
  const k = word(record, Window.CHANNELS) * word(record, Window.KERNEL_Y) * word(record, Window.KERNEL_X);
  const taps = word(record, ConvolutionWeight.TAPS);
  const per = word(record, ConvolutionWeight.BLOCK);
  const across = (k + taps - 1) / taps;
  const down = (outputs + per - 1) / per;
  const items = word(record, ConvolutionWeight.ITEMS);
  const end = min((chunk + 1) * items, word(record, ConvolutionWeight.PARTS) * groups * down * across);
  for (let item = chunk * items; item < end; item++) {
    const tap = (item % across) * taps;
    const o = ((item / across) % down) * per;
    const group = (item / across / down) % groups;
    const part = item / across / down / groups;
    weightBlock(record, part, group, o, min(per, outputs - o), tap, min(taps, k - tap), scratch);
  }
}

function weightBlock(
  record: usize,
  part: i32,
  group: i32,
  o: i32,
  outputs: i32,
  tap: i32,
  taps: i32,
  scratch: usize,
): void {
  const channels = word(record, Window.CHANNELS);
  const allOutputs = word(record, Window.OUTPUTS);
  const allRows = word(record, Window.ROWS);
  const allColumns = word(record, Window.COLUMNS);
  const positions = allRows * allColumns;
  const area = word(record, Window.HEIGHT) * word(record, Window.WIDTH);
  const inPlace = word(record, Window.SEEN) == Seen.IN_PLACE;
  const down = word(record, ConvolutionWeight.DOWN);
  const across = word(record, ConvolutionWeight.ACROSS);
  const table = scratch + TAPS;
  const vectors = scratch + VECTORS;
  const y = scratch + Y_LINES;
  const tiles = scratch + TILES;
  const height = outputs == 1 ? 1 : GEMM_MR;
  const quads = (outputs + height - 1) / height;
  const pairs = (taps + 1) / 2;
  // What fills up the last tiles; and all sums.
  memory.fill(y + <usize>outputs * LINE, 0, <usize>(quads * height - outputs) * LINE);
  memory.fill(tiles, 0, <usize>(pairs * quads) * TILE);
  tabulateTaps(record, tap, taps, table);
  const first = channelsOf(record, address(record, Window.X), 0, group, channels, area);
  let at = part * word(record, ConvolutionWeight.PART);
  const end = min(at + word(record, ConvolutionWeight.PART), word(record, Window.BATCH) * allRows);
  let column = 0;
  while (at < end) {
    // As many rows as a piece has, of several images perhaps.
    const columns = min(across, allColumns - column);
    let left = min(down, end - at);
    let filled = 0;
    let used: usize = 0;
    do {
      const image = at / allRows;
      const row = at % allRows;
      const rows = min(left, allRows - row);
      const x = channelsOf(record, address(record, Window.X), image, group, channels, area);
      bring(record, x, tap, taps, row, rows, column, columns, scratch + used);
      let line = y + (<usize>filled << 4);
      const source =
        channelsOf(record, address(record, ConvolutionWeight.Y), image, group, allOutputs, positions) +
        (<usize>(o * positions + row * allColumns + column) << SHIFT);
      for (let i = 0; i < outputs; i++) {
        copyRows(line, source + (<usize>(i * positions) << SHIFT), rows, columns, allColumns);
        line += LINE;
      }
      filled += tabulateVectors(record, image, row, rows, column, columns, <i32>used, vectors + (<usize>filled << 2), 4);
      used += stride(record, Window.PITCH) * <usize>(word(record, Window.SEEN) == Seen.BAND ? bandRows(record, rows) : rows);
      at += rows;
      left -= rows;
    } while (left > 0);
    const base = inPlace ? first : scratch;
    let sums = tiles;
    for (let j = 0; j < quads; j++) {
      const lines = y + <usize>(j * height) * LINE;
      for (let i = 0; i < taps; i += 2) {
        const offset = load<i32>(table + (<usize>i << 2));
        // A last tap without a fellow is its own.
        const apart = i + 1 < taps ? load<i32>(table + (<usize>i << 2), 4) - offset : 0;
        if (height == 1) weightTile(1, base + <usize>offset, apart, lines, vectors, filled, sums);
        else weightTile(4, base + <usize>offset, apart, lines, vectors, filled, sums);
        sums += TILE;
      }
    }
    // A row of several pieces.
    if (across < allColumns) {
      column += columns;
      if (column < allColumns) at--;
      else column = 0;
    }
  }
  const k = channels * word(record, Window.KERNEL_Y) * word(record, Window.KERNEL_X);
  const output = (part * word(record, Window.GROUPS) + group) * allOutputs + o;
  for (let i = 0; i < outputs; i++) {
    const target = address(record, ConvolutionWeight.DESTINATION) + (<usize>((output + i) * k + tap) << SHIFT);
    for (let t = 0; t < taps; t++) {
      const sums = tiles + <usize>((i / height) * pairs + (t >> 1)) * TILE + (<usize>((i % height) * 2 + (t & 1)) << 4);
      store<real>(target + (<usize>t << SHIFT), join(v128.load(sums)));
    }
  }
}

/** Rows of y, each filled up to whole vectors with zeros. */
function copyRows(target: usize, source: usize, rows: i32, columns: i32, pitch: i32): void {
  const whole = (columns + LANES - 1) & -LANES;
  if (columns == pitch && columns == whole) {
    copy(target, source, rows * columns, 1);
    return;
  }
  for (; rows > 0; rows--) {
    copy(target, source, columns, 1);
    for (let i = columns; i < whole; i++) store<real>(target + (<usize>i << SHIFT), 0);
    target += <usize>whole << SHIFT;
    source += <usize>pitch << SHIFT;
  }
}

/** (l0+l2)+(l1+l3), or l0+l1. */
@inline
function join(x: v128): real {
  if (sizeof<real>() == 4) x = v128.add<real>(x, v128.shuffle<u64>(x, x, 1, 1));
  const odd = sizeof<real>() == 8 ? v128.shuffle<u64>(x, x, 1, 1) : v128.shuffle<u32>(x, x, 1, 1, 1, 1);
  return v128.extract_lane<real>(v128.add<real>(x, odd), 0);
}

/** `rows` outputs × two taps, `apart` from each other, over n > 0 vectors of positions: vacc2x1 is output 2, tap 1. */
@inline
function weightTile(rows: i32, x: usize, apart: i32, y: usize, vectors: usize, n: i32, sums: usize): void {
  let vacc0x0 = v128.load(sums);
  let vacc0x1 = v128.load(sums, 16);
  let vacc1x0 = v128.load(sums, 32);
  let vacc1x1 = v128.load(sums, 48);
  let vacc2x0 = v128.load(sums, 64);
  let vacc2x1 = v128.load(sums, 80);
  let vacc3x0 = v128.load(sums, 96);
  let vacc3x1 = v128.load(sums, 112);
  const end = vectors + (<usize>n << 2);
  do {
    const b = x + load<u32>(vectors);
    const vx0 = v128.load(b);
    const vx1 = v128.load(b + <usize>apart);
    const vy0 = v128.load(y);
    vacc0x0 = multiplyAdd<real>(vx0, vy0, vacc0x0);
    vacc0x1 = multiplyAdd<real>(vx1, vy0, vacc0x1);
    if (rows > 1) {
      const vy1 = v128.load(y, LINE);
      vacc1x0 = multiplyAdd<real>(vx0, vy1, vacc1x0);
      vacc1x1 = multiplyAdd<real>(vx1, vy1, vacc1x1);
      const vy2 = v128.load(y, 2 * LINE);
      vacc2x0 = multiplyAdd<real>(vx0, vy2, vacc2x0);
      vacc2x1 = multiplyAdd<real>(vx1, vy2, vacc2x1);
      const vy3 = v128.load(y, 3 * LINE);
      vacc3x0 = multiplyAdd<real>(vx0, vy3, vacc3x0);
      vacc3x1 = multiplyAdd<real>(vx1, vy3, vacc3x1);
    }
    vectors += 4;
    y += 16;
  } while (vectors != end);
  v128.store(sums, vacc0x0);
  v128.store(sums, vacc0x1, 16);
  if (rows > 1) {
    v128.store(sums, vacc1x0, 32);
    v128.store(sums, vacc1x1, 48);
    v128.store(sums, vacc2x0, 64);
    v128.store(sums, vacc2x1, 80);
    v128.store(sums, vacc3x0, 96);
    v128.store(sums, vacc3x1, 112);
  }
}
