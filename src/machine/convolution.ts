import {
  CONVOLUTION_VECTORS,
  Convolution,
  ConvolutionTranspose,
  ConvolutionWeight,
  GEMM_KC,
  GEMM_MR,
  MAX_CHUNKS,
  Seen,
  WEIGHT_OUTPUTS,
  WEIGHT_POSITIONS,
  WEIGHT_TAPS,
  Window,
} from '../../assembly/isa';

/** Down and across. */
export type Pair = readonly [number, number];

/** What a convolution is: see `Window` in assembly/isa.ts. Channels and outputs are those of a group. */
export interface Geometry {
  batch: number;
  groups: number;
  channels: number;
  outputs: number;
  /** Of x. */
  area: Pair;
  kernel: Pair;
  /** Positions: rows and columns. */
  size: Pair;
  stride: Pair;
  dilation: Pair;
  pad: Pair;
}

interface Plan {
  /** Those of the record that follow from shapes. */
  fields: Record<number, number>;
  chunks: number;
}

/** Multiply-adds of a chunk, below which claiming it begins to show. */
const CHUNK_WORK = 1e6;
/** Chunks of a big convolution at least, where it can be cut: enough for several threads to end at about the same time. */
const CHUNKS = 16;
/** Of copies of x in scratch: what stays in the nearer caches. */
const SEEN_BYTES = 196608;
/** Rows at least of an item: more are seen than done. */
const LEAST_ROWS = 4;
const LEAST_COLUMNS = 64;
/** Planes of so many bytes push each other out of L1. */
const ALIASING = 1024;
/** What is written behind the last row of a plane, at most. */
const OVERSHOT = 16;

function windowOf(geometry: Geometry): Record<number, number> {
  const { batch, groups, channels, outputs, area, kernel, size, stride, dilation, pad } = geometry;
  return {
    [Window.BATCH]: batch,
    [Window.GROUPS]: groups,
    [Window.CHANNELS]: channels,
    [Window.OUTPUTS]: outputs,
    [Window.HEIGHT]: area[0],
    [Window.WIDTH]: area[1],
    [Window.KERNEL_Y]: kernel[0],
    [Window.KERNEL_X]: kernel[1],
    [Window.ROWS]: size[0],
    [Window.COLUMNS]: size[1],
    [Window.STRIDE_Y]: stride[0],
    [Window.STRIDE_X]: stride[1],
    [Window.DILATION_Y]: dilation[0],
    [Window.DILATION_X]: dilation[1],
    [Window.PAD_Y]: pad[0],
    [Window.PAD_X]: pad[1],
  };
}

const product = ([y, x]: Pair) => y * x;
const roundUp = (size: number, multiple: number) => Math.ceil(size / multiple) * multiple;

/** So many items of so much work each, in chunks. */
function chunksOf(items: number, work: number): { per: number; chunks: number } {
  const per = Math.max(1, Math.floor(CHUNK_WORK / Math.max(1, work)), Math.ceil(items / MAX_CHUNKS));
  return { per, chunks: Math.ceil(items / per) };
}

/** Whether no tap sees what is outside x, nor are there strides within a row. */
function isInside({ area, kernel, size, stride, dilation, pad }: Geometry): boolean {
  const ends = ([0, 1] as const).map((axis) => {
    const reach = (kernel[axis] - 1) * dilation[axis];
    const last = (size[axis] - 1) * stride[axis];
    return Math.min(0, reach) - pad[axis] >= 0 && last + Math.max(0, reach) - pad[axis] < area[axis];
  });
  return stride[1] === 1 && ends.every((inside) => inside);
}

/** How the positions are cut, and where what so many taps at a time see from `down` rows of `across` columns is. */
interface View {
  seen: Seen;
  down: number;
  across: number;
  plane: number;
  pitch: number;
}

/**
 * Blocks of at most so many rows and columns (a whole number of vectors, or all); where `joined`, of several images, and the rows filled up with zeros.
 */
