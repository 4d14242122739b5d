import {
  CONVOLUTION_BYTES,
  Convolution,
  ConvolutionWeight,
  GEMM_KC,
  MAX_CHUNKS,
  PANEL_BYTES,
  WEIGHT_OUTPUTS,
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
/** Of x̂ and its lines: what stays in the nearer caches. */
const UNFOLDED_BYTES = 262144;
/** Positions at least of an item, for which its weights are read once. */
const LEAST_POSITIONS = 64;

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

/** How a CONVOLUTION is cut, of reals of so many bytes. Nothing chosen here alters a bit of the result. */
export function planConvolution(geometry: Geometry, bytes: number): Plan {
  const { batch, groups, channels, outputs, kernel, size } = geometry;
  const [k, positions, width] = [channels * product(kernel), product(size), PANEL_BYTES / bytes];
  const lines = Math.max(1, Math.min(k, GEMM_KC));
  const most = Math.min(UNFOLDED_BYTES, CONVOLUTION_BYTES) / lines;
  // The kernel has up to two tiles more between lines.
  const fits = Math.max(1, Math.floor(most / PANEL_BYTES) - 2) * width;
  const wanted = Math.ceil(CHUNKS / Math.max(1, batch * groups));
  const blocks = Math.max(
    Math.ceil(positions / fits),
    Math.min(wanted, Math.ceil(positions / LEAST_POSITIONS), Math.ceil((positions * k * outputs) / CHUNK_WORK)),
    1,
  );
  const per = Math.max(width, roundUp(Math.ceil(positions / blocks), width));
  const { per: items, chunks } = chunksOf(batch * groups * Math.ceil(positions / per), per * k * outputs);
  return {
    fields: { ...windowOf(geometry), [Convolution.POSITIONS]: per, [Convolution.ITEMS]: items },
    chunks: positions * outputs === 0 ? 0 : chunks,
  };
}

/** How a CONVOLUTION_WEIGHT is cut: PARTS is part of the law. */
export function planWeight(geometry: Geometry): Plan & { parts: number } {
  const { batch, groups, channels, outputs, kernel, size } = geometry;
  const k = channels * product(kernel);
  const even = (total: number, limit: number, multiple: number) =>
    roundUp(Math.ceil(total / Math.ceil(total / limit)), multiple);
  const [taps, block] = [even(k, WEIGHT_TAPS, 2), even(outputs, WEIGHT_OUTPUTS, outputs === 1 ? 1 : 4)];
  const blocks = groups * Math.ceil(k / taps) * Math.ceil(outputs / block);
  const stream = batch * roundUp(product(size), 4);
  const work = stream * k * outputs * groups;
  const wanted = Math.max(1, Math.min(Math.ceil(CHUNKS / blocks), Math.ceil(work / CHUNK_WORK), Math.ceil(stream / 4)));
  const part = Math.max(4, roundUp(Math.ceil(stream / wanted), 4));
  const parts = Math.max(1, Math.ceil(stream / part));
  const { per, chunks } = chunksOf(parts * blocks, part * taps * block);
  return {
    fields: {
      ...windowOf(geometry),
      [ConvolutionWeight.PARTS]: parts,
      [ConvolutionWeight.PART]: part,
      [ConvolutionWeight.TAPS]: taps,
      [ConvolutionWeight.BLOCK]: block,
      [ConvolutionWeight.ITEMS]: per,
    },
    chunks: k * outputs === 0 ? 0 : chunks,
    parts,
  };
}
