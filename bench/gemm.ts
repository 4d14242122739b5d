/**
 * One thread's gemm against the register-only multiply-add loop of peak.ts, by shape and layout. The loop runs before
 * every sample, so that a machine that is busy or changes its clock slows both; medians over the samples.
 */
import f32 from 'core:f32';
import { Control, Gemm, Op, SCRATCH_BYTES } from '../assembly/isa';
import { planGemm } from '../src/machine/gemm';
import { instantiatePeak, peakFlop } from './peak';

const SHAPES: [m: number, k: number, n: number][] = [
  [256, 256, 256],
  [512, 512, 512],
  [1024, 1024, 1024],
  [64, 784, 128],
  [1000, 1000, 17],
  [1000, 17, 1000],
  [512, 10, 2],
];
const LAYOUTS = ['NN', 'NT', 'TN', 'TT'];
const SAMPLES = 25;
/** What a sample computes at least: half a millisecond or so. */
const SAMPLE_FLOP = 2e7;

const SCRATCH = 65536;
const PROGRAM = SCRATCH + SCRATCH_BYTES;
const DATA = PROGRAM + 4096;

const memory = new WebAssembly.Memory({ initial: 512, maximum: 65536, shared: true });
const module = new WebAssembly.Module(Uint8Array.from(atob(f32), (character) => character.charCodeAt(0)));
const core = new WebAssembly.Instance(module, { env: { memory } }).exports as {
  run(program: number, threads: number): number;
};
const words = new Int32Array(memory.buffer);
words[(Control.BASE + Control.SCRATCH) >> 2] = SCRATCH;
const reals = new Float32Array(memory.buffer, DATA);
let seed = 1;
for (let i = 0; i < reals.length; i++) {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  reals[i] = seed / 2 ** 32 - 0.5;
}

const aligned = (bytes: number) => Math.ceil(bytes / 64) * 64 + 64;

/** Writes the program of one product and returns what runs it. */
function load(m: number, k: number, n: number, layout: string): () => void {
  const matrix = (pointer: number, rows: number, columns: number, transposed: boolean) =>
    transposed ? { pointer, batch: 0, row: 1, column: rows } : { pointer, batch: 0, row: columns, column: 1 };
  const b = DATA + aligned(4 * m * k);
  const { fields, chunks } = planGemm({
    batch: 1,
    m,
    n,
    k,
    a: matrix(DATA, m, k, layout[0] === 'T'),
    b: matrix(b, k, n, layout[1] === 'T'),
    c: matrix(b + aligned(4 * k * n), m, n, false),
  });
  words.set([Op.GEMM, Gemm.WORDS, chunks], PROGRAM >> 2);
  for (const [field, value] of Object.entries(fields)) words[(PROGRAM >> 2) + Number(field)] = value;
  words[(PROGRAM >> 2) + Gemm.WORDS] = Op.END;
  return () => core.run(PROGRAM, 1);
}

/** GFLOP/s of `repeats` calls. */
function speed(call: () => void, flop: number, repeats: number): number {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) call();
  return (flop * repeats) / (performance.now() - start) / 1e6;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

const peakLoop = instantiatePeak();
const turns = Math.ceil(SAMPLE_FLOP / peakFlop(1));
const peak = () => speed(() => peakLoop(turns, 0.5, 1), peakFlop(turns), 1);

// V8 replaces its quick first code by optimised code in the background, while the thread rests.
for (let round = 0; round < 3; round++) {
  for (let i = 0; i < 200; i++) peakLoop(1000, 0.5, 1);
  for (const layout of LAYOUTS) for (const shape of SHAPES) load(...shape, layout)();
  await new Promise((resolve) => setTimeout(resolve, 100));
}

const peaks: number[] = [];
const rows = SHAPES.map(([m, k, n]) => {
  const flop = 2 * m * k * n;
  const figures = LAYOUTS.map((layout) => {
    const samples: [speed: number, ratio: number][] = [];
    for (let i = 0; i < SAMPLES; i++) {
      const limit = peak();
      peaks.push(limit);
      const own = speed(load(m, k, n, layout), flop, Math.ceil(SAMPLE_FLOP / flop));
      samples.push([own, own / limit]);
    }
    const [own, ratio] = [median(samples.map(([x]) => x)), median(samples.map(([, x]) => x))];
    return `${layout} ${own.toFixed(1).padStart(5)} ${ratio.toFixed(2)}`;
  });
  return `${`${m}×${k}×${n}`.padEnd(16)} ${figures.join('   ')}`;
});
console.log(
  `gemm f32, one thread: GFLOP/s, and the ratio to the register-only loop (${median(peaks).toFixed(1)} GFLOP/s)`,
);
for (const row of rows) console.log(row);
