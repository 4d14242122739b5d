import type { NestedNumbers } from './metrics';

/** What happens in a run, in order. Steps and epochs count from 1. */
export type TrainEvent =
  | { kind: 'step'; step: number; epoch: number; loss: number; lr: number; examplesPerSecond: number }
  | {
      kind: 'epoch';
      epoch: number;
      step: number;
      /** The mean over the epoch's examples, as they were met; likewise the metrics. */
      loss: number;
      metrics: Record<string, number>;
      /** Over the held-out examples, in evaluation mode; null without any. */
      validation: ({ loss: number } & Record<string, number>) | null;
      /** Metrics of more than one number, those of held-out examples as `val.…`. */
      arrays: Record<string, NestedNumbers>;
      lr: number;
      seconds: number;
    }
  | { kind: 'paused' | 'resumed'; step: number; epoch: number }
  /** All that it takes to go on from here is kept, under a name. */
  | { kind: 'checkpoint'; step: number; epoch: number; name: string }
  /** Something went wrong that does not end the run. */
  | { kind: 'warning'; step: number; epoch: number; code: string; message: string }
  | { kind: 'done'; reason: 'finished' | 'stopped'; step: number; epoch: number; seconds: number };

export type EpochEvent = Extract<TrainEvent, { kind: 'epoch' }>;

/** Steps as they travel: three columns of one length, the first of them step `first`. */
export interface StepColumns {
  first: number;
  epoch: number;
  loss: Float64Array;
  lr: Float32Array;
  examplesPerSecond: Float32Array;
}

/** A history so far, as plain data. */
export interface HistoryRecord {
  loss: Float64Array;
  lr: Float32Array;
  examplesPerSecond: Float32Array;
  epochStarts: { step: number; epoch: number }[];
  marks: TrainEvent[];
}

/** How long a reader may go on without a break. */
const READER_SLICE_MS = 5;

/**
 * Everything that happened, in columns: 16 bytes a step, and the other events between them.
 *
 *   loss (f64)             │ l₁ │ l₂ │ l₃ │ …      steps 1, 2, 3, …
 *   lr (f32)               │    │    │    │
 *   examplesPerSecond (f32)│    │    │    │
 *   marks                         ↑ after step 2: an epoch, a pause, the end
 *
 * Reading never takes anything out: iterators may start late, be several, or none.
 */
export class History {
  // Beside its own methods history.ts reads and writes these, which makes records of histories.
  /** @internal */
  loss = new Float64Array(256);
  /** @internal */
  lr = new Float32Array(256);
  /** @internal */
  rate = new Float32Array(256);
  /** @internal */
  epochStarts: HistoryRecord['epochStarts'] = [];
  /** @internal */
  marks: TrainEvent[] = [];
  private steps = 0;
  private over = false;
  private failure: unknown = null;
  private waiting: (() => void)[] = [];
  /** Where readers start: behind what a resumed run had done before. @internal */
  begin = { step: 0, mark: 0 };

  /** How many steps there are so far. */
  get length(): number {
    return this.steps;
  }

  /** All losses so far, a copy. */
  losses(): Float64Array {
    return this.loss.slice(0, this.steps);
  }

  /** Every event other than steps, so far. */
  milestones(): readonly TrainEvent[] {
    return this.marks;
  }

  /** The epochs so far. */
  epochs(): EpochEvent[] {
    return this.marks.filter((mark): mark is EpochEvent => mark.kind === 'epoch');
  }

  addSteps(columns: StepColumns): void {
    const end = this.steps + columns.loss.length;
    while (end > this.loss.length) {
      this.loss = grown(this.loss, new Float64Array(this.loss.length * 2));
      this.lr = grown(this.lr, new Float32Array(this.lr.length * 2));
      this.rate = grown(this.rate, new Float32Array(this.rate.length * 2));
    }
    this.loss.set(columns.loss, this.steps);
    this.lr.set(columns.lr, this.steps);
    this.rate.set(columns.examplesPerSecond, this.steps);
    if (this.epochStarts.at(-1)?.epoch !== columns.epoch) {
      this.epochStarts.push({ step: this.steps + 1, epoch: columns.epoch });
    }
    this.steps = end;
    this.wake();
  }

  addMark(mark: TrainEvent): void {
    this.marks.push(mark);
    this.wake();
  }

  /** Nothing more comes; a failure is thrown to every reader after the last event. */
  end(failure: unknown = null): void {
    this.over = true;
    this.failure = failure;
    this.wake();
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const go of waiting) go();
  }

  private stepEvent(step: number): TrainEvent {
    const at = step - 1;
    const { epoch } = this.epochStarts.findLast((start) => start.step <= step)!;
    return {
      kind: 'step',
      step,
      epoch,
      loss: this.loss[at]!,
      lr: this.lr[at]!,
      examplesPerSecond: this.rate[at]!,
    };
  }

  /** A cursor over all events from the first on, which waits for those to come. Not a generator: that would take three promises an event. */
  read(): AsyncGenerator<TrainEvent, void, undefined> {
    let { step, mark } = this.begin;
    let isClosed = false;
    let count = 0;
    let since = performance.now();
    const look = async (): Promise<IteratorResult<TrainEvent, void>> => {
      since = performance.now();
      return next();
    };
    const next = (): Promise<IteratorResult<TrainEvent, void>> => {
      // A reader who lags behind goes from promise to promise, which would keep timers and messages waiting: law 2.
      if (++count % 32 === 0 && performance.now() - since > READER_SLICE_MS) {
        return new Promise((resolve) => setTimeout(resolve)).then(look);
      }
      const newest = this.marks[mark];
      if (isClosed) return Promise.resolve({ value: undefined, done: true });
      if (newest && newest.step <= step) {
        mark++;
        return Promise.resolve({ value: newest, done: false });
      }
      if (step < this.steps) return Promise.resolve({ value: this.stepEvent(++step), done: false });
      if (!this.over) return new Promise<void>((go) => this.waiting.push(go)).then(look);
      isClosed = true;
      return this.failure === null ? next() : Promise.reject(this.failure);
    };
    const close = () => {
      isClosed = true;
      return next();
    };
    const cursor = { next, return: close, throw: close, [Symbol.asyncIterator]: () => cursor };
    return cursor as unknown as AsyncGenerator<TrainEvent, void, undefined>;
  }
}

function grown<T extends Float32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
