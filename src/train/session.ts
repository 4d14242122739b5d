import { wrap } from 'comlink';
import { batches } from '../data/batches';
import { allocate, type TypedArray } from '../dtype';
import { serializeError } from '../errors';
import { registerBinaries } from '../machine/cores';
import { divergence } from '../machine/divergence';
import { type LoadedProgram, Machine } from '../machine/machine';
import { Storage } from '../machine/storage';
import { sizeOf } from '../shape';
import type { EpochEvent } from './events';
import type { NestedNumbers } from './metrics';
import type {
  BatchPrograms,
  Bundle,
  BundledProgram,
  CellValue,
  Computed,
  Fed,
  Measures,
  Outcome,
  PageApi,
  Position,
  Rows,
  TrainPlan,
  WorkerApi,
} from './protocol';
import { countRows, nested } from './rows';

/** How long steps run on before messages are looked at and losses sent: not quite a frame. */
const SLICE_MS = 15;

/** The other side of `train`, `evaluate` and `predict`: it knows programs and rows, and no op. */
export function createSession(): WorkerApi {
  let training: Training | null = null;
  let held = Promise.resolve();
  return {
    hold(name) {
      held = new Promise((resolve) => {
        void navigator.locks.request(name, () => {
          resolve();
          return new Promise(() => {});
        });
      });
      return held;
    },
    async train(bundle, plan, port) {
      const { cells } = bundle;
      try {
        training = new Training(bundle, plan, port);
      } catch (error) {
        // Too large for the memory there is: nothing has been changed.
        return { error: serializeError(error), cells };
      }
      // Who hears of a step has heard of the lock, so that no end of this worker goes unnoticed.
      await held;
      return training.run();
    },
    pause: () => training?.pause(),
    resume: () => training?.resume(),
    step: (count) => training?.resume(count),
    stop: () => training?.stop(),
    async snapshot() {
      return training ? training.store.values() : [];
    },
    async save() {
      await training?.save(true);
    },
    assign: (values) => training?.store.assign(values),
    evaluate: (bundle, data, programs, batchSize, measures) =>
      computed(() => {
        const store = new Store(bundle);
        return [store.evaluate(data, programs, batchSize), ...store.measure(measures).map(({ values }) => values)];
      }),
    predict: (bundle, x, programs, batchSize) =>
      computed(() => {
        const store = new Store(bundle);
        return store.predict(x, programs, batchSize);
      }),
  };
}

async function computed(compute: () => TypedArray[]): Promise<Computed> {
  try {
    return { values: compute() };
  } catch (error) {
    return { error: serializeError(error) };
  }
}

/** A bundle, loaded: cells in a machine's memory and the programs over them. */
class Store {
  private readonly machine = new Machine();
  private readonly cells: { dtype: CellValue['dtype']; storage: Storage }[];
  private readonly programs: { loaded: LoadedProgram; names: (string | undefined)[] }[] = [];
  private readonly threads: number;
  private readonly names: string[];

  constructor({ real, binaries, cells, names, programs, threads }: Bundle) {
    registerBinaries(real, binaries);
    this.threads = threads;
    this.names = names;
    this.cells = cells.map(({ dtype, values }) => ({ dtype, storage: new Storage(dtype, values.length, values) }));
    for (const program of programs) this.load(program);
  }

  load({ program, cells }: BundledProgram): void {
    const loaded = this.machine.load(
      program,
      cells.map((cell) => this.cells[cell]!.storage),
    );
    this.programs.push({ loaded, names: cells.map((cell) => this.names[cell]) });
  }

  values(): CellValue[] {
    return this.cells.map(({ dtype, storage }) => ({ dtype, values: storage.read() }));
  }

  assign(values: Parameters<WorkerApi['assign']>[0]): void {
    for (const [cell, value] of values) this.cells[cell]!.storage.write(value);
  }

