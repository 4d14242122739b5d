// A worker that the browser, or someone, ends without a word: a typed error within a second, and the run goes on from its checkpoint.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { indexedDb } from 'wasmgrad';
import { expected, resumeKnown, startKnown } from '../package/app/known-training.js';

const { Worker: Own } = globalThis;
let workers: Worker[];
beforeEach(() => {
  workers = [];
  globalThis.Worker = class extends Own {
    constructor(...given: ConstructorParameters<typeof Own>) {
      super(...given);
      workers.push(this);
    }
  };
});
afterEach(() => {
  globalThis.Worker = Own;
});

const INSTANTS = 20;

test('is noticed, whatever was going on', async () => {
  const to = indexedDb('death');
  for (let i = 0; i < INSTANTS; i++) {
    const { run } = startKnown({ epochs: 10_000, checkpoint: { to, every: '4 steps' } });
    for await (const _ of run) break;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
    const snapshot = run.snapshot();
    const ended = performance.now();
    workers.at(-1)!.terminate();
    await expect(run.done).rejects.toMatchObject({ name: 'WorkerError', code: 'WORKER_DIED' });
    expect(performance.now() - ended).toBeLessThan(1000);
    await Promise.allSettled([snapshot]);
  }
  const { run } = startKnown({ checkpoint: { to, every: '4 steps' } });
  for await (const event of run) if (event.kind === 'checkpoint' && event.step > 30) break;
  workers.at(-1)!.terminate();
  await expect(run.done).rejects.toMatchObject({ code: 'WORKER_DIED' });
  expect(await resumeKnown(to, {})).toBe(expected);
}, 120_000);

test('is found out where it never began', async () => {
  const { run } = startKnown();
  workers.at(-1)!.terminate();
  await expect(run.done).rejects.toMatchObject({
    code: 'WORKER_DIED',
    message: expect.stringContaining('did not start'),
  });
});
