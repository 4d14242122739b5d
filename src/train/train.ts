import { BusyError, DataError, ValueError } from '../errors';
import type { Module } from '../nn/module';
import { checkCounts, type Tensor } from '../tensor';
import { BundleBuilder } from './bundle';
import { checkAlike, holdOut, isInMemory, type LabelledData, type TrainData, toRows } from './data';
import { History } from './events';
import type { Rows, TrainPlan } from './protocol';
import { countRows } from './rows';
import { type Job, limitsOf, type RunOptions, TrainingRun } from './run';
import { addEvaluation, addOwnStep, addPlateau, addTraining, Metrics, type OwnStep, type StepOptions } from './step';

interface CommonOptions extends RunOptions {
  /** All examples, x and y along their first axes, or an iterable of batches that starts anew every epoch. */
  data: TrainData;
  epochs?: number;
  batchSize?: number;
  /** Of the order of examples, of what is held out and of dropout. */
  seed?: number;
  shuffle?: boolean;
  /** Leaves out an epoch's last batch where it is smaller. */
  dropLast?: boolean;
}

export interface TrainOptions<X = Tensor, T = Tensor, P = Tensor> extends CommonOptions, StepOptions<X, T, P> {
  /** Held out and evaluated after every epoch: a fraction of the data, or examples of their own. */
  validation?: number | LabelledData;
}

/** Training by a step of the user's own, traced or compiled. */
export interface OwnTrainOptions<X = Tensor, T = Tensor> extends CommonOptions {
  /** All that the step changes belongs to the run while it lasts; of the model alone a checkpoint knows the names. */
  model: Module;
  step: OwnStep<X, T>;
}

/**
 * Trains a model in a worker: traces the step here, once per kind of batch, and sends the programs, the weights and the data.
 * The page stays free; the weights are back in the model when `done` settles. Options that cannot work, and shapes that
 * do not fit, throw at once.
 */
export function train<X = Tensor, T = Tensor, P = Tensor>(options: TrainOptions<X, T, P>): TrainingRun;
export function train<X = Tensor, T = Tensor>(options: OwnTrainOptions<X, T>): TrainingRun;
export function train(options: unknown): TrainingRun {
  return new TrainingRun(trace(options as Options));
}

/** Of trees that only the user's functions know. */
type Options = TrainOptions<never, never, never> | OwnTrainOptions<never, never>;

function trace(options: Options): Job {
  const { model, data } = options;
  const own = 'step' in options ? options.step : null;
  const usual = 'step' in options ? null : options;
  const { validation, accumulate = 1 } = usual ?? {};
  const { epochs = 1, batchSize = 32, seed = 0, shuffle = true, dropLast = false } = options;
  checkCounts('train', { epochs, batchSize, accumulate });
  const cells = [
    ...model.namedCells().map(([name, cell]) => [`model.${name}`, cell] as const),
    ...(usual?.optimizer.namedCells() ?? []).map(([name, cell]) => [`optimizer.${name}`, cell] as const),
  ];
  const busy = cells.find(([, cell]) => cell.owner);
  if (busy) {
    const name = busy[0].replace(/^model\./, '');
    throw new BusyError(`${busy[1].owner} still owns ${name}; wait for its done, or stop it.`, {
      op: 'train',
      argument: 'model',
      got: name,
    });
  }
  const builder = new BundleBuilder();
  for (const [name, cell] of cells) builder.names.set(cell, name);
  const plan: TrainPlan = {
    ...{ epochs, batchSize, seed, shuffle, dropLast },
    names: [],
    data: null,
    train: { full: -1, tail: -1 },
    validation: null,
    measures: null,
    plateau: null,
    asks: false,
    start: { step: 0, epoch: 1, batch: 0, sums: [], seen: 0, seconds: 0 },
    ...limitsOf(options),
  };
  const metrics = new Metrics(usual?.metrics);
  const job: Job = {
    ...{ model, builder, plan, options },
    batches: null,
    stepsPerEpoch: undefined,
    known: new Map(),
    heldOut: null,
    history: new History(),
    best: null,
    bestStep: null,
    bestValue: null,
    trace: (like, size) =>
      own
        ? addOwnStep(builder, model, own, metrics, like, size)
        : addTraining(builder, usual!, metrics, like, size, job.stepsPerEpoch),
    complete() {
      plan.names = metrics.means;
      plan.measures = metrics.addMeasures(builder);
      if (!usual) return;
      const { validation: held, names, measures } = plan;
      const own = ['loss', ...names, ...(measures?.names ?? [])];
      const others = held ? [...held.names, ...(held.measures?.names ?? [])].map((name) => `val.${name}`) : [];
      plan.plateau = addPlateau(builder, usual, [...own, ...others]);
    },
  };
  const addValidation = (like: LabelledData, rows: Rows) => {
    const held = new Metrics(usual!.metrics);
    const programs = addEvaluation(builder, model, usual!.loss, held, like, countRows(rows), batchSize);
    plan.validation = { data: rows, programs, names: held.means, measures: held.addMeasures(builder) };
  };
  if (!isInMemory(data)) {
    job.batches = data;
    if (typeof validation === 'number') {
      throw new ValueError('a fraction can be held out of data in memory only; pass { x, y } as validation.', {
        op: 'train',
        argument: 'validation',
        got: validation,
      });
    }
    if (validation) addValidation(validation, toRows(validation));
    return job;
  }
  if (usual && !data.y) {
    throw new DataError('y is missing; what a loss is told has to be there.', { op: 'train', argument: 'data' });
  }
  const all = toRows(data);
  const parts = typeof validation === 'number' && validation > 0 ? holdOut(data, all, validation, seed) : null;
  if (parts) job.heldOut = validation as number;
  plan.data = parts ? parts.train : all;
  const n = countRows(plan.data);
  job.stepsPerEpoch = dropLast ? Math.floor(n / batchSize) : Math.ceil(n / batchSize);
  if (job.stepsPerEpoch === 0) {
    throw new DataError(`${n} examples fill no batch of ${batchSize}, and dropLast leaves out the rest.`, {
      op: 'train',
      argument: 'batchSize',
      got: batchSize,
      expected: n,
    });
  }
  const add = (size: number) => (size === 0 ? -1 : job.trace(data, size));
  plan.train = { full: add(n >= batchSize ? batchSize : 0), tail: add(dropLast ? 0 : n % batchSize) };
  if (parts) addValidation(data, parts.validation);
  else if (typeof validation === 'object') {
    checkAlike(data, validation);
    addValidation(validation, toRows(validation));
  }
  job.complete();
  return job;
}