  /** Runs a program on some rows of the data. */
  run(program: number, arrays: Rows, indices: ArrayLike<number>): LoadedProgram {
    const { loaded, names } = this.programs[program]!;
    loaded.run(
      () => {
        arrays.forEach((array, i) => {
          copyRows(loaded.input(i), array, indices);
        });
      },
      Math.min(this.threads, loaded.program.threads),
      (diverged) => divergence(diverged, names),
    );
    return loaded;
  }

  evaluate(data: Rows, programs: BatchPrograms, batchSize: number): Float64Array {
    let sums = new Float64Array(0);
    const n = countRows(data);
    for (const indices of inOrder(n, batchSize)) {
      const loaded = this.run(pick(programs, indices.length, batchSize), data, indices);
      const outputs = loaded.program.outputs;
      if (sums.length === 0) sums = new Float64Array(outputs.length);
      outputs.forEach((_, i) => {
        sums[i]! += loaded.peek(i)[0]! * indices.length;
      });
    }
    return sums.map((sum) => sum / n);
  }

  /** What metrics with a state have come to; they start anew. */
  measure(measures: Measures | null): { name: string; shape: readonly number[]; values: TypedArray }[] {
    if (!measures) return [];
    const loaded = this.run(measures.program, [], []);
    return measures.names.map((name, i) => ({
      name,
      shape: loaded.program.outputs[i]!.shape,
      values: loaded.output(i),
    }));
  }

  predict(x: Rows, programs: BatchPrograms, batchSize: number): TypedArray[] {
    const n = countRows(x);
    let all: TypedArray[] = [];
    let at = 0;
    for (const indices of inOrder(n, batchSize)) {
      const loaded = this.run(pick(programs, indices.length, batchSize), x, indices);
      const { outputs } = loaded.program;
      const rowOf = (i: number) => loaded.peek(i).length / indices.length;
      if (at === 0) all = outputs.map(({ dtype }, i) => allocate(dtype, rowOf(i) * n));
      for (const [i, values] of all.entries()) values.set(loaded.peek(i), at * rowOf(i));
      at += indices.length;
    }
    return all;
  }
}

function pick({ full, tail }: BatchPrograms, size: number, batchSize: number): number {
  return size === batchSize ? full : tail;
}

/** Values by name: numbers, and arrays of them. */
function told(names: string[], means: ArrayLike<number>, measured: ReturnType<Store['measure']>, prefix = '') {
  const numbers: Record<string, number> = {};
  const arrays: Record<string, NestedNumbers> = {};
  names.forEach((name, i) => {
    numbers[name] = means[i]!;
  });
  for (const { name, shape, values } of measured) {
    if (shape.length === 0) numbers[name] = values[0]!;
    else arrays[prefix + name] = nested(values, shape);
  }
  return { numbers, arrays };
}

function inOrder(n: number, batchSize: number): Int32Array[] {
  return batches(n, { batchSize, shuffle: false });
}

function copyRows(into: TypedArray, { shape, data }: Rows[number], indices: ArrayLike<number>): void {
  const row = sizeOf(shape.slice(1));
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i]! * row;
    // A loop beats a subarray for the short rows of labels.
    if (row < 16) for (let j = 0; j < row; j++) into[i * row + j] = data[from + j]!;
    else into.set(data.subarray(from, from + row), i * row);
  }
}

/**
 * Lets messages in: a promise alone would not, and a timer waits for milliseconds. Node hands out a port's messages a
 * thousand at a time, so that a channel there keeps the others waiting; browsers have no setImmediate.
 */
function turn(channel: MessageChannel): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else {
      channel.port1.onmessage = () => resolve();
      channel.port2.postMessage(null);
    }
  });
}

