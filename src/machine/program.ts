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
}

/** One line a record: what `compile(…).disassemble()` prints. */
export function disassemble(program: Program): string {
  const lines = program.records.map((record, i) => `${String(i).padStart(3)}  ${record.text}`);
  const bytes = program.words.length * 4;
  return [
    `; ${program.real}, ${program.records.length} records in ${bytes} bytes, arena ${program.arenaBytes} bytes`,
    ...lines,
  ].join('\n');
}
