import type { DType, Real, TypedArray } from '../dtype';
import type { ErrorRecord } from '../errors';
import type { Binaries } from '../machine/cores';
import type { Program } from '../machine/program';
import type { EpochEvent, StepColumns, TrainEvent } from './events';

// What travels between the page and its worker: programs and arrays, never functions of the user's.

/** A cell by its place in the bundle. */
export interface CellValue {
  dtype: DType;
  values: TypedArray;
}

export interface BundledProgram {
  program: Program;
  /** Which of the bundle's cells the program's cells are. */
  cells: number[];
}

/** Everything a worker needs to compute. */
export interface Bundle {
  real: Real;
  binaries: Binaries;
  cells: CellValue[];
  /** The cells' names, for errors. */
  names: string[];
  programs: BundledProgram[];
  threads: number;
}

/** Arrays of the same examples along their first axes: those of x, then those of y. */
export type Rows = readonly { shape: readonly number[]; data: TypedArray }[];

/** Programs for one kind of batch: `[full, tail]`, -1 where there is no tail. Inputs: the rows' arrays. */
export interface BatchPrograms {
  full: number;
  tail: number;
}

/** Where a run is: with the cells and the data, all that it takes to go on. */
export interface Position {
  /** Steps taken. */
  step: number;
  /** The epoch under way, from 1, and how many of its batches are done. */
  epoch: number;
  batch: number;
  /** Over those: of the loss and each metric, values times examples, and the examples. */
  sums: number[];
  seen: number;
  seconds: number;
}

/** What metrics with a state come to: a program without inputs that gives it, by name, and starts them anew. */
export interface Measures {
  program: number;
  names: string[];
}

/** Outputs of a training program: loss, learning rate, other means. Of an evaluation program: means. All of a batch. */
export interface TrainPlan {
  epochs: number;
  batchSize: number;
  seed: number;
  shuffle: boolean;
  dropLast: boolean;
  /** The names of the means behind the loss. */
  names: string[];
  /** Null where the page feeds batches: `PageApi.pull`. */
  data: Rows | null;
  train: BatchPrograms;
  validation: { data: Rows; programs: BatchPrograms; names: string[]; measures: Measures | null } | null;
  /** Metrics that have a state. */
  measures: Measures | null;
  /** Runs after each epoch on one of its values: `loss`, or `val.loss`. */
  plateau: { program: number; monitor: string } | null;
  /** Whether the page wants to be asked after every epoch. */
  asks: boolean;
  /** Where the run goes on from. */
  start: Position;
  /** After how many steps, and epochs, the page saves a checkpoint: 0 for never. */
  save: { steps: number; epochs: number } | null;
  maxSteps: number;
  maxSeconds: number;
}

/** A batch that the page feeds. */
export interface Fed {
  rows: Rows;
  program: number;
  /** Programs that were traced for it, behind all that the worker has. */
  added: BundledProgram[];
}

/** What the worker calls on the page. */
export interface PageApi {
  steps(columns: StepColumns): void;
  mark(event: TrainEvent): void;
  /** After an epoch: whether to go on. */
  epoch(event: EpochEvent): boolean | Promise<boolean>;
  /** The next batch of an epoch (from 0), or null after its last. */
  pull(epoch: number): Promise<Fed | null>;
  /** Keeps all that the run goes on from. */
  save(position: Position, cells: CellValue[]): Promise<void>;
}

export type Outcome =
  | { reason: 'finished' | 'stopped'; cells: CellValue[]; error?: undefined }
  | { error: ErrorRecord; cells: CellValue[] };

/** What the page calls on the worker. */
export interface WorkerApi {
  /** Resolves when the worker has a Web Lock of this name, which it keeps for as long as it lives. */
  hold(name: string): Promise<void>;
  train(bundle: Bundle, plan: TrainPlan, page: MessagePort): Promise<Outcome>;
  pause(): void;
  resume(): void;
  /** So many steps, then a pause again. */
  step(count: number): void;
  stop(): void;
  /** The cells' values after the current step. */
  snapshot(): Promise<CellValue[]>;
  /** Saves a checkpoint of now; resolves when the page has it. */
  save(): Promise<void>;
  /** Replaces cells' values before the next step. */
  assign(values: readonly (readonly [cell: number, value: TypedArray])[]): void;
  /** The mean over all rows of each output, then what the measures come to, an array each. */
  evaluate(
    bundle: Bundle,
    data: Rows,
    programs: BatchPrograms,
    batchSize: number,
    measures: Measures | null,
  ): Promise<Computed>;
  /** The rows of each output, for all rows of x. */
  predict(bundle: Bundle, x: Rows, programs: BatchPrograms, batchSize: number): Promise<Computed>;
}

export type Computed = { values: TypedArray[]; error?: undefined } | { error: ErrorRecord };
