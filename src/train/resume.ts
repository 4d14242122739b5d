import { Cell } from '../cell';
import { DataError, ShapeError, ValueError } from '../errors';
import type { Module } from '../nn/module';
import type { Optimizer } from '../optim/optimizer';
import { sameShape, show } from '../shape';
import { Tensor } from '../tensor';
import { BundleBuilder } from './bundle';
import { type Checkpoint, type Checkpoints, NUMERICS } from './checkpoints';
import { holdOut, isInMemory, type LabelledData, leavesOf, type TrainData, toRows } from './data';
import { fingerprint } from './fingerprint';
import type { TrainPlan } from './protocol';
import { limitsOf, type RunOptions, TrainingRun } from './run';

export interface ResumeOptions extends RunOptions {
  /** A model like the one that was trained: it gets the weights. */
  model: Module;
  /** The data that the run was begun with. */
  data: TrainData;
  /** The held-out examples, where they were not a fraction of the data. */
  validation?: LabelledData;
  /** An optimizer like the one before, where its state is to be looked at later. */
  optimizer?: Optimizer;
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
  const builder = new BundleBuilder(checkpoint.programs, cellsOf(checkpoint, options));
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
  // What counts epochs comes to where it was.
  const epochs = history.marks.filter((mark) => mark.kind === 'epoch');
  for (const criterion of [options.stopWhen ?? []].flat()) for (const event of epochs) criterion(event);
  const run = new TrainingRun({
    ...{ model, builder, plan, options: own, heldOut, history, known: new Map(checkpoint.known) },
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
  const warn = (code: string, message: string) =>
    run.history.addMark({ kind: 'warning', ...placeOf(run), code, message });
  if (damaged.length > 0) warn('CHECKPOINT_DAMAGED', `newer checkpoints are damaged: ${damaged.join(', ')}.`);
  if (checkpoint.numerics !== NUMERICS) {
    warn('NUMERICS_CHANGED', 'this version computes other bits than the one that the run was begun with.');
  }
  return run;
}

const placeOf = (run: TrainingRun) => {
  const { step, epoch } = run.history.milestones().at(-1)!;
  return { step, epoch };
};

/** The cells of a checkpoint, with its values: those of the model and the optimizer that were passed, and new ones. */
function cellsOf({ cells, model: state }: Checkpoint, { model, optimizer }: ResumeOptions): Map<Cell, string> {
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
  return new Map(
    cells.map(({ name, stored: { shape, dtype, data } }) => [
      own.get(name) ?? new Cell(new Tensor(shape, dtype, data)),
      name,
    ]),
  );
}
