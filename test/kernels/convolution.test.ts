import { beforeEach, describe, expect, it } from 'vitest';
import {
  Convolution,
  ConvolutionTranspose,
  ConvolutionWeight,
  GEMM_KC,
  Op,
  Pack,
  Seen,
  Window,
} from '../../assembly/isa';
import { type Geometry, type Pair, planConvolution, planTranspose, planWeight } from '../../src/machine/convolution';
import { planPack } from '../../src/machine/gemm';
import { type Core, cores, type Reals } from './core';
import { rounder } from './law';
import { numbers, range, record } from './record';

interface Shape extends Partial<Omit<Geometry, 'size'>> {
  area: Pair;
  kernel: Pair;
  size?: Pair;
}

/** As many positions as see x, unless told otherwise. */
function geometryOf(shape: Shape): Geometry {
  const given = { batch: 1, groups: 1, channels: 1, outputs: 1, ...shape };
  const { stride = [1, 1], dilation = [1, 1], pad = [0, 0] } = shape;
  const length = (axis: 0 | 1) =>
    Math.floor((shape.area[axis] + 2 * pad[axis] - (shape.kernel[axis] - 1) * dilation[axis] - 1) / stride[axis]) + 1;
  return { stride, dilation, pad, size: [length(0), length(1)], ...given };
}

const tapsOf = ({ channels, kernel }: Geometry) => channels * kernel[0] * kernel[1];
const positionsOf = ({ size }: Geometry) => size[0] * size[1];

/** x̂, by its definition. */
function seen(x: ArrayLike<number>, geometry: Geometry, image: number, group: number, k: number, q: number): number {
  const { groups, channels, area, kernel, size, stride, dilation, pad } = geometry;
  const [i, j] = [Math.floor(k / kernel[1]) % kernel[0], k % kernel[1]];
  const y = Math.floor(q / size[1]) * stride[0] + i * dilation[0] - pad[0];
  const z = (q % size[1]) * stride[1] + j * dilation[1] - pad[1];
  if (y < 0 || y >= area[0] || z < 0 || z >= area[1]) return 0;
  const channel = (image * groups + group) * channels + Math.floor(k / (kernel[0] * kernel[1]));
  return x[(channel * area[0] + y) * area[1] + z]!;
}

/** Every (image, group, output of the group, position). */
function* elements({ batch, groups, outputs, size }: Geometry) {
  for (const image of range(batch))
    for (const group of range(groups))
      for (const o of range(outputs)) for (const q of range(size[0] * size[1])) yield { image, group, o, q };
}

/** The law of CONVOLUTION in plain loops. */
function convolved(geometry: Geometry, [x, w, bias]: readonly Reals[], relu: boolean, round: (x: number) => number) {
  const k = tapsOf(geometry);
  const depth = Math.ceil(k / Math.ceil(k / GEMM_KC));
  return [...elements(geometry)].map(({ image, group, o, q }) => {
    const output = group * geometry.outputs + o;
    let sum = 0;
    for (let block = 0; block < k; block += depth) {
      let partial = 0;
      for (let p = block; p < Math.min(block + depth, k); p++) {
        partial = round(partial + round(w![output * k + p]! * seen(x!, geometry, image, group, p, q)));
      }
      sum = round(sum + partial);
    }
    if (bias) sum = round(sum + bias[output]!);
    return relu ? Math.max(0, sum) : sum;
  });
}

/** The law of CONVOLUTION_WEIGHT, [PARTS, GROUPS · OUTPUTS, k]. */
function weighed(
  geometry: Geometry,
  [x, y]: readonly Reals[],
  parts: number,
  part: number,
  lanes: number,
  round: (x: number) => number,
) {
  const { batch, groups, outputs, size } = geometry;
  const [k, positions] = [tapsOf(geometry), positionsOf(geometry)];
  const result: number[] = [];
  for (const p of range(parts))
    for (const output of range(groups * outputs))
      for (const tap of range(k)) {
        const sums = new Array<number>(lanes).fill(0);
        for (let row = p * part; row < Math.min((p + 1) * part, batch * size[0]); row++) {
          const image = Math.floor(row / size[0]);
          for (const column of range(Math.ceil(size[1] / lanes) * lanes)) {
            const q = (row % size[0]) * size[1] + column;
            const inside = column < size[1];
            const a = inside ? seen(x!, geometry, image, Math.floor(output / outputs), tap, q) : 0;
            const b = inside ? y![(image * groups * outputs + output) * positions + q]! : 0;
            sums[column % lanes] = round(sums[column % lanes]! + round(a * b));
          }
        }
        const [l0, l1, l2, l3] = sums as [number, number, number, number];
        result.push(lanes === 2 ? round(l0 + l1) : round(round(l0 + l2) + round(l1 + l3)));
      }
  return result;
}

