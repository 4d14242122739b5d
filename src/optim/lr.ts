import { Cell } from '../cell';
import { ValueError } from '../errors';
import { assign } from '../graph/trace';
import {
  add,
  cast,
  cos,
  div,
  exp,
  floor,
  ge,
  gt,
  le,
  log1p,
  logicalAnd,
  logicalOr,
  lt,
  maximum,
  minimum,
  mul,
  pow,
  sub,
  where,
} from '../ops/elementwise';
import { stack, unbind, unsqueeze } from '../ops/movement';
import { max, sum } from '../ops/reduce';
import { checkOption, full, type Operand, type Tensor, tensor, zeros } from '../tensor';
import type { Optimizer } from './optimizer';

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

/** Throws a ValueError unless options are finite numbers above `low`, or from it on. */
function check(name: string, options: Record<string, number>, low: number, included = false): void {
  for (const [argument, value] of Object.entries(options)) {
    const holds = Number.isFinite(value) && (included ? value >= low : value > low);
    checkOption(`optim.lr.${name}`, argument, value, holds, included ? `from ${low} on` : `above ${low}`);
  }
}

/** The base rate times `factor` for the first `totalIters`, then the base rate: torch's ConstantLR. Plain `constant()` never changes. */
export function constant({
  factor = 1,
  totalIters = 0,
  unit,
}: ScheduleOptions & { factor?: number; totalIters?: number } = {}): Schedule {
  check('constant', { factor, totalIters }, 0, true);
  return schedule(unit, (base, t) => where(lt(t, totalIters), mul(base, factor), base));
}

/** From startFactor times the base rate to endFactor times it, in `totalIters` equal steps: a warm-up, torch's LinearLR. */
export function linear({
  startFactor = 1 / 3,
  endFactor = 1,
  totalIters = 5,
  unit,
}: ScheduleOptions & { startFactor?: number; endFactor?: number; totalIters?: number } = {}): Schedule {
  check('linear', { startFactor, endFactor }, 0, true);
  check('linear', { totalIters }, 0);
  return schedule(unit, (base, t) =>
    mul(base, add(mul(div(minimum(t, totalIters), totalIters), endFactor - startFactor), startFactor)),
  );
}

/** The base rate times gamma to the power ⌊t / stepSize⌋: torch's StepLR. */
export function step({
  stepSize,
  gamma = 0.1,
  unit,
}: ScheduleOptions & { stepSize: number; gamma?: number }): Schedule {
  check('step', { stepSize }, 1, true);
  check('step', { gamma }, 0);
  return schedule(unit, (base, t) => mul(base, pow(add(mul(t, 0), gamma), floor(div(t, stepSize)))));
}

/** The base rate times gamma for each of the milestones that t has reached: torch's MultiStepLR. */
export function multiStep({
  milestones,
  gamma = 0.1,
  unit,
}: ScheduleOptions & { milestones: readonly number[]; gamma?: number }): Schedule {
  checkTimes('multiStep', milestones);
  check('multiStep', { gamma }, 0);
  return schedule(unit, (base, t) => mul(base, pow(gamma, sum(cast(reached(t, milestones), t.dtype), { axis: -1 }))));
}

/** Which of some times have come: t [...] -> bool [..., times]. */
function reached(t: Tensor, times: readonly number[]): Tensor {
  return ge(unsqueeze(t, -1), tensor([...times], { dtype: t.dtype, shape: [times.length] }));
}

function checkTimes(name: string, milestones: readonly number[]): void {
  const rising = milestones?.every((one, i) => Number.isFinite(one) && (i === 0 || one > milestones[i - 1]!));
  checkOption(`optim.lr.${name}`, 'milestones', `[${milestones}]`, rising, 'a list of rising times');
}

