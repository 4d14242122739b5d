import { SCRATCH_BYTES } from '../../assembly/isa';
import type { Cell } from '../cell';
import type { Real } from '../dtype';
import { OutOfMemoryError } from '../errors';
import { theMachine } from '../graph/execute';
import type { Graph } from '../graph/graph';
import { lower } from '../graph/lower';
import { Trace } from '../graph/trace';
import { binariesOf } from '../machine/cores';
import { defaultGenerator } from '../ops/random';
import type { Aval } from '../shape';
import type { Tensor } from '../tensor';
import type { Bundle, BundledProgram, CellValue } from './protocol';

/** Programs on their way to a worker, and the cells that they share. */
export class BundleBuilder {
  private readonly cells: Cell[];
  private real: Real | null = null;
  private sent = 0;

  /** Programs that there are already, and their cells with the names that they have in checkpoints. */
  constructor(
    readonly programs: BundledProgram[] = [],
    readonly names = new Map<Cell, string>(),
  ) {
    this.cells = programs.length > 0 ? [...names.keys()] : [];
    this.real = programs[0]?.program.real ?? null;
  }

  /** Traces `f` over arguments of these kinds and keeps its program; returns the program's number. */
  add(avals: Aval[], f: (...inputs: Tensor[]) => Tensor[]): number {
    const trace = new Trace();
    const inputs = avals.map((aval) => trace.argument(aval));
    return this.addGraph(trace.close(trace.record(() => f(...inputs))));
  }

  private addGraph(graph: Graph): number {
    const { program, cells } = lower(graph);
    this.real ??= program.real;
    return this.programs.push({ program, cells: cells.map((cell) => this.numberOf(cell)) }) - 1;
  }

  private numberOf(cell: Cell): number {
    const known = this.cells.indexOf(cell);
    return known >= 0 ? known : this.cells.push(cell) - 1;
  }

  /** The programs that were added since the last call. */
  fresh(): BundledProgram[] {
    const added = this.programs.slice(this.sent);
    this.sent = this.programs.length;
    return added;
  }

  /** All cells that any program uses, in the order of the values that come back. */
  get allCells(): readonly Cell[] {
    return this.cells;
  }

  /** A copy of everything, to post. */
  bundle(threads: number): Bundle {
    theMachine(); // registers the f32 core
    const real = this.real ?? 'f32';
    const cells = this.cells.map((cell): CellValue => ({ dtype: cell.dtype, values: cell.values() }));
    // The model's, as it calls them; those of the optimizer's state help nobody.
    const names = this.cells.map((cell) => /^model\.(.*)/.exec(this.names.get(cell)!)?.[1] ?? '');
    return { real, binaries: binariesOf(real), cells, names, programs: this.fresh(), threads };
  }

  /** Throws an OutOfMemoryError that says what takes how much, and which batch would fit, unless all of it fits into a worker's memory. */
  checkFits(batchSize: number, threads: number, limit = theMachine().memory.limit): void {
    let [state, inBetween, rest] = [0, 0, threads * SCRATCH_BYTES];
    for (const { bytes } of this.cells) state += bytes;
    for (const { program } of this.programs) {
      inBetween += program.arenaBytes;
      rest += program.words.byteLength + program.constantBytes;
    }
    const asked = state + inBetween + rest;
    if (asked <= limit) return;
    // Half, as an epoch's last batch, of which there are programs as well, may be almost as large.
    const fitting = Math.max(0, Math.floor((0.45 * batchSize * (limit - state - rest)) / inBetween));
    throw new OutOfMemoryError(
      `the run needs ${asked} bytes, ${state} for weights and optimizer, ${inBetween} for results in between; the limit is ${limit}. ` +
        `${fitting ? `Batches of ${fitting}` : 'No batches'} would fit.`,
      { op: 'train', argument: 'batchSize', expected: fitting, asked, live: 0, limit },
    );
  }

  /** The most threads that any of the programs gains from. */
  get threads(): number {
    return Math.max(1, ...this.programs.map(({ program }) => program.threads));
  }

  /** Gives the page's cells the values that came back, but for the page's generator, which a run does not touch. */
  restore(values: readonly CellValue[]): void {
    values.forEach(({ values: array }, i) => {
      const cell = this.cells[i]!;
      if (cell !== defaultGenerator.cell) cell.storage.write(array);
    });
  }
}

/** How many threads a run may have: as asked for, or on 'auto' as many as there are cores but one, which the page keeps. */
export function chooseThreads(threads: number | 'auto', most: number): number {
  const cores = globalThis.navigator?.hardwareConcurrency ?? coresOfNode();
  return Math.min(most, threads === 'auto' ? Math.max(1, cores - 1) : threads);
}

function coresOfNode(): number {
  return globalThis.process?.getBuiltinModule?.('node:os').availableParallelism() ?? 1;
}
