import { expose, transfer } from 'comlink';
import type { Cell } from '../cell';
import { Stream } from '../data/philox';
import { BusyError, DataError, deserializeError, ValueError } from '../errors';
import type { Module, StateDict } from '../nn/module';
import { add, cast, div, floor, mul } from '../ops/elementwise';
import { slice } from '../ops/movement';
import { defaultGenerator } from '../ops/random';
import { clipGradNorm } from '../optim/clip';
import type { ReduceOnPlateau, Schedule } from '../optim/lr';
import type { Optimizer } from '../optim/optimizer';
import { checkCounts, checkOption, type Tensor } from '../tensor';
import { valueAndGrad } from '../transform/grad';
import { BundleBuilder, chooseThreads } from './bundle';
import { type Connection, connect } from './connection';
import { batchAval, checkAlike, holdOut, isInMemory, type LabelledData, type TrainData, toRows } from './data';
import { type EpochEvent, History, type TrainEvent } from './events';
import type { Metric } from './metrics';
import type { BatchPrograms, Bundle, Fed, Outcome, PageApi, Rows, TrainPlan } from './protocol';

/** A traced function of the predictions and targets of a batch: a real number of rank 0. */
export type Loss = (prediction: Tensor, target: Tensor) => Tensor;

export interface TrainOptions {
  model: Module;
  loss: Loss;
  optimizer: Optimizer;
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
  /** Looks at every epoch and ends the run by returning true. */
  stopWhen?: ((event: EpochEvent) => boolean) | ((event: EpochEvent) => boolean)[];
  /** 'auto' leaves the page a core. The result does not depend on it. */
  threads?: number | 'auto';
  /** Aborts the run: `done` rejects with the signal's reason, after the weights are back. */
  signal?: AbortSignal;
  /** Makes the worker, where the page's policy forbids the built-in one. */
  worker?: () => Worker;
}

export interface TrainResult {
  reason: 'finished' | 'stopped';
  steps: number;
  epochs: EpochEvent[];
  seconds: number;
  history: History;
}

/**
 * Trains a model in a worker: traces the step here, once per kind of batch, and sends the programs, the weights and the data.
 * The page stays free; the weights are back in the model when `done` settles. Options that cannot work, and shapes that
 * do not fit, throw at once.
 */
export function train(options: TrainOptions): TrainingRun {
  return new TrainingRun(options);
}

/** A run under way: iterate over it for its events, from the first on, whenever the iteration starts. */
export class TrainingRun implements AsyncIterable<TrainEvent> {
  readonly history = new History();
  /** Settles when the weights are back in the model. */
  readonly done: Promise<TrainResult>;
  /** Undefined where the data is an iterable. */
  readonly stepsPerEpoch: number | undefined;
  readonly totalSteps: number | undefined;
  private readonly options: Required<
    Pick<TrainOptions, 'epochs' | 'batchSize' | 'accumulate' | 'seed' | 'shuffle' | 'dropLast'>
  > &
    TrainOptions;
  private readonly builder = new BundleBuilder();
  private readonly fedPrograms = new Map<string, number>();
  private owned: Cell[] = [];
  private connection: Connection | null = null;
  private stopped = false;
  private stopWaiting = () => {};
  /** Resolves when the run is stopped, for whoever waits for the user's data meanwhile. */
  private readonly quit = new Promise<null>((resolve) => {
    this.stopWaiting = () => resolve(null);
  });
  private early: ((worker: Connection['worker']) => unknown)[] = [];
  private steps: Steps = { data: null, train: { full: -1, tail: -1 }, validation: null, plateau: null };

