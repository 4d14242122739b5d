/**
 * One thread's gemm against the register-only multiply-add loop of peak.ts, by shape and layout. The loop runs before
 * every sample, so that a machine that is busy or changes its clock slows both.
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
/** What a sample computes at least: a millisecond or so. */
const SAMPLE_FLOP = 5e7;

const SCRATCH = 65536;
const PROGRAM = SCRATCH + SCRATCH_BYTES;
const DATA = PROGRAM + 4096;

const memory = new WebAssembly.Memory({ initial: 512, maximum: 65536, shared: true });
const module = new WebAssembly.Module(Uint8Array.from(f32.match(/../g)!, (byte) => Number.parseInt(byte, 16)));
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

/** GFLOP/s of `repeats` calls, by this process's own time: on a busy machine a product of 50 ms is interrupted. */
function speed(call: () => void, flop: number, repeats: number): number {
  const start = process.cpuUsage();
  for (let i = 0; i < repeats; i++) call();
  const { user, system } = process.cpuUsage(start);
  return (flop * repeats) / (user + system) / 1e3;
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

const limits: number[] = [];
const rows = SHAPES.map(([m, k, n]) => {
  const flop = 2 * m * k * n;
  const figures = LAYOUTS.map((layout) => {
    const speeds: number[] = [];
    const ratios: number[] = [];
    for (let i = 0; i < SAMPLES; i++) {
      limits.push(peak());
      speeds.push(speed(load(m, k, n, layout), flop, Math.ceil(SAMPLE_FLOP / flop)));
      ratios.push(speeds.at(-1)! / limits.at(-1)!);
    }
    return { layout, ratio: median(ratios), speed: median(speeds), best: Math.max(...speeds) };
  });
  return { shape: `${m}×${k}×${n}`, figures };
});

const best = Math.max(...limits);
console.log(
  `gemm f32, one thread. Register-only loop: median ${median(limits).toFixed(1)}, best ${best.toFixed(1)} GFLOP/s.`,
);
console.log('Each: median GFLOP/s, median of the ratios to the loop (best to best, which a busy machine alters less)');
for (const { shape, figures } of rows) {
  const cells = figures.map(
    (x) => `${x.layout} ${x.speed.toFixed(1).padStart(4)} ${x.ratio.toFixed(2)} (${(x.best / best).toFixed(2)})`,
  );
  console.log(shape.padEnd(16), cells.join('   '));
}
