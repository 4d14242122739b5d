import { ValueError } from '../errors';
import type { Module } from '../nn/module';
import { add, cast, div, floor, mul } from '../ops/elementwise';
import { slice } from '../ops/movement';
import { clipGradNorm } from '../optim/clip';
import type { ReduceOnPlateau, Schedule } from '../optim/lr';
import type { Optimizer } from '../optim/optimizer';
import type { Aval } from '../shape';
import { checkOption, type Tensor } from '../tensor';
import { valueAndGrad } from '../transform/grad';
import type { BundleBuilder } from './bundle';
import { batchAval, type LabelledData } from './data';
import type { Metric } from './metrics';
import type { BatchPrograms, Rows, TrainPlan } from './protocol';

/** A traced function of the predictions and targets of a batch: a real number of rank 0. */
export type Loss = (prediction: Tensor, target: Tensor) => Tensor;

/** What is traced into the program of a training step. */
export interface StepOptions {
  model: Module;
  loss: Loss;
  optimizer: Optimizer;
  metrics?: Record<string, Metric>;
  /** A traced function of the x and y of each training batch, before the model sees them: `mixup`, noise. Metrics are told y as it came. */
  augment?: (x: Tensor, y: Tensor) => [Tensor, Tensor];
  /**
   * How many parts of a batch go through the model one after another, so that a large batch needs the memory of a part. Their gradients are
   * averaged, a loss that is a mean over examples has the same one, and there is one update.
   */
  accumulate?: number;
  /** The learning rate over time, or what lowers the optimizer's own after epochs; without either it stays that. */
  schedule?: Schedule | ReduceOnPlateau;
  /** The most that the norm of all gradients together may be. */
  clipNorm?: number;
}

/** Adds the traced step for batches of a kind: forward, backward, update, in training mode. `stepsPerEpoch` where it is known. */
export function addTraining(
  builder: BundleBuilder,
  { model, loss, optimizer, metrics = {}, augment, accumulate = 1, schedule, clipNorm }: StepOptions,
  avals: [Aval, Aval],
  stepsPerEpoch: number | undefined,
): number {
  const measures = Object.values(metrics);
  const n = avals[0].shape[0]!;
  const size = Math.ceil(n / accumulate);
  return inMode(model, true, () =>
    builder.add(avals, (...batch) => {
      let sums: Tensor[] = [];
      for (let at = 0; at < n; at += size) {
        const [x, y] = (size < n ? batch.map((one) => slice(one, `${at}:${at + size}`)) : batch) as [Tensor, Tensor];
        const [input, target] = augment ? augment(x, y) : [x, y];
        // Means over parts of unequal lengths count by these.
        const share = (mean: Tensor) => (size < n ? mul(mean, x.shape[0]! / n) : mean);
        let prediction: Tensor | null = null;
        const { value, grads } = valueAndGrad(
          () => {
            prediction = model.forward(input) as Tensor;
            return share(loss(prediction, target));
          },
          { wrt: optimizer.parameters },
        )();
        const own = [value, ...measures.map((metric) => share(metric(prediction!, y))), ...grads];
        sums = at > 0 ? own.map((one, i) => add(sums[i]!, one)) : own;
      }
      const grads = sums.splice(1 + measures.length);
      const time = typeof schedule === 'function' && timeOf(schedule, optimizer, stepsPerEpoch);
      const lr = (base: Tensor) => (time ? (schedule as Schedule)(base, time) : base);
      const reported = lr(optimizer.lrCell);
      optimizer.step(clipNorm === undefined ? grads : clipGradNorm(grads, clipNorm), { lr });
      return [sums[0]!, reported, ...sums.slice(1)];
    }),
  );
}

/** What a schedule counts, as a real tensor: steps taken before this one, or epochs. */
function timeOf(schedule: Schedule, optimizer: Optimizer, stepsPerEpoch: number | undefined): Tensor {
  const steps = cast(optimizer.stepCell, optimizer.lrCell.dtype);
  if (schedule.unit === 'step') return steps;
  if (stepsPerEpoch !== undefined) return floor(div(steps, stepsPerEpoch));
  throw new ValueError("a schedule by epochs needs to know their length; give it unit: 'step' for an iterable.", {
    op: 'train',
    argument: 'schedule',
    got: schedule.unit,
    expected: 'step',
  });
}

/** Adds the traced evaluation of some functions of predictions and targets, for the batches that `data` makes. */
export function addEvaluation(
  builder: BundleBuilder,
  model: Module,
  functions: Record<string, Metric>,
  like: LabelledData,
  data: Rows,
  batchSize: number,
): BatchPrograms {
  const n = data.x.shape[0]!;
  const add = (size: number) =>
    size === 0
      ? -1
      : inMode(model, false, () =>
          builder.add([batchAval(like.x, size), batchAval(like.y, size)], (x, y) => {
            const prediction = model.forward(x!) as Tensor;
            return Object.values(functions).map((f) => f(prediction, y!));
          }),
        );
  return { full: add(n >= batchSize ? batchSize : 0), tail: add(n % batchSize) };
}

/** Adds the traced look at an epoch's value, where that is how the rate is lowered. */
export function addPlateau(
  builder: BundleBuilder,
  { schedule, metrics = {}, optimizer }: StepOptions,
  validated: boolean,
): TrainPlan['plateau'] {
  if (!schedule || typeof schedule === 'function') return null;
  const own = ['loss', ...Object.keys(metrics)];
  const names = validated ? [...own, ...own.map((name) => `val.${name}`)] : own;
  const value = names.indexOf(schedule.monitor);
  checkOption('train', 'monitor', schedule.monitor, value >= 0, names.join(', '));
  const program = builder.add([optimizer.lrCell], (newest) => {
    schedule.step(newest!);
    return [];
  });
  return { program, value };
}

/** Runs `f` with all modules of a model in a mode, and gives each its own back. */
export function inMode<T>(model: Module, training: boolean, f: () => T): T {
  const before: [Module, boolean][] = [];
  const note = (module: Module) => {
    before.push([module, module.training]);
    for (const [, child] of module.namedChildren()) note(child);
  };
  note(model);
  model.train(training);
  try {
    return f();
  } finally {
    for (const [module, mode] of before.reverse()) module.train(mode);
  }
}