/** The base rate times gamma to the power t: torch's ExponentialLR. */
export function exponential({ gamma, unit }: ScheduleOptions & { gamma: number }): Schedule {
  check('exponential', { gamma }, 0);
  // Not by a power of gamma, whose rounding to f32 would grow with t.
  return schedule(unit, (base, t) => mul(base, exp(mul(t, log1p(full([], gamma - 1, t))))));
}

/** The base rate times (1 - t / totalIters) to a power, 0 from then on: torch's PolynomialLR. */
export function polynomial({
  totalIters = 5,
  power = 1,
  unit,
}: ScheduleOptions & { totalIters?: number; power?: number } = {}): Schedule {
  check('polynomial', { totalIters, power }, 0);
  return schedule(unit, (base, t) => mul(base, pow(sub(1, div(minimum(t, totalIters), totalIters)), power)));
}

/** The half wave from `from` down to `to` while `part` goes from 0 to 1. */
function halfWave(from: Tensor, to: Tensor | number, part: Tensor): Tensor {
  return add(mul(mul(sub(from, to), add(cos(mul(part, Math.PI)), 1)), 0.5), to);
}

/** From the base rate to etaMin and back along a cosine of half-period tMax: torch's CosineAnnealingLR (Loshchilov & Hutter 2017). */
export function cosine({ tMax, etaMin = 0, unit }: ScheduleOptions & { tMax: number; etaMin?: number }): Schedule {
  check('cosine', { tMax }, 0);
  check('cosine', { etaMin }, 0, true);
  return schedule(unit, (base, t) =>
    add(mul(mul(sub(base, etaMin), add(cos(mul(t, Math.PI / tMax)), 1)), 0.5), etaMin),
  );
}

/**
 * From the base rate to etaMin along half a cosine, again and again: the first time in t0, each time tMult times as long as before:
 * torch's CosineAnnealingWarmRestarts (Loshchilov & Hutter 2017, eq. 5).
 */
export function cosineWarmRestarts({
  t0,
  tMult = 1,
  etaMin = 0,
  unit,
}: ScheduleOptions & { t0: number; tMult?: number; etaMin?: number }): Schedule {
  check('cosineWarmRestarts', { t0 }, 0);
  check('cosineWarmRestarts', { tMult }, 1, true);
  check('cosineWarmRestarts', { etaMin }, 0, true);
  if (tMult === 1) {
    return schedule(unit, (base, t) => {
      const round = div(t, t0);
      return halfWave(base, etaMin, sub(round, floor(round)));
    });
  }
  // All restarts there will ever be: a logarithm would miss some by rounding.
  const starts = [0];
  const lengths = [t0];
  while (starts.at(-1)! < 2 ** 31) {
    starts.push(starts.at(-1)! + lengths.at(-1)!);
    lengths.push(lengths.at(-1)! * tMult);
  }
  return schedule(unit, (base, t) => {
    const begun = reached(t, starts);
    const latest = (values: number[]) => max(where(begun, tensor(values, { dtype: t.dtype }), 0), { axis: -1 });
    return halfWave(base, etaMin, div(sub(t, latest(starts)), latest(lengths)));
  });
}

export interface OneCycleOptions extends ScheduleOptions {
  totalSteps: number;
  /** The highest rate: the base rate unless given. */
  maxLr?: number;
  /** The part of the steps in which the rate rises. */
  pctStart?: number;
  annealStrategy?: 'cos' | 'linear';
  /** The first rate is maxLr / divFactor. */
  divFactor?: number;
  /** The last rate is the first / finalDivFactor. */
  finalDivFactor?: number;
  /** Falls to the first rate as it has risen from it, and only then to the last. */
  threePhase?: boolean;
}

/**
 * Up from a small rate to a high one, and down to almost nothing, where it stays: torch's OneCycleLR (Smith & Topin 2018). Counts steps
 * unless told otherwise.
 */
