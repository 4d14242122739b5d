import type { Cell } from '../cell';
import { dtypeOf, type TypedArray } from '../dtype';
import { CheckpointError, ValueError } from '../errors';
import { readSafetensors, type StoredTensor, writeSafetensors } from '../formats/safetensors';
import type { Program } from '../machine/program';
import type { StoredState } from '../nn/module';
import { checkCounts } from '../tensor';
import { improves, type Monitor, monitored } from './criteria';
import type { EpochEvent, HistoryRecord, TrainEvent } from './events';
import { fingerprint, sha256 } from './fingerprint';
import { recordOf } from './history';
import type { BundledProgram, CellValue, Position, TrainPlan } from './protocol';
import type { Job } from './run';

/** Where the files of one run are, by name. */
export interface Files {
  list(): Promise<string[]>;
  read(name: string): Promise<Uint8Array>;
  /** All or nothing: whoever lists and reads sees a file that is whole, or none. */
  write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  remove(name: string): Promise<void>;
}

export interface CheckpointOptions {
  to: Checkpoints;
  /** '1 epoch', which is the default, '20 steps' and the like. There is always one at the end. */
  every?: string;
  /** So many of the newest are kept, 2 unless told otherwise: the last one may be damaged by what ended the run. */
  keep?: number;
  /** Beside them the best one, of those at the ends of epochs. */
  best?: Monitor;
}

/** Raised whenever a program computes other bits than it did, and whenever its words mean something else (assembly/isa.ts). */
export const NUMERICS = 1;
const FORMAT = 1;

type KeptPlan = Pick<
  TrainPlan,
  'epochs' | 'batchSize' | 'seed' | 'shuffle' | 'dropLast' | 'names' | 'train' | 'measures' | 'plateau'
>;

/** What goes into a file as text. */
interface Header {
  format: number;
  numerics: number;
  position: Position;
  plan: KeptPlan & { validation: Omit<NonNullable<TrainPlan['validation']>, 'data'> | null };
  options: Omit<CheckpointOptions, 'to'>;
  stepsPerEpoch: number | null;
  heldOut: number | null;
  /** Of the examples, where they are in memory. */
  data: string | null;
  known: [string, number][];
  /** By their numbers. */
  cells: string[];
  programs: (Omit<Program, 'words' | 'relocations' | 'segments' | 'constants'> & {
    numbers: number[];
    offsets: number[];
  })[];
  epochStarts: HistoryRecord['epochStarts'];
  marks: TrainEvent[];
  /** Whether a criterion keeps the weights of the best epoch. */
  hasBest: boolean;
  bestStep: number | null;
  bestValue: number | null;
}

/** What a run goes on from. */
export interface Checkpoint extends Omit<Header, 'cells' | 'programs' | 'epochStarts' | 'marks'> {
  name: string;
  cells: { name: string; stored: StoredTensor }[];
  programs: BundledProgram[];
  history: HistoryRecord;
  best: CellValue[] | null;
  model: StoredState;
}

const MODEL = 'model.';
/** step-000000120-<SHA-256 of the file>.safetensors */
const NAME = /^step-(\d{9,})-([0-9a-f]{64})\.safetensors$/;
const stepOf = (name: string) => Number(NAME.exec(name)![1]);

/**
 * The checkpoints of one run, each a file of safetensors: `model.…` and `optimizer.…` are the weights and the optimizer's state, as other programs
 * read them, too; programs, history, the place in the data and what else it takes to go on lie beside them. A file's name holds its SHA-256,
 * so that one that is damaged is known as such.
 */
export class Checkpoints {
  constructor(private readonly files: Files) {}

  /** After how many steps, or epochs, one is due. @internal */
  intervals({ every = '1 epoch', keep = 1, best }: Omit<CheckpointOptions, 'to'>): { steps: number; epochs: number } {
    checkCounts('train', { keep });
    const [, count, unit] = /^([1-9]\d*) (epoch|step)s?$/.exec(every) ?? [];
    if (!unit) {
      throw new ValueError(`checkpoint.every must be like '1 epoch' or '20 steps'; got ${JSON.stringify(every)}.`, {
        ...{ op: 'train', argument: 'checkpoint', got: every },
      });
    }
    const [steps, epochs] = unit === 'step' ? [Number(count), 0] : [0, Number(count)];
    return { steps, epochs: best ? 1 : epochs };
  }

