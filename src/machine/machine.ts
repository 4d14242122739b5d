import { Control, Fault, SCRATCH_BYTES, Status } from '../../assembly/isa';
import { allocate, type TypedArray, viewOf } from '../dtype';
import { IndexError, ValueError, WorkerError } from '../errors';
import { sizeOf } from '../shape';
import { type Binaries, type Build, binariesOf, type Core, canRelax, instantiate } from './cores';
import { canShare, Memory } from './memory';
import { type Place, type Program, Segment } from './program';
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

  /** Copies a program into memory, with an arena of its own; it stays until `unload`. `fast`: on the relaxed build where there is one. */
  load(program: Program, cells: Storage[], fast = false): LoadedProgram {
    const build = fast && program.real === 'f32' && canRelax() ? 'fast' : program.real;
    return new LoadedProgram(this, program, cells, build);
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
  /** Where its words are. */
  readonly image: number;

  constructor(
    readonly machine: Machine,
    readonly program: Program,
    private readonly cells: Storage[],
    readonly build: Build,
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
   * `fill` is called again where a divergence has to be traced, since the arena reuses the inputs' place. `blame` finds it: `divergence`, where
   * there can be one.
   */
  run(fill: (program: this) => void, threads = 1, blame?: (program: this) => Error): void {
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
    throw blame!(this);
  }

  /** Frees the memory; cells that no other program uses return to the host. */
  unload(): void {
    const { memory } = this.machine;
    memory.release(this.image);
    memory.release(this.bases[Segment.ARENA]!);
    memory.release(this.bases[Segment.CONSTANTS]!);
    for (const cell of this.cells) cell.unbind();
  }

  /** A view of any of its places, good until memory grows. */
  view(place: Place): TypedArray {
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
}