export function oneCycle({
  totalSteps,
  maxLr,
  pctStart = 0.3,
  annealStrategy = 'cos',
  divFactor = 25,
  finalDivFactor = 1e4,
  threePhase = false,
  unit = 'step',
}: OneCycleOptions): Schedule {
  const name = 'oneCycle';
  check(name, { totalSteps }, 1);
  check(name, { divFactor, finalDivFactor, ...(maxLr !== undefined && { maxLr }) }, 0);
  checkOption(
    `optim.lr.${name}`,
    'annealStrategy',
    annealStrategy,
    ['cos', 'linear'].includes(annealStrategy),
    'cos or linear',
  );
  const up = pctStart * totalSteps - 1;
  const ends = threePhase ? [up, 2 * up, totalSteps - 1] : [up, totalSteps - 1];
  const rising = up > 0 && ends.every((end, i) => i === 0 || end > ends[i - 1]!);
  checkOption(`optim.lr.${name}`, 'pctStart', pctStart, rising, `such that each phase of ${totalSteps} steps has some`);
  return schedule(unit, (base, t) => {
    const high = maxLr === undefined ? base : full([], maxLr, base);
    const first = div(high, divFactor);
    const rates = [first, high, ...(threePhase ? [first] : []), div(first, finalDivFactor)];
    const phase = (i: number): Tensor => {
      const start = i === 0 ? 0 : ends[i - 1]!;
      const part = minimum(div(sub(t, start), ends[i]! - start), 1);
      const [from, to] = [rates[i]!, rates[i + 1]!];
      return annealStrategy === 'cos' ? halfWave(from, to, part) : add(mul(sub(to, from), part), from);
    };
    return ends.map((_, i) => phase(i)).reduceRight((later, own, i) => where(le(t, ends[i]!), own, later));
  });
}

/** The base rate times a function of t, made of ops: torch's LambdaLR. */
export function lambda(factor: (t: Tensor) => Tensor, { unit }: ScheduleOptions = {}): Schedule {
  return schedule(unit, (base, t) => mul(base, factor(t)));
}

/** The unit of all of some schedules. */
function unitOf(name: string, schedules: readonly Schedule[]): Schedule['unit'] {
  const [first] = schedules;
  if (!first) {
    throw new ValueError('there must be at least one schedule.', {
      op: `optim.lr.${name}`,
      argument: 'schedules',
      got: [],
    });
  }
  const other = schedules.find(({ unit }) => unit !== first.unit);
  checkOption(`optim.lr.${name}`, 'unit', other?.unit, !other, `that of the first schedule, ${first.unit}`);
  return first.unit;
}

/**
 * One schedule after another: schedule i from milestone i - 1 on, where its own time starts from 0: torch's SequentialLR. A warm-up
 * before a cosine: `sequential([linear({ totalIters: 5 }), cosine({ tMax: 45 })], { milestones: [5] })`.
 */
export function sequential(
  schedules: readonly Schedule[],
  { milestones }: { milestones: readonly number[] },
): Schedule {
  const unit = unitOf('sequential', schedules);
  checkTimes('sequential', milestones);
  const count = schedules.length - 1;
  checkOption('optim.lr.sequential', 'milestones', `[${milestones}]`, milestones.length === count, `${count} times`);
  return schedule(unit, (base, t) =>
    schedules
      .map((own, i) => own(base, i === 0 ? t : sub(t, milestones[i - 1]!)))
      .reduceRight((later, own, i) => where(lt(t, milestones[i]!), own, later)),
  );
}

/** Schedules at once: each starts from what the one before makes of the base rate; of factors the product, as torch's ChainedScheduler. */
export function chained(schedules: readonly Schedule[]): Schedule {
  const unit = unitOf('chained', schedules);
  return schedule(unit, (base, t) => schedules.reduce((rate, own) => own(rate, t), base));
}

