import { Op, Upsample } from '../../assembly/isa';
import { checkReals } from '../dtype';
import { ShapeError } from '../errors';
import { cut, double, type Emitter, type View } from '../graph/emitter';
import type { Op as Defined } from '../graph/op';
import { show, sizeOf } from '../shape';
import { checkAxes, checkOption, checkReal, type PerAxis, type Tensor } from '../tensor';
import { defineExtensionOp } from './extension';
import { reshape } from './movement';

/** How an axis is resized. */
interface Axis {
  input: number;
  output: number;
  /** From one element of the output to the next, in elements of the input. */
  scale: number;
}

interface Resize {
  /** Rows and columns. */
  axes: [Axis, Axis];
  linear: boolean;
  alignCorners: boolean;
}

/** Of each output along an axis: the element that it is at or behind, the next one, and the weight of that. */
function tapsOf({ input, output, scale }: Axis, { linear, alignCorners }: Resize): number[] {
  return Array.from({ length: output }, (_, i) => {
    if (!linear) {
      // 49 · (2 / 98) is less than 1: a product that should be whole is so in f32, as in PyTorch.
      const nearest = Math.min(Math.floor(Math.fround(i * scale)), input - 1);
      return [nearest, nearest, 0, 0];
    }
    const at = alignCorners ? i * scale : Math.max(0, (i + 0.5) * scale - 0.5);
    const first = Math.min(Math.floor(at), input - 1);
    const [low, high] = Object.values(double(0, Math.min(at - first, 1)));
    return [first, Math.min(first + 1, input - 1), low!, high!];
  }).flat();
}

function emitResize(program: Emitter, op: Op, resize: Resize, source: View, destination: View): void {
  const [rows, columns] = resize.axes;
  const planes = destination.shape[0]!;
  const { per, chunks } = cut(planes, Math.ceil(4096 / Math.max(1, rows.output * columns.output)));
  program.record(
    op,
    Upsample.FIRST_TAP,
    {
      [Upsample.PLANES]: planes,
      [Upsample.H]: rows.input,
      [Upsample.W]: columns.input,
      [Upsample.OH]: rows.output,
      [Upsample.OW]: columns.output,
      [Upsample.CHUNK]: per,
      [Upsample.SOURCE]: program.read(source),
      [Upsample.DESTINATION]: program.write(destination),
    },
    [destination],
    {
      chunks,
      tail: [...tapsOf(rows, resize), ...tapsOf(columns, resize)],
      flop: 6 * planes * rows.output * columns.output,
    },
  );
}

const upsampleOp: Defined<Resize> = /* @__PURE__ */ defineExtensionOp<Resize>({
  name: 'upsample',
  version: 1,
  // [P, H, W] -> [P, OH, OW]
  shape: ([x], { axes }) => {
    checkReals('upsample', [x!]);
    return [{ shape: [x!.shape[0]!, axes[0].output, axes[1].output], dtype: x!.dtype }];
  },
  emit: (program, [out], [x], resize) => emitResize(program, Op.UPSAMPLE, resize, program.contiguous(x!), out!),
  vjp: ([g], { options }) => [upsampleBackwardOp([g!], options)[0]!],
});

/** The transpose of upsample. */
const upsampleBackwardOp: Defined<Resize> = /* @__PURE__ */ defineExtensionOp<Resize>({
  name: 'upsampleBackward',
  version: 1,
  // [P, OH, OW] -> [P, H, W]
  shape: ([g], { axes }) => {
    checkReals('upsampleBackward', [g!]);
    return [{ shape: [g!.shape[0]!, axes[0].input, axes[1].input], dtype: g!.dtype }];
  },
  emit: (program, [out], [g], resize) =>
    emitResize(program, Op.UPSAMPLE_BACKWARD, resize, program.contiguous(g!), out!),
  vjp: ([g], { options }) => [upsampleOp([g!], options)[0]!],
});

