/**
 * "Deep Learning Fundamentals": a network of L layers, here 30-16-8-1, tells malignant tumours from benign ones. ReLU in the
 * hidden layers, a sigmoid at the end, binary cross-entropy, mini-batches of 64, until the error meets a criterion.
 *
 *     node tools/run.mjs examples/seed-001.ts
 *
 * ERRATA.md says more on each "document" below.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  binaryCrossEntropy,
  cast,
  type EpochEvent,
  eq,
  evaluate,
  gt,
  indexSelect,
  manualSeed,
  mean,
  nn,
  optim,
  predict,
  readBreastCancer,
  split,
  standardise,
  type Tensor,
  tensor,
  train,
} from 'wasmgrad';

/** Inputs [n, 30] and targets [n, 1], an example a row (in the document, a column). 1 is benign. */
interface Part {
  x: Tensor;
  y: Tensor;
}

/** Four fifths to train on and one to test with, both with the same share of benign tumours. */
async function readParts(seed: number): Promise<{ training: Part; test: Part }> {
  const table = await readBreastCancer(await readFile(new URL('../data/breast_cancer.csv', import.meta.url)));
  const labels = table.y.data;
  const parts = split(labels.length, { test: 0.2, seed, stratify: labels });
  const x = tensor(table.x.data, { shape: table.x.shape });
  const y = cast(tensor(labels, { shape: [labels.length, 1] }), 'f32');
  const take = (indices: Int32Array) => ({ x: indexSelect(x, tensor(indices)), y: indexSelect(y, tensor(indices)) });
  const [training, test] = [take(parts.train), take(parts.test)];
  // Both in units of the training part's spread: what is known beforehand of unseen inputs is nothing.
  const statistics = standardise({ shape: training.x.shape, data: training.x.data() });
  const scaled = ({ x, y }: Part): Part => {
    const array = standardise({ shape: x.shape, data: x.data() }, statistics).x;
    return { x: tensor(array.data, { shape: array.shape }), y };
  };
  return { training: scaled(training), test: scaled(test) };
}

/** He initialisation goes by a layer's inputs, variance 2/n_{l-1}; the document divides by its units. */
function buildModel(): nn.Sequential {
  const options = { init: nn.init.heNormal(), biasInit: nn.init.zeros() };
  return new nn.Sequential(
    new nn.Linear(30, 16, options),
    new nn.ReLU(),
    new nn.Linear(16, 8, options),
    new nn.ReLU(),
    new nn.Linear(8, 1, options),
    new nn.Sigmoid(),
  );
}

/** The share of examples on the right side of one half. */
function binaryAccuracy(prediction: Tensor, target: Tensor): Tensor {
  return mean(cast(eq(gt(prediction, 0.5), gt(target, 0.5)), 'f32'));
}

export interface Diagnosis {
  model: nn.Sequential;
  epochs: number;
  training: Record<string, number>;
  test: Record<string, number>;
  /** For the unseen tumours, in order: the probability of being benign, and whether they are. */
  probabilities: Tensor;
  benign: Tensor;
}

/** Trains until the mean loss of an epoch is below `enough`, at most `epochs` times through the data. */
export async function diagnose({
  seed = 0,
  enough = 0.05,
  epochs = 500,
  onEpoch = () => {},
}: {
  seed?: number;
  enough?: number;
  epochs?: number;
  onEpoch?: (event: EpochEvent) => void;
} = {}): Promise<Diagnosis> {
  const { training, test } = await readParts(seed);
  manualSeed(seed);
  const model = buildModel();
  const metrics = { accuracy: binaryAccuracy };
  const run = train({
    model,
    // Its two terms are added, elementwise: the document's code subtracts them and takes np.dot. The gradient is therefore
    // the negative of the document's ∂E/∂A, and with the sigmoid's it is A - Y, as its next line says.
    loss: binaryCrossEntropy,
    optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }),
    data: training,
    // Every epoch shuffles in its own way and keeps the last 7 of the 455 examples, where the document has one order for
    // all epochs and drops the tail.
    batchSize: 64,
    epochs,
    seed,
    metrics,
    stopWhen: (epoch) => epoch.loss < enough,
  });
  for await (const event of run) if (event.kind === 'epoch') onEpoch(event);
  const result = await run.done;
  const loss = binaryCrossEntropy;
  return {
    model,
    epochs: result.epochs.length,
    training: await evaluate({ model, data: training, loss, metrics }),
    test: await evaluate({ model, data: test, loss, metrics }),
    probabilities: await predict(model, test.x),
    benign: gt(test.y, 0.5),
  };
}

async function main(): Promise<void> {
  console.log(`${buildModel().summary([64, 30])}\n`);
  const { epochs, training, test, probabilities, benign } = await diagnose({
    onEpoch({ epoch, loss, metrics }) {
      if (epoch > 1 && epoch % 10 !== 0) return;
      console.log(
        `epoch ${String(epoch).padStart(3)}   loss ${loss.toFixed(4)}   accuracy ${percent(metrics.accuracy!)}`,
      );
    },
  });
  console.log(`converged in epoch ${epochs}\n`);
  console.log('unseen tumours   predicted malignant   predicted benign');
  for (const [name, truth] of [
    ['malignant', 0],
    ['benign', 1],
  ] as const) {
    const outputs = probabilities.data().filter((_, i) => benign.data()[i] === truth);
    const asBenign = outputs.filter((p) => p > 0.5).length;
    console.log(`${name.padEnd(14)}${String(outputs.length - asBenign).padStart(22)}${String(asBenign).padStart(19)}`);
  }
  console.log(`\ntraining: loss ${training.loss!.toFixed(4)}, accuracy ${percent(training.accuracy!)}`);
  console.log(`unseen inputs: loss ${test.loss!.toFixed(4)}, accuracy ${percent(test.accuracy!)}`);
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
