import { ValueError } from '../errors';
import { add, cos, div, floor, lt, mul, pow, sub, where } from '../ops/elementwise';
import type { Tensor } from '../tensor';

/**
 * A schedule: the learning rate at a time t (a real tensor of rank 0, from 0) for a base rate. A traced function, so that the
 * rate is computed in the program, by the same bits everywhere. `unit` says what t counts.
 */
export interface Schedule {
  (base: Tensor, t: Tensor): Tensor;
  unit: 'step' | 'epoch';
}

export interface ScheduleOptions {
  /** Whether time counts epochs, as is usual with PyTorch, or steps. */
  unit?: 'step' | 'epoch';
}

function schedule(unit: ScheduleOptions['unit'] = 'epoch', rate: (base: Tensor, t: Tensor) => Tensor): Schedule {
  return Object.assign((base: Tensor, t: Tensor) => rate(base, t), { unit });
}

/** The base rate times `factor` for the first `totalIters`, then the base rate: torch's ConstantLR. Plain `constant()` never changes. */
export function constant({
  factor = 1,
  totalIters = 0,
  unit,
}: ScheduleOptions & { factor?: number; totalIters?: number } = {}): Schedule {
  return schedule(unit, (base, t) => where(lt(t, totalIters), mul(base, factor), base));
}

/** The base rate times gamma to the power ⌊t / stepSize⌋: torch's StepLR. */
export function step({
  stepSize,
  gamma = 0.1,
  unit,
}: ScheduleOptions & { stepSize: number; gamma?: number }): Schedule {
  if (!(stepSize >= 1)) {
    throw new ValueError(`stepSize must be from 1 on; got ${stepSize}.`, {
      op: 'optim.lr.step',
      argument: 'stepSize',
      got: stepSize,
    });
  }
  return schedule(unit, (base, t) => mul(base, pow(add(mul(t, 0), gamma), floor(div(t, stepSize)))));
}

/** From the base rate to etaMin and back along a cosine of half-period tMax: torch's CosineAnnealingLR (Loshchilov & Hutter 2017). */
export function cosine({ tMax, etaMin = 0, unit }: ScheduleOptions & { tMax: number; etaMin?: number }): Schedule {
  if (!(tMax > 0)) {
    throw new ValueError(`tMax must be above 0; got ${tMax}.`, { op: 'optim.lr.cosine', argument: 'tMax', got: tMax });
  }
  return schedule(unit, (base, t) =>
    add(mul(mul(sub(base, etaMin), add(cos(mul(t, Math.PI / tMax)), 1)), 0.5), etaMin),
  );
}
