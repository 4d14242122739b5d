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
  programs: BundledProgram[];
  threads: number;
}

/** Arrays of the same examples, row by row. */
export interface Rows {
  x: { shape: readonly number[]; data: TypedArray };
  y: { shape: readonly number[]; data: TypedArray };
}

/** Programs for one kind of batch: `[full, tail]`, -1 where there is no tail. Inputs: x, y. */
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

/** Outputs of a training program: loss, learning rate, metrics. Of an evaluation program: loss, metrics. */
export interface TrainPlan {
  epochs: number;
  batchSize: number;
  seed: number;
  shuffle: boolean;
  dropLast: boolean;
  metrics: string[];
  /** Null where the page feeds batches: `PageApi.pull`. */
  data: Rows | null;
  train: BatchPrograms;
  validation: { data: Rows; programs: BatchPrograms } | null;
  /** Runs after each epoch on one of its values, counted through loss, metrics, and those of the validation. */
  plateau: { program: number; value: number } | null;
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
  /** Sums over all rows of each output times the batch's size. */
  evaluate(bundle: Bundle, data: Rows, programs: BatchPrograms, batchSize: number): Promise<Computed>;
  /** The output's rows, for all rows of x. */
  predict(bundle: Bundle, x: Rows['x'], programs: BatchPrograms, batchSize: number): Promise<Computed>;
}

export type Computed = { values: TypedArray; error?: undefined } | { error: ErrorRecord };
