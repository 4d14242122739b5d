// train() in a page: the same bits as everywhere, a page that stays free, and a run that obeys.

import { describe, expect, test } from 'vitest';
import {
  compile,
  grad,
  manualSeed,
  mseLoss,
  nn,
  optim,
  type TrainEvent,
  type TrainingRun,
  tensor,
  valueAndGrad,
} from 'wasmgrad';
import { expected, hashOf, startKnown, trainKnown } from '../package/app/known-training.js';

/** The kinds of all of a run's events, to its end, with runs of steps as one: `['steps 1–5', 'paused', …]`. */
async function story(run: TrainingRun): Promise<string[]> {
  const told: string[] = [];
  let first = 0;
  let last = 0;
  const tellSteps = () => {
    if (last >= first && last > 0) told.push(`steps ${first}–${last}`);
    first = last + 1;
  };
  for await (const event of run) {
    if (event.kind === 'step') {
      expect(event.step).toBe(last + 1);
      last = event.step;
      first ||= 1;
    } else {
      tellSteps();
      told.push(event.kind);
    }
  }
  return told;
}

const until = async (run: TrainingRun, wanted: (event: TrainEvent) => boolean) => {
  for await (const event of run) if (wanted(event)) return;
};

describe('the same bits as in Node, Deno and Bun', () => {
  test.each([1, 2])('on %i threads', async (threads) => {
    expect(await trainKnown({ threads })).toBe(expected);
  });

  test('however often it was paused', async () => {
    const { model, run } = startKnown();
    run.step(5);
    await until(run, (event) => event.kind === 'paused');
    run.step(30);
    await until(run, (event) => event.kind === 'paused' && event.step === 35);
    run.resume();
    expect((await run.done).steps).toBe(54);
    expect(await hashOf(model)).toBe(expected);
  });
});

test('steps one at a time, from the first', async () => {
  const { run } = startKnown();
  run.step(1);
  await until(run, (event) => event.kind === 'paused');
  run.step(2);
  await until(run, (event) => event.kind === 'paused' && event.step === 3);
  run.stop();
  expect((await run.done).reason).toBe('stopped');
  expect((await story(run)).filter((kind) => kind !== 'resumed')).toEqual([
    'steps 1–1',
    'paused',
    'steps 2–3',
    'paused',
    'done',
  ]);
});

test('a snapshot in the middle shows the weights of that step, which the end changes', async () => {
  const { model, run } = startKnown();
  const start = await hashOf(model);
  run.step(20);
  await until(run, (event) => event.kind === 'paused');
  await run.snapshot();
  const middle = await hashOf(model);
  run.resume();
  await run.done;
  expect(new Set([start, middle, await hashOf(model)]).size).toBe(3);
});

test('an aborted signal rejects with its reason, and the model can be trained again', async () => {
  const controller = new AbortController();
  const { model, run } = startKnown({ epochs: 100_000, signal: controller.signal });
  await until(run, (event) => event.kind === 'epoch');
  controller.abort(new Error('enough'));
  await expect(run.done).rejects.toThrow('enough');
  expect(() => model.loadStateDict(model.stateDict())).not.toThrow();
});

test('the page draws while a worker trains', async () => {
  const { run } = startKnown({ epochs: 100_000 });
  await until(run, (event) => event.kind === 'epoch');
  const frames: number[] = [];
  while (frames.length < 20) frames.push(await new Promise(requestAnimationFrame));
  run.stop();
  await run.done;
  const gaps = frames.slice(1).map((time, i) => time - frames[i]!);
  expect(gaps.sort((a, b) => a - b)[gaps.length >> 1]).toBeLessThan(100);
});

test('a worker of the page’s own that does not start is an error, not a wait', async () => {
  const { run } = startKnown({ worker: () => new Worker('data:text/javascript,throw new Error("no session here")') });
  await expect(run.done).rejects.toMatchObject({ name: 'WorkerError', code: 'WORKER_BLOCKED', op: 'train' });
});

describe('on the page’s own thread', () => {
  test('gradients', () => {
    const w = tensor([[2], [3]]);
    const slope = grad((weights) => mseLoss(tensor([[1, 1]]).matmul(weights!), tensor([[1]])))(w);
    expect(slope.toArray()).toEqual([[8], [8]]);
  });

  test('a compiled step, which changes its model', () => {
    manualSeed(1);
    const model = new nn.Sequential(new nn.Linear(3, 2));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    const x = tensor([[1, 2, 3]]);
    const step = compile((batch) => {
      const { value, grads } = valueAndGrad(() => mseLoss(model.forward(batch!), tensor([[1, -1]])), {
        wrt: model.parameters(),
      })();
      optimizer.step(grads);
      return value;
    });
    const losses = Array.from({ length: 20 }, () => step(x).item() as number);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 100);
  });

  test('memory is shared, since this page is isolated', () => {
    expect(globalThis.crossOriginIsolated).toBe(true);
    expect(new SharedArrayBuffer(8).byteLength).toBe(8);
  });
});
