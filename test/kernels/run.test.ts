import f32 from 'core:f32';
import f64 from 'core:f64';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import {
  Adam,
  Check,
  Control,
  Copy,
  Fault,
  Fill,
  Gather,
  HEAP_BASE,
  Op,
  Random,
  RandomKind,
  Reduce,
  ReduceFn,
  SCRATCH_BYTES,
  ScatterAdd,
  Softmax,
  Status,
  TICKET_BYTES,
  Type,
} from '../../assembly/isa';
import { decode } from '../../src/machine/cores';
import { cores } from './core';
import { double, range, record } from './record';

const PAGES = 640;
const FIRST_BYTE = HEAP_BASE;
const MOST_THREADS = 4;

/** What a worker runs: the core's `serve` as a helper, or `run` as the coordinator. */
const workerSource = `
  const { parentPort, workerData: { bytes, memory, call, args } } = require('node:worker_threads');
  const core = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory, extension() {} } }).exports;
  parentPort.postMessage('ready');
  parentPort.postMessage({ result: core[call](...args) });
`;

interface Thread {
  ready: Promise<void>;
  result: Promise<number | undefined>;
}

/** One shared memory, a core on this thread, and the programs and buffers of a test. */
class Machine {
  readonly memory = new WebAssembly.Memory({ initial: PAGES, maximum: 65536, shared: true });
  readonly control = new Int32Array(this.memory.buffer, Control.BASE, 16);
  readonly run: (program: number, threads: number) => number;
  private readonly bytes: Uint8Array<ArrayBuffer>;
  private free = FIRST_BYTE + MOST_THREADS * SCRATCH_BYTES;
  private readonly workers: Worker[] = [];

  constructor(
    readonly precision: 'f32' | 'f64',
    text: string,
  ) {
    this.bytes = decode(text);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(this.bytes), {
      env: { memory: this.memory, extension() {} },
    });
    this.run = instance.exports.run as typeof this.run;
    this.control[Control.SCRATCH >> 2] = FIRST_BYTE;
  }

  get Real() {
    return this.precision === 'f32' ? Float32Array : Float64Array;
  }

  reals(count: number) {
    return new this.Real(this.memory.buffer, this.allocate(count * this.Real.BYTES_PER_ELEMENT), count);
  }

  ints(values: number[]) {
    const view = new Int32Array(this.memory.buffer, this.allocate(4 * values.length), values.length);
    view.set(values);
    return view;
  }

  program(records: number[][]): number {
    const words = records.flatMap(([op, chunks, ...operands]) => [op!, operands.length + 3, chunks!, ...operands]);
    return this.ints([...words, Op.END, 3, 0]).byteOffset;
  }

  /** All that a program can have written. */
  contents(): Uint8Array {
    const first = FIRST_BYTE + MOST_THREADS * SCRATCH_BYTES;
    return new Uint8Array(this.memory.buffer, first, this.free - first).slice();
  }

  start(call: 'serve' | 'run', ...args: number[]): Thread {
    const { bytes, memory } = this;
    const worker = new Worker(workerSource, { eval: true, workerData: { bytes, memory, call, args } });
    this.workers.push(worker);
    return {
      ready: new Promise((resolve) => worker.once('message', () => resolve())),
      result: new Promise((resolve, reject) => {
        worker.on('message', (message) => message === 'ready' || resolve(message.result));
        worker.on('error', reject);
      }),
    };
  }

  poison(): void {
    Atomics.store(this.control, Control.POISON >> 2, 1);
    Atomics.notify(this.control, Control.SEQUENCE >> 2);
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  private allocate(bytes: number): number {
    const start = this.free;
    this.free += Math.ceil((bytes + 32) / 64) * 64;
    return start;
  }
}

