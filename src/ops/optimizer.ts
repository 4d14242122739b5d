import { Adam, Op, Sgd } from '../../assembly/isa';
import { checkReals } from '../dtype';
import { defineOp } from '../graph/define-op';
import { cut, double, type Emitter, type View } from '../graph/emitter';
import { sizeOf } from '../shape';

// The updates of optimizers as ops without a gradient: all outputs are new values of cells. Formulas: assembly/isa.ts.

export interface SgdOptions {
  momentum: number;
  dampening: number;
  weightDecay: number;
  nesterov: boolean;
  maximize: boolean;
}

/** Elements that lie one after another, whatever the order of their axes: updates do not care. */
function operands(program: Emitter, views: View[]): View[] {
  return views.map((view) => program.contiguous(view));
}

/** parameter, gradient, lr (rank 0), step (i32, rank 0), and the momentum buffer if there is one -> new parameter, new buffer. */
export const sgdUpdate = /* @__PURE__ */ defineOp<SgdOptions>({
  name: 'sgd',
  version: 1,
  shape: ([parameter, gradient, lr, , buffer]) => {
    checkReals('sgd', [parameter!, gradient!, lr!]);
    return buffer ? [parameter!, buffer] : [parameter!];
  },
  emit: (program, [newParameter, newBuffer], ins, options) => {
    const [parameter, gradient, lr, step, buffer] = operands(program, ins);
    const size = sizeOf(parameter!.shape);
    const { per, chunks } = cut(size);
    program.record(
      Op.SGD,
      Sgd.WORDS,
      {
        [Sgd.SIZE]: size,
        [Sgd.CHUNK]: per,
        [Sgd.LR]: program.read(lr!),
        [Sgd.STEP]: program.read(step!),
        ...double(Sgd.MOMENTUM, options.momentum),
        ...double(Sgd.DAMPENING, options.dampening),
        ...double(Sgd.WEIGHT_DECAY, options.weightDecay),
        [Sgd.NESTEROV]: Number(options.nesterov),
        [Sgd.MAXIMIZE]: Number(options.maximize),
        [Sgd.GRADIENT]: program.read(gradient!),
        [Sgd.PARAMETER]: program.read(parameter!),
        [Sgd.BUFFER]: buffer ? program.read(buffer) : 0,
        [Sgd.NEW_PARAMETER]: program.write(newParameter!),
        [Sgd.NEW_BUFFER]: newBuffer ? program.write(newBuffer) : 0,
      },
      newBuffer ? [newParameter!, newBuffer] : [newParameter!],
      {
        chunks,
        inPlace: [[newParameter!, parameter!], ...(newBuffer ? ([[newBuffer, buffer!]] as [View, View][]) : [])],
        lanes: {
          ...{ count: size, per, field: Sgd.CHUNK },
          each: [parameter, gradient, newParameter, buffer, newBuffer].flatMap((view) => (view ? [[view, 1]] : [])),
        },
        flop: 2 * size,
      },
    );
  },
});

export interface AdamOptions {
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  /** Weight decay apart from the gradient: AdamW. */
  decoupled: boolean;
  maximize: boolean;
}

/** parameter, gradient, lr (rank 0), step (i32, rank 0), m, v -> new parameter, new m, new v. */
export const adamUpdate = /* @__PURE__ */ defineOp<AdamOptions>({
  name: 'adam',
  version: 1,
  shape: ([parameter, gradient, lr, , m, v]) => {
    checkReals('adam', [parameter!, gradient!, lr!, m!, v!]);
    return [parameter!, m!, v!];
  },
  emit: (program, [newParameter, newM, newV], ins, options) => {
    const [parameter, gradient, lr, step, m, v] = operands(program, ins);
    const size = sizeOf(parameter!.shape);
    const { per, chunks } = cut(size, 4096);
    program.record(
      Op.ADAM,
      Adam.WORDS,
      {
        [Adam.SIZE]: size,
        [Adam.CHUNK]: per,
        [Adam.LR]: program.read(lr!),
        [Adam.STEP]: program.read(step!),
        ...double(Adam.BETA1, options.beta1),
        ...double(Adam.BETA2, options.beta2),
        ...double(Adam.EPS, options.eps),
        ...double(Adam.WEIGHT_DECAY, options.weightDecay),
        [Adam.DECOUPLED]: Number(options.decoupled),
        [Adam.MAXIMIZE]: Number(options.maximize),
        [Adam.GRADIENT]: program.read(gradient!),
        [Adam.PARAMETER]: program.read(parameter!),
        [Adam.M]: program.read(m!),
        [Adam.V]: program.read(v!),
        [Adam.NEW_PARAMETER]: program.write(newParameter!),
        [Adam.NEW_M]: program.write(newM!),
        [Adam.NEW_V]: program.write(newV!),
      },
      [newParameter!, newM!, newV!],
      {
        chunks,
        inPlace: [
          [newParameter!, parameter!],
          [newM!, m!],
          [newV!, v!],
        ],
        flop: 12 * size,
      },
    );
  },
});
