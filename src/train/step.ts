import { Cell } from '../cell';
import type { Real } from '../dtype';
import { ValueError } from '../errors';
import { activeTrace, assign, symbol } from '../graph/trace';
import type { Module } from '../nn/module';
import { add, cast, div, floor, mul } from '../ops/elementwise';
import { slice } from '../ops/movement';
import { clipGradNorm } from '../optim/clip';
import type { ReduceOnPlateau, Schedule } from '../optim/lr';
import type { Optimizer } from '../optim/optimizer';
import { checkOption, full, Tensor } from '../tensor';
import { valueAndGrad } from '../transform/grad';
import { flattenTree } from '../transform/tree';
import type { BundleBuilder } from './bundle';
import { batchAvals, type LabelledData, rebuild } from './data';
import type { Metric, StatefulMetric } from './metrics';
import type { BatchPrograms, Measures, TrainPlan } from './protocol';

/**
 * A traced function of the predictions and targets of a batch: a real number of rank 0, or several by name, whose sum is trained on and which are told of
 * as metrics.
 */
export type Loss<P = Tensor, T = Tensor> = (prediction: P, target: T) => Tensor | Record<string, Tensor>;

/** What is traced into the program of a training step. X, T and P are what the model takes, what it is told, and what it gives: tensors, or trees of them. */
export interface StepOptions<X = Tensor, T = Tensor, P = Tensor> {
  model: Module;
  loss: Loss<P, T>;
  optimizer: Optimizer;
  metrics?: Record<string, Metric<P, T>>;
  /** A traced function of the x and y of each training batch, before the model sees them: `mixup`, noise. Metrics are told y as it came. */
  augment?: (x: X, y: T) => [X, T];
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

// biome-ignore lint/suspicious/noExplicitAny: of any state
type AnyState = StatefulMetric<any, any, never, never>;

/** Numbers of a batch, by name: those that are means over its examples. */
type Named = Record<string, Tensor>;

/** Adds the traced step for batches of a kind: forward, backward, update, in training mode. `stepsPerEpoch` where it is known. */
export function addTraining(
  builder: BundleBuilder,
  { model, loss, optimizer, augment, accumulate = 1, schedule, clipNorm }: StepOptions<never, never, never>,
  metrics: Metrics,
  like: LabelledData,
  size: number,
  stepsPerEpoch: number | undefined,
): number {
  const avals = batchAvals(like, size);
  const part = Math.ceil(size / accumulate);
  return inMode(model, true, () =>
    builder.add(avals, (...batch) => {
      let means: Named = {};
      let gradients: Tensor[] = [];
      for (let at = 0; at < size; at += part) {
        const leaves = part < size ? batch.map((one) => slice(one, `${at}:${at + part}`)) : batch;
        // Means over parts of unequal lengths count by these.
        const share = (mean: Tensor) => (part < size ? mul(mean, leaves[0]!.shape[0]! / size) : mean);
        const [x, y] = treesOf(like, leaves);
        const [input, target] = augment ? augment(x, y) : [x, y];
        let prediction: unknown = null;
        let named: Named = {};
        const { value, grads } = valueAndGrad(
          () => {
            prediction = model.forward(input);
            named = lossesOf(loss(prediction as never, target));
            return share(named.loss!);
          },
          { wrt: optimizer.parameters },
        )();
        const { loss: _, ...parts } = named;
        const own = { loss: value, ...mapValues({ ...parts, ...metrics.measure(prediction, y) }, share) };
        means = at > 0 ? mapValues(own, (one, name) => add(means[name]!, one)) : own;
        gradients = at > 0 ? grads.map((one, i) => add(gradients[i]!, one)) : grads;
      }
      const time = typeof schedule === 'function' && timeOf(schedule, optimizer, stepsPerEpoch);
      const lr = (base: Tensor) => (time ? (schedule as Schedule)(base, time) : base);
      const reported = lr(optimizer.lrCell);
      optimizer.step(clipNorm === undefined ? gradients : clipGradNorm(gradients, clipNorm), { lr });
      const { loss: total, ...others } = means;
      metrics.means = Object.keys(others);
      return [total!, reported, ...Object.values(others)];
    }),
  );
}

/** A step of the user's own: it changes what it changes, and gives a number, or several by name: `loss`, or else the first, is the loss. */
export type OwnStep<X = Tensor, T = Tensor> = (x: X, y: T) => Tensor | Record<string, Tensor>;

/** Adds it, for batches of a kind. */
export function addOwnStep(
  builder: BundleBuilder,
  model: Module,
  step: OwnStep<never, never>,
  metrics: Metrics,
  like: LabelledData,
  size: number,
): number {
  return inMode(model, true, () =>
    builder.add(batchAvals(like, size), (...batch) => {
      const given = step(...treesOf(like, batch));
      const named: Named = given instanceof Tensor ? { loss: given } : given;
      const first = named.loss ?? Object.values(named)[0];
      if (!first)
        throw new ValueError('the step must give a number, or several by name.', {
          op: 'train',
          argument: 'step',
          got: given,
        });
      const { loss: _, ...others } = named;
      metrics.means = Object.keys(others);
      return [first, full([], 0, { dtype: first.dtype as Real }), ...Object.values(others)];
    }),
  );
}

/** x and y of a batch, as the model and the loss take them. */
const treesOf = ({ x, y }: LabelledData, leaves: readonly Tensor[]): [never, never] => {
  const rest = [...leaves];
  return [rebuild(x, rest) as never, (y && rebuild(y, rest)) as never];
};

const mapValues = (named: Named, f: (one: Tensor, name: string) => Tensor): Named =>
  Object.fromEntries(Object.entries(named).map(([name, one]) => [name, f(one, name)]));

/** `loss`, what is trained on, and its parts, where it has some. */
function lossesOf(given: Tensor | Record<string, Tensor>): Named {
  if (given instanceof Tensor) return { loss: given };
  return { ...given, loss: Object.values(given).reduce((sum, one) => add(sum, one)) };
}

/** The metrics of a phase, training or evaluation: means of batches, and states that its programs keep in cells. */
export class Metrics {
  /** The names of the means, in the order in which they come behind the loss. */
  means: string[] = [];
  private readonly states = new Map<string, { metric: AnyState; cells: Cell[]; start: Tensor[]; rebuild: Rebuild }>();

