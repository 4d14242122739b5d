import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  accuracy,
  Checkpoints,
  crossEntropy,
  DataError,
  DivergenceError,
  directory,
  earlyStopping,
  eventStream,
  manualSeed,
  nn,
  optim,
  randn,
  readSafetensors,
  receipt,
  recover,
  resume,
  type Tensor,
  type TrainEvent,
  type TrainOptions,
  train,
} from 'wasmgrad';
import { Shelf } from './shelf';

const makeModel = () => new nn.Sequential(new nn.Linear(4, 8), new nn.Tanh(), new nn.Dropout(0.2), new nn.Linear(8, 3));

function makeData(n = 50): { x: Tensor; y: Tensor } {
  const x = randn([n, 4]);
  return { x, y: x.slice(':, :3').argmax({ axis: 1 }) };
}

const weights = (model: nn.Module) => Object.values(model.stateDict()).flatMap((one) => [...one.data()]);

let model: nn.Sequential;
let data: { x: Tensor; y: Tensor };
let shelf: Shelf;
let to: Checkpoints;
beforeEach(() => {
  manualSeed(7);
  model = makeModel();
  data = makeData();
  shelf = new Shelf();
  to = new Checkpoints(shelf);
});

function start(options: Partial<TrainOptions> = {}) {
  const optimizer = options.optimizer ?? new optim.Adam(model.parameters(), { lr: 0.01 });
  return train({
    ...{ model, loss: crossEntropy, optimizer, data, epochs: 4, batchSize: 8, validation: 0.2, metrics: { accuracy } },
    schedule: optim.lr.cosine({ tMax: 4 }),
    ...options,
  });
}

/** The weights of the same run, never interrupted, and its history. */
async function uninterrupted(options: Partial<TrainOptions> = {}) {
  manualSeed(7);
  model = makeModel();
  data = makeData();
  const { history } = await start(options).done;
  return {
    expected: weights(model),
    losses: [...history.losses()],
    epochs: history.epochs().map(({ seconds, ...rest }) => rest),
  };
}

async function interrupted(options: Partial<TrainOptions>, steps: number) {
  const run = start({ ...options, checkpoint: { to, every: '3 steps' }, maxSteps: steps });
  await run.done;
}

describe('a run that goes on', () => {
  it.each([1, 3, 5, 7, 10, 19, 20])('ends in the same bits, stopped after %i steps', async (steps) => {
    await interrupted({}, steps);
    const other = makeModel();
    const run = await resume(to, { model: other, data });
    const events: TrainEvent[] = [];
    for await (const event of run) events.push(event);
    expect(events[0]).toEqual({ kind: 'resumed', step: steps, epoch: Math.min(4, Math.floor(steps / 5) + 1) });
    const { history } = await run.done;
    const ours = [...history.losses()];
    const own = history.epochs().map(({ seconds, ...rest }) => rest);
    const { expected, losses, epochs } = await uninterrupted();
    expect(weights(other)).toEqual(expected);
    expect(ours).toEqual(losses);
    expect(own).toEqual(epochs);
  });

  it('does so with accumulated gradients, batch norm, what lowers the rate, and data of its own to be evaluated on', async () => {
    const make = () =>
      new nn.Sequential(new nn.Linear(4, 8), new nn.BatchNorm1d(8), new nn.ReLU(), new nn.Linear(8, 3));
    const held = makeData(20);
    const options = () => {
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
      const schedule = new optim.lr.ReduceOnPlateau(optimizer, {
        patience: 0,
        threshold: 0.5,
        monitor: 'val.accuracy',
        mode: 'max',
      });
      return { optimizer, schedule, validation: held, accumulate: 3, dropLast: true };
    };
    model = make();
    const state = model.stateDict();
    await interrupted(options(), 8);
    const other = make();
    await (await resume(to, { model: other, data, validation: held })).done;
    model.loadStateDict(state);
    await start(options()).done;
    expect(weights(other)).toEqual(weights(model));
    await expect(resume(to, { model: other, data })).rejects.toMatchObject({ argument: 'validation' });
  });

  it('may be interrupted again and again, with any number of threads', async () => {
    await interrupted({}, 2);
    for (const maxSteps of [4, 9, 13, 17]) {
      await (await resume(to, { model: makeModel(), data, maxSteps, threads: (maxSteps % 2) + 1 })).done;
    }
    const other = makeModel();
    const optimizer = new optim.Adam(other.parameters());
    const { steps, epochs, reason } = await (await resume(to, { model: other, data, optimizer })).done;
    expect([steps, epochs.length, reason, optimizer.stepCell.item()]).toEqual([20, 4, 'finished', 20]);
    const { expected } = await uninterrupted();
    expect(weights(other)).toEqual(expected);
  });
});