/** The law of CONVOLUTION_TRANSPOSE; w is [GROUPS · OUTPUTS, k]. */
function transposed(geometry: Geometry, [x, w, bias]: readonly Reals[], round: (x: number) => number) {
  const { channels, kernel } = geometry;
  const [k, taps] = [tapsOf(geometry), kernel[0] * kernel[1]];
  return [...elements(geometry)].map(({ image, group, o, q }) => {
    const output = group * geometry.outputs + o;
    let sum = bias ? bias[output]! : 0;
    for (const tap of range(taps)) {
      let partial = 0;
      for (const c of range(channels)) {
        const at = c * taps + tap;
        partial = round(partial + round(w![output * k + at]! * seen(x!, geometry, image, group, at, q)));
      }
      sum = round(sum + partial);
    }
    return sum;
  });
}

describe.each(cores)('convolution, $precision', (core: Core) => {
  const round = rounder(core);
  const bytes = core.Real.BYTES_PER_ELEMENT;
  beforeEach(() => core.reset());

  /** Runs a CONVOLUTION and compares; `cuts` alters the record. Returns where x̂ was. */
  function check(shape: Shape, { shift = 0, relu = false, bias = true, cuts = {} as Record<number, number> } = {}) {
    core.reset();
    const geometry = geometryOf(shape);
    const { batch, groups, channels, outputs, area, size } = geometry;
    const [k, positions] = [tapsOf(geometry), positionsOf(geometry)];
    const x = core.reals(numbers(batch * groups * channels * area[0] * area[1], 1), shift);
    const w = core.reals(numbers(groups * outputs * k, 2), shift);
    const b = core.reals(numbers(groups * outputs, 3), shift);
    const y = core.reals(batch * groups * outputs * positions, shift);
    const pack = planPack<number>({ pointer: w.byteOffset, batch: 0, row: 1, column: k }, k, groups * outputs, bytes);
    const panels = core.reals(pack.bytes / bytes);
    const { fields, chunks } = planConvolution(geometry, bytes);
    const all = { ...fields, ...cuts };
    const blocks = Math.ceil(size[0] / all[Convolution.DOWN]!) * Math.ceil(size[1] / all[Convolution.ACROSS]!);
    core.run(
      record(Op.PACK, pack.chunks, {
        ...(pack.fields as Record<number, number>),
        [Pack.DESTINATION]: panels.byteOffset,
      }),
      record(
        Op.CONVOLUTION,
        Object.keys(cuts).length > 0 ? Math.ceil((batch * groups * blocks) / all[Convolution.ITEMS]!) : chunks,
        {
          ...all,
          [Window.X]: x.byteOffset,
          [Convolution.PANELS]: panels.byteOffset,
          [Convolution.Y]: y.byteOffset,
          [Convolution.Y_IMAGE]: groups * outputs * positions,
          [Convolution.Y_CHANNEL]: positions,
          [Convolution.Y_ROW]: size[1],
          [Convolution.Y_COLUMN]: 1,
          [Convolution.BIAS]: bias ? b.byteOffset : 0,
          [Convolution.RELU]: Number(relu),
        },
      ),
    );
    expect([...y], JSON.stringify(shape)).toEqual(convolved(geometry, bias ? [x, w, b] : [x, w], relu, round));
    return all[Window.SEEN];
  }

  function checkWeight(shape: Shape, { shift = 0, cuts = {} as Record<number, number> } = {}) {
    core.reset();
    const geometry = geometryOf(shape);
    const { batch, groups, channels, outputs, area } = geometry;
    const x = core.reals(numbers(batch * groups * channels * area[0] * area[1], 1), shift);
    const y = core.reals(numbers(batch * groups * outputs * positionsOf(geometry), 2), shift);
    const { fields, chunks, parts } = planWeight(geometry, bytes);
    const w = core.reals(parts * groups * outputs * tapsOf(geometry), shift);
    core.run(
      record(Op.CONVOLUTION_WEIGHT, chunks, {
        ...fields,
        ...cuts,
        [Window.X]: x.byteOffset,
        [ConvolutionWeight.Y]: y.byteOffset,
        [ConvolutionWeight.DESTINATION]: w.byteOffset,
      }),
    );
    const part = fields[ConvolutionWeight.PART]!;
    expect([...w], JSON.stringify(shape)).toEqual(weighed(geometry, [x, y], parts, part, 16 / bytes, round));
    return fields[Window.SEEN];
  }

  /** Both kernels; where the two found x̂. */
  const both = (shape: Shape, options: { shift?: number; relu?: boolean; bias?: boolean } = {}) => [
    check(shape, options),
    checkWeight(shape, options),
  ];

  /** Runs a CONVOLUTION_TRANSPOSE and compares. */
  function checkTranspose(shape: Shape, { shift = 0, bias = true, items = 0 } = {}) {
    core.reset();
    const geometry = geometryOf(shape);
    const { batch, groups, channels, outputs, area, kernel } = geometry;
    const [k, taps] = [tapsOf(geometry), kernel[0] * kernel[1]];
    const x = core.reals(numbers(batch * groups * channels * area[0] * area[1], 1), shift);
    const w = core.reals(numbers(groups * outputs * k, 2), shift);
    const tapsFirst = core.reals(
      range(w.length).map((i) => w[i - (i % k) + (i % channels) * taps + Math.floor((i % k) / channels)]!),
    );
    const b = core.reals(numbers(groups * outputs, 3), shift);
    const y = core.reals(batch * groups * outputs * positionsOf(geometry), shift);
    const matrix = { pointer: tapsFirst.byteOffset, batch: 0, row: 1, column: k };
    const pack = planPack<number>(matrix, k, groups * outputs, bytes);
    const panels = core.reals(pack.bytes / bytes);
    const plan = planTranspose(geometry, bytes)!;
    core.run(
      record(Op.PACK, pack.chunks, {
        ...(pack.fields as Record<number, number>),
        [Pack.DESTINATION]: panels.byteOffset,
      }),
      record(Op.CONVOLUTION_TRANSPOSE, items ? Math.ceil((batch * groups * outputs) / 4 / items) : plan.chunks, {
        ...plan.fields,
        [ConvolutionTranspose.ITEMS]: items || plan.fields[ConvolutionTranspose.ITEMS]!,
        [Window.X]: x.byteOffset,
        [ConvolutionTranspose.PANELS]: panels.byteOffset,
        [ConvolutionTranspose.Y]: y.byteOffset,
        [ConvolutionTranspose.BIAS]: bias ? b.byteOffset : 0,
      }),
    );
    expect([...y], JSON.stringify(shape)).toEqual(transposed(geometry, bias ? [x, w, b] : [x, w], round));
  }

  /** As much of y as sees x. */
  const whole = (shape: Shape): Shape => {
    const reach = shape.kernel.map((length, axis) => (length - 1) * (shape.dilation?.[axis] ?? 1));
    const pad = reach.map((far) => Math.max(0, far)) as unknown as Pair;
    return {
      size: shape.area.map((length, axis) => length + Math.abs(reach[axis]!)) as unknown as Pair,
      pad,
      ...shape,
    };
  };

  it('is transposed where windows would see mostly what is outside', () => {
    const least: Shape = { channels: 8, outputs: 4, area: [3, 8], kernel: [3, 3] };
    checkTranspose(whole(least));
    checkTranspose(whole({ ...least, area: [5, 12], kernel: [3, 5] }), { bias: false, shift: 1 });
    checkTranspose(whole({ ...least, area: [3, 4], kernel: [5, 4] }), { shift: 3 });
    checkTranspose(whole({ ...least, dilation: [-1, -1] }));
    checkTranspose(whole({ ...least, area: [1, 4], dilation: [2, -3] }), { shift: 2 });
    checkTranspose(whole({ ...least, batch: 3, groups: 3, outputs: 12, channels: 9 }));
    checkTranspose(whole({ ...least, channels: Math.floor(GEMM_KC / 9), outputs: 16 }));
    checkTranspose({ ...whole(least), size: [8, 13], pad: [3, 2] });
    for (const items of [1, 2, 5]) checkTranspose(whole({ ...least, batch: 2, outputs: 8 }), { items });
  });

  it('is not, where a convolution does better', () => {
    const plan = (shape: Shape) => planTranspose(geometryOf(whole({ channels: 8, outputs: 4, ...shape })), bytes);
    expect(plan({ area: [3, 8], kernel: [3, 3] })).not.toBeNull();
    expect(plan({ area: [3, 8], kernel: [3, 3], pad: [1, 1], size: [3, 8] })).toBeNull();
    expect(plan({ area: [3, 8], kernel: [3, 3], outputs: 5 })).toBeNull();
    expect(plan({ area: [3, 9], kernel: [3, 3] })).toBeNull();
    expect(plan({ area: [3, 8], kernel: [3, 3], channels: 7 })).toBeNull();
    expect(plan({ area: [3, 8], kernel: [3, 3], channels: GEMM_KC })).toBeNull();
    expect(plan({ area: [3, 32], kernel: [3, 3] })).toBeNull();
  });

  it('takes rows of every length', () => {
    for (const width of range(34).slice(1)) {
      const shape: Shape = { channels: 2, outputs: 5, area: [3, width], kernel: [2, 1] };
      both(shape, { shift: width % 4, relu: width % 2 === 0 });
      both({ ...shape, kernel: [3, 3], pad: [1, 1] }, { shift: width % 3, bias: width % 2 === 0 });
    }
  });

  it('takes every number of outputs and of channels', () => {
    for (const count of [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33, 37]) {
      both({ channels: 3, outputs: count, area: [5, 9], kernel: [3, 2] });
      both({ channels: count, outputs: 3, area: [4, 8], kernel: [2, 3], pad: [1, 1] });
      both({ groups: 3, channels: 2, outputs: count, area: [3, 5], kernel: [2, 2] });
    }
  });

  it('takes strides, dilations of both signs and pads of both signs', () => {
    for (const stride of [1, 2, 3, 5])
      for (const dilation of [1, 2, 3, -1, -2])
        for (const pad of [-1, 0, 1, 4]) {
          const turned = dilation < 0 ? 2 * dilation : 0;
          const shape: Shape = {
            ...{ batch: 2, channels: 2, outputs: 4, area: [9, 11], kernel: [3, 3], size: [3, 4] },
            ...{ stride: [stride, 2], dilation: [dilation, -dilation], pad: [pad + turned, pad] },
          };
          both(shape);
          both({ ...shape, stride: [1, stride], dilation: [1, dilation], pad: [pad, pad + turned], size: [4, 8] });
        }
  });

  it('finds what taps see in x, in a band, or in lines', () => {
    const area: Pair = [8, 8];
    expect(both({ channels: 2, outputs: 4, area, kernel: [1, 1] })).toEqual([Seen.IN_PLACE, Seen.IN_PLACE]);
    expect(both({ channels: 2, outputs: 4, area, kernel: [3, 3], pad: [1, 1] })).toEqual([Seen.BAND, Seen.BAND]);
    expect(checkWeight({ channels: 2, outputs: 4, area: [8, 7], kernel: [3, 3], pad: [1, 1] })).toBe(Seen.LINES);
    const far: Shape = { channels: 2, outputs: 4, area: [260, 260], kernel: [2, 2], dilation: [255, 255] };
    expect(both({ ...far, channels: 8, pad: [1, 1], size: [4, 5] })[0]).toBe(Seen.LINES);
  });

  it('takes k around the blocks of a sum', () => {
    for (const channels of [GEMM_KC - 1, GEMM_KC, GEMM_KC + 1]) {
      both({ channels, outputs: 5, area: [2, 3], kernel: [1, 1] });
    }
    for (const channels of [56, 57, 58, 115]) both({ channels, outputs: 4, area: [3, 4], kernel: [3, 3], pad: [1, 1] });
  });

  it('takes images large and many', () => {
    both({ batch: 17, channels: 3, outputs: 4, area: [4, 4], kernel: [3, 3], pad: [1, 1] });
    both({ batch: 3, channels: 1, outputs: 4, area: [5, 1100], kernel: [1, 3], pad: [0, 1] });
    both({ batch: 5, channels: 1, outputs: 2, area: [1, 700], kernel: [1, 4], stride: [1, 3] });
    both({ channels: 40, outputs: 4, area: [40, 50], kernel: [3, 3], pad: [1, 1] });
  });

  it('gives the same bits however it is cut', () => {
    for (const pad of [0, 2]) {
      const shape: Shape = { batch: 2, channels: 3, outputs: 9, area: [11, 30], kernel: [3, 3], pad: [pad, pad] };
      const { fields } = planConvolution(geometryOf(shape), bytes);
      for (const down of [1, 2, 5]) {
        for (const items of [1, 3]) {
          const cuts = { [Convolution.DOWN]: down, [Convolution.ITEMS]: items };
          check(shape, { cuts: { ...cuts, [Convolution.ACROSS]: fields[Convolution.ACROSS]! } });
          check(shape, { cuts: { ...cuts, [Convolution.ACROSS]: 16 } });
        }
      }
      checkWeight(shape, { cuts: { [ConvolutionWeight.DOWN]: 1 } });
    }
  });

  it('keeps what takes no part out of sums: not even NaN gets in', () => {
    const nan = (x: Reals) => {
      for (let i = 6; i < x.length; i += 7) x[i] = Number.NaN;
    };
    const geometry = geometryOf({ channels: 1, outputs: 4, area: [5, 7], kernel: [2, 2], size: [4, 5] });
    const x = core.reals(numbers(35, 1));
    const y = core.reals(numbers(80, 2));
    nan(x);
    const { fields, chunks, parts } = planWeight(geometry, bytes);
    const w = core.reals(parts * 16);
    core.run(
      record(Op.CONVOLUTION_WEIGHT, chunks, {
        ...fields,
        [Window.X]: x.byteOffset,
        [ConvolutionWeight.Y]: y.byteOffset,
        [ConvolutionWeight.DESTINATION]: w.byteOffset,
      }),
    );
    expect([...w].filter(Number.isNaN)).toEqual([]);
  });
});
