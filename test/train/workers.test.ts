// Workers that die, and workers that come and go. TIMES=200 npx vitest run test/train/workers.test.ts
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  Checkpoints,
  crossEntropy,
  manualSeed,
  nn,
  optim,
  predict,
  randn,
  resume,
  type TrainOptions,
  train,
} from 'wasmgrad';
import { Shelf } from './shelf';

const TIMES = Number(process.env.TIMES ?? 20);

type NodeWorker = import('node:worker_threads').Worker;
const { getBuiltinModule } = process;
let workers: NodeWorker[];
beforeEach(() => {
  workers = [];
  const threads = getBuiltinModule('node:worker_threads');
  class Seen extends threads.Worker {
    constructor(...given: ConstructorParameters<typeof threads.Worker>) {
      super(...given);
      workers.push(this);
    }
  }
  process.getBuiltinModule = ((name: string) =>
    name === 'node:worker_threads' ? { ...threads, Worker: Seen } : getBuiltinModule(name as 'node:fs')) as never;
});
afterEach(() => {
  process.getBuiltinModule = getBuiltinModule;
});

const makeModel = () => new nn.Sequential(new nn.Linear(4, 8), new nn.Tanh(), new nn.Dropout(0.2), new nn.Linear(8, 3));
const makeData = () => {
  manualSeed(7);
  const x = randn([50, 4]);
  return { x, y: x.slice(':, :3').argmax({ axis: 1 }) };
};
const weights = (model: nn.Module) => Object.values(model.stateDict()).flatMap((one) => [...one.data()]);

function start(options: Partial<TrainOptions> = {}) {
  manualSeed(1);
  const model = makeModel();
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
  const run = train({ model, loss: crossEntropy, optimizer, data: makeData(), epochs: 3, batchSize: 16, ...options });
  return { model, run };
}

describe('a worker that dies', () => {
  it(
    `rejects everything with a typed error within a second, at ${TIMES} random instants, and the run goes on from its checkpoint`,
    async () => {
      const epochs = 40;
      const { model: whole, run } = start({ epochs });
      await run.done;
      const expected = weights(whole);
      let died = 0;
      while (died < TIMES) {
        const to = new Checkpoints(new Shelf());
        let { model, run } = start({ epochs, checkpoint: { to, every: '3 steps' } });
        for (let over = false; !over && died < TIMES; ) {
          const worker = workers.at(-1)!;
          const snapshot = run.snapshot();
          snapshot.catch(() => {});
          let killed = 0;
          const timer = setTimeout(() => {
            killed = performance.now();
            void worker.terminate();
          }, Math.random() * 120);
          const error = await run.done.then(
            () => null,
            (reason) => reason,
          );
          clearTimeout(timer);
          over = error === null;
          if (over) break;
          died++;
          expect(error).toMatchObject({ name: 'WorkerError', code: 'WORKER_DIED', op: 'train' });
          expect(performance.now() - killed).toBeLessThan(1000);
          await Promise.allSettled([snapshot]);
          model = makeModel();
          run = await resume(to, { model, data: makeData() }).catch(() =>
            train({ model, loss: crossEntropy, optimizer: new optim.Adam(model.parameters()), data: makeData() }),
          );
        }
      }
      const to = new Checkpoints(new Shelf());
      const last = start({ epochs, checkpoint: { to, every: '3 steps' } });
      for await (const event of last.run) if (event.kind === 'checkpoint' && event.step > 20) break;
      void workers.at(-1)!.terminate();
      await expect(last.run.done).rejects.toMatchObject({ code: 'WORKER_DIED' });
      const model = makeModel();
      await (await resume(to, { model, data: makeData() })).done;
      expect(weights(model)).toEqual(expected);
    },
    60_000 + 1000 * TIMES,
  );
});

it(
  `${TIMES} workers that come and go leave nothing behind`,
  async () => {
    const { model, run } = start();
    await run.done;
    const x = makeData().x;
    const resources = () =>
      process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate' && kind !== 'Timeout').length;
    await predict(model, x);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = resources();
    for (let i = 0; i < TIMES; i++) await predict(model, x);
    await Promise.all(workers.map((worker) => worker.terminate()));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(resources()).toBeLessThanOrEqual(before);
    expect(workers.every(({ threadId }) => threadId === -1)).toBe(true);
  },
  60_000 + 1000 * TIMES,
);
