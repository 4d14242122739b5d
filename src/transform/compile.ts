import { ValueError } from '../errors';
import { theMachine } from '../graph/execute';
import { describe } from '../graph/listing';
import { lower } from '../graph/lower';
import { activeTrace, type Moded, Trace } from '../graph/trace';
import { divergence } from '../machine/divergence';
import type { LoadedProgram } from '../machine/machine';
import { disassemble, recordCount } from '../machine/program';
import { type Aval, sameShape } from '../shape';
import { Tensor } from '../tensor';
import { flattenTree } from './tree';

export interface CompileOptions {
  /**
   * Threads that may share the work, this one included, where there is enough of it; more than 1 needs shared memory. The bits
   * do not depend on it.
   */
  threads?: number;
  /**
   * Lets the engine fuse multiplications with additions, where it can (relaxed SIMD): faster, and with other bits on other
   * machines. Needs `import 'wasmgrad/fast'`; f64 stays as it is. Off unless asked for.
   */
  fast?: boolean;
}

/** What a compiled program takes. */
export interface ProgramStats {
  /** Groups of records that run as one count once. */
  records: number;
  /** Of the records themselves. */
  programBytes: number;
  /** Inputs, outputs and everything between: the memory plan's size. */
  arenaBytes: number;
  constantBytes: number;
  /** Parameters and other cells. */
  cellBytes: number;
  /** Floating point operations of one call, as counted by the ops. */
  flop: number;
}

// biome-ignore lint/suspicious/noExplicitAny: any function of trees of tensors may be compiled
type AnyFunction = (...args: any[]) => any;

/** A function that was traced, and now is one call into the core. */
export type Compiled<F extends AnyFunction> = ((...args: Parameters<F>) => ReturnType<F>) & {
  /** Of the latest program. */
  stats(): ProgramStats;
  /** The latest program, a record a line. */
  disassemble(): string;
};

/** A trace that was made, for one kind of arguments and one set of modes. */
interface Entry {
  key: string;
  /**
   * The arguments that it was found for last, where none is a tree: what a call in a loop is compared with. Of tensors their kinds
   * alone, or batches would live as long as the program.
   */
  flat: readonly unknown[] | null;
  modes: ReadonlyMap<Moded, boolean>;
  loaded: LoadedProgram;
  cellBytes: number;
  rebuild: (leaves: readonly Tensor[]) => unknown;
}

const KEPT = 16;

// Programs of compiled functions that nobody can call any more are unloaded when the collector says so.
const unloading = /* @__PURE__ */ new FinalizationRegistry((entries: Entry[]) => {
  for (const { loaded } of entries) loaded.unload();
});

/**
 * Traces `f` once per key (shapes and dtypes of its tensors, static values, modes of the modules it used) and from then on
 * runs it as one program. Arguments and results are trees of tensors; everything else is static. Tensors from outside are
 * captured, cells are live. The last 16 programs are kept.
 */
export function compile<F extends AnyFunction>(f: F, { threads = 1, fast = false }: CompileOptions = {}): Compiled<F> {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new ValueError(`threads must be a whole number from 1 on; got ${threads}.`, {
      op: 'compile',
      argument: 'threads',
      got: threads,
    });
  }
  const entries: Entry[] = [];
  const latest = (): Entry => {
    const entry = entries.at(-1);
    if (entry) return entry;
    throw new ValueError('call the function once first: there is no program yet.', { op: 'compile' });
  };
  const compiled = (...args: Parameters<F>): ReturnType<F> => {
    if (activeTrace()) return f(...args);
    const last = entries.at(-1);
    const { entry, leaves } = last && isFor(last, args) ? { entry: last, leaves: args.filter(isTensor) } : find(args);
    const { loaded } = entry;
    loaded.run(
      () => {
        leaves.forEach((leaf, i) => {
          loaded.input(i).set(leaf.values());
        });
      },
      Math.min(threads, loaded.program.threads),
      divergence,
    );
    const outputs = loaded.program.outputs.map(({ shape, dtype }, i) => new Tensor(shape, dtype, loaded.output(i)));
    return entry.rebuild(outputs) as ReturnType<F>;
  };
  const find = (args: unknown[]): { entry: Entry; leaves: Tensor[] } => {
    const { leaves, rebuild, key } = flattenTree(args);
    const at = entries.findIndex((one) => one.key === key && hasModes(one));
    const entry = at >= 0 ? entries.splice(at, 1)[0]! : trace(f, leaves, rebuild, key, fast);
    entry.flat = args.every((arg) => isTensor(arg) || typeof arg !== 'object') ? args.map(kindOf) : null;
    entries.push(entry);
    if (entries.length > KEPT) entries.shift()!.loaded.unload();
    return { entry, leaves };
  };
  unloading.register(compiled, entries);
  return Object.assign(compiled, {
    stats(): ProgramStats {
      const { loaded, cellBytes } = latest();
      const { records, words, arenaBytes, constantBytes } = loaded.program;
      return {
        records: recordCount(loaded.program),
        programBytes: words.byteLength,
        arenaBytes,
        constantBytes,
        cellBytes,
        flop: records.reduce((total, record) => total + record.flop, 0),
      };
    },
    disassemble: () => disassemble(latest().loaded.program),
  });
}

const kindOf = (arg: unknown): unknown => (isTensor(arg) ? { shape: arg.shape, dtype: arg.dtype } : arg);
const isKind = ({ shape, dtype }: Aval, tensor: Tensor) => dtype === tensor.dtype && sameShape(shape, tensor.shape);

const isTensor = (arg: unknown): arg is Tensor => arg instanceof Tensor;

const hasModes = ({ modes }: Entry) => {
  for (const [subject, mode] of modes) if (subject.training !== mode) return false;
  return true;
};

/** Whether a call with these arguments runs the entry's program, told without writing a key. */
function isFor(entry: Entry, args: readonly unknown[]): boolean {
  const { flat } = entry;
  if (flat?.length !== args.length) return false;
  for (let i = 0; i < args.length; i++) {
    const [known, arg] = [flat[i], args[i]];
    const alike = typeof known === 'object' ? isTensor(arg) && isKind(known as Aval, arg) : Object.is(known, arg);
    if (!alike) return false;
  }
  return hasModes(entry);
}

function trace(
  f: AnyFunction,
  leaves: Tensor[],
  rebuild: (leaves: readonly Tensor[]) => unknown[],
  key: string,
  fast: boolean,
): Entry {
  const recorder = new Trace();
  const symbols = leaves.map((leaf) => recorder.argument(leaf));
  const result = flattenTree(recorder.record(() => f(...rebuild(symbols))));
  const { program, cells } = lower(recorder.close(result.leaves), describe);
  const loaded = theMachine().load(
    program,
    cells.map((cell) => cell.storage),
    fast,
  );
  const cellBytes = cells.reduce((total, cell) => total + cell.bytes, 0);
  return { key, flat: null, modes: recorder.observed(), loaded, cellBytes, rebuild: result.rebuild };
}