export interface PlateauOptions {
  /** Whether less is better, or more. */
  mode?: 'min' | 'max';
  /** What the rates are multiplied by. */
  factor?: number;
  /** How many values may bring nothing new before that. */
  patience?: number;
  /** By how much a value must be better to count as new. */
  threshold?: number;
  /** Whether the threshold is a part of the best value, or a difference. */
  thresholdMode?: 'rel' | 'abs';
  /** For how many values nothing counts after a reduction. */
  cooldown?: number;
  /** No rate becomes less. */
  minLr?: number;
  /** A reduction by less is left out. */
  eps?: number;
  /** What `train` looks at after an epoch: 'loss', a metric's name, or either of the held-out examples, 'val.loss', 'val.accuracy'. */
  monitor?: string;
}

/** Worse than any value, and finite as what is written to a cell must be. */
const WORST = 3.4e38;

/**
 * Lowers the rates of an optimizer when a value, such as the loss on held-out examples, no longer gets better: torch's
 * ReduceLROnPlateau. `train` takes it as its `schedule`, and in loops of one's own `step` comes after each epoch. What it
 * remembers are cells, and a step is made of ops; a compiled step of the optimizer reads the new rate without a new trace.
 */
export class ReduceOnPlateau {
  /** What `train` looks at. */
  readonly monitor: string;
  /** The best value so far, a real number of rank 0. */
  readonly bestCell: Cell;
  /** How many values since then, and for how many more nothing counts: i32 [2]. */
  readonly countsCell = new Cell(zeros([2], { dtype: 'i32' }));
  private readonly options: Required<Omit<PlateauOptions, 'monitor'>>;

  constructor(
    private readonly optimizer: Pick<Optimizer, 'groups'>,
    {
      mode = 'min',
      factor = 0.1,
      patience = 10,
      threshold = 1e-4,
      thresholdMode = 'rel',
      cooldown = 0,
      minLr = 0,
      eps = 1e-8,
      monitor = 'val.loss',
    }: PlateauOptions = {},
  ) {
    const name = 'ReduceOnPlateau';
    checkOption(`optim.lr.${name}`, 'mode', mode, mode === 'min' || mode === 'max', 'min or max');
    const known = thresholdMode === 'rel' || thresholdMode === 'abs';
    checkOption(`optim.lr.${name}`, 'thresholdMode', thresholdMode, known, 'rel or abs');
    checkOption(`optim.lr.${name}`, 'factor', factor, factor > 0 && factor < 1, 'between 0 and 1');
    check(name, { patience, threshold, cooldown, minLr, eps }, 0, true);
    this.options = { mode, factor, patience, threshold, thresholdMode, cooldown, minLr, eps };
    this.monitor = monitor;
    this.bestCell = new Cell(full([], mode === 'min' ? WORST : -WORST, optimizer.groups[0]!.lrCell));
  }

  /** Takes the newest value, and lowers the rates when it is time. Throws MODEL_BUSY while a training run owns them. */
  step(newest: Operand): void {
    const { mode, factor, patience, threshold, thresholdMode, cooldown, minLr, eps } = this.options;
    const { bestCell, countsCell } = this;
    const value = typeof newest === 'number' ? full([], newest, bestCell) : newest;
    const by = mode === 'min' ? -threshold : threshold;
    const mark = thresholdMode === 'rel' ? mul(bestCell, 1 + by) : add(bestCell, by);
    const better = mode === 'min' ? lt(value, mark) : gt(value, mark);
    const [before, cooling] = unbind(countsCell) as [Tensor, Tensor];
    const bad = where(logicalOr(better, gt(cooling, 0)), 0, add(before, 1));
    const due = gt(bad, patience);
    const left = where(due, cooldown, maximum(sub(cooling, 1), 0));
    for (const { lrCell } of this.optimizer.groups) {
      const lower = maximum(mul(lrCell, factor), minLr);
      assign(lrCell, where(logicalAnd(due, gt(sub(lrCell, lower), eps)), lower, lrCell));
    }
    assign(bestCell, where(better, value, bestCell));
    assign(countsCell, stack([where(due, 0, bad), left]));
  }
}
