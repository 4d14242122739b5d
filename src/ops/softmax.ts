import { Op, Softmax, SoftmaxBackward } from '../../assembly/isa';
import { checkReals } from '../dtype';
import { ShapeError } from '../errors';
import { defineOp } from '../graph/define-op';
import { cut } from '../graph/emitter';
import { type Aval, normalizeAxis, show, sizeOf } from '../shape';
import type { Tensor } from '../tensor';
import { exp, mul, sub } from './elementwise';
import { reshape, transpose } from './movement';
import { sum } from './reduce';

interface Log {
  /** The logarithm of the softmax rather than itself. */
  log: boolean;
}

function rows({ shape }: Aval): { rows: number; n: number; per: number; chunks: number } {
  const n = shape.at(-1)!;
  const count = sizeOf(shape.slice(0, -1));
  return { rows: count, n, ...cut(count, Math.ceil(4096 / Math.max(1, n))) };
}

const softmaxOp = /* @__PURE__ */ defineOp<Log>({
  name: 'softmax',
  version: 1,
  // [..., N] -> [..., N]
  shape: ([x], { log }) => {
    const name = log ? 'logSoftmax' : 'softmax';
    checkReals(name, [x!]);
    if (x!.shape.at(-1) === 0) {
      throw new ShapeError(`the axis is empty: shape ${show(x!.shape)}.`, { op: name, argument: 'x', got: x!.shape });
    }
    return [x!];
  },
  emit: (program, [out], [x], { log }) => {
    const source = program.contiguous(x!);
    const { rows: count, n, per, chunks } = rows(out!);
    program.record(
      Op.SOFTMAX,
      Softmax.WORDS,
      {
        [Softmax.LOG]: Number(log),
        [Softmax.ROWS]: count,
        [Softmax.N]: n,
        [Softmax.CHUNK]: per,
        [Softmax.SOURCE]: program.read(source),
        [Softmax.DESTINATION]: program.write(out!),
      },
      [out!],
      {
        chunks,
        inPlace: [[out!, source]],
        lanes: { count, per, field: Softmax.CHUNK, each: [out!, source].map((view) => [view, n]) },
        flop: 4 * count * n,
      },
    );
  },
  vjp: ([g], { outputs: [y], options }) => [softmaxBackward([y!, g!], options)[0]!],
});

/** The cotangent of softmax's input from its output y and the cotangent g: the Jacobian is never formed. */
const softmaxBackward = /* @__PURE__ */ defineOp<Log>({
  name: 'softmaxBackward',
  version: 1,
  // [..., N] x [..., N] -> [..., N]
  shape: ([y, g]) => {
    checkReals('softmaxBackward', [y!, g!]);
    return [y!];
  },
  emit: (program, [out], [y, g], { log }) => {
    const [output, cotangent] = [program.contiguous(y!), program.contiguous(g!)];
    const { rows: count, n, per, chunks } = rows(out!);
    program.record(
      Op.SOFTMAX_BACKWARD,
      SoftmaxBackward.WORDS,
      {
        [SoftmaxBackward.LOG]: Number(log),
        [SoftmaxBackward.ROWS]: count,
        [SoftmaxBackward.N]: n,
        [SoftmaxBackward.CHUNK]: per,
        [SoftmaxBackward.OUTPUT]: program.read(output),
        [SoftmaxBackward.COTANGENT]: program.read(cotangent),
        [SoftmaxBackward.DESTINATION]: program.write(out!),
      },
      [out!],
      {
        chunks,
        inPlace: [[out!, cotangent]],
        lanes: { count, per, field: SoftmaxBackward.CHUNK, each: [out!, output, cotangent].map((view) => [view, n]) },
        flop: 4 * count * n,
      },
    );
  },
  meaning: ([y, g], { log }) => {
    const axes = { axis: -1, keepDims: true };
    return [log ? sub(g!, mul(exp(y!), sum(g!, axes))) : mul(y!, sub(g!, sum(mul(g!, y!), axes)))];
  },
});

function alongAxis(name: string, log: boolean) {
  const along = (x: Tensor, { axis = -1 }: { axis?: number } = {}): Tensor => {
    // A single number counts as an axis of one element, as in PyTorch.
    if (x.rank === 0) return reshape(along(reshape(x, [1]), { axis }), []);
    const at = normalizeAxis(name, axis, x.shape);
    if (at === x.rank - 1) return softmaxOp([x], { log })[0]!;
    return transpose(softmaxOp([transpose(x, at, -1)], { log })[0]!, at, -1);
  };
  return along;
}

/** e^x / Σ e^x along an axis, the last unless told otherwise. */
export const softmax = alongAxis('softmax', false);
/** log softmax(x) = x - log Σ e^x, without overflow. */
export const logSoftmax = alongAxis('logSoftmax', true);