/** A step with a record of every kernel that has chunks to share out; `index` is what it gathers by. */
function training(machine: Machine, index: number[] = range(300).map((i) => (i * 7) % 200)) {
  const [rows, n] = [200, 100];
  const size = rows * n;
  const real = machine.Real.BYTES_PER_ELEMENT;
  const generator = machine.ints([1, 2, 3, 0]).byteOffset;
  const [x, turned, y, p, m, v] = range(6).map(() => machine.reals(size));
  const [sums, columns, lr] = [machine.reals(rows), machine.reals(n), machine.reals(1).fill(0.01)];
  const picked = machine.reals(index.length * n);
  const indices = machine.ints(index).byteOffset;
  const step = machine.ints([1]);
  const gather = {
    [Gather.OUTER]: 1,
    [Gather.N]: rows,
    [Gather.INNER]: n,
    [Gather.COUNT]: index.length,
    [Gather.INDEX_STEP]: 1,
  };
  const reduce = {
    [Reduce.FN]: ReduceFn.SUM,
    [Reduce.TYPE]: Type.REAL,
    [Reduce.BLOCKS]: 1,
    [Reduce.SOURCE]: y!.byteOffset,
  };
  const program = machine.program([
    record(Op.RANDOM, size / 160, {
      [Random.KIND]: RandomKind.NORMAL,
      [Random.SIZE]: size,
      [Random.CHUNK]: 160,
      ...double(Random.HIGH, 1),
      [Random.GENERATOR]: generator,
      [Random.DESTINATION]: x!.byteOffset,
    }),
    record(
      Op.COPY,
      15,
      {
        [Copy.ELEMENT]: real,
        [Copy.RANK]: 2,
        [Copy.CHUNK]: 7,
        [Copy.SOURCE]: x!.byteOffset,
        [Copy.DESTINATION]: turned!.byteOffset,
      },
      [n, 1, rows, rows, n, 1],
    ),
    record(Op.SOFTMAX, rows / 2, {
      [Softmax.LOG]: 1,
      [Softmax.ROWS]: rows,
      [Softmax.N]: n,
      [Softmax.CHUNK]: 2,
      [Softmax.SOURCE]: turned!.byteOffset,
      [Softmax.DESTINATION]: y!.byteOffset,
    }),
    record(Op.REDUCE, rows / 5, {
      ...reduce,
      [Reduce.OUTER]: rows,
      [Reduce.N]: n,
      [Reduce.INNER]: 1,
      [Reduce.ITEMS]: 5,
      [Reduce.DESTINATION]: sums!.byteOffset,
    }),
    record(Op.REDUCE, 1, {
      ...reduce,
      [Reduce.OUTER]: 1,
      [Reduce.N]: rows,
      [Reduce.INNER]: n,
      [Reduce.ITEMS]: 1,
      [Reduce.DESTINATION]: columns!.byteOffset,
    }),
    record(Op.GATHER, index.length / 3, {
      ...gather,
      [Gather.ELEMENT]: real,
      [Gather.ITEMS]: 3,
      [Gather.SOURCE]: y!.byteOffset,
      [Gather.INDEX]: indices,
      [Gather.DESTINATION]: picked.byteOffset,
    }),
    record(Op.FILL, 20, {
      [Fill.ELEMENT]: real,
      [Fill.SIZE]: size,
      [Fill.CHUNK]: 1000,
      [Fill.DESTINATION]: turned!.byteOffset,
    }),
    record(Op.SCATTER_ADD, n / 10, {
      ...gather,
      [ScatterAdd.TYPE]: Type.REAL,
      [ScatterAdd.CHUNK]: 10,
      [ScatterAdd.SOURCE]: picked.byteOffset,
      [ScatterAdd.INDEX]: indices,
      [ScatterAdd.DESTINATION]: turned!.byteOffset,
    }),
    record(Op.CHECK, 20, { [Check.SIZE]: size, [Check.CHUNK]: 1000, [Check.SOURCE]: turned!.byteOffset }),
    [Op.COMMIT, 1],
    record(Op.ADAM, 40, {
      [Adam.SIZE]: size,
      [Adam.CHUNK]: size / 40,
      [Adam.LR]: lr!.byteOffset,
      [Adam.STEP]: step.byteOffset,
      ...double(Adam.BETA1, 0.9),
      ...double(Adam.BETA2, 0.999),
      ...double(Adam.EPS, 1e-8),
      [Adam.GRADIENT]: turned!.byteOffset,
      [Adam.PARAMETER]: p!.byteOffset,
      [Adam.M]: m!.byteOffset,
      [Adam.V]: v!.byteOffset,
      [Adam.NEW_PARAMETER]: p!.byteOffset,
      [Adam.NEW_M]: m!.byteOffset,
      [Adam.NEW_V]: v!.byteOffset,
    }),
  ]);
  return { program, parameter: p!, generator, step };
}

