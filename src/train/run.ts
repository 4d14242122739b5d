import { expose, transfer } from 'comlink';
import type { Cell } from '../cell';
import { Stream } from '../data/philox';
import { DataError, deserializeError } from '../errors';
import type { Module, StateDict } from '../nn/module';
import { defaultGenerator } from '../ops/random';
import { checkCounts, checkOption, full } from '../tensor';
import { type BundleBuilder, chooseThreads } from './bundle';
import type { CheckpointOptions } from './checkpoints';
import { type Connection, connect } from './connection';
import { type Batches, batchAvals, type LabelledData, toRows } from './data';
import type { EpochEvent, History, TrainEvent } from './events';
import type { Bundle, CellValue, Fed, Outcome, PageApi, TrainPlan } from './protocol';
import { countRows } from './rows';

/** Looks at every epoch, and ends the run by returning true. */
export interface StopCriterion {
  (event: EpochEvent): boolean;
  /** Whether the epoch that it looked at last was the best so far, whose weights the model is to have at the end. */
  isBest?: boolean;
}

/** What a run is told about itself, beside what it computes. */
export interface RunOptions {
  stopWhen?: StopCriterion | StopCriterion[];
  /** Ends the run after so many steps in all, or seconds of training. */
  maxSteps?: number;
  maxSeconds?: number;
  /** Bytes that the worker's linear memory may have at most: as many as the platform gives unless told otherwise. */
  memoryLimit?: number;
  /** Where all that the run goes on from is kept, and how often. */
  checkpoint?: CheckpointOptions;
  /** 'auto' leaves the page a core. The result does not depend on it. */
  threads?: number | 'auto';
  /** Aborts the run: `done` rejects with the signal's reason, after the weights are back. */
  signal?: AbortSignal;
  /** Makes the worker, where the page's policy forbids the built-in one. */
  worker?: () => Worker;
}

/** What the worker heeds of it. */
export function limitsOf({
  maxSteps = Number.POSITIVE_INFINITY,
  maxSeconds = Number.POSITIVE_INFINITY,
  checkpoint,
}: RunOptions): Pick<TrainPlan, 'maxSteps' | 'maxSeconds' | 'save'> {
  for (const [argument, value] of Object.entries({ maxSteps, maxSeconds })) {
    checkOption('train', argument, value, value > 0, 'above 0');
  }
  return { maxSteps, maxSeconds, save: checkpoint ? checkpoint.to.intervals(checkpoint) : null };
}

/** What a run is made of: programs over cells, and what to do with them. */
export interface Job {
  model: Module;
  builder: BundleBuilder;
  plan: TrainPlan;
  options: RunOptions;
  /** What makes the batches, where the data is not in memory. */
  batches: Batches | null;
  stepsPerEpoch: number | undefined;
  /** Adds the step for batches like one, of so many examples. */
  trace(like: LabelledData, size: number): number;
  /** When all steps that there are at first have been traced. */
  complete(): void;
  /** Programs by the kinds of batches that an iterable gave. */
  known: Map<string, number>;
  /** The share of the data that is held out, if it is. */
  heldOut: number | null;
  /** Of a run that goes on it has what was before. */
  history: History;
  /** The weights of the best epoch, where a criterion wants them. */
  best: CellValue[] | null;
  /** The best of the checkpoints. */
  bestStep: number | null;
  bestValue: number | null;
}

export interface TrainResult {
  reason: 'finished' | 'stopped';
  steps: number;
  epochs: EpochEvent[];
  seconds: number;
  history: History;
}

/** A run under way: iterate over it for its events, from the first on, whenever the iteration starts. */
export class TrainingRun implements AsyncIterable<TrainEvent> {
  readonly history: History;
  /** Settles when the weights are back in the model. */
  readonly done: Promise<TrainResult>;
  /** Undefined where the data is an iterable. */
  readonly stepsPerEpoch: number | undefined;
  readonly totalSteps: number | undefined;
  /** @internal */
  readonly job: Job;
  private owned: Cell[] = [];
  private connection: Connection | null = null;
  private stopped = false;
  private stopWaiting = () => {};
  /** Resolves when the run is stopped, for whoever waits for the user's data meanwhile. */
  private readonly quit = new Promise<null>((resolve) => {
    this.stopWaiting = () => resolve(null);
  });
  private early: ((worker: Connection['worker']) => unknown)[] = [];