  /** Writes one, and removes those that are not to be kept; says what became of it. @internal */
  async save(
    job: Job,
    position: Position,
    cells: CellValue[],
    options: Omit<CheckpointOptions, 'to'>,
  ): Promise<TrainEvent> {
    const place = { step: position.step, epoch: Math.min(position.epoch, job.plan.epochs) };
    try {
      const history = recordOf(job.history);
      noteBest(job, position, history, options.best);
      const bytes = await encode(job, position, cells, history, options);
      const name = `step-${String(position.step).padStart(9, '0')}-${await sha256(bytes)}.safetensors`;
      await this.files.write(name, bytes);
      await this.prune(name, options.keep ?? 2, job.bestStep);
      return { kind: 'checkpoint', ...place, name };
    } catch (error) {
      const message = `the checkpoint could not be kept, and the ones before are there still: ${(error as Error).message}`;
      return { kind: 'warning', ...place, code: 'CHECKPOINT_FAILED', message };
    }
  }

  /** Removes all but the newest so many, and the best one; of two at one step the one that was written last is newer. */
  private async prune(written: string, keep: number, bestStep: number | null): Promise<void> {
    const isOther = (name: string) => stepOf(name) !== stepOf(written);
    const names = await this.names();
    const newest = names.filter((name) => name === written || isOther(name)).slice(-keep);
    for (const name of names) {
      const isBest = stepOf(name) === bestStep && isOther(name);
      if (!(isBest || newest.includes(name))) await this.files.remove(name);
    }
  }

  /**
   * The newest one that is whole, and the names of newer ones that are damaged. Throws a CheckpointError where there is none, or of another version.
   */
  async load(): Promise<{ checkpoint: Checkpoint; damaged: string[] }> {
    const damaged: string[] = [];
    for (const name of (await this.names()).reverse()) {
      const checkpoint = await this.read(name);
      if (checkpoint) return { checkpoint, damaged };
      damaged.push(name);
    }
    if (damaged.length === 0) throw new CheckpointError('there is no checkpoint.', { op: 'resume', argument: 'from' });
    throw new CheckpointError(`no checkpoint is whole; damaged: ${damaged.join(', ')}.`, {
      ...{ code: 'CHECKPOINT_DAMAGED', op: 'resume', argument: 'from', got: damaged },
    });
  }

  /** The model's state in the newest checkpoint, or in the best one, for `model.loadStateDict`. Throws as `load` does. */
  async weights(which: 'newest' | 'best' = 'newest'): Promise<StoredState> {
    const { checkpoint } = await this.load();
    if (which === 'newest') return checkpoint.model;
    const name = (await this.names()).find((one) => stepOf(one) === checkpoint.bestStep);
    const best = name ? await this.read(name) : null;
    if (best) return best.model;
    throw new CheckpointError('there is no best checkpoint: `train` has to be told what is best.', {
      ...{ op: 'weights', argument: 'which', got: which },
    });
  }

  /** The oldest first. */
  private async names(): Promise<string[]> {
    const names = (await this.files.list()).filter((name) => NAME.test(name));
    return names.sort((a, b) => stepOf(a) - stepOf(b));
  }

  /** Null for one that is damaged. */
  private async read(name: string): Promise<Checkpoint | null> {
    const bytes = await this.files.read(name);
    return (await sha256(bytes)) === NAME.exec(name)![2] ? decode(name, bytes) : null;
  }
}

/** At the end of an epoch: whether it is the best so far. */
function noteBest(job: Job, { batch, step }: Position, { marks }: HistoryRecord, best: Monitor | undefined): void {
  const event = marks.findLast((mark): mark is EpochEvent => mark.kind === 'epoch');
  if (!best || batch > 0 || event?.step !== step) return;
  const value = monitored(event, best.monitor);
  if (improves(value, job.bestValue, best.mode)) Object.assign(job, { bestStep: step, bestValue: value });
}

/** Numbers that JSON has not are kept as text. */
const write = (_: string, value: unknown) =>
  typeof value === 'number' && !Number.isFinite(value) ? { number: String(value) } : value;
const read = (_: string, value: unknown) =>
  value && typeof (value as { number?: unknown }).number === 'string'
    ? Number((value as { number: string }).number)
    : value;

