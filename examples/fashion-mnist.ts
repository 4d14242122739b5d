/**
 * What the convolutional examples share: Fashion-MNIST (Xiao, Rasul, Vollgraf 2017; 28 × 28 pictures of ten kinds of clothes), how its
 * pictures are varied, and the training in a worker that says how it goes.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import {
  accuracy,
  bernoulli,
  broadcastTo,
  crossEntropy,
  evaluate,
  flip,
  gather,
  type NdArray,
  type nn,
  optim,
  pad,
  randint,
  readMnist,
  reshape,
  type Tensor,
  tensor,
  train,
  where,
} from 'wasmgrad';

export interface Part {
  /** [n, 1, 28, 28], standardised. */
  x: NdArray<Float32Array>;
  y: NdArray<Int32Array>;
}

/** Where Debian's package `dataset-fashion-mnist` puts it; a folder given on the command line may hold it as well. */
const INSTALLED = '/usr/share/datasets/fashion-mnist';
/** Of all training pixels. */
const [MEAN, DEVIATION] = [0.286, 0.353];

async function readPart(images: string, labels: string, from = 0, to = Number.POSITIVE_INFINITY): Promise<Part> {
  const { x, y } = await readMnist({ images: await readFile(images), labels: await readFile(labels) });
  const pixels = x.data.slice(from * 784, to * 784).map((value) => (value - MEAN) / DEVIATION);
  const n = pixels.length / 784;
  return { x: { shape: [n, 1, 28, 28], data: pixels }, y: { shape: [n], data: y.data.slice(from, to) } };
}

/** All of it, if it is in the folder; else the 1,200 pictures that come with the project, a third of them to test with. */
export async function readFashion(folder = INSTALLED): Promise<{ training: Part; test: Part }> {
  if (!existsSync(folder)) return readSample();
  const files = (kind: string) =>
    [`${folder}/${kind}-images-idx3-ubyte.gz`, `${folder}/${kind}-labels-idx1-ubyte.gz`] as const;
  return { training: await readPart(...files('train')), test: await readPart(...files('t10k')) };
}

export async function readSample(): Promise<{ training: Part; test: Part }> {
  const files = ['images', 'labels'].map((what) => `data/fashion-1200-${what}.idx.gz`) as [string, string];
  return { training: await readPart(...files, 0, 800), test: await readPart(...files, 800) };
}

/** Half of the pictures mirrored, each moved by up to two pixels both ways: clothes stay what they are. A traced function. */
export function mirrorAndMove(x: Tensor, y: Tensor): [Tensor, Tensor] {
  const [n, channels, height, width] = x.shape as [number, number, number, number];
  const mirrored = where(bernoulli([n, 1, 1, 1]).gt(0), flip(x, { axis: 3 }), x);
  // Row i of a picture that is moved by d is row i + d of the padded one; columns likewise.
  const wide = pad(mirrored, [
    [0, 0],
    [0, 0],
    [2, 2],
    [2, 2],
  ]);
  const range = (count: number, shape: number[]) =>
    reshape(tensor(Int32Array.from({ length: count }, (_, i) => i)), shape);
  const rows = range(height, [1, 1, height, 1]).add(randint(0, 5, [n, 1, 1, 1]));
  const columns = range(width, [1, 1, 1, width]).add(randint(0, 5, [n, 1, 1, 1]));
  const cut = gather(wide, broadcastTo(rows, [n, channels, height, width + 4]), { axis: 2 });
  return [gather(cut, broadcastTo(columns, [n, channels, height, width]), { axis: 3 }), y];
}

export interface Course {
  epochs: number;
  /** The learning rate at its highest: it rises over the first third and falls along a cosine after. */
  maxLr: number;
  batchSize?: number;
  seed?: number;
  print?: (line: string) => void;
}

/** Trains with Adam, says after each epoch how it went, and returns the share of the test's pictures that are told right. */
export async function learn(
  model: nn.Module,
  { training, test }: { training: Part; test: Part },
  { epochs, maxLr, batchSize = 128, seed = 0, print = () => {} }: Course,
): Promise<number> {
  const steps = epochs * Math.ceil(training.y.data.length / batchSize);
  const started = performance.now();
  const run = train({
    model,
    loss: crossEntropy,
    optimizer: new optim.AdamW(model.parameters(), { weightDecay: 1e-2 }),
    schedule: optim.lr.oneCycle({ totalSteps: steps, maxLr }),
    data: training,
    augment: mirrorAndMove,
    metrics: { accuracy },
    epochs,
    batchSize,
    seed,
    threads: 2,
  });
  for await (const event of run) {
    if (event.kind !== 'epoch') continue;
    const seconds = (performance.now() - started) / 1000;
    const share = (100 * event.metrics.accuracy!).toFixed(1);
    print(
      `epoch ${String(event.epoch).padStart(2)}   loss ${event.loss.toFixed(3)}   ${share} % right   ${seconds.toFixed(0)} s`,
    );
  }
  await run.done;
  const { accuracy: share } = await evaluate({ model, data: test, metrics: { accuracy } });
  return share!;
}

/** What each of the programs does: `node tools/run.mjs examples/lenet.ts [folder]`. */
export async function program(build: () => nn.Module, course: Course): Promise<void> {
  const parts = await readFashion(process.argv[2]);
  const count = (part: Part) => part.y.data.length.toLocaleString('en');
  console.log(`${count(parts.training)} pictures to learn from, ${count(parts.test)} to test with`);
  const model = build();
  const share = await learn(model, parts, { ...course, print: console.log });
  console.log(`${(100 * share).toFixed(2)} % of the test's pictures are told right`);
}
