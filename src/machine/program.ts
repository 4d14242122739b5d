import type { Op } from '../../assembly/isa';
import type { DType, Real, TypedArray } from '../dtype';
import type { Shape } from '../shape';

/** Where a program's pointers lead once it is loaded: its arena, its constants, or the cell of number `segment - CELLS`. */
export const enum Segment {
  ARENA = 0,
  CONSTANTS = 1,
  CELLS = 2,
}

/** A value's place in a program: bytes from the start of a segment. */
export interface Place {
  segment: number;
  offset: number;
  dtype: DType;
  shape: Shape;
}

/** What one record of a program does, for people: errors, listings, statistics. */
export interface RecordNote {
  /** The first of its words. */
  word: number;
  /** Which record of the program it is; the members of a group share a number. */
  number: number;
  /** Whether it runs behind the record before it, chunk by chunk, on the same thread. */
  chained: boolean;
  op: Op;
  /** The ops that it stands for, as the user wrote them. */
  name: string;
  /** What it writes. */
  writes: Place[];
  /** Whether an infinity or a NaN is written into it as a number. */
  infinite: boolean;
  text: string;
  flop: number;
}

/**
 * What will run, as plain data that travels to a worker: records with the pointers still relative to their segments.
 * `words[relocations[i]]` holds an offset into segment `segments[i]`.
 */
export interface Program {
  real: Real;
  words: Int32Array;
  relocations: Int32Array;
  segments: Int32Array;
  arenaBytes: number;
  /** Values fixed when the program was lowered: captured tensors. */
  constants: { offset: number; data: TypedArray }[];
  constantBytes: number;
  inputs: Place[];
  outputs: Place[];
  cells: { dtype: DType; size: number; written: boolean }[];
  records: RecordNote[];
  /** Whether it has records that only the extension can run. */
  extended: boolean;
  /** How many threads it gains from: 1 where they would spend longer on meeting than they save. */
  threads: number;
}

/** How many records a program has, groups counted as one. */
export function recordCount({ records }: Program): number {
  return (records.at(-1)?.number ?? -1) + 1;
}

/** What `compile(…).disassemble()` prints: a line a record, a number for all that run as one, an arrow where one thread goes on. */
export function disassemble(program: Program): string {
  const { real, records, words, arenaBytes } = program;
  const lines = records.map(
    ({ number, chained, text }, i) =>
      `${(records[i - 1]?.number === number ? '' : String(number)).padStart(3)}${chained ? ' → ' : '   '}${text}`,
  );
  const head = `; ${real}, ${recordCount(program)} records in ${words.byteLength} bytes, arena ${arenaBytes} bytes`;
  return [head, ...lines].join('\n');
}
