import { Cell } from '../cell';
import { DataError, DivergenceError, ShapeError, ValueError } from '../errors';
import type { Module } from '../nn/module';
import { mul } from '../ops/elementwise';
import type { Optimizer } from '../optim/optimizer';
import { sameShape, show } from '../shape';
import { checkOption, Tensor } from '../tensor';
import { BundleBuilder } from './bundle';
import { type Checkpoint, type Checkpoints, NUMERICS } from './checkpoints';
import { holdOut, isInMemory, type LabelledData, leavesOf, type TrainData, toRows } from './data';
import { fingerprint } from './fingerprint';
import { historyFrom } from './history';
import type { TrainPlan } from './protocol';
import { limitsOf, type RunOptions, TrainingRun, type TrainResult } from './run';

export interface ResumeOptions extends RunOptions {
  /** A model like the one that was trained: it gets the weights. */
  model: Module;
  /** The data that the run was begun with. */
  data: TrainData;
  /** The held-out examples, where they were not a fraction of the data. */
  validation?: LabelledData;
  /** An optimizer like the one before, where its state is to be looked at later. */
  optimizer?: Optimizer;
  /** Learning rates are multiplied by it: below 1 after a divergence, say. The run then goes another way than it would have. */
  lrFactor?: number;
}

/**
 * A run that goes on from the newest checkpoint that is whole, to the same bits as if it had never been interrupted: on any engine, with any number of
 * threads. Its first event, `resumed`, says from where; its history has what came before, and its checkpoints go where they went. Everything that is
 * traced (model, loss, metrics, augmentation, schedule) comes from the checkpoint; what runs on the page (`stopWhen`, `signal`) is passed again.
 *
 *     const run = await resume(directory('runs/1'), { model, data });
 *
 * Rejects with a CheckpointError where there is no checkpoint (NO_CHECKPOINT), none is whole (CHECKPOINT_DAMAGED) or it is of another version
 * (CHECKPOINT_VERSION), with a DataError for other data, a ShapeError or ValueError for another model.
 */
export async function resume(from: Checkpoints, options: ResumeOptions): Promise<TrainingRun> {
  const { checkpoint, damaged } = await from.load();
  const { model, data } = options;
  const { heldOut, position, history } = checkpoint;
  const own: RunOptions = { ...options, checkpoint: options.checkpoint ?? { ...checkpoint.options, to: from } };
  const plan: TrainPlan = {
    ...{ ...checkpoint.plan, data: null, validation: null, asks: false, start: position },
    ...limitsOf(own),
  };
  let held = options.validation && toRows(options.validation);
  if (isInMemory(data)) {
    const all = toRows(data);
    const parts = heldOut ? holdOut(data, all, heldOut, plan.seed) : null;
    plan.data = parts ? parts.train : all;
    held = parts?.validation ?? held;
  }
  if (checkpoint.data !== (plan.data && (await fingerprint(plan.data)))) {
    throw new DataError('this is not the data that the run was begun with.', { op: 'resume', argument: 'data' });
  }
  const { validation } = checkpoint.plan;
  if (validation) {
    if (!held) {
      const needed = 'the run was evaluated on examples of their own; pass them again.';
      throw new ValueError(needed, { op: 'resume', argument: 'validation' });
    }
    plan.validation = { data: held, ...validation };
  }
  // Nothing of the caller's is written before all of this holds.
  const builder = new BundleBuilder(checkpoint.programs, cellsOf(checkpoint, options));
  // What counts epochs comes to where it was.
  const epochs = history.marks.filter((mark) => mark.kind === 'epoch');
  for (const criterion of [options.stopWhen ?? []].flat()) for (const event of epochs) criterion(event);
  const past = historyFrom(history);
  const place = { step: position.step, epoch: Math.min(position.epoch, plan.epochs) };
  const warn = (code: string, message: string) => past.addMark({ kind: 'warning', ...place, code, message });
  past.addMark({ kind: 'resumed', ...place });
  if (damaged.length > 0) warn('CHECKPOINT_DAMAGED', `newer checkpoints are damaged: ${damaged.join(', ')}.`);
  if (checkpoint.numerics !== NUMERICS) {
    warn('NUMERICS_CHANGED', 'this version computes other bits than the one that the run was begun with.');
  }
  return new TrainingRun({
    ...{ model, builder, plan, options: own, heldOut, history: past, known: new Map(checkpoint.known) },
    ...{ best: checkpoint.best, bestStep: checkpoint.bestStep, bestValue: checkpoint.bestValue },
    batches: isInMemory(data) ? null : data,
    stepsPerEpoch: checkpoint.stepsPerEpoch ?? undefined,
    trace(like) {
      const shapes = leavesOf(like.x, 'x').map(([name, { shape }]) => `${name} ${show(shape)}`);
      throw new ShapeError(`the run was begun with other batches: it has no program for ${shapes.join(', ')}.`, {
        ...{ op: 'resume', argument: 'data', got: shapes },
      });
    },
    complete() {},
  });
}

/** The cells of a checkpoint, with its values: those of the model and the optimizer that were passed, and new ones. */
function cellsOf(
  { cells, model: state }: Checkpoint,
  { model, optimizer, lrFactor = 1 }: ResumeOptions,
): Map<Cell, string> {
  checkOption('resume', 'lrFactor', lrFactor, lrFactor > 0, 'above 0');
  model.loadStateDict(state);
  const own = new Map<string, Cell>();
  for (const [name, cell] of optimizer?.namedCells() ?? []) own.set(`optimizer.${name}`, cell);
  for (const [name, cell] of own) {
    const stored = cells.find((one) => one.name === name)?.stored;
    if (!stored || !sameShape(stored.shape, cell.shape)) {
      throw new ShapeError(`the checkpoint has no ${name} of shape ${show(cell.shape)}: this is another optimizer.`, {
        ...{ op: 'resume', argument: 'optimizer', got: stored?.shape, expected: cell.shape },
      });
    }
    cell.write(new Tensor(stored.shape, stored.dtype, stored.data));
  }
  for (const [name, cell] of model.namedCells()) own.set(`model.${name}`, cell);
  const bound = new Map(
    cells.map(({ name, stored: { shape, dtype, data } }) => [
      own.get(name) ?? new Cell(new Tensor(shape, dtype, data)),
      name,
    ]),
  );
  for (const [cell, name] of bound) if (/^optimizer\.lr/.test(name)) cell.write(mul(cell, lrFactor));
  return bound;
}

export interface RecoverOptions extends ResumeOptions {
  from: Checkpoints;
  /** How often it may diverge again. */
  retries?: number;
  /** Is told of each run that goes on, before its first event. */
  onResume?: (run: TrainingRun, cause: DivergenceError) => void;
}

/**
 * What `run.done` gives; where the run diverges, what a run gives that goes on from its newest checkpoint with learning rates of `lrFactor`, a half unless told
 * otherwise, times what they were: up to `retries` times, 3 unless told otherwise, each with lower ones. Rejects as `done` and `resume` do.
 *
 *     const result = await recover(train({ …, checkpoint: { to } }), { from: to, model, data });
 */
export async function recover(
  run: TrainingRun,
  { from, retries = 3, onResume, ...options }: RecoverOptions,
): Promise<TrainResult> {
  try {
    return await run.done;
  } catch (error) {
    if (!(error instanceof DivergenceError) || retries <= 0) throw error;
    const again = await resume(from, { lrFactor: 0.5, ...options });
    onResume?.(again, error);
    return recover(again, { from, retries: retries - 1, ...(onResume && { onResume }), ...options });
  }
}