  /** @internal */
  constructor(given: TrainOptions) {
    const options = { epochs: 1, batchSize: 32, accumulate: 1, seed: 0, shuffle: true, dropLast: false, ...given };
    this.options = options;
    const { epochs, batchSize, accumulate } = options;
    checkCounts('train', { epochs, batchSize, accumulate });
    this.checkFree();
    if (isInMemory(options.data)) {
      const { validation, seed, dropLast } = options;
      const all = toRows(options.data);
      const held = typeof validation === 'number' && validation > 0 ? holdOut(all, validation, seed) : null;
      const data = held ? held.train : all;
      const n = data.x.shape[0]!;
      this.stepsPerEpoch = dropLast ? Math.floor(n / batchSize) : Math.ceil(n / batchSize);
      this.totalSteps = this.stepsPerEpoch * options.epochs;
      if (this.stepsPerEpoch === 0) {
        throw new DataError(`${n} examples fill no batch of ${batchSize}, and dropLast leaves out the rest.`, {
          op: 'train',
          argument: 'batchSize',
          got: batchSize,
          expected: n,
        });
      }
      const tail = dropLast ? 0 : n % batchSize;
      this.steps.data = data;
      this.steps.train = this.programs(options.data, n >= batchSize ? batchSize : 0, tail);
      if (held) this.addValidation(options.data, held.validation);
      else if (typeof validation === 'object') this.addValidation(validation, checkedLike(data, toRows(validation)));
    } else if (typeof options.validation === 'number') {
      throw new ValueError('a fraction can be held out of data in memory only; pass { x, y } as validation.', {
        op: 'train',
        argument: 'validation',
        got: options.validation,
      });
    } else if (options.validation) this.addValidation(options.validation, toRows(options.validation));
    this.addPlateau();
    this.own();
    this.done = this.run();
    // `done` may never be looked at; readers of the events hear of a failure as well.
    this.done.catch(() => {});
  }

  [Symbol.asyncIterator](): AsyncIterator<TrainEvent> {
    return this.history.read();
  }

  /** Holds the run before its next step. */
  pause(): void {
    this.tell((worker) => worker.pause());
  }

  resume(): void {
    this.tell((worker) => worker.resume());
  }

  /** Runs so many steps, then pauses. */
  step(count = 1): void {
    checkCounts('train', { count });
    this.tell((worker) => worker.step(count));
  }

  /** Ends the run after the current step; `done` resolves. Any further call does nothing. */
  stop(): void {
    this.stopped = true;
    this.stopWaiting();
    this.tell((worker) => worker.stop());
  }

  /** Brings the weights of now into the model, and returns them. */
  async snapshot(): Promise<StateDict> {
    if (this.connection) this.builder.restore(await this.connection.race(this.connection.worker.snapshot()));
    return this.options.model.stateDict();
  }

  /** Calls the worker; before it has its work, when the first batch is still awaited, as soon as it has. */
  private tell(call: (worker: Connection['worker']) => unknown): void {
    if (this.connection) call(this.connection.worker);
    else this.early.push(call);
  }

  private checkFree(): void {
    const { model, optimizer } = this.options;
    const busy = [...model.namedCells(), ...optimizer.namedCells()].find(([, cell]) => cell.owner);
    if (busy) {
      throw new BusyError(`${busy[1].owner} still owns ${busy[0]}; wait for its done, or stop it.`, {
        op: 'train',
        argument: 'model',
        got: busy[0],
      });
    }
  }

  /** Marks every cell of the run as its own. The page's generator is only copied. */
  private own(): void {
    this.owned = this.builder.allCells.filter((cell) => cell !== defaultGenerator.cell);
    for (const cell of this.owned) cell.owner = 'a training run';
  }

  private programs(like: LabelledData, full: number, tail: number): BatchPrograms {
    const add = (size: number) =>
      size === 0 ? -1 : this.addTraining([batchAval(like.x, size), batchAval(like.y, size)]);
    return { full: add(full), tail: add(tail) };
  }

