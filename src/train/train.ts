import { BusyError, DataError, ValueError } from '../errors';
import { checkCounts } from '../tensor';
import { BundleBuilder } from './bundle';
import { batchAval, checkAlike, holdOut, isInMemory, type LabelledData, type TrainData, toRows } from './data';
import type { BatchPrograms, Rows, TrainPlan } from './protocol';
import { type Job, limitsOf, type RunOptions, TrainingRun } from './run';
import { addEvaluation, addPlateau, addTraining, type StepOptions } from './step';

export interface TrainOptions extends StepOptions, RunOptions {
  /** All examples, x and y along their first axes, or an iterable of batches that starts anew every epoch. */
  data: TrainData;
  /** Held out and evaluated after every epoch: a fraction of the data, or examples of their own. */
  validation?: number | LabelledData;
  epochs?: number;
  batchSize?: number;
  /** Of the order of examples, of what is held out and of dropout. */
  seed?: number;
  shuffle?: boolean;
  /** Leaves out an epoch's last batch where it is smaller. */
  dropLast?: boolean;
}

/**
 * Trains a model in a worker: traces the step here, once per kind of batch, and sends the programs, the weights and the data.
 * The page stays free; the weights are back in the model when `done` settles. Options that cannot work, and shapes that
 * do not fit, throw at once.
 */
export function train(options: TrainOptions): TrainingRun {
  return new TrainingRun(trace(options));
}

function trace(options: TrainOptions): Job {
  const { model, loss, optimizer, data, validation, metrics = {}, accumulate = 1 } = options;
  const { epochs = 1, batchSize = 32, seed = 0, shuffle = true, dropLast = false } = options;
  checkCounts('train', { epochs, batchSize, accumulate });
  checkFree(options);
  const builder = new BundleBuilder();
  for (const [name, cell] of model.namedCells()) builder.names.set(cell, `model.${name}`);
  for (const [name, cell] of optimizer.namedCells()) builder.names.set(cell, `optimizer.${name}`);
  const plan: TrainPlan = {
    ...{ epochs, batchSize, seed, shuffle, dropLast },
    metrics: Object.keys(metrics),
    data: null,
    train: { full: -1, tail: -1 },
    validation: null,
    plateau: null,
    asks: false,
    start: { step: 0, epoch: 1, batch: 0, sums: [], seen: 0, seconds: 0 },
    ...limitsOf(options),
  };
  const job: Job = {
    ...{ model, builder, plan, options },
    batches: null,
    stepsPerEpoch: undefined,
    known: new Map(),
    heldOut: null,
    history: null,
    best: null,
    bestStep: null,
    bestValue: null,
    trace: (avals) => addTraining(builder, options, avals, job.stepsPerEpoch),
  };
  const addValidation = (like: LabelledData, rows: Rows) => {
    plan.validation = {
      data: rows,
      programs: addEvaluation(builder, model, { loss, ...metrics }, like, rows, batchSize),
    };
  };
  if (isInMemory(data)) {
    const all = toRows(data);
    const held = typeof validation === 'number' && validation > 0 ? holdOut(all, validation, seed) : null;
    if (held) job.heldOut = validation as number;
    plan.data = held ? held.train : all;
    const n = plan.data.x.shape[0]!;
    job.stepsPerEpoch = dropLast ? Math.floor(n / batchSize) : Math.ceil(n / batchSize);
    if (job.stepsPerEpoch === 0) {
      throw new DataError(`${n} examples fill no batch of ${batchSize}, and dropLast leaves out the rest.`, {
        op: 'train',
        argument: 'batchSize',
        got: batchSize,
        expected: n,
      });
    }
    plan.train = programs(job, data, n >= batchSize ? batchSize : 0, dropLast ? 0 : n % batchSize);
    if (held) addValidation(data, held.validation);
    else if (typeof validation === 'object') {
      const rows = toRows(validation);
      checkAlike(plan.data, rows);
      addValidation(validation, rows);
    }
  } else {
    job.batches = data;
    if (typeof validation === 'number') {
      throw new ValueError('a fraction can be held out of data in memory only; pass { x, y } as validation.', {
        op: 'train',
        argument: 'validation',
        got: validation,
      });
    }
    if (validation) addValidation(validation, toRows(validation));
  }
  plan.plateau = addPlateau(builder, options, plan.validation !== null);
  return job;
}

function checkFree({ model, optimizer }: TrainOptions): void {
  const busy = [...model.namedCells(), ...optimizer.namedCells()].find(([, cell]) => cell.owner);
  if (busy) {
    throw new BusyError(`${busy[1].owner} still owns ${busy[0]}; wait for its done, or stop it.`, {
      op: 'train',
      argument: 'model',
      got: busy[0],
    });
  }
}

function programs(job: Job, like: LabelledData, full: number, tail: number): BatchPrograms {
  const add = (size: number) => (size === 0 ? -1 : job.trace([batchAval(like.x, size), batchAval(like.y, size)]));
  return { full: add(full), tail: add(tail) };
}
