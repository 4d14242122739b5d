import { CONVOLUTION_BYTES, Convolution, ConvolutionWeight, GEMM_MR, WEIGHT_OUTPUTS, WEIGHT_TAPS, Window } from '../isa';
import { relu } from '../math';
import { LANES, SHIFT, address, multiplyAdd, word } from '../real';
import { PANEL_PITCH, PANEL_WIDTH, depthOf, packedRows } from './pack';

/**
 * Both convolutions are matrix products with x̂ [k, q]: what tap k sees from position q. Of that matrix a block at a time is
 * unfolded into this thread's scratch, with zeros where a tap looks outside x; what strides, dilations, padding and narrow rows
 * need is all in there, and the loops that do the work know nothing of it:
 *
 *     x̂, a block      ┌ x̂00 x̂01 x̂02 … ┐  a line a tap, `pitch` bytes apart,
 *                     │ x̂10 x̂11 x̂12 … │  with a tile's width behind its last position
 *                     └ …             ┘
 *
 * Lines lie an odd number of 32 bytes apart: else those of one tile's column would push each other out of L1.
 */
function unfold(record: usize, x: usize, k: i32, lines: i32, q: i32, count: i32, target: usize, pitch: usize): void {
  const kernelY = word(record, Window.KERNEL_Y);
  const kernelX = word(record, Window.KERNEL_X);
  const height = word(record, Window.HEIGHT);
  const width = word(record, Window.WIDTH);
  const columns = word(record, Window.COLUMNS);
  const strideY = word(record, Window.STRIDE_Y);
  const strideX = word(record, Window.STRIDE_X);
  const plane = <usize>(height * width) << SHIFT;
  let j = k % kernelX;
  let i = (k / kernelX) % kernelY;
  x += <usize>(k / (kernelX * kernelY)) * plane;
  const row = q / columns;
  const first = q % columns;
  for (; lines > 0; lines--) {
    // What column 0 sees, and the columns that see x.
    const left = j * word(record, Window.DILATION_X) - word(record, Window.PAD_X);
    const from = left < 0 ? reach(-left, strideX) : 0;
    const to = left < width ? reach(width - left, strideX) : 0;
    let y = row * strideY + i * word(record, Window.DILATION_Y) - word(record, Window.PAD_Y);
    let column = first;
    let rest = count;
    let line = target;
    do {
      const n = min(rest, columns - column);
      const end = line + (<usize>n << SHIFT);
      if (<u32>y < <u32>height) {
        const a = min(n, max(0, from - column));
        const b = max(a, min(n, to - column));
        if (a > 0) clear(line, a);
        copy(line + (<usize>a << SHIFT), x + (<usize>(y * width + left + (column + a) * strideX) << SHIFT), b - a, strideX);
        if (b < n) clear(line + (<usize>b << SHIFT), n - b);
      } else clear(line, n);
      line = end;
      rest -= n;
      column = 0;
      y += strideY;
    } while (rest > 0);
    clear(line, PANEL_WIDTH);
    target += pitch;
    if (++j == kernelX) {
      j = 0;
      if (++i == kernelY) {
        i = 0;
        x += plane;
      }
    }
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

@inline
const STRIP: usize = CONVOLUTION_BYTES;

export function convolution(record: usize, chunk: i32, scratch: usize): void {
  const groups = word(record, Window.GROUPS);
  const positions = word(record, Window.ROWS) * word(record, Window.COLUMNS);
  const per = word(record, Convolution.POSITIONS);
  const across = (positions + per - 1) / per;
  const items = word(record, Convolution.ITEMS);
  const end = min((chunk + 1) * items, word(record, Window.BATCH) * groups * across);
  for (let item = chunk * items; item < end; item++) {
    const q = (item % across) * per;
    block(record, item / across / groups, (item / across) % groups, q, min(per, positions - q), scratch);
  }
}

/** `count` positions of all outputs of a group. */
function block(record: usize, image: i32, group: i32, q: i32, count: i32, scratch: usize): void {
  const channels = word(record, Window.CHANNELS);
  const outputs = word(record, Window.OUTPUTS);
  const groups = word(record, Window.GROUPS);
  const columns = word(record, Window.COLUMNS);
  const k = channels * word(record, Window.KERNEL_Y) * word(record, Window.KERNEL_X);
  const depth = depthOf(k);
  const x = channelsOf(
    record,
    address(record, Window.X),
    image,
    group,
    channels,
    word(record, Window.HEIGHT) * word(record, Window.WIDTH),
  );
  const rowStride = stride(record, Convolution.Y_ROW);
  const columnStride = stride(record, Convolution.Y_COLUMN);
  const channelStride = stride(record, Convolution.Y_CHANNEL);
  const flat = columnStride == sizeof<real>() && (rowStride == <usize>columns << SHIFT || columns >= q + count);
  const y =
    address(record, Convolution.Y) +
    <usize>image * stride(record, Convolution.Y_IMAGE) +
    <usize>(group * outputs) * channelStride;
  const pitch = <usize>((count + PANEL_WIDTH - 1) / PANEL_WIDTH + 1 | 1) * PANEL_PITCH;
  const panels = (groups * outputs + PANEL_WIDTH - 1) / PANEL_WIDTH;
  const strip = scratch + STRIP;
  let w = address(record, Convolution.PANELS);
  let p = 0;
  do {
    const kc = min(depth, k - p);
    if (kc > 0) unfold(record, x, p, kc, q, count, scratch, pitch);
    const last = p + kc == k;
    const bias = last ? address(record, Convolution.BIAS) : 0;
    const zero = last && word(record, Convolution.RELU) != 0;
    const panel = <usize>packedRows(kc) * PANEL_PITCH;
    for (let column = 0; column < count; column += PANEL_WIDTH) {
      const b = scratch + (<usize>column << SHIFT);
      const width = min(PANEL_WIDTH, count - column);
      const at = q + column;
      for (let o = 0; o < outputs; ) {
        const output = group * outputs + o;
        const lane = output % PANEL_WIDTH;
        const a = w + <usize>(output / PANEL_WIDTH) * panel + (<usize>lane << SHIFT);
        const rows = min(min(GEMM_MR, PANEL_WIDTH - lane), outputs - o);
        const c = y + <usize>o * channelStride;
        const d = bias ? bias + (<usize>output << SHIFT) : 0;
        if (flat && width == PANEL_WIDTH && (rows == 4 || rows == 1)) {
          const target = c + (<usize>at << SHIFT);
          if (rows == 4) tile(4, a, b, pitch, kc, target, channelStride, p > 0, d, zero);
          else tile(1, a, b, pitch, kc, target, channelStride, p > 0, d, zero);
        } else {
          if (rows > 1) tile(4, a, b, pitch, kc, strip, PANEL_PITCH, false, 0, false);
          else tile(1, a, b, pitch, kc, strip, PANEL_PITCH, false, 0, false);
          const row = at / columns;
          spread(strip, rows, width, c, channelStride, row, at - row * columns, columns, rowStride, columnStride, p > 0, d, zero);
        }
        o += rows;
      }
    }
    w += <usize>panels * panel;
    p += kc;
  } while (p < k);
}

/**
 * `rows` outputs × two vectors of positions, over k taps. GEMM's micro-kernel, but that of a panel's row of weights, 32 bytes, it reads some
 * lanes only.
 */
@inline
function tile(
  rows: i32,
  a: usize,
  b: usize,
  pitch: usize,
  k: i32,
  c: usize,
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
  if (k > 0) {
    const end = a + <usize>k * PANEL_PITCH;
    do {
      const vb0 = v128.load(b);
      const vb1 = v128.load(b, 16);
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
      b += pitch;
    } while (a != end);
  }
  put(c, vacc0x0, vacc0x1, add, bias, zero);
  if (rows > 1) {
    put(c + cRow, vacc1x0, vacc1x1, add, bias ? bias + sizeof<real>() : 0, zero);
    put(c + 2 * cRow, vacc2x0, vacc2x1, add, bias ? bias + 2 * sizeof<real>() : 0, zero);
    put(c + 3 * cRow, vacc3x0, vacc3x1, add, bias ? bias + 3 * sizeof<real>() : 0, zero);
  }
}

@inline
function put(c: usize, vacc0: v128, vacc1: v128, add: bool, bias: usize, zero: bool): void {
  if (add) {
    vacc0 = v128.add<real>(v128.load(c), vacc0);
    vacc1 = v128.add<real>(v128.load(c, 16), vacc1);
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
  v128.store(c, vacc0);
  v128.store(c, vacc1, 16);
}

/** Brings a strip to where y has its positions, the first of them (row, column). */
function spread(
  strip: usize,
  rows: i32,
  width: i32,
  c: usize,
  channelStride: usize,
  row: i32,
  column: i32,
  columns: i32,
  rowStride: usize,
  columnStride: usize,
  add: bool,
  bias: usize,
  zero: bool,
): void {
  for (let i = 0; i < width; i++) {
    let target = c + <usize>row * rowStride + <usize>column * columnStride;
    let source = strip + (<usize>i << SHIFT);
    for (let o = 0; o < rows; o++) {
      let x = load<real>(source);
      if (add) x = load<real>(target) + x;
      if (bias) x += load<real>(bias + (<usize>o << SHIFT));
      if (zero) x = x <= 0 ? 0 : x;
      store<real>(target, x);
      source += PANEL_PITCH;
      target += channelStride;
    }
    if (++column == columns) {
      column = 0;
      row++;
    }
  }
}

/**
 * Of CONVOLUTION_WEIGHT a thread has in scratch the lines of x̂ and of y for LENGTH positions, and for each tile, of four outputs × two taps,
 * the sums of its lanes:
 *
 *     ┌──────────────────┬──────────────────┬─────────────────────────┐
 *     │ x̂, WEIGHT_TAPS   │ y, WEIGHT_OUTPUTS │ tiles: 8 vectors each   │
 *     └──────────────────┴──────────────────┴─────────────────────────┘
 */
@inline
const LENGTH: i32 = 1024 >> (<i32>SHIFT);
/** A constant, so that V8 folds it into the loads of a tile. */
@inline
const LINE: usize = 1024 + PANEL_PITCH;
@inline
const Y_LINES: usize = <usize>WEIGHT_TAPS * LINE;
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
  const positions = word(record, Window.ROWS) * word(record, Window.COLUMNS);
  const area = word(record, Window.HEIGHT) * word(record, Window.WIDTH);
  const padded = (positions + 3) & -4;
  const y = scratch + Y_LINES;
  const tiles = scratch + TILES;
  const rows = outputs == 1 ? 1 : GEMM_MR;
  const quads = (outputs + rows - 1) / rows;
  const pairs = (taps + 1) / 2;
  // What fills up the last tiles; and all sums.
  memory.fill(scratch + <usize>taps * LINE, 0, LINE);
  memory.fill(y + <usize>outputs * LINE, 0, <usize>(quads * rows - outputs) * LINE);
  memory.fill(tiles, 0, <usize>(pairs * quads) * TILE);
  let at = part * word(record, ConvolutionWeight.PART);
  const end = min(at + word(record, ConvolutionWeight.PART), word(record, Window.BATCH) * padded);
  while (at < end) {
    let filled = 0;
    do {
      const image = at / padded;
      const q = at % padded;
      const count = min(min(positions - q, LENGTH - filled), end - at);
      const offset = <usize>filled << SHIFT;
      const x = channelsOf(record, address(record, Window.X), image, group, channels, area);
      unfold(record, x, tap, taps, q, count, scratch + offset, LINE);
      const source = channelsOf(record, address(record, ConvolutionWeight.Y), image, group, allOutputs, positions);
      for (let i = 0; i < outputs; i++) {
        const line = y + <usize>i * LINE + offset;
        copy(line, source + (<usize>((o + i) * positions + q) << SHIFT), count, 1);
        clear(line + (<usize>count << SHIFT), PANEL_WIDTH);
      }
      const whole = (count + 3) & -4;
      filled += whole;
      at += whole;
    } while (filled < LENGTH && at < end);
    let sums = tiles;
    for (let i = 0; i < pairs; i++) {
      const line = scratch + <usize>(2 * i) * LINE;
      for (let j = 0; j < quads; j++) {
        if (rows == 1) weightTile(1, line, y + <usize>j * LINE, filled, sums);
        else weightTile(4, line, y + <usize>(4 * j) * LINE, filled, sums);
        sums += TILE;
      }
    }
  }
  const k = channels * word(record, Window.KERNEL_Y) * word(record, Window.KERNEL_X);
  const first = (part * word(record, Window.GROUPS) + group) * allOutputs + o;
  for (let i = 0; i < outputs; i++) {
    const target = address(record, ConvolutionWeight.DESTINATION) + (<usize>((first + i) * k + tap) << SHIFT);
    for (let t = 0; t < taps; t++) {
      const sums = tiles + <usize>((t >> 1) * quads + i / rows) * TILE + (<usize>((i % rows) * 2 + (t & 1)) << 4);
      store<real>(target + (<usize>t << SHIFT), join(v128.load(sums)));
    }
  }
}

/** (l0+l2)+(l1+l3), or l0+l1. */
@inline
function join(x: v128): real {
  if (sizeof<real>() == 4) x = v128.add<real>(x, v128.shuffle<u64>(x, x, 1, 1));
  const odd = sizeof<real>() == 8 ? v128.shuffle<u64>(x, x, 1, 1) : v128.shuffle<u32>(x, x, 1, 1, 1, 1);
  return v128.extract_lane<real>(v128.add<real>(x, odd), 0);
}

/** `rows` outputs × two taps over n > 0 positions: vacc2x1 is output 2, tap 1. */
@inline
function weightTile(rows: i32, x: usize, y: usize, n: i32, sums: usize): void {
  let vacc0x0 = v128.load(sums);
  let vacc0x1 = v128.load(sums, 16);
  let vacc1x0 = v128.load(sums, 32);
  let vacc1x1 = v128.load(sums, 48);
  let vacc2x0 = v128.load(sums, 64);
  let vacc2x1 = v128.load(sums, 80);
  let vacc3x0 = v128.load(sums, 96);
  let vacc3x1 = v128.load(sums, 112);
  const end = x + (<usize>n << SHIFT);
  do {
    const vx0 = v128.load(x);
    const vx1 = v128.load(x, LINE);
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
    x += 16;
    y += 16;
  } while (x != end);
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