async function encode(
  { model, builder, plan, ...job }: Job,
  position: Position,
  cells: CellValue[],
  history: HistoryRecord,
  options: Omit<CheckpointOptions, 'to'>,
): Promise<Uint8Array<ArrayBuffer>> {
  const tensors: Record<string, StoredTensor> = {};
  const put = (
    name: string,
    data: TypedArray,
    dtype: StoredTensor['dtype'],
    shape: readonly number[] = [data.length],
  ) => {
    tensors[name] = { shape, dtype, data };
  };
  const names = builder.allCells.map((cell, i) => builder.names.get(cell) ?? `cell.${i}`);
  builder.allCells.forEach(({ shape, dtype }, i) => {
    put(names[i]!, cells[i]!.values, dtype, shape);
    if (job.best) put(`best.${names[i]}`, job.best[i]!.values, dtype, shape);
  });
  // What no program uses is a part of the model all the same.
  const idle = (cell: Cell) => !builder.allCells.includes(cell);
  for (const [name, cell] of model.namedCells())
    if (idle(cell)) put(MODEL + name, cell.values(), cell.dtype, cell.shape);
  const programs = builder.programs.map(({ program, cells: numbers }, i) => {
    const { words, relocations, segments, constants, ...rest } = program;
    put(`program.${i}.words`, words, 'i32');
    put(`program.${i}.relocations`, relocations, 'i32');
    put(`program.${i}.segments`, segments, 'i32');
    constants.forEach(({ data }, j) => {
      put(`program.${i}.constant.${j}`, data, dtypeOf(data));
    });
    return { ...rest, numbers, offsets: constants.map(({ offset }) => offset) };
  });
  const { epochStarts, marks, loss, lr, examplesPerSecond } = history;
  put('history.loss', loss, 'f64');
  put('history.lr', lr, 'f32');
  put('history.examplesPerSecond', examplesPerSecond, 'f32');
  const { epochs, batchSize, seed, shuffle, dropLast, names: means, train, measures, plateau, data } = plan;
  const { data: _, ...validation } = plan.validation ?? { data: null };
  const header: Header = {
    ...{ format: FORMAT, numerics: NUMERICS, position, options, heldOut: job.heldOut, cells: names, programs },
    plan: {
      ...{ epochs, batchSize, seed, shuffle, dropLast, names: means, train, measures, plateau },
      validation: plan.validation && (validation as Omit<typeof plan.validation, 'data'>),
    },
    ...{
      data: data && (await fingerprint(data)),
      known: [...job.known],
      epochStarts,
      marks,
      hasBest: job.best !== null,
    },
    ...{ stepsPerEpoch: job.stepsPerEpoch ?? null, bestStep: job.bestStep, bestValue: job.bestValue },
  };
  return writeSafetensors(tensors, { metadata: { wasmgrad: JSON.stringify(header, write) } });
}

function decode(name: string, bytes: Uint8Array): Checkpoint {
  const { tensors, metadata } = readSafetensors(bytes, { name });
  const { cells, programs, epochStarts, marks, ...header } = JSON.parse(metadata.wasmgrad ?? '{}', read) as Header;
  if (header.format !== FORMAT) {
    throw new CheckpointError(
      `${name} is of another version (format ${header.format}, and this is ${FORMAT}); its weights can still be read as safetensors.`,
      { ...{ code: 'CHECKPOINT_VERSION', op: 'resume', argument: 'from', got: header.format, expected: FORMAT } },
    );
  }
  const arrayOf = <T extends TypedArray>(tensor: string) => tensors[tensor]!.data as T;
  return {
    ...header,
    name,
    cells: cells.map((cell) => ({ name: cell, stored: tensors[cell]! })),
    programs: programs.map(({ numbers, offsets, ...rest }, i) => ({
      program: {
        ...rest,
        words: arrayOf<Int32Array>(`program.${i}.words`),
        relocations: arrayOf<Int32Array>(`program.${i}.relocations`),
        segments: arrayOf<Int32Array>(`program.${i}.segments`),
        constants: offsets.map((offset, j) => ({ offset, data: arrayOf(`program.${i}.constant.${j}`) })),
      },
      cells: numbers,
    })),
    history: {
      ...{ epochStarts, marks, loss: arrayOf<Float64Array>('history.loss'), lr: arrayOf<Float32Array>('history.lr') },
      examplesPerSecond: arrayOf<Float32Array>('history.examplesPerSecond'),
    },
    best: header.hasBest
      ? cells.map((cell) => ({ dtype: tensors[cell]!.dtype, values: arrayOf(`best.${cell}`) }))
      : null,
    model: Object.fromEntries(
      Object.entries(tensors).flatMap(([key, tensor]) =>
        key.startsWith(MODEL) ? [[key.slice(MODEL.length), tensor]] : [],
      ),
    ),
  };
}
