import { Control, Fault, Gemm, Op, SCRATCH_BYTES, Status } from '../../assembly/isa';
import { allocate, bytesOf, isReal, type TypedArray, viewOf } from '../dtype';
import { DivergenceError, IndexError, ValueError, WorkerError } from '../errors';
import { show, sizeOf } from '../shape';
import { type Binaries, type Build, binariesOf, type Core, canRelax, instantiate } from './cores';
import { canShare, Memory } from './memory';
import { type Place, type Program, type RecordNote, Segment } from './program';
import { spawn, type WorkerHandle } from './spawn';
import type { Storage } from './storage';

/** The first message to a worker that is to be a helper thread. */
export interface ThreadMessage {
  role: 'thread';
  memory: WebAssembly.Memory;
  build: Build;
  binaries: Binaries;
  thread: number;
}

/** Whether this thread may sleep on a shared word: a page's main thread may not, so it runs programs alone. */
function canWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}

/** What runs programs: one linear memory, a core for each precision in use, and helper threads where memory is shared. */
export class Machine {
  readonly memory = new Memory();
  private readonly cores = new Map<Build, { core: Core; extended: boolean }>();
  private readonly helpers: Record<Build, { worker: WorkerHandle; extended: boolean }[]> = {
    f32: [],
    f64: [],
    fast: [],
  };
  private scratchThreads = 0;

  /** Threads need a memory that can be shared, and a realm that may wait on it. */
  constructor(private readonly mayShare = canShare() && canWait()) {
    this.reserveScratch(1);
  }

  /** Copies a program into memory, with an arena of its own; it stays until `unload`. `fast`: on the relaxed build where there is one. `names`: the cells', for errors. */
  load(program: Program, cells: Storage[], fast = false, names: readonly (string | undefined)[] = []): LoadedProgram {
    const build = fast && program.real === 'f32' && canRelax() ? 'fast' : program.real;
    return new LoadedProgram(this, program, cells, build, names);
  }

  /** The core of a build, with the extension if a program needs that. */
  core(build: Build, extended: boolean): Core {
    let found = this.cores.get(build);
    if (!found || (extended && !found.extended)) {
      const { wasm, shared } = this.memory;
      found = { core: instantiate(build, wasm, { shared, extended }), extended };
      this.cores.set(build, found);
    }
    return found.core;
  }

  /** Starts helper threads until there are `threads` in all; returns how many there can be here. */
  provide(build: Build, extended: boolean, threads: number): number {
    const helpers = this.helpers[build];
    // Those that started before there was an extension do not have it.
    if (extended && helpers.some((helper) => !helper.extended)) {
      for (const { worker } of helpers.splice(0)) worker.terminate();
    }
    if (threads <= helpers.length + 1) return threads;
    if (!this.mayShare) return 1;
    if (!this.memory.shared) {
      if (!this.memory.share()) return 1;
      this.cores.clear();
    }
    this.reserveScratch(threads);
    while (helpers.length < threads - 1) {
      let worker: WorkerHandle;
      try {
        worker = spawn();
      } catch {
        // Where a page's policy forbids more workers, this thread does all the work: a run never waits for helpers.
        return helpers.length + 1;
      }
      const thread = helpers.length + 1;
      const binaries = binariesOf(build);
      worker.endpoint.postMessage({
        role: 'thread',
        memory: this.memory.wasm,
        build,
        binaries,
        thread,
      } satisfies ThreadMessage);
      worker.unref();
      helpers.push({ worker, extended: binaries.extension !== null });
    }
    return threads;
  }

  /** Ends the helper threads; the machine goes on alone. */
  close(): void {
    for (const helpers of Object.values(this.helpers)) for (const { worker } of helpers.splice(0)) worker.terminate();
  }

  /** One word of the control block. */
  control(field: Control): Int32Array {
    return new Int32Array(this.memory.buffer as ArrayBuffer, Control.BASE + field, 1);
  }

  private reserveScratch(threads: number): void {
    if (threads <= this.scratchThreads) return;
    const word = this.control(Control.SCRATCH);
    if (this.scratchThreads > 0) this.memory.release(word[0]! >>> 0);
    const scratch = this.memory.allocate(threads * SCRATCH_BYTES, 'scratch');
    this.control(Control.SCRATCH)[0] = scratch;
    this.scratchThreads = threads;
  }
}

/** A program in linear memory: its image, constants and arena, and the cells that it keeps there. */
export class LoadedProgram {
  private readonly bases: number[] = [];
  private readonly image: number;