describe('batches that someone else makes', () => {
  const batches = () => {
    const all = Array.from({ length: 12 }, () => makeData(5));
    return {
      *[Symbol.iterator]() {
        yield* all.slice(0, 4);
      },
    };
  };

  it('are gone through to where the run was', async () => {
    const make = () => {
      manualSeed(7);
      model = makeModel();
      return { data: batches(), validation: undefined, schedule: undefined } as Partial<TrainOptions>;
    };
    await start(make()).done;
    const expected = weights(model);
    for (const steps of [2, 4, 6, 15]) {
      const options = make();
      await interrupted(options, steps);
      const other = makeModel();
      await (await resume(to, { model: other, data: options.data! })).done;
      expect(weights(other)).toEqual(expected);
    }
  });

  it('are asked for from there on, where they can be', async () => {
    const asked: { epoch: number; batch: number }[] = [];
    const all = Array.from({ length: 4 }, () => Array.from({ length: 3 }, () => makeData(5)));
    const seekable = {
      [Symbol.iterator]: () => all[0]!.values(),
      seek(position: { epoch: number; batch: number }) {
        asked.push(position);
        return all[position.epoch]!.slice(position.batch);
      },
    };
    await interrupted({ data: seekable, validation: undefined, schedule: undefined }, 8);
    asked.length = 0;
    await (await resume(to, { model: makeModel(), data: seekable })).done;
    expect(asked).toEqual([
      { epoch: 2, batch: 2 },
      { epoch: 3, batch: 0 },
    ]);
  });

  it('must be of kinds that there were', async () => {
    await interrupted({ data: batches(), validation: undefined, schedule: undefined }, 2);
    const run = await resume(to, { model, data: [makeData(5), makeData(5), makeData(6)] });
    await expect(run.done).rejects.toMatchObject({ code: 'SHAPE_MISMATCH', op: 'resume', argument: 'data' });
  });
});

describe('what is kept', () => {
  /** A loss that is as good as ever in each epoch, so that the first one is the best. */
  const idle = (options: Partial<TrainOptions>) =>
    start({
      loss: (y) => y.square().mean().mul(0).add(1),
      optimizer: new optim.SGD(model.parameters(), { weightDecay: 0.1 }),
      ...options,
    });

  it('is the newest, and the best', async () => {
    const before = model.stateDict();
    await idle({ checkpoint: { to, keep: 2, best: { monitor: 'val.loss' } } }).done;
    expect([...shelf.files.keys()].map((name) => Number(name.slice(5, 14)))).toEqual([5, 15, 20]);
    const last = weights(model);
    model.loadStateDict(await to.weights());
    expect(weights(model)).toEqual(last);
    model.loadStateDict(await to.weights('best'));
    const best = weights(model);
    model.loadStateDict(before);
    await idle({ epochs: 1 }).done;
    expect(weights(model)).toEqual(best);
    await start({ checkpoint: { to } }).done;
    await expect(to.weights('best')).rejects.toMatchObject({ code: 'NO_CHECKPOINT' });
  });

  it('is a file that others read', async () => {
    await start({ checkpoint: { to } }).done;
    const { tensors } = readSafetensors([...shelf.files.values()].at(-1)!);
    expect(tensors['model.0.weight']!.data).toEqual(model.stateDict()['0.weight']!.data());
    expect(tensors['optimizer.step']!.data).toEqual(Int32Array.of(20));
    expect(tensors['history.loss']!.data).toHaveLength(20);
  });

  it('is every so many steps or epochs, and the end', async () => {
    const events: TrainEvent[] = [];
    const run = start({ checkpoint: { to, every: '8 steps' } });
    for await (const event of run) if (event.kind === 'checkpoint') events.push(event);
    expect(events.map(({ step, epoch }) => [step, epoch])).toEqual([
      [8, 2],
      [16, 4],
      [20, 4],
    ]);
    const other = start({ checkpoint: { to, every: '3 epochs' } });
    events.length = 0;
    for await (const event of other) if (event.kind === 'checkpoint') events.push(event);
    expect(events.map(({ step }) => step)).toEqual([15, 20]);
    for (const every of ['', '0 steps', '2', 'an epoch', '-1 epoch']) {
      expect(() => start({ checkpoint: { to, every } })).toThrow(expect.objectContaining({ argument: 'checkpoint' }));
    }
    expect(() => start({ checkpoint: { to, keep: 0 } })).toThrow(expect.objectContaining({ argument: 'keep' }));
  });

  it('is what there is when it is asked for', async () => {
    const run = start({ epochs: 1000, checkpoint: { to, every: '1000 epochs' } });
    run.pause();
    run.step(3);
    for await (const event of run) if (event.kind === 'paused' && event.step === 3) break;
    await run.checkpoint();
    expect([...shelf.files.keys()].map((name) => Number(name.slice(5, 14)))).toEqual([3]);
    run.stop();
    await run.done;
  });
});

