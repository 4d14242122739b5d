/**
 * "Deep Learning from scratch": a dense layer and a ReLU, 10 → 2, learn to be another such layer, on a fresh uniform batch
 * every step.
 *
 *     node tools/run.mjs examples/seed-000.ts
 *
 * ERRATA.md says more on each "document" below.
 */
import { fileURLToPath } from 'node:url';
import {
  abs,
  compile,
  linear,
  manualSeed,
  max,
  mseLoss,
  nn,
  optim,
  rand,
  sub,
  type Tensor,
  valueAndGrad,
} from 'wasmgrad';

const INPUT_FEATURES = 10;
const OUTPUT_FEATURES = 2;
const BATCH = 512;
const LR = 0.01;
/** The document calls them epochs, but each is one batch; and there is no end to its data, so an epoch never ends. */
const STEPS = 10_000;

export interface Learned {
  /** Of the last batch. */
  loss: number;
  w: Tensor;
  b: Tensor;
  real: { w: Tensor; b: Tensor };
  /** The largest difference of any weight, and of any bias, from the real one. */
  maxDw: number;
  maxDb: number;
}

/** Trains one layer; `onLoss` hears the loss before the updates of step 0, 100, 200, … */
export function learnLayer({
  seed = 0,
  steps = STEPS,
  onLoss = () => {},
}: {
  seed?: number;
  steps?: number;
  onLoss?: (step: number, loss: number) => void;
} = {}): Learned {
  manualSeed(seed);
  const real = { w: rand([OUTPUT_FEATURES, INPUT_FEATURES]), b: rand([OUTPUT_FEATURES]) };

  // A weight is [out, in], as in the document. Its `np.zeros(*shape)` works for one axis only; ours takes any shape.
  const dense = new nn.Linear(INPUT_FEATURES, OUTPUT_FEATURES, { init: nn.init.uniform(), biasInit: nn.init.zeros() });
  const model = new nn.Sequential(dense, new nn.ReLU());
  const optimizer = new optim.SGD(model.parameters(), { lr: LR });

  // Traced once; after that each call is a single call into the core, which draws the batch itself.
  const step = compile(() => {
    const x = rand([BATCH, INPUT_FEATURES]);
    const yExpected = linear(x, real.w, real.b);
    // The gradient is that of the loss: the document's text descends the model itself, its program does not. Its dMSE
    // leaves out 2/O, which is 1 for two outputs: here, and only here, the same learning rate takes the same steps.
    const { value, grads } = valueAndGrad(() => mseLoss(model.forward(x), yExpected), { wrt: model.parameters() })();
    optimizer.step(grads);
    return value;
  });

  let loss = Number.NaN;
  for (let i = 0; i < steps; i++) {
    const value = step();
    if (i % 100 === 0) onLoss(i, value.item());
    if (i === steps - 1) loss = value.item();
  }
  const farthest = (learned: Tensor, truth: Tensor) => max(abs(sub(learned, truth))).item();
  const { weight: w, bias } = dense;
  const b = bias!;
  return { loss, w, b, real, maxDw: farthest(w, real.w), maxDb: farthest(b, real.b) };
}

/** Rows of a matrix, or a vector, with four decimals. */
function show(x: Tensor): string {
  const width = x.shape.at(-1)!;
  const numbers = Array.from(x.data(), (value) => value.toFixed(4).padStart(8));
  const rows = Array.from({ length: x.size / width }, (_, row) =>
    numbers.slice(row * width, (row + 1) * width).join(''),
  );
  return rows.join('\n');
}

function main(): void {
  const start = performance.now();
  const { loss, w, b, real, maxDw, maxDb } = learnLayer({
    onLoss: (step, value) => console.log(`step ${String(step).padStart(5)}   loss ${value.toExponential(3)}`),
  });
  const seconds = (performance.now() - start) / 1000;
  console.log(`step ${STEPS}   loss ${loss.toExponential(3)}   (${Math.round(STEPS / seconds)} steps/s)\n`);
  for (const [name, learned, truth] of [
    ['w', w, real.w],
    ['b', b, real.b],
  ] as const) {
    console.log(`${name}, learned\n${show(learned)}\n${name}, real\n${show(truth)}`);
    console.log(`${name}, difference\n${show(abs(sub(learned, truth)))}\n`);
  }
  console.log(`largest difference: ${maxDw.toFixed(4)} in w, ${maxDb.toFixed(4)} in b`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