  constructor(
    private readonly machine: Machine,
    readonly program: Program,
    private readonly cells: Storage[],
    private readonly build: Build,
    private readonly names: readonly (string | undefined)[],
  ) {
    const { memory } = machine;
    const owned: number[] = [];
    let bound = 0;
    const own = (bytes: number, what: string) => {
      const address = memory.allocate(bytes, what);
      owned.push(address);
      return address;
    };
    try {
      this.image = own(program.words.byteLength, 'program');
      this.bases[Segment.ARENA] = own(program.arenaBytes, 'arena');
      this.bases[Segment.CONSTANTS] = own(program.constantBytes, 'constants');
      for (const cell of cells) {
        this.bases.push(cell.bind(memory));
        bound++;
      }
    } catch (error) {
      // Nothing may be lost by an allocation that was refused: what this program had taken goes back.
      for (const address of owned) memory.release(address);
      for (const cell of cells.slice(0, bound)) cell.unbind();
      throw error;
    }
    const words = program.words.slice();
    for (let i = 0; i < program.relocations.length; i++) {
      words[program.relocations[i]!]! += this.bases[program.segments[i]!]!;
    }
    new Int32Array(memory.buffer as ArrayBuffer, this.image, words.length).set(words);
    for (const { offset, data } of program.constants) {
      new Uint8Array(memory.buffer as ArrayBuffer, this.bases[Segment.CONSTANTS]! + offset, data.byteLength).set(
        new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      );
    }
  }

  /** A view of input i's place in memory, to be filled before `run`. Memory may grow meanwhile: never keep it. */
  input(i: number): TypedArray {
    return this.view(this.program.inputs[i]!);
  }

  /** A copy of output i. */
  output(i: number): TypedArray {
    const place = this.program.outputs[i]!;
    const copy = allocate(place.dtype, sizeOf(place.shape));
    copy.set(this.view(place));
    return copy;
  }

  /** A view of output i, good until memory grows or the next run. */
  peek(i: number): TypedArray {
    return this.view(this.program.outputs[i]!);
  }

  /**
   * Fills the inputs and runs the program: one call into the core. Throws what it found wrong; cells then are as before.
   * `fill` is called again where a divergence has to be traced, since the arena reuses the inputs' place.
   */
  run(fill: (program: this) => void, threads = 1): void {
    const { machine, build, program } = this;
    const granted = machine.provide(build, program.extended, threads);
    fill(this);
    const status = machine.core(build, program.extended).run(this.image, granted, program.extended);
    if (status === Status.DONE) return;
    if (status === Status.FAULT) throw this.fault();
    if (status === Status.POISONED) throw new WorkerError('a thread of the machine died.', { op: 'run' });
    // Nothing of before may be taken for a result: not all of what a record is given is written.
    new Uint8Array(machine.memory.buffer, this.bases[Segment.ARENA], program.arenaBytes).fill(0);
    fill(this);
    throw this.divergence();
  }

  /** Frees the memory; cells that no other program uses return to the host. */
  unload(): void {
    const { memory } = this.machine;
    memory.release(this.image);
    memory.release(this.bases[Segment.ARENA]!);
    memory.release(this.bases[Segment.CONSTANTS]!);
    for (const cell of this.cells) cell.unbind();
  }

  private view(place: Place): TypedArray {
    const at = this.bases[place.segment]! + place.offset;
    return viewOf(place.dtype, this.machine.memory.buffer, at, sizeOf(place.shape));
  }

  private fault(): IndexError | ValueError {
    const word = (field: Control) => this.machine.control(field)[0]!;
    const at = (word(Control.FAULT_AT) >>> 0) - this.image;
    const { name: op } = this.program.records.findLast((record) => record.word * 4 <= at)!;
    const [kind, value, limit] = [word(Control.FAULT), word(Control.FAULT_VALUE), word(Control.FAULT_LIMIT)];
    if (kind === Fault.INDEX) {
      const text = `index ${value} is out of range; allowed are 0 to ${limit - 1}.`;
      return new IndexError(text, { op, argument: 'index', value, limit });
    }
    const which = limit > 1 ? `matrix ${value} of ${limit} (counted from 0)` : 'the matrix';
    const what = kind === Fault.SINGULAR ? 'singular' : 'not positive definite';
    return new ValueError(`${which} is ${what}, or has a NaN or an infinity.`, { op, argument: 'a', value, limit });
  }