  /** The traced step: forward, backward, update, in training mode. */
  private addTraining(avals: [Aval, Aval]): number {
    const { model, loss, optimizer, metrics = {}, augment, accumulate, schedule, clipNorm } = this.options;
    const measures = Object.values(metrics);
    const n = avals[0].shape[0]!;
    const size = Math.ceil(n / accumulate);
    return inMode(model, true, () =>
      this.builder.add(avals, (...batch) => {
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
        const time = typeof schedule === 'function' && this.time(schedule);
        const lr = (base: Tensor) => (time ? (schedule as Schedule)(base, time) : base);
        const reported = lr(optimizer.lrCell);
        optimizer.step(clipNorm === undefined ? grads : clipGradNorm(grads, clipNorm), { lr });
        return [sums[0]!, reported, ...sums.slice(1)];
      }),
    );
  }

  /** What a schedule counts, as a real tensor: steps taken before this one, or epochs. */
  private time(schedule: Schedule): Tensor {
    const { optimizer } = this.options;
    const steps = cast(optimizer.stepCell, optimizer.lrCell.dtype);
    if (schedule.unit === 'step') return steps;
    if (this.stepsPerEpoch !== undefined) return floor(div(steps, this.stepsPerEpoch));
    throw new ValueError("a schedule by epochs needs to know their length; give it unit: 'step' for an iterable.", {
      op: 'train',
      argument: 'schedule',
      got: schedule.unit,
      expected: 'step',
    });
  }

  private addValidation(like: LabelledData, data: Rows): void {
    const { model, loss, metrics = {}, batchSize } = this.options;
    this.steps.validation = {
      data,
      programs: addEvaluation(this.builder, model, { loss, ...metrics }, like, data, batchSize),
    };
  }

  /** The traced look at an epoch's value, where that is how the rate is lowered. */
  private addPlateau(): void {
    const { schedule, metrics, optimizer } = this.options;
    if (!schedule || typeof schedule === 'function') return;
    const own = ['loss', ...Object.keys(metrics ?? {})];
    const names = this.steps.validation ? [...own, ...own.map((name) => `val.${name}`)] : own;
    const value = names.indexOf(schedule.monitor);
    checkOption('train', 'monitor', schedule.monitor, value >= 0, names.join(', '));
    const program = this.builder.add([optimizer.lrCell], (newest) => {
      schedule.step(newest!);
      return [];
    });
    this.steps.plateau = { program, value };
  }

  private async run(): Promise<TrainResult> {
    const { signal, worker } = this.options;
    const abort = () => this.stop();
    const page = new MessageChannel();
    let connection: Connection | null = null;
    try {
      signal?.throwIfAborted();
      signal?.addEventListener('abort', abort);
      const next = isInMemory(this.options.data) ? null : this.feed();
      // The first batch is traced before the bundle is made, so that all cells are in it.
      const first = next?.(0);
      if (first) await Promise.race([first, this.quit]);
      signal?.throwIfAborted();
      if (this.stopped) return this.stoppedAtOnce();
      connection = connect(worker);
      let failure: unknown = null;
      expose(
        this.pageApi(first, next, (error) => {
          failure = error;
        }),
        page.port1,
      );
      const { bundle, generator } = this.bundle();
      const training = connection.worker.train(bundle, this.plan(), transfer(page.port2, [page.port2]));
      this.connection = connection;
      for (const call of this.early.splice(0)) call(connection.worker);
      const outcome = await connection.race<Outcome>(training as Promise<Outcome>);
      if (generator >= 0) outcome.cells[generator]!.values = defaultGenerator.cell.values();
      this.builder.restore(outcome.cells);
      if (outcome.error) throw failure ?? deserializeError(outcome.error);
      signal?.throwIfAborted();
      return this.result(outcome.reason);
    } catch (error) {
      this.history.end(error);
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
      page.port1.close();
      connection?.close();
      this.connection = null;
      for (const cell of this.owned) cell.owner = null;
    }
  }

  private plan(): TrainPlan {
    const { epochs, batchSize, seed, shuffle, dropLast, metrics = {}, stopWhen = [] } = this.options;
    const asks = [stopWhen].flat().length > 0;
    return { epochs, batchSize, seed, shuffle, dropLast, metrics: Object.keys(metrics), ...this.steps, asks };
  }