describe('what goes wrong', () => {
  it('is seen in every byte', async () => {
    model = new nn.Sequential(new nn.Linear(1, 1));
    data = { x: randn([4, 1]), y: randn([4, 1]) };
    await start({
      loss: (y, t) => y.sub(t).square().mean(),
      metrics: {},
      validation: 0,
      schedule: undefined,
      checkpoint: { to, keep: 1 },
    }).done;
    const [[name, bytes]] = [...shelf.files] as [[string, Uint8Array]];
    for (let at = 0; at < bytes.length; at++) {
      bytes[at]! ^= 1 << (at % 8);
      await expect(to.load()).rejects.toMatchObject({ code: 'CHECKPOINT_DAMAGED', got: [name] });
      bytes[at]! ^= 1 << (at % 8);
    }
    await to.load();
  }, 60_000);

  it('leaves the one before to go on from', async () => {
    await interrupted({}, 7);
    const [before, last] = [...shelf.files.keys()].sort() as [string, string];
    shelf.files.get(last)![100]! ^= 1;
    const other = makeModel();
    const run = await resume(to, { model: other, data });
    const events: TrainEvent[] = [];
    for await (const event of run) events.push(event);
    expect(events[0]).toMatchObject({ kind: 'resumed', step: Number(before.slice(5, 14)) });
    expect(events[1]).toMatchObject({
      kind: 'warning',
      code: 'CHECKPOINT_DAMAGED',
      message: expect.stringContaining(last),
    });
    const { expected } = await uninterrupted();
    expect(weights(other)).toEqual(expected);
  });

  it('does not stop a run that cannot write, at whichever write', async () => {
    const { expected } = await uninterrupted();
    for (let refused = 1; refused <= 7; refused++) {
      manualSeed(7);
      model = makeModel();
      data = makeData();
      shelf = new Shelf();
      shelf.guard = (write) => {
        if (write === refused) throw new DOMException('the disk is full', 'QuotaExceededError');
      };
      const run = start({ checkpoint: { to: new Checkpoints(shelf), every: '3 steps' } });
      const warnings: TrainEvent[] = [];
      for await (const event of run) if (event.kind === 'warning') warnings.push(event);
      expect(warnings).toEqual([
        {
          kind: 'warning',
          step: Math.min(3 * refused, 20),
          epoch: expect.any(Number),
          code: 'CHECKPOINT_FAILED',
          message: expect.stringContaining('the disk is full'),
        },
      ]);
      expect(weights(model)).toEqual(expected);
      const { checkpoint } = await new Checkpoints(shelf).load();
      expect(checkpoint.position.step).toBe(refused === 7 ? 18 : 20);
    }
  });

  it('is told apart: nothing there, other data, another model, another version', async () => {
    await expect(resume(to, { model, data })).rejects.toMatchObject({ name: 'CheckpointError', code: 'NO_CHECKPOINT' });
    await interrupted({}, 7);
    const y = data.y.add(0);
    await expect(resume(to, { model, data: { x: data.x.mul(2), y } })).rejects.toBeInstanceOf(DataError);
    const wide = new nn.Sequential(new nn.Linear(4, 9), new nn.Tanh(), new nn.Dropout(0.2), new nn.Linear(9, 3));
    await expect(resume(to, { model: wide, data })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      argument: '0.weight',
    });
    const optimizer = new optim.SGD(model.parameters(), { momentum: 0.9 });
    await (await resume(to, { model, data, optimizer: new optim.Adam(model.parameters()) })).done;
    const other = new optim.Adam(new nn.Linear(2, 2).parameters());
    await expect(resume(to, { model, data, optimizer: other })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      argument: 'optimizer',
    });
    expect(optimizer.stepCell.item()).toBe(0);
    const run = start({ model });
    await expect(resume(to, { model, data })).rejects.toMatchObject({ code: 'MODEL_BUSY' });
    await run.done;
  });
});

