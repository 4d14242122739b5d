import { expose, transfer } from 'comlink';
import type { Cell } from '../cell';
import { Stream } from '../data/philox';
import { DataError, deserializeError } from '../errors';
import type { Module, StateDict } from '../nn/module';
import { defaultGenerator } from '../ops/random';
import type { Aval } from '../shape';
import { checkCounts } from '../tensor';
import { type BundleBuilder, chooseThreads } from './bundle';
import { type Connection, connect } from './connection';
import { batchAval, type LabelledData, type TrainData, toRows } from './data';
import { type EpochEvent, History, type TrainEvent } from './events';
import type { Bundle, Fed, Outcome, PageApi, TrainPlan } from './protocol';

/** What a run is told about itself, beside what it computes. */
export interface RunOptions {
  /** Looks at every epoch and ends the run by returning true. */
  stopWhen?: ((event: EpochEvent) => boolean) | ((event: EpochEvent) => boolean)[];
  /** 'auto' leaves the page a core. The result does not depend on it. */
  threads?: number | 'auto';
  /** Aborts the run: `done` rejects with the signal's reason, after the weights are back. */
  signal?: AbortSignal;
  /** Makes the worker, where the page's policy forbids the built-in one. */
  worker?: () => Worker;
}

/** What a run is made of: programs over cells, and what to do with them. */
export interface Job {
  model: Module;
  builder: BundleBuilder;
  plan: TrainPlan;
  options: RunOptions;
  /** What makes the batches, where the data is not in memory. */
  batches: Exclude<TrainData, LabelledData> | null;
  stepsPerEpoch: number | undefined;
  /** Adds the step for batches of a kind. */
  trace(avals: [Aval, Aval]): number;
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
  readonly history = new History();
  /** Settles when the weights are back in the model. */
  readonly done: Promise<TrainResult>;
  /** Undefined where the data is an iterable. */
  readonly stepsPerEpoch: number | undefined;
  readonly totalSteps: number | undefined;
  private readonly job: Job;
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

  /** @internal */
  constructor(job: Job) {
    this.job = job;
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
      const plan = { ...this.job.plan, asks: this.predicates.length > 0 };
      const training = connection.worker.train(bundle, plan, transfer(page.port2, [page.port2]));
      this.connection = connection;
      for (const call of this.early.splice(0)) call(connection.worker);
      const outcome = await connection.race<Outcome>(training as Promise<Outcome>);
      if (generator >= 0) outcome.cells[generator]!.values = defaultGenerator.cell.values();
      builder.restore(outcome.cells);
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

  private get predicates(): ((event: EpochEvent) => boolean)[] {
    return [this.job.options.stopWhen ?? []].flat();
  }

  /** What the worker gets. Draws of a run start from its seed; the page's generator stays where it is. */
  private bundle(): { bundle: Bundle; generator: number } {
    const { builder, plan, options } = this.job;
    const bundle = builder.bundle(chooseThreads(options.threads ?? 'auto', builder.threads));
    const generator = builder.allCells.indexOf(defaultGenerator.cell);
    if (generator >= 0) bundle.cells[generator]!.values = Int32Array.of(plan.seed, Stream.RUN, 0, 0);
    return { bundle, generator };
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
      epoch: guard((event) => {
        this.history.addMark(event);
        return !this.predicates.some((predicate) => predicate(event));
      }),
      pull: guard(async (epoch) => {
        const fed = await (first ?? next!(epoch));
        first = undefined;
        return fed && { ...fed, added: this.job.builder.fresh() };
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
  private feed(batches: Iterable<LabelledData> | AsyncIterable<LabelledData>): (epoch: number) => Promise<FedRows> {
    let iterator: Iterator<LabelledData> | AsyncIterator<LabelledData> | null = null;
    return async (epoch) => {
      const first = iterator === null;
      iterator ??= iteratorOf(batches);
      const next = await iterator.next();
      if (!next.done) {
        const rows = toRows(next.value);
        return { rows, program: this.fedProgram(next.value, rows.x.shape[0]!) };
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

  private fedProgram(batch: LabelledData, size: number): number {
    const avals: [Aval, Aval] = [batchAval(batch.x, size), batchAval(batch.y, size)];
    const key = avals.map(({ shape, dtype }) => `${dtype}[${shape}]`).join();
    const known = this.fedPrograms.get(key);
    if (known !== undefined) return known;
    for (const cell of this.owned) cell.owner = null;
    const program = this.job.trace(avals);
    this.own();
    this.fedPrograms.set(key, program);
    return program;
  }
}

function iteratorOf(data: Iterable<LabelledData> | AsyncIterable<LabelledData>) {
  if (Symbol.asyncIterator in data) return data[Symbol.asyncIterator]();
  return data[Symbol.iterator]();
}

/** A batch of an iterable and its program; null after the last. */
type FedRows = Omit<Fed, 'added'> | null;