describe.each([
  ['f32', f32],
  ['f64', f64],
] as const)('run, %s', (precision, text) => {
  const machines: Machine[] = [];
  const machine = () => {
    machines.push(new Machine(precision, text));
    return machines.at(-1)!;
  };
  afterEach(() => Promise.all(machines.splice(0).map((each) => each.close())));

  /** The memory after some steps on `threads` threads. */
  async function steps(count: number, threads: number, helpers = threads - 1): Promise<Uint8Array> {
    const many = machine();
    const { program, generator, step } = training(many);
    const served = range(helpers).map((i) => many.start('serve', i + 1));
    await Promise.all(served.map((thread) => thread.ready));
    for (let i = 1; i <= count; i++) {
      step[0] = i;
      new Int32Array(many.memory.buffer, generator)[2] = i;
      expect(many.run(program, threads)).toBe(Status.DONE);
    }
    many.poison();
    await Promise.all(served.map((thread) => thread.result));
    return many.contents();
  }

  it('leaves the same bits with any number of threads', async () => {
    const alone = await steps(40, 1);
    for (const threads of [2, 3, MOST_THREADS]) {
      expect(Buffer.compare(await steps(40, threads), alone), `${threads} threads`).toBe(0);
    }
  });

  it('does not wait for threads that never come', async () => {
    expect(Buffer.compare(await steps(3, MOST_THREADS, 0), await steps(3, 1))).toBe(0);
  });

  it('runs an empty program', () => {
    const one = machine();
    expect(one.run(one.program([]), 1)).toBe(Status.DONE);
    expect(one.run(one.program([]), 2)).toBe(Status.DONE);
  });

  it.each([1, 2])('skips what is behind a commit where an index is outside (%i threads)', async (threads) => {
    const one = machine();
    const bad = training(one, [5, 200, 7]);
    const good = training(one);
    if (threads > 1) await one.start('serve', 1).ready;
    expect(one.run(bad.program, threads)).toBe(Status.FAULT);
    const field = (name: Control) => one.control[name >> 2]!;
    expect([field(Control.FAULT), field(Control.FAULT_VALUE), field(Control.FAULT_LIMIT)]).toEqual([
      Fault.INDEX,
      200,
      200,
    ]);
    expect(new Int32Array(one.memory.buffer, field(Control.FAULT_AT))[0]).toBe(Op.GATHER);
    expect(bad.parameter.every((value) => value === 0)).toBe(true);
    expect(one.run(good.program, threads)).toBe(Status.DONE);
    expect(good.parameter.every((value) => value === 0)).toBe(false);
  });

  it.each([1, 2])('skips what is behind a commit where a number is not finite (%i threads)', async (threads) => {
    const one = machine();
    const x = one.reals(5000);
    const written = one.ints([0, 0]);
    const fill = (low: number, at: number) =>
      record(Op.FILL, 1, {
        [Fill.ELEMENT]: 4,
        [Fill.SIZE]: 1,
        [Fill.CHUNK]: 1,
        [Fill.LOW]: low,
        [Fill.DESTINATION]: written.byteOffset + at,
      });
    const program = one.program([
      record(Op.CHECK, 50, { [Check.SIZE]: 5000, [Check.CHUNK]: 100, [Check.SOURCE]: x.byteOffset }),
      fill(1, 0),
      [Op.COMMIT, 1],
      fill(1, 4),
    ]);
    if (threads > 1) await one.start('serve', 1).ready;
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      x[4321] = bad;
      written.fill(0);
      expect(one.run(program, threads)).toBe(Status.NON_FINITE);
      expect([...written]).toEqual([1, 0]);
      x[4321] = 1;
      expect(one.run(program, threads)).toBe(Status.DONE);
      expect([...written]).toEqual([1, 1]);
    }
  });

  it('lets go of a chunk that a dead thread took, once it is poisoned', async () => {
    const one = machine();
    const [size, chunk] = [2 ** 21, 64];
    const chunks = size / chunk;
    const program = one.program([
      record(Op.RANDOM, chunks, {
        [Random.KIND]: RandomKind.NORMAL,
        [Random.SIZE]: size,
        [Random.CHUNK]: chunk,
        [Random.GENERATOR]: one.ints([1, 2, 3, 0]).byteOffset,
        [Random.DESTINATION]: one.reals(size).byteOffset,
      }),
    ]);
    const helper = one.start('serve', 1);
    await helper.ready;
    const coordinator = one.start('run', program, 2);
    // This thread takes a chunk of the helper's share, as the helper would, and never completes it.
    const share = FIRST_BYTE + 2 * SCRATCH_BYTES - TICKET_BYTES;
    const ticket = new BigInt64Array(one.memory.buffer, share, 1);
    let taken = false;
    while (!taken) {
      const value = Atomics.load(ticket, 0);
      const running = value > 0n && Number(value & 0xffffn) < chunks && Number((value >> 16n) & 0xfffffn) === 0;
      taken = running && Atomics.compareExchange(ticket, 0, value, value + 1n) === value;
      if (!running) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const patience = new Promise((resolve) => setTimeout(() => resolve('waiting'), 300));
    expect(await Promise.race([coordinator.result, patience])).toBe('waiting');
    const poisoned = performance.now();
    one.poison();
    expect(await coordinator.result).toBe(Status.POISONED);
    await helper.result;
    expect(performance.now() - poisoned).toBeLessThan(1000);
  });
});

describe.each(cores)('check, $precision', (core) => {
  it('sees a number that is not finite wherever it stands', () => {
    for (const size of [...range(68), 1000]) {
      for (const bad of [Number.NaN, Infinity, -Infinity]) {
        core.reset();
        const x = core.reals(new Array(size).fill(core.precision === 'f32' ? 3.4e38 : 1.7e308), size % 3);
        const per = size > 40 ? 16 : Math.max(size, 1);
        const words = record(Op.CHECK, Math.ceil(size / per), {
          [Check.SIZE]: size,
          [Check.CHUNK]: per,
          [Check.SOURCE]: x.byteOffset,
        });
        expect(core.run(words), `size ${size}`).toBe(Status.DONE);
        for (let at = 0; at < size; at += size > 100 ? 97 : 1) {
          const good = x[at]!;
          x[at] = bad;
          expect(core.run(words), `${bad} at ${at} of ${size}`).toBe(Status.NON_FINITE);
          x[at] = good;
        }
      }
    }
  });
});
