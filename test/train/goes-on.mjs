// A process that trains with checkpoints in a folder, goes on from the newest where there is one, and prints the SHA-256 of the weights at the end.
import { accuracy, crossEntropy, directory, manualSeed, nn, optim, randn, resume, train } from '../../dist/index.js';
import { hashOf } from '../package/app/hash.js';

const to = directory(process.argv[2]);
manualSeed(7);
const model = new nn.Sequential(
  new nn.Linear(20, 32),
  new nn.BatchNorm1d(32),
  new nn.ReLU(),
  new nn.Dropout(0.2),
  new nn.Linear(32, 3),
);
const x = randn([500, 20]);
const data = { x, y: x.slice(':, :3').argmax({ axis: 1 }) };
const begin = () =>
  train({
    ...{ model, data, loss: crossEntropy, optimizer: new optim.AdamW(model.parameters(), { lr: 0.01 }) },
    ...{ epochs: 30, batchSize: 20, validation: 0.2, metrics: { accuracy }, schedule: optim.lr.cosine({ tMax: 30 }) },
    checkpoint: { to, every: '7 steps' },
  });
const run = await resume(to, { model, data }).catch((error) => {
  if (error.code !== 'NO_CHECKPOINT') throw error;
  return begin();
});
await run.done;
console.log(await hashOf(model));