function viewOf(
  geometry: Geometry,
  taps: number,
  bytes: number,
  vectors: number,
  [rows, columns]: Pair,
  joined: boolean,
): View {
  const { channels, area, kernel, size, stride, dilation } = geometry;
  const lanes = 16 / bytes;
  const span = kernel.map((length, axis) => (length - 1) * Math.abs(dilation[axis]!));
  const planes = Math.min(channels, Math.ceil(taps / product(kernel)) + 1);
  const isWhole = !joined || size[1] % lanes === 0;
  const full = Math.min(size[1], columns, vectors * lanes);
  const most = (across: number) => Math.max(1, Math.min(rows, Math.floor(vectors / Math.ceil(across / lanes))));
  if (isWhole && isInside(geometry) && (planes <= 4 || (product(area) * bytes) % ALIASING > 0)) {
    return { seen: Seen.IN_PLACE, down: full < size[1] ? 1 : most(full), across: full, plane: 0, pitch: area[1] };
  }
  const phases = Math.min(stride[1], span[1]! + 1);
  const odd = (size: number) => (Math.ceil((size + OVERSHOT) / 32) | 1) * 32;
  /** Rows of a band that `down` rows of positions see: of an image after the other, the first and the last cut off. */
  const seenBy = (down: number) => {
    const images = joined ? [Math.ceil(down / size[0]), Math.min(down, Math.ceil((down - 1) / size[0]) + 1)] : [1];
    return Math.max(...images.map((count) => (down - count) * stride[0] + count * (span[0]! + 1)));
  };
  const tries: View[] = (isWhole ? [Seen.BAND, Seen.LINES] : [Seen.LINES]).map((seen) => {
    const fit = (down: number, across: number): View => {
      const [pitch, height] =
        seen === Seen.BAND ? [across + Math.floor(span[1]! / stride[1]), seenBy(down)] : [roundUp(across, lanes), down];
      return { seen, down, across, plane: odd(height * pitch * bytes), pitch };
    };
    const count = seen === Seen.BAND ? planes * phases : taps;
    const fits = ({ plane }: View) => count * plane <= SEEN_BYTES;
    let across = full;
    while (across > lanes && !fits(fit(1, across))) across = roundUp(Math.ceil(across / 2), lanes);
    let down = across < size[1] ? 1 : most(across);
    while (down > 1 && !fits(fit(down, across))) down = Math.ceil(down / 2);
    return fit(down, across);
  });
  const [first, last] = [tries[0]!, tries.at(-1)!];
  return first.plane * planes * phases <= SEEN_BYTES ? first : last;
}

const fieldsOf = ({ seen, plane, pitch }: View) => ({
  [Window.SEEN]: seen,
  [Window.PLANE]: plane,
  [Window.PITCH]: pitch,
});

/** How a CONVOLUTION is cut, of reals of so many bytes. Nothing chosen here alters a bit of the result. */
export function planConvolution(geometry: Geometry, bytes: number): Plan {
  const { batch, groups, channels, outputs, kernel, size } = geometry;
  const k = channels * product(kernel);
  // As many blocks of an image as there must be, for threads.
  const work = product(size) * k * outputs;
  const wanted = Math.min(Math.ceil(CHUNKS / Math.max(1, batch * groups)), Math.ceil(work / CHUNK_WORK));
  const rows = Math.max(Math.ceil(size[0] / Math.max(1, wanted)), Math.min(size[0], LEAST_ROWS));
  // A single row is cut across.
  const columns =
    size[0] > 1 ? size[1] : roundUp(Math.max(Math.ceil(size[1] / Math.max(1, wanted)), LEAST_COLUMNS), 16);
  const taps = Math.max(1, Math.min(k, GEMM_KC));
  const view = viewOf(geometry, taps, bytes, CONVOLUTION_VECTORS, [rows, columns], false);
  const blocks = batch * groups * Math.ceil(size[0] / view.down) * Math.ceil(size[1] / view.across);
  const { per, chunks } = chunksOf(blocks, view.down * view.across * k * outputs);
  return {
    fields: {
      ...windowOf(geometry),
      ...fieldsOf(view),
      [Convolution.DOWN]: view.down,
      [Convolution.ACROSS]: view.across,
      [Convolution.ITEMS]: per,
      [Convolution.SKIPS]: Number(view.seen !== Seen.IN_PLACE && k > 0 && k <= GEMM_KC),
    },
    chunks: product(size) * outputs === 0 ? 0 : chunks,
  };
}