  /** @internal */
  constructor(job: Job) {
    this.job = job;
    this.history = job.history;
    this.stepsPerEpoch = job.stepsPerEpoch;
    this.totalSteps = job.stepsPerEpoch && job.stepsPerEpoch * job.plan.epochs;
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

  /** Changes the learning rate of all groups before the next step; a schedule goes on from it. Throws a ValueError for one below 0. */
  setLr(lr: number): void {
    checkOption('train', 'lr', lr, lr >= 0, 'from 0 on');
    const { allCells, names } = this.job.builder;
    const values = allCells.flatMap((cell, i) =>
      /^optimizer\.lr/.test(names.get(cell)!) ? [[i, full([], lr, cell).values()] as const] : [],
    );
    this.tell((worker) => worker.assign(values));
  }

  /** Saves a checkpoint of now, beside those that are due; does nothing without the option. */
  async checkpoint(): Promise<void> {
    if (this.connection) await this.connection.race(this.connection.worker.save());
  }

  /** Calls `callback` with every event of a kind, from the first on; resolves after the last. Of a failure `done` tells. */
  async on<K extends TrainEvent['kind']>(kind: K, callback: (event: Extract<TrainEvent, { kind: K }>) => void) {
    const events = this.history.read();
    const next = () => events.next().catch(() => null);
    for (let one = await next(); one && !one.done; one = await next()) {
      if (one.value.kind === kind) callback(one.value as Extract<TrainEvent, { kind: K }>);
    }
  }

  /** Brings the weights of now into the model, and returns them. */
  async snapshot(): Promise<StateDict> {
    const { builder, model } = this.job;
    if (this.connection) builder.restore(await this.connection.race(this.connection.worker.snapshot()));
    return model.stateDict();
  }

  /** Calls the worker; before it has its work, when the first batch is still awaited, as soon as it has. */
  private tell(call: (worker: Connection['worker']) => unknown): void {
    if (this.connection) call(this.connection.worker);
    else this.early.push(call);
  }

  /** Marks every cell of the run as its own. The page's generator is only copied. */
  private own(): void {
    this.owned = this.job.builder.allCells.filter((cell) => cell !== defaultGenerator.cell);
    for (const cell of this.owned) cell.owner = 'a training run';
  }

  /** Traces something more, which may assign what belongs to the run. */
  private unowned<T>(trace: () => T): T {
    for (const cell of this.owned) cell.owner = null;
    const traced = trace();
    this.own();
    return traced;
  }

  private async run(): Promise<TrainResult> {
    const { builder, batches, options } = this.job;
    const { signal, worker } = options;
    const abort = () => this.stop();
    const page = new MessageChannel();
    let connection: Connection | null = null;
    try {
      signal?.throwIfAborted();
      signal?.addEventListener('abort', abort);
      const next = batches && this.feed(batches);
      // The first batch is traced before the bundle is made, so that all cells are in it.
      const first = next?.(this.job.plan.start.epoch - 1);
      if (first) await Promise.race([first, this.quit]);
      signal?.throwIfAborted();
      if (this.stopped) return this.stoppedAtOnce();
      if (first) this.unowned(() => this.job.complete());
      const bundle = this.bundle();
      connection = connect(worker);
      let failure: unknown = null;
      expose(
        this.pageApi(first, next, (error) => {
          failure = error;
        }),
        page.port1,
      );
      const plan = { ...this.job.plan, asks: this.criteria.length > 0 };
      const training = connection.worker.train(bundle, plan, transfer(page.port2, [page.port2]));
      this.connection = connection;
      for (const call of this.early.splice(0)) call(connection.worker);
      const outcome = await connection.race<Outcome>(training as Promise<Outcome>);
      builder.restore(outcome.cells);
      if (this.job.best) this.restoreBest(this.job.best);
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

  private get criteria(): StopCriterion[] {
    return [this.job.options.stopWhen ?? []].flat();
  }

  /** The model, without what the optimizer made of its weights later. */
  private restoreBest(best: CellValue[]): void {
    const own = new Set<Cell>(this.job.model.namedCells().map(([, cell]) => cell));
    this.job.builder.allCells.forEach((cell, i) => {
      if (own.has(cell)) cell.storage.write(best[i]!.values);
    });
  }

  /** What the worker gets. Draws of a run start from its seed; the page's generator stays where it is. */
  private bundle(): Bundle {
    const { builder, plan, options } = this.job;
    const threads = chooseThreads(options.threads ?? 'auto', builder.threads);
    builder.checkFits(plan.batchSize, threads, options.memoryLimit);
    const bundle = builder.bundle(threads);
    const generator = builder.allCells.indexOf(defaultGenerator.cell);
    if (generator >= 0) bundle.cells[generator]!.values = Int32Array.of(plan.seed, Stream.RUN, 0, 0);
    return bundle;
  }

  /** The worker's view of this side. What the user's own code throws goes to `fail`, since only its text travels. */
  private pageApi(
    first: Promise<FedRows> | null | undefined,
    next: ((epoch: number) => Promise<FedRows>) | null,
    fail: (error: unknown) => void,
  ): PageApi {
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
      epoch: guard(async (event) => {
        this.history.addMark(event);
        // Each of them looks at every epoch.
        const isOver = this.criteria.filter((criterion) => criterion(event)).length > 0;
        if (this.criteria.some(({ isBest }) => isBest)) this.job.best = await this.connection!.worker.snapshot();
        return !isOver;
      }),
      pull: guard(async (epoch) => {
        const fed = await (first ?? next!(epoch));
        first = undefined;
        return fed && { ...fed, added: this.job.builder.fresh() };
      }),
      save: async (position, cells) => {
        const { to, ...options } = this.job.options.checkpoint!;
        this.history.addMark(await to.save(this.job, position, cells, options));
      },
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
  private feed(batches: Batches): (epoch: number) => Promise<FedRows> {
    let iterator: Iterator<LabelledData> | AsyncIterator<LabelledData> | null = null;
    let from = this.job.plan.start.batch;
    return async (epoch) => {
      let isFirst = false;
      if (!iterator) {
        iterator = iteratorOf(batches, epoch, from);
        if (!batches.seek) for (let i = 0; i < from; i++) await iterator.next();
        isFirst = from === 0;
        from = 0;
      }
      const next = await iterator.next();
      if (!next.done) {
        const rows = toRows(next.value);
        return { rows, program: this.fedProgram(next.value, countRows(rows)) };
      }
      iterator = null;
      if (!isFirst) return null;
      throw new DataError(
        epoch === 0
          ? 'the iterable gave no batch.'
          : `the iterable gave no batch for epoch ${epoch + 1}; pass one that starts anew each time, not a generator.`,
        { op: 'train', argument: 'data' },
      );
    };
  }

  private fedProgram(batch: LabelledData, size: number): number {
    const key = batchAvals(batch, size)
      .map(({ shape, dtype }) => `${dtype}[${shape}]`)
      .join();
    const known = this.job.known.get(key);
    if (known !== undefined) return known;
    const program = this.unowned(() => this.job.trace(batch, size));
    this.job.known.set(key, program);
    return program;
  }
}

function iteratorOf(data: Batches, epoch: number, batch: number): Iterator<LabelledData> | AsyncIterator<LabelledData> {
  if (data.seek) data = data.seek({ epoch, batch });
  if (Symbol.asyncIterator in data) return data[Symbol.asyncIterator]();
  return data[Symbol.iterator]();
}

/** A batch of an iterable and its program; null after the last. */
type FedRows = Omit<Fed, 'added'> | null;
