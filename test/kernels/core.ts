import f32 from 'core:f32';
import f64 from 'core:f64';
import extensionF32 from 'extension:f32';
import extensionF64 from 'extension:f64';
import { instantiateSync } from '@assemblyscript/loader';
import * as isa from '../../assembly/isa';
import { ALIGNMENT, Control, Record as Header, Op, SCRATCH_BYTES, SLACK } from '../../assembly/isa';
import { decode } from '../../src/machine/cores';

export type Reals = Float32Array<SharedArrayBuffer> | Float64Array<SharedArrayBuffer>;
type Buffer = Reals | Int32Array<SharedArrayBuffer> | Uint8Array<SharedArrayBuffer>;

/** Where buffers start: above the core's tables. */
const FIRST_BYTE = 65536;
const PAGES = 1024;
/** All ones: NaN as a real, -1 as an integer. Read into a result it shows, and so does writing over it. */
const CANARY = 0xff;

/**
 * The compiled core on a memory of its own. Every buffer lies between canaries: ALIGNMENT bytes in front, SLACK + ALIGNMENT
 * behind; `run` fails if one is overwritten.
 *
 *   const x = core.reals([1, 2, 3]);
 *   core.run([Op.CHECK, 3, 1, …, x.byteOffset]);
 */
export class Core {
  readonly memory = new WebAssembly.Memory({ initial: PAGES, maximum: 65536, shared: true });
  private readonly execute: (program: number, threads: number) => number;
  private readonly bytes = new Uint8Array(this.memory.buffer);
  private free = 0;
  private canaries: [start: number, end: number][] = [];

  constructor(
    readonly precision: 'f32' | 'f64',
    core: string,
    extension: string,
  ) {
    const { memory } = this;
    const execute = (...chunk: number[]) => exports.execute(...chunk);
    const extended = start<{ execute: () => void }>(extension, { memory, execute });
    const exports = start<{ run: Core['execute']; execute: (...chunk: number[]) => void }>(core, {
      memory,
      extension: extended.execute,
    });
    this.execute = exports.run;
    this.reset();
  }

  /** The array type of the build's reals. */
  get Real() {
    return this.precision === 'f32' ? Float32Array : Float64Array;
  }

  /** The array type of the other precision's reals. */
  get Other() {
    return this.precision === 'f32' ? Float64Array : Float32Array;
  }

  /** Forgets all buffers. */
  reset() {
    this.free = FIRST_BYTE;
    this.canaries = [];
    this.bytes.fill(0, FIRST_BYTE, FIRST_BYTE + 4096);
    const scratch = this.allocate(SCRATCH_BYTES, 0);
    new Int32Array(this.memory.buffer)[(Control.BASE + Control.SCRATCH) >> 2] = scratch;
  }

  /** Buffers of an element type, filled with `values` (or as many canaries), `misaligned` elements off ALIGNMENT. */
  reals(values: ArrayLike<number> | number, misaligned = 0): Reals {
    return this.buffer<Reals>(this.Real, values, misaligned);
  }

  others(values: ArrayLike<number> | number, misaligned = 0): Reals {
    return this.buffer<Reals>(this.Other, values, misaligned);
  }

  ints(values: ArrayLike<number> | number, misaligned = 0): Int32Array<SharedArrayBuffer> {
    return this.buffer<Int32Array<SharedArrayBuffer>>(Int32Array, values, misaligned);
  }

  u8s(values: ArrayLike<number> | number, misaligned = 0): Uint8Array<SharedArrayBuffer> {
    return this.buffer<Uint8Array<SharedArrayBuffer>>(Uint8Array, values, misaligned);
  }

  /** Runs records, each given as [op, chunks, ...operands], on one thread; returns the Status. */
  run(...records: number[][]): number {
    const words = records.flatMap(([op, chunks, ...operands]) => [op!, operands.length + 3, chunks!, ...operands]);
    const program = this.ints([...words, Op.END, Header.CHUNKS + 1, 0]);
    const status = this.execute(program.byteOffset, 1);
    for (const [start, end] of this.canaries) {
      for (let byte = start; byte < end; byte++) {
        if (this.bytes[byte] !== CANARY)
          throw new Error(`byte ${byte} was overwritten, of a canary from ${start} to ${end}`);
      }
    }
    return status;
  }

  private buffer<T extends Buffer>(
    Type: new (buffer: SharedArrayBuffer, byteOffset: number, length: number) => Buffer,
    values: ArrayLike<number> | number,
    misaligned: number,
  ): T {
    const length = typeof values === 'number' ? values : values.length;
    const width = (Type as unknown as { BYTES_PER_ELEMENT: number }).BYTES_PER_ELEMENT;
    const buffer = this.memory.buffer as unknown as SharedArrayBuffer;
    const view = new Type(buffer, this.allocate(length * width, misaligned * width), length);
    if (typeof values === 'number') new Uint8Array(buffer, view.byteOffset, view.byteLength).fill(CANARY);
    else view.set(values);
    return view as T;
  }

  private allocate(byteLength: number, misaligned: number): number {
    const front = this.free;
    const start = front + ALIGNMENT + misaligned;
    const end = start + byteLength;
    const back = Math.ceil((end + SLACK + ALIGNMENT) / ALIGNMENT) * ALIGNMENT;
    if (back > this.bytes.length) throw new Error('the memory of the test core is full: reset() it between cases');
    this.bytes.fill(CANARY, front, start);
    this.bytes.fill(CANARY, end, back);
    this.canaries.push([front, start], [end, back]);
    this.free = back;
    return start;
  }
}

function start<T extends Record<string, unknown>>(text: string, env: Record<string, unknown>): T {
  return instantiateSync<T>(decode(text), { env }).exports;
}

/** The two words of a number in an operand that is an f64. */
export function doubleWords(value: number): [low: number, high: number] {
  const [low, high] = new Int32Array(Float64Array.of(value).buffer);
  return [low!, high!];
}

/** Numbers in [0, 1) from a seed (Weyl sequence, mixed), the same everywhere. */
export function sequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

/** The numbers of MAP's functions by name: TypeScript hides that a const enum is an object too. */
export const fnCodes = (isa as unknown as { Fn: Record<string, number> }).Fn;

/** Both builds, for `describe.each`. */
export const cores = [new Core('f32', f32, extensionF32), new Core('f64', f64, extensionF64)];