  constructor(private readonly metrics: Record<string, Metric<never, never>> = {}) {}

  /** In a trace: the means of a batch; states are assigned. */
  measure(prediction: unknown, target: unknown): Named {
    const means: Named = {};
    for (const [name, metric] of Object.entries(this.metrics)) {
      if (typeof metric === 'function') means[name] = metric(prediction as never, target as never);
      else this.update(name, metric, prediction, target);
    }
    return means;
  }

  private update(name: string, metric: AnyState, prediction: unknown, target: unknown): void {
    let state = this.states.get(name);
    if (!state) {
      const { leaves, rebuild } = flattenTree(metric.init(prediction as never, target as never));
      state = { metric, cells: leaves.map((leaf) => new Cell(leaf)), start: leaves, rebuild };
      this.states.set(name, state);
    }
    const next = flattenTree(metric.update(state.rebuild(state.cells), prediction as never, target as never)).leaves;
    state.cells.forEach((cell, i) => {
      assign(cell, next[i]!);
    });
  }

  /** Adds what makes numbers of the states and starts them anew; null where there are none. Behind the programs that keep them. */
  addMeasures(builder: BundleBuilder): Measures | null {
    if (this.states.size === 0) return null;
    const program = builder.add([], () => {
      const states = [...this.states.values()];
      // A cell that is returned would be told of as it is left.
      const now = (cell: Cell) => symbol(activeTrace()!.read(cell));
      const values = states.map(({ metric, cells, rebuild }) => metric.compute(rebuild(cells.map(now))));
      for (const { cells, start } of states) for (const [i, cell] of cells.entries()) assign(cell, start[i]!);
      return values;
    });
    return { program, names: [...this.states.keys()] };
  }
}

type Rebuild = (leaves: readonly Tensor[]) => unknown;

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

/** Adds the traced evaluation, for the batches that so many rows make. Its means are the loss, where there is one, and the metrics'. */
export function addEvaluation(
  builder: BundleBuilder,
  model: Module,
  loss: Loss<never, never> | undefined,
  metrics: Metrics,
  like: LabelledData,
  count: number,
  batchSize: number,
): BatchPrograms {
  const add = (size: number) =>
    size === 0
      ? -1
      : inMode(model, false, () =>
          builder.add(batchAvals(like, size), (...batch) => {
            const [x, y] = treesOf(like, batch);
            const prediction = model.forward(x);
            const named = { ...(loss && lossesOf(loss(prediction as never, y))), ...metrics.measure(prediction, y) };
            metrics.means = Object.keys(named);
            return Object.values(named);
          }),
        );
  return { full: add(count >= batchSize ? batchSize : 0), tail: add(count % batchSize) };
}

/** Adds the traced look at an epoch's value, where that is how the rate is lowered: one of the names that there are. */
export function addPlateau(
  builder: BundleBuilder,
  { schedule, optimizer }: Pick<StepOptions, 'schedule' | 'optimizer'>,
  names: readonly string[],
): TrainPlan['plateau'] {
  if (!schedule || typeof schedule === 'function') return null;
  const { monitor } = schedule;
  checkOption('train', 'monitor', monitor, names.includes(monitor), names.join(', '));
  const program = builder.add([optimizer.lrCell], (newest) => {
    schedule.step(newest!);
    return [];
  });
  return { program, monitor };
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
