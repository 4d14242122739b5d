/** What went wrong, for programs; the message is for people. */
export type ErrorCode =
  | 'SHAPE_MISMATCH'
  | 'DTYPE_MISMATCH'
  | 'CORE_NOT_LOADED'
  | 'DTYPE_NOT_LOADED' // float64 without `import 'wasmgrad/f64'`
  | 'TRACED_VALUE' // a symbolic tensor was asked for numbers
  | 'TRACE_ENDED' // a symbolic tensor was used after its trace
  | 'NOT_DIFFERENTIABLE'
  | 'INDEX_OUT_OF_RANGE'
  | 'BAD_VALUE'
  | 'BAD_DATA'
  | 'BAD_FORMAT'
  | 'OUT_OF_MEMORY'
  | 'DIVERGED'
  | 'MODEL_BUSY'
  | 'WORKER_BLOCKED'
  | 'WORKER_DIED'
  | 'NO_CHECKPOINT'
  | 'CHECKPOINT_DAMAGED'
  | 'CHECKPOINT_VERSION'
  | 'UNSUPPORTED';

/** The facts of an error as plain data. `got` and `expected` are the two sides: shapes, dtypes, values, names. */
export interface ErrorDetails {
  code?: ErrorCode;
  op?: string;
  argument?: string;
  got?: unknown;
  expected?: unknown;
  /** Of an index: the bad one. */
  value?: number;
  /** The bound that was broken: an axis' size, or bytes. */
  limit?: number;
  /** Bytes. */
  asked?: number;
  live?: number;
  parameter?: string;
  step?: number;
  file?: string;
  /** Counted from 1. */
  line?: number;
  /** Bytes from the start of the file. */
  offset?: number;
}

/** An error's data: survives structured clone, and JSON where its details do. */
export interface ErrorRecord extends ErrorDetails {
  name: string;
  message: string;
  stack?: string | undefined;
}

/**
 * The root of every error that wasmgrad throws. `message` is a whole sentence; what stands before its colon (the op, or
 * the file and its line) comes from the details: `new ShapeError('the last axis …', { op: 'matmul', … })`.
 */
export class WasmgradError<D extends ErrorDetails = ErrorDetails> extends Error {
  /** The class by name: a minifier renames the class itself, and the name must find its way back from a worker. */
  static readonly kind: string = 'WasmgradError';
  static readonly code: ErrorCode = 'BAD_VALUE';

  declare readonly code: ErrorCode;
  declare readonly op: D['op'];
  declare readonly argument: D['argument'];
  declare readonly got: D['got'];
  declare readonly expected: D['expected'];
  declare readonly value: D['value'];
  declare readonly limit: D['limit'];
  declare readonly asked: D['asked'];
  declare readonly live: D['live'];
  declare readonly parameter: D['parameter'];
  declare readonly step: D['step'];
  declare readonly file: D['file'];
  declare readonly line: D['line'];
  declare readonly offset: D['offset'];

  constructor(message: string, details: D) {
    const { op, file, line } = details;
    const place = (op ?? file ?? '') + (line ? `${(op ?? file) ? ', ' : ''}line ${line}` : '');
    super(place ? `${place}: ${message}` : message);
    Object.assign(this, { code: new.target.code }, details);
  }

  override get name(): string {
    return (this.constructor as typeof WasmgradError).kind;
  }
}

export class ShapeError extends WasmgradError {
  static override readonly kind = 'ShapeError';
  static override readonly code = 'SHAPE_MISMATCH';
}

export class DtypeError extends WasmgradError {
  static override readonly kind = 'DtypeError';
  static override readonly code = 'DTYPE_MISMATCH';
}

/** Something that only values can do was asked of a symbol, or a symbol outlived its trace. */
export class TraceError extends WasmgradError {
  static override readonly kind = 'TraceError';
  static override readonly code = 'TRACED_VALUE';
}

/** An index outside 0 … limit - 1. */
export class IndexError extends WasmgradError<ErrorDetails & { value: number; limit: number }> {
  static override readonly kind = 'IndexError';
  static override readonly code = 'INDEX_OUT_OF_RANGE';
}

/** An option or argument whose value is not allowed. */
export class ValueError extends WasmgradError {
  static override readonly kind = 'ValueError';
}

/** Data that cannot be trained on: ragged rows, cells that are no numbers, nothing at all. */
export class DataError extends WasmgradError {
  static override readonly kind = 'DataError';
  static override readonly code = 'BAD_DATA';
}

/** A file that is not what its format demands. */
export class FormatError extends WasmgradError {
  static override readonly kind = 'FormatError';
  static override readonly code = 'BAD_FORMAT';
}

export class OutOfMemoryError extends WasmgradError<ErrorDetails & { asked: number; live: number; limit: number }> {
  static override readonly kind = 'OutOfMemoryError';
  static override readonly code = 'OUT_OF_MEMORY';
}

/** A NaN or an infinity in a loss, gradient or buffer; the weights from before the step are kept. */
export class DivergenceError extends WasmgradError<ErrorDetails & { step: number }> {
  static override readonly kind = 'DivergenceError';
  static override readonly code = 'DIVERGED';
}

/** A training run owns the cells. */
export class BusyError extends WasmgradError {
  static override readonly kind = 'BusyError';
  static override readonly code = 'MODEL_BUSY';
}

export class WorkerError extends WasmgradError {
  static override readonly kind = 'WorkerError';
  static override readonly code = 'WORKER_DIED';
}

export class CheckpointError extends WasmgradError {
  static override readonly kind = 'CheckpointError';
  static override readonly code = 'NO_CHECKPOINT';
}

const kinds = [
  WasmgradError,
  ShapeError,
  DtypeError,
  TraceError,
  IndexError,
  ValueError,
  DataError,
  FormatError,
  OutOfMemoryError,
  DivergenceError,
  BusyError,
  WorkerError,
  CheckpointError,
] as (typeof WasmgradError)[];

/** Any thrown value as data that can be posted. A user's own error keeps its name, message and stack. */
export function serializeError(error: unknown): ErrorRecord {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack } = error;
  return { ...(error instanceof WasmgradError ? error : {}), name, message, stack };
}

/** The error again, of its own class and with all its fields. */
export function deserializeError(record: ErrorRecord): Error {
  const { name, ...fields } = record;
  const kind = kinds.find((each) => each.kind === name);
  // Built without details, as the message has its place already.
  return kind ? Object.assign(new kind(record.message, {}), fields) : Object.assign(new Error(), record);
}