  /**
   * Runs the program again, record by record up to the commit, to find where it went wrong: the record that makes something
   * not finite out of finite operands. Infinities that are meant, such as a mask's, have none; then it is the first NaN.
   */
  private divergence(): DivergenceError {
    const { records, inputs, extended } = this.program;
    const core = this.machine.core(this.build, extended);
    const tainted: Span[] = inputs.filter((place) => !this.isFinite(place)).map(spanOf);
    let firstNaN: RecordNote | null = null;
    for (const [i, record] of records.entries()) {
      if (record.op === Op.COMMIT) break;
      this.machine.control(Control.FLAG)[0] = 0;
      const operands = this.pointers(record, records[i + 1]);
      core.step(this.image + record.word * 4);
      const spoiled = record.writes.filter((place) => !this.isFinite(place));
      const inherited = record.infinite || operands.some((at) => tainted.some((span) => holds(span, at)));
      if (spoiled.length > 0 && !inherited) return this.diverged(this.culprit(record), spoiled);
      if (spoiled.some((place) => this.view(place).some(Number.isNaN))) firstNaN ??= record;
      // The arena is used again and again: what was written last counts.
      for (const place of record.writes) {
        const at = tainted.findIndex((span) => holds(span, { segment: place.segment, offset: place.offset }));
        if (at >= 0) tainted.splice(at, 1);
      }
      tainted.push(...spoiled.map(spanOf));
      if (this.machine.control(Control.FLAG)[0] && !operands.some((at) => tainted.some((span) => holds(span, at)))) {
        // Finite itself, but not its square, which the optimizer's state would hold.
        const writer = records
          .slice(0, i)
          .findLast(({ writes }) => writes.some((place) => holds(spanOf(place), operands[0]!)));
        return this.diverged(writer ?? record, writer?.writes ?? [], 'a gradient became too large to be squared here');
      }
    }
    const record = firstNaN ?? records[0]!;
    return this.diverged(this.culprit(record), record.writes);
  }

  private diverged({ name, word, writes }: RecordNote, spoiled: Place[], what = 'a NaN or an infinity appeared here') {
    const cell = this.parameterOf(word, spoiled);
    const parameter = cell === undefined ? undefined : this.names[cell];
    const where = parameter ? `, of ${parameter}` : '';
    return new DivergenceError(
      `${what}, in a result of shape ${show(writes[0]?.shape ?? [])}${where}; the step was not taken, no weight has changed. A ` +
        'smaller learning rate or clipped gradients usually help.',
      { op: name, step: 0, ...(parameter && { parameter }) },
    );
  }

  /** Which cell of the model a record is about: one that it works with, or the one that is changed by what it gives, its gradient. */
  private parameterOf(word: number, spoiled: Place[]): number | undefined {
    const { records, cells } = this.program;
    const named = (i: number, size?: number) =>
      this.pointers(records[i]!, records[i + 1])
        .map(({ segment }) => segment - Segment.CELLS)
        .find((cell) => this.names[cell] && (size ?? cells[cell]!.size) === cells[cell]!.size);
    const at = records.findIndex((record) => record.word === word);
    const own = named(at);
    if (own !== undefined) return own;
    for (const place of spoiled) {
      const span = spanOf(place);
      for (let i = at + 1; i < records.length; i++) {
        if (!this.pointers(records[i]!, records[i + 1]).some((to) => holds(span, to))) continue;
        const changed = named(i, sizeOf(place.shape));
        if (changed !== undefined) return changed;
      }
    }
    return undefined;
  }

  /** Of a product that went wrong, with what it ends in: the product itself, if it goes wrong without that too. */
  private culprit(record: RecordNote): RecordNote {
    if (record.op !== Op.GEMM) return record;
    const words = new Int32Array(this.machine.memory.buffer as ArrayBuffer, this.image + record.word * 4, Gemm.WORDS);
    const ending = words.slice(Gemm.RELU, Gemm.FIRST_ADDEND);
    words.fill(0, Gemm.RELU, Gemm.FIRST_ADDEND);
    this.machine.core(this.build, this.program.extended).step(this.image + record.word * 4);
    words.set(ending, Gemm.RELU);
    const [product, ...others] = record.name.split('+');
    const name = record.writes.every((place) => this.isFinite(place)) ? others.join('+') : product!;
    return { ...record, name };
  }

  private isFinite(place: Place): boolean {
    return !isReal(place.dtype) || this.view(place).every(Number.isFinite);
  }

  /** Where a record's pointers lead. */
  private pointers(record: RecordNote, next: RecordNote | undefined): { segment: number; offset: number }[] {
    const { relocations, segments, words } = this.program;
    const end = next?.word ?? words.length;
    const found: { segment: number; offset: number }[] = [];
    relocations.forEach((word, i) => {
      if (word >= record.word && word < end) found.push({ segment: segments[i]!, offset: words[word]! });
    });
    return found;
  }
}

/** Bytes of a segment. */
interface Span {
  segment: number;
  from: number;
  to: number;
}

function spanOf({ segment, offset, dtype, shape }: Place): Span {
  return { segment, from: offset, to: offset + Math.max(1, sizeOf(shape)) * bytesOf(dtype) };
}

function holds({ segment, from, to }: Span, at: { segment: number; offset: number }): boolean {
  return segment === at.segment && at.offset >= from && at.offset < to;
}