/** One run: the loop over epochs and batches, and the switches that steer it. */
class Training {
  readonly store: Store;
  private readonly plan: TrainPlan;
  private readonly page: ReturnType<typeof wrap<PageApi>>;
  private readonly port: MessagePort;
  private readonly channel = new MessageChannel();
  private stopping = false;
  /** Steps until the next pause. */
  private allowance = Number.POSITIVE_INFINITY;
  private wake: (() => void) | null = null;
  private halt = () => {};
  /** Resolves when the run is stopped, for waits on data that may never come. */
  private readonly halted = new Promise<null>((resolve) => {
    this.halt = () => resolve(null);
  });
  private readonly at: Position;
  private saving: Promise<void> | undefined;
  /** The place that was saved last. */
  private saved = '';
  private lr = 0;
  private losses: number[] = [];
  private lrs: number[] = [];
  private examples = 0;
  private flushed = performance.now();
  /** Long ago: a pause or a step that was asked for together with the run is heard before the first step. */
  private listened = Number.NEGATIVE_INFINITY;
  private readonly started: number;

  constructor(bundle: Bundle, plan: TrainPlan, port: MessagePort) {
    this.store = new Store(bundle);
    this.plan = plan;
    this.at = plan.start;
    this.started = performance.now() - this.at.seconds * 1000;
    this.port = port;
    this.page = wrap<PageApi>(port);
  }

  pause(): void {
    this.allowance = 0;
  }

  resume(count = Number.POSITIVE_INFINITY): void {
    this.allowance = count;
    this.wake?.();
  }

  stop(): void {
    this.stopping = true;
    this.halt();
    this.wake?.();
  }

  async run(): Promise<Outcome> {
    const { at, plan, page } = this;
    const { epochs, asks, save } = plan;
    try {
      while (at.epoch <= epochs && !this.stopping) {
        const event = await this.runEpoch();
        if (!event) break;
        if (asks) {
          if (!(await page.epoch(event))) this.stopping = true;
        } else void page.mark(event);
        if (save && event.epoch % save.epochs === 0) await this.save();
      }
      if (save) await this.save(true);
      const reason = this.stopping ? 'stopped' : 'finished';
      void this.flush();
      // Heard before the outcome, which goes another way.
      await page.mark({ ...this.place(), kind: 'done', reason, seconds: this.seconds() });
      return { reason, cells: this.store.values() };
    } catch (error) {
      await this.flush();
      await this.saving;
      return {
        error: serializeError(Object.assign(error as Error, { step: at.step + 1 })),
        cells: this.store.values(),
      };
    } finally {
      this.channel.port1.close();
      this.port.close();
    }
  }

  private seconds(): number {
    return (performance.now() - this.started) / 1000;
  }

  private place(): { step: number; epoch: number } {
    return { step: this.at.step, epoch: Math.min(this.at.epoch, this.plan.epochs) };
  }

  /** Hands the page what the run goes on from; at most one such is under way. `isLast`: waits until it is kept. */
  async save(isLast = false): Promise<void> {
    await this.saving;
    void this.flush();
    const place = `${this.at.step} ${this.at.batch}`;
    if (place === this.saved) return;
    this.saved = place;
    this.saving = this.page.save({ ...this.at, seconds: this.seconds() }, this.store.values());
    if (isLast) await this.saving;
  }