/** Channels from which on their sum takes longer than adding it to the result. */
const MANY_CHANNELS = 8;
/** Of the positions of a row at most so many see x through a tap where a CONVOLUTION_TRANSPOSE does less. */
const FEW_SEE = 0.8;

/** How a CONVOLUTION_TRANSPOSE is cut, of reals of so many bytes; null where a CONVOLUTION does better, or must do. */
export function planTranspose(geometry: Geometry, bytes: number): Plan | null {
  const { batch, groups, channels, outputs, area, kernel, size, stride, dilation, pad } = geometry;
  const isWhole = ([0, 1] as const).every((axis) => {
    const shift = -(kernel[axis] - 1) * dilation[axis];
    return Math.min(0, shift) + pad[axis] >= 0 && Math.max(0, shift) + pad[axis] + area[axis] <= size[axis];
  });
  const k = channels * product(kernel);
  const fits = outputs % GEMM_MR === 0 && area[1] % (16 / bytes) === 0 && k <= GEMM_KC && product(stride) === 1;
  if (!isWhole || !fits || channels < MANY_CHANNELS || area[1] > FEW_SEE * size[1] || product(area) === 0) return null;
  const { per, chunks } = chunksOf((batch * groups * outputs) / GEMM_MR, product(area) * k * GEMM_MR);
  return { fields: { ...windowOf(geometry), [ConvolutionTranspose.ITEMS]: per }, chunks };
}

/** How a CONVOLUTION_WEIGHT is cut: PARTS is part of the law. */
export function planWeight(geometry: Geometry, bytes: number): Plan & { parts: number } {
  const { batch, groups, channels, outputs, kernel, size } = geometry;
  const k = channels * product(kernel);
  const even = (total: number, limit: number, multiple: number) =>
    roundUp(Math.ceil(total / Math.max(1, Math.ceil(total / limit))), multiple);
  const [taps, block] = [even(k, WEIGHT_TAPS, 2), even(outputs, WEIGHT_OUTPUTS, outputs === 1 ? 1 : 4)];
  const blocks = groups * Math.ceil(k / taps) * Math.ceil(outputs / block);
  const rows = batch * size[0];
  const work = rows * size[1] * k * outputs * groups;
  const wanted = Math.max(1, Math.min(Math.ceil(CHUNKS / blocks), Math.ceil(work / CHUNK_WORK), rows));
  const part = Math.max(1, Math.ceil(rows / wanted));
  const parts = Math.max(1, Math.ceil(rows / part));
  const view = viewOf(geometry, taps, bytes, WEIGHT_POSITIONS, [part, size[1]], true);
  const { per, chunks } = chunksOf(parts * blocks, part * size[1] * taps * block);
  return {
    fields: {
      ...windowOf(geometry),
      ...fieldsOf(view),
      [ConvolutionWeight.DOWN]: view.down,
      [ConvolutionWeight.ACROSS]: view.across,
      [ConvolutionWeight.ITEMS]: per,
      [ConvolutionWeight.PARTS]: parts,
      [ConvolutionWeight.PART]: part,
      [ConvolutionWeight.TAPS]: taps,
      [ConvolutionWeight.BLOCK]: block,
    },
    chunks: k * outputs === 0 ? 0 : chunks,
    parts,
  };
}