it('programs in checkpoints mean what they meant', async () => {
  const isa = (await readFile('assembly/isa.ts', 'utf8'))
    .replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    .replaceAll(/\s+/g, ' ');
  const digest = createHash('sha256').update(isa).digest('hex').slice(0, 16);
  // Where records mean something else now, raise FORMAT in src/train/checkpoints.ts; where they only are more, nothing. Then write the new number here.
  expect(digest).toBe('4bad2d9d98d9a114');
});

describe('folders', () => {
  let folder: string;
  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'wasmgrad-')), 'runs', 'one');
  });
  afterEach(() => rm(join(folder, '..', '..'), { recursive: true }));

  it('are made, and hold what was written', async () => {
    const there = directory(folder);
    await expect(there.load()).rejects.toMatchObject({ code: 'NO_CHECKPOINT' });
    await start({ checkpoint: { to: there, every: '3 steps', keep: 1 }, maxSteps: 7 }).done;
    expect((await readdir(folder)).map((name) => name.slice(0, 14))).toEqual(['step-000000007']);
    const other = makeModel();
    await (await resume(directory(folder), { model: other, data })).done;
    const { expected } = await uninterrupted();
    expect(weights(other)).toEqual(expected);
  });
});

describe('steering', () => {
  it('ends when nothing gets better, with the best weights', async () => {
    const values = [3, 2, 2.5, 1.9, 2.1, 2.2, 2.3];
    const stop = earlyStopping({ monitor: 'loss', patience: 2, restoreBest: true });
    const epoch = (loss: number) =>
      ({
        kind: 'epoch',
        epoch: 1,
        step: 1,
        loss,
        metrics: {},
        validation: null,
        arrays: {},
        lr: 0,
        seconds: 0,
      }) as const;
    expect(values.map((loss) => [stop(epoch(loss)), stop.isBest])).toEqual([
      [false, true],
      [false, true],
      [false, false],
      [false, true],
      [false, false],
      [false, false],
      [true, false],
    ]);
    expect(() => earlyStopping({ monitor: 'val.accuracy' })(epoch(1))).toThrow(
      expect.objectContaining({ argument: 'monitor', expected: ['loss'] }),
    );
    for (const patience of [-1, 0.5])
      expect(() => earlyStopping({ patience })).toThrow(expect.objectContaining({ argument: 'patience' }));
  });

  it('has the best weights at the end, of a run that went on as well', async () => {
    // Rises with the weights, which grow: the first epoch is the best.
    const worse = (): Partial<TrainOptions> => ({
      ...{ epochs: 8, schedule: undefined, metrics: {}, validation: 0 },
      loss: (y) => y.square().mean(),
      optimizer: new optim.SGD(model.parameters(), { lr: 0.05, maximize: true }),
      stopWhen: earlyStopping({ monitor: 'loss', patience: 3, restoreBest: true }),
    });
    const state = model.stateDict();
    const first = await start({ ...worse(), epochs: 1, stopWhen: [] }).done;
    const expected = weights(model);
    model.loadStateDict(state);
    const { epochs, reason } = await start(worse()).done;
    expect([first.steps, epochs.length, reason]).toEqual([7, 5, 'stopped']);
    expect(weights(model)).toEqual(expected);
    model.loadStateDict(state);
    await interrupted(worse(), 20);
    const other = makeModel();
    const stopWhen = earlyStopping({ monitor: 'loss', patience: 3, restoreBest: true });
    const again = await (await resume(to, { model: other, data, stopWhen })).done;
    expect(again.epochs).toHaveLength(5);
    expect(weights(other)).toEqual(expected);
  });

  it('changes the rate of what is under way', async () => {
    const run = start({ schedule: undefined });
    run.pause();
    run.step(3);
    for await (const event of run) if (event.kind === 'paused' && event.step === 3) break;
    expect(() => run.setLr(-1)).toThrow(expect.objectContaining({ argument: 'lr' }));
    run.setLr(0.5);
    run.resume();
    const { history } = await run.done;
    const rates: number[] = [];
    for await (const event of history.read()) if (event.kind === 'step') rates.push(event.lr);
    expect(rates.slice(0, 5).map((rate) => Math.fround(rate))).toEqual([0.01, 0.01, 0.01, 0.5, 0.5].map(Math.fround));
  });

  it('ends after so many steps, or seconds', async () => {
    expect((await start({ maxSteps: 6 }).done).steps).toBe(6);
    const { seconds, reason } = await start({ epochs: 1_000_000, maxSeconds: 0.2 }).done;
    expect([seconds >= 0.2, reason]).toEqual([true, 'stopped']);
    for (const limit of ['maxSteps', 'maxSeconds']) {
      expect(() => start({ [limit]: 0 })).toThrow(expect.objectContaining({ argument: limit }));
    }
  });

  it('tells callbacks and streams what it tells those who iterate', async () => {
    const run = start();
    const epochs: number[] = [];
    const told = run.on('epoch', ({ epoch }) => epochs.push(epoch));
    const streamed: TrainEvent[] = [];
    const reader = eventStream(run).getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) streamed.push(next.value);
    await told;
    const iterated: TrainEvent[] = [];
    for await (const event of run) iterated.push(event);
    expect(epochs).toEqual([1, 2, 3, 4]);
    expect(streamed).toEqual(iterated);
  });
});