export interface InterpolateOptions {
  /** Of the result, behind the channels: one number for all axes, or one each. This or scaleFactor. */
  size?: PerAxis;
  /** What the lengths are multiplied by, and rounded down: one number for all axes, or one each. */
  scaleFactor?: PerAxis;
  /** 'linear' is for one axis behind the channels, 'bilinear' for two. */
  mode?: 'nearest' | 'linear' | 'bilinear';
  /** Linear modes: the first and last elements of x and of the result are at the same places, not the borders of elements. */
  alignCorners?: boolean;
}

/** Finite factors above 0, one for each axis. */
function checkFactors(value: PerAxis, axes: number): number[] {
  const factors = typeof value === 'number' ? new Array<number>(axes).fill(value) : [...value];
  const holds = factors.length === axes && factors.every((one) => Number.isFinite(one) && one > 0);
  const allowed = `a finite number above 0${axes > 1 ? `, or ${axes} of them` : ''}`;
  checkOption('interpolate', 'scaleFactor', `[${factors}]`, holds, allowed);
  return factors;
}

/**
 * x resized, [N, C, L] -> [N, C, size] or [N, C, H, W] -> [N, C, …size] (torch.nn.functional.interpolate). 'nearest': element i is x's at ⌊i·s⌋;
 * linear modes: a weighted mean of the two nearest along each axis, around (i + 0.5)·s - 0.5, or around i·s with alignCorners; s is 1 / scaleFactor, or
 * the quotient of the lengths, with alignCorners that of the lengths less one. Throws a ShapeError for another rank or an empty
 * axis, a ValueError for options that do not fit.
 */
export function interpolate(
  x: Tensor,
  { size, scaleFactor, mode = 'nearest', alignCorners }: InterpolateOptions,
): Tensor {
  const op = 'interpolate';
  checkReal(op, { x });
  const axes = x.rank - 2;
  if (axes !== 1 && axes !== 2) {
    throw new ShapeError(`x must have the shape [N, C, L] or [N, C, H, W]; got ${show(x.shape)}.`, {
      op,
      argument: 'x',
      got: x.shape,
      expected: '[N, C, L] or [N, C, H, W]',
    });
  }
  const modes = axes === 1 ? ['nearest', 'linear'] : ['nearest', 'bilinear'];
  checkOption(op, 'mode', mode, modes.includes(mode), `${modes.join(' or ')} for x of shape ${show(x.shape)}`);
  const linear = mode !== 'nearest';
  checkOption(op, 'alignCorners', alignCorners, linear || alignCorners === undefined, 'left out where mode is nearest');
  const one = (size === undefined) !== (scaleFactor === undefined);
  checkOption(op, 'size', `size ${size} and scaleFactor ${scaleFactor}`, one, 'given, or scaleFactor, not both');
  const factors = scaleFactor === undefined ? null : checkFactors(scaleFactor, axes);
  const sizes = size === undefined ? null : checkAxes(op, 'size', size, axes, 1);
  const resized = Array.from({ length: axes }, (_, i): Axis => {
    const input = x.shape[i + 2]!;
    const output = sizes ? sizes[i]! : Math.floor(input * factors![i]!);
    if (input === 0 || output === 0) {
      throw new ShapeError(`an axis of ${input} cannot be resized to ${output}: shape ${show(x.shape)}.`, {
        op,
        argument: 'x',
        got: x.shape,
      });
    }
    const corners = output > 1 ? (input - 1) / (output - 1) : 0;
    return { input, output, scale: alignCorners ? corners : factors ? 1 / factors[i]! : input / output };
  });
  const [columns, rows = { input: 1, output: 1, scale: 1 }] = resized.reverse() as [Axis, Axis?];
  const lead = x.shape.slice(0, 2);
  const planes = reshape(x, [sizeOf(lead), rows.input, columns.input]);
  const y = upsampleOp([planes], { axes: [rows, columns], linear, alignCorners: alignCorners ?? false })[0]!;
  return reshape(y, [...lead, ...(axes === 2 ? [rows.output] : []), columns.output]);
}
