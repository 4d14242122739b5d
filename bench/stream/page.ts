// A network that takes some fifty microseconds a step, so that there are twenty thousand losses a second, each of which is read.
import { mseLoss, nn, optim, randn, train } from 'wasmgrad';

const model = new nn.Sequential(new nn.Linear(64, 112), new nn.ReLU(), new nn.Linear(112, 8));
const run = train({
  model,
  loss: mseLoss,
  optimizer: new optim.SGD(model.parameters(), { lr: 1e-3 }),
  data: { x: randn([65_536, 64]), y: randn([65_536, 8]) },
  epochs: 1_000_000,
  batchSize: 32,
  threads: 1,
});
const seen = { steps: 0, isOrdered: true, stop: () => run.stop(), total: 0 };
Object.assign(globalThis, { seen });
for await (const event of run) {
  if (event.kind === 'step') seen.isOrdered &&= event.step === ++seen.steps;
}
seen.total = run.history.length;
