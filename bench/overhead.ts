/** What events that are read, a metric and a checkpoint after each epoch cost a run of W2's network: in a folder, one thread each for page and worker. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accuracy, crossEntropy, directory, manualSeed, nn, optim, rand, randint, train } from 'wasmgrad';

const ROUNDS = 9;
const EPOCHS = 12;
const STEPS = 200;
const BATCH = 64;

/** A sentence: the median of the rounds' ratios. */
export async function measureOverhead(): Promise<string> {
  manualSeed(1);
  const data = { x: rand([BATCH * STEPS, 784]), y: randint(0, 10, [BATCH * STEPS]) };
  const secondsOf = async (isObserved: boolean) => {
    const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));
    const folder = mkdtempSync(join(tmpdir(), 'wasmgrad-'));
    const run = train({
      ...{ model, loss: crossEntropy, optimizer: new optim.Adam(model.parameters()), data },
      ...{ epochs: EPOCHS, batchSize: BATCH, threads: 1 },
      ...(isObserved && { metrics: { accuracy }, checkpoint: { to: directory(folder) } }),
    });
    if (isObserved) for await (const _ of run);
    const { seconds } = await run.done;
    rmSync(folder, { recursive: true });
    return seconds;
  };
  const ratios: number[] = [];
  let plainest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const isFirst = round % 2 === 0;
    const one = await secondsOf(isFirst);
    const other = await secondsOf(!isFirst);
    const [observed, plain] = isFirst ? [one, other] : [other, one];
    ratios.push(observed / plain);
    plainest = Math.min(plainest, plain);
  }
  ratios.sort((a, b) => a - b);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => ratios[Math.floor(share * (ROUNDS - 1))]!);
  const percent = (ratio: number) => ((ratio - 1) * 100).toFixed(1);
  const step = ((1e6 * plainest) / (EPOCHS * STEPS)).toFixed(0);
  return `overhead: events, a metric and a checkpoint after each epoch add ${percent(middle!)} % (quartiles ${percent(low!)} to ${percent(high!)}) to steps of ${step} µs`;
}