  /** What the worker gets. Draws of a run start from its seed; the page's generator stays where it is. */
  private bundle(): { bundle: Bundle; generator: number } {
    const bundle = this.builder.bundle(chooseThreads(this.options.threads ?? 'auto', this.builder.threads));
    const generator = this.builder.allCells.indexOf(defaultGenerator.cell);
    if (generator >= 0) bundle.cells[generator]!.values = Int32Array.of(this.options.seed, Stream.RUN, 0, 0);
    return { bundle, generator };
  }

  /** The worker's view of this side. What the user's own code throws goes to `fail`, since only its text travels. */
  private pageApi(
    first: Promise<FedRows> | undefined,
    next: ((epoch: number) => Promise<FedRows>) | null,
    fail: (error: unknown) => void,
  ): PageApi {
    const predicates = [this.options.stopWhen ?? []].flat();
    const guard =
      <A, T>(f: (argument: A) => T | Promise<T>) =>
      async (argument: A): Promise<T> => {
        try {
          return await f(argument);
        } catch (error) {
          fail(error);
          throw error;
        }
      };
    return {
      steps: (columns) => this.history.addSteps(columns),
      mark: (event) => this.history.addMark(event),
      epoch: guard((event) => {
        this.history.addMark(event);
        return !predicates.some((predicate) => predicate(event));
      }),
      pull: guard(async (epoch) => {
        const fed = await (first ?? next!(epoch));
        first = undefined;
        return fed && { ...fed, added: this.builder.fresh() };
      }),
    };
  }

  private stoppedAtOnce(): TrainResult {
    this.history.addMark({ kind: 'done', reason: 'stopped', step: 0, epoch: 1, seconds: 0 });
    return this.result('stopped');
  }

  private result(reason: TrainResult['reason']): TrainResult {
    this.history.end();
    const last = this.history.milestones().at(-1);
    return {
      reason,
      steps: this.history.length,
      epochs: this.history.epochs(),
      seconds: last?.kind === 'done' ? last.seconds : 0,
      history: this.history,
    };
  }

  /** Batches of an iterable, one ahead of the step that the worker runs. */
  private feed(): (epoch: number) => Promise<FedRows> {
    let iterator: Iterator<LabelledData> | AsyncIterator<LabelledData> | null = null;
    return async (epoch) => {
      const first = iterator === null;
      iterator ??= iteratorOf(this.options.data);
      const next = await iterator.next();
      if (!next.done) {
        const rows = toRows(next.value);
        return { rows, program: this.fedProgram(next.value, rows) };
      }
      iterator = null;
      if (!first) return null;
      throw new DataError(
        epoch === 0
          ? 'the iterable gave no batch.'
          : `the iterable gave no batch for epoch ${epoch + 1}; pass one that starts anew each time, not a generator.`,
        { op: 'train', argument: 'data' },
      );
    };
  }

  private fedProgram(batch: LabelledData, rows: Rows): number {
    const size = rows.x.shape[0]!;
    const avals: [Aval, Aval] = [batchAval(batch.x, size), batchAval(batch.y, size)];
    const key = avals.map(({ shape, dtype }) => `${dtype}[${shape}]`).join();
    const known = this.fedPrograms.get(key);
    if (known !== undefined) return known;
    for (const cell of this.owned) cell.owner = null;
    const program = this.addTraining(avals);
    this.own();
    this.fedPrograms.set(key, program);
    return program;
  }
}

function iteratorOf(data: TrainData): Iterator<LabelledData> | AsyncIterator<LabelledData> {
  if (Symbol.asyncIterator in data) return data[Symbol.asyncIterator]();
  return (data as Iterable<LabelledData>)[Symbol.iterator]();
}

/** A batch of an iterable and its program; null after the last. */
type FedRows = Omit<Fed, 'added'> | null;

type Aval = ReturnType<typeof batchAval>;

type Steps = Pick<TrainPlan, 'data' | 'train' | 'validation' | 'plateau'>;

function checkedLike(train: Rows, validation: Rows): Rows {
  checkAlike(train, validation);
  return validation;
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