describe('a divergence', () => {
  // At such a rate the last layer's weights grow two hundred times a step.
  const wild = (): Partial<TrainOptions> => ({
    optimizer: new optim.SGD(model.parameters(), { lr: 40 }),
    ...{ schedule: undefined, metrics: {}, validation: 0, epochs: 5 },
    loss: (y) => y.square().mean().mul(3),
  });

  it('keeps the checkpoint from before, and can be recovered from with lower rates', async () => {
    const failed = start({ ...wild(), checkpoint: { to, every: '1 step' } });
    await expect(failed.done).rejects.toMatchObject({ code: 'DIVERGED' });
    expect((await to.load()).checkpoint.position.step).toBe(failed.history.length);
    shelf.files.clear();
    manualSeed(7);
    model = makeModel();
    const causes: Error[] = [];
    const rates: number[] = [];
    const result = await recover(start({ ...wild(), checkpoint: { to } }), {
      ...{ from: to, model, data, lrFactor: 1e-3, retries: 2 },
      onResume: (again, cause) => {
        causes.push(cause);
        void again.on('step', ({ lr }) => rates.push(lr));
      },
    });
    expect(result.epochs).toHaveLength(5);
    expect(causes.length).toBeGreaterThan(0);
    expect(causes.every((cause) => cause instanceof DivergenceError)).toBe(true);
    expect(Math.max(...rates)).toBeCloseTo(0.04, 6);
    expect(weights(model).every(Number.isFinite)).toBe(true);
  });

  it('is thrown where it comes again and again', async () => {
    const failing = start({ ...wild(), checkpoint: { to } });
    const options = { from: to, model, data, lrFactor: 1 };
    await expect(recover(failing, { ...options, retries: 2 })).rejects.toMatchObject({ code: 'DIVERGED' });
    shelf.files.clear();
    manualSeed(7);
    model = makeModel();
    await expect(recover(start({ ...wild(), checkpoint: { to, every: '9 epochs' } }), options)).rejects.toMatchObject({
      code: 'NO_CHECKPOINT',
    });
  });
});

describe('a receipt', () => {
  it('is the same for the same training, whatever the threads, interrupted or not, and else another', async () => {
    const of = async (options: Partial<TrainOptions> = {}) => {
      manualSeed(7);
      model = makeModel();
      data = makeData();
      return receipt(start(options));
    };
    const first = await of({ threads: 1 });
    expect(await of({ threads: 2 })).toEqual(first);
    expect(first).toMatchObject({ steps: 20, seed: 0, weights: expect.stringMatching(/^[0-9a-f]{64}$/) });
    manualSeed(7);
    model = makeModel();
    data = makeData();
    await interrupted({}, 9);
    expect(await receipt(await resume(to, { model: makeModel(), data }))).toEqual(first);
    const other = await of({ seed: 1 });
    expect([other.program, other.data === first.data, other.weights === first.weights]).toEqual([
      first.program,
      false,
      false,
    ]);
    expect((await of({ clipNorm: 0.1 })).program).not.toBe(first.program);
  });
});