  /** One epoch, or what is left of it; null if it was stopped in the middle. */
  private async runEpoch(): Promise<EpochEvent | null> {
    const { plan, at } = this;
    const { epoch } = at;
    const begun = performance.now();
    const run = async (program: number, rows: Rows, indices: ArrayLike<number>) => {
      const loaded = this.store.run(program, rows, indices);
      const size = indices.length;
      const [loss, lr, ...metrics] = loaded.program.outputs.map((_, i) => loaded.peek(i)[0]!);
      at.sums = [loss!, ...metrics].map((value, i) => (at.sums[i] ?? 0) + value * size);
      at.seen += size;
      at.step++;
      at.batch++;
      this.lr = lr!;
      this.losses.push(loss!);
      this.lrs.push(lr!);
      this.examples += size;
      if (plan.save && at.step % plan.save.steps === 0) await this.save();
    };
    if (plan.data) {
      const { data, batchSize, seed, shuffle, dropLast } = plan;
      const all = batches(countRows(data), { batchSize, seed, epoch: epoch - 1, shuffle, dropLast });
      for (const indices of all.slice(at.batch)) {
        if (!(await this.mayStep())) return null;
        await run(pick(plan.train, indices.length, batchSize), data, indices);
      }
    } else {
      const pull = () => Promise.race([this.page.pull(epoch - 1) as Promise<Fed | null>, this.halted]);
      let next = pull();
      for (let fed = await this.arrival(next); fed; fed = await this.arrival(next)) {
        for (const program of fed.added) this.store.load(program);
        // The page prepares the next batch while this one runs; if it fails, it is told when it is awaited.
        next = pull();
        next.catch(() => {});
        if (!(await this.mayStep())) return null;
        const { rows, program } = fed;
        await run(
          program,
          rows,
          Int32Array.from({ length: countRows(rows) }, (_, i) => i),
        );
      }
    }
    if (at.seen === 0 || (this.stopping && !plan.data)) return null;
    void this.flush();
    const { store } = this;
    const { validation } = plan;
    const own = told(
      ['loss', ...plan.names],
      at.sums.map((sum) => sum / at.seen),
      store.measure(plan.measures),
    );
    const held =
      validation &&
      told(
        validation.names,
        store.evaluate(validation.data, validation.programs, plan.batchSize),
        store.measure(validation.measures),
        'val.',
      );
    if (plan.plateau) {
      const { program, monitor } = plan.plateau;
      const value = monitor.startsWith('val.') ? held!.numbers[monitor.slice(4)]! : own.numbers[monitor]!;
      store.run(program, [{ shape: [], data: Float64Array.of(value) }], [0]);
    }
    const { loss, ...metrics } = own.numbers as { loss: number };
    // From here on the run would go on with the next epoch.
    Object.assign(at, { epoch: epoch + 1, batch: 0, sums: [], seen: 0 });
    return {
      kind: 'epoch',
      epoch,
      step: at.step,
      loss,
      metrics,
      validation: held && (held.numbers as { loss: number }),
      arrays: { ...own.arrays, ...held?.arrays },
      lr: this.lr,
      seconds: (performance.now() - begun) / 1000,
    };
  }

  /** A batch that the page feeds; where it takes its time, the losses so far do not wait for it. */
  private async arrival(next: Promise<Fed | null>): Promise<Fed | null> {
    const waited = turn(this.channel).then(() => 'waited' as const);
    const fed = await Promise.race([next, waited]);
    if (fed !== 'waited') return fed;
    void this.flush();
    return next;
  }

  /** Before a step: lets messages in from time to time, and waits out a pause. False where the run is to stop. */
  private async mayStep(): Promise<boolean> {
    const { maxSteps, maxSeconds } = this.plan;
    if (this.at.step >= maxSteps || this.seconds() >= maxSeconds) this.stopping = true;
    // Not by the last flush: epochs shorter than a slice flush all the time, and nobody would be heard.
    if (performance.now() - this.listened >= SLICE_MS) {
      void this.flush();
      await turn(this.channel);
      this.listened = performance.now();
    }
    if (this.allowance <= 0 && !this.stopping) {
      void this.flush();
      void this.page.mark({ kind: 'paused', ...this.place() });
      while (this.allowance <= 0 && !this.stopping) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
      if (!this.stopping) void this.page.mark({ kind: 'resumed', ...this.place() });
      this.flushed = performance.now();
    }
    this.allowance--;
    return !this.stopping;
  }

  /** Sends the steps since the last time. */
  private flush(): Promise<void> | undefined {
    const now = performance.now();
    const count = this.losses.length;
    let sent: Promise<void> | undefined;
    if (count > 0) {
      const rate = (this.examples / Math.max(now - this.flushed, 1e-3)) * 1000;
      sent = this.page.steps({
        first: this.at.step - count + 1,
        epoch: this.at.epoch,
        loss: Float64Array.from(this.losses),
        lr: Float32Array.from(this.lrs),
        examplesPerSecond: new Float32Array(count).fill(rate),
      });
      this.losses = [];
      this.lrs = [];
      this.examples = 0;
    }
    this.flushed = now;
    return sent;
  }
}
