import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  accuracy,
  batches,
  compile,
  crossEntropy,
  DataError,
  evaluate,
  indexSelect,
  manualSeed,
  mixup,
  mseLoss,
  nn,
  optim,
  predict,
  randn,
  sort,
  type Tensor,
  type TrainEvent,
  type TrainOptions,
  tensor,
  train,
  valueAndGrad,
  zeros,
} from 'wasmgrad';

function makeModel(): nn.Sequential {
  return new nn.Sequential(new nn.Linear(4, 8), new nn.Tanh(), new nn.Linear(8, 3));
}

/** 50 points whose class is the largest of their first three numbers. */
function makeData(n = 50): { x: Tensor; y: Tensor } {
  const x = randn([n, 4]);
  return { x, y: x.slice(':, :3').argmax({ axis: 1 }) };
}

function weights(model: nn.Module): number[] {
  return Object.values(model.stateDict()).flatMap((one) => [...one.data()]);
}

let model: nn.Sequential;
let data: { x: Tensor; y: Tensor };

beforeEach(() => {
  manualSeed(7);
  model = makeModel();
  data = makeData();
});

function start(options: Partial<TrainOptions> = {}) {
  return train({
    model,
    loss: crossEntropy,
    optimizer: new optim.Adam(model.parameters(), { lr: 0.01 }),
    data,
    epochs: 3,
    batchSize: 16,
    ...options,
  });
}

async function collect(run: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

it.each([1, 2])('a loss that needs the extension trains in the worker, on %s threads', async (threads) => {
  const loss = (y: Tensor, wanted: Tensor) => mseLoss(sort(y, { axis: 0, descending: true }).values, wanted);
  const wanted = sort(randn([50, 3]), { axis: 0 }).values;
  const before = loss(model.forward(data.x), wanted).item();
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
  const result = await train({
    model,
    loss,
    optimizer,
    data: { x: data.x, y: wanted },
    epochs: 20,
    batchSize: 50,
    threads,
  }).done;
  expect(result.steps).toBe(20);
  expect(loss(model.forward(data.x), wanted).item()).toBeLessThan(before);
});

describe('a run', () => {
  it('tells every step and epoch in order, keeps the tail, and brings the weights back', async () => {
    const before = weights(model);
    const run = start({ metrics: { accuracy } });
    expect([run.stepsPerEpoch, run.totalSteps]).toEqual([4, 12]);
    const events = await collect(run);
    expect(events.map(({ kind }) => kind).join(' ')).toBe(`${'step step step step epoch '.repeat(3)}done`);
    expect(events.filter(({ kind }) => kind === 'step').map(({ step }) => step)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
    const epoch = events[4] as Extract<TrainEvent, { kind: 'epoch' }>;
    expect(epoch.metrics.accuracy).toBeGreaterThan(0);
    expect(epoch.validation).toBeNull();
    const result = await run.done;
    expect(result).toMatchObject({ reason: 'finished', steps: 12 });
    expect(result.epochs).toHaveLength(3);
    expect(weights(model)).not.toEqual(before);
  });

  it('ends in the bits of the same steps compiled by hand', async () => {
    const state = model.stateDict();
    await start({ seed: 3 }).done;
    const trained = weights(model);
    model.loadStateDict(state);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    const step = compile((x: Tensor, y: Tensor) => {
      const { value, grads } = valueAndGrad(() => crossEntropy(model.forward(x), y), { wrt: model.parameters() })();
      optimizer.step(grads);
      return value;
    });
    for (let epoch = 0; epoch < 3; epoch++) {
      for (const rows of batches(50, { batchSize: 16, seed: 3, epoch })) {
        step(indexSelect(data.x, tensor(rows)), indexSelect(data.y, tensor(rows)));
      }
    }
    expect(weights(model)).toEqual(trained);
  });

  it('ends in the same bits with one thread and with two, dropout included', async () => {
    const ends: number[][] = [];
    for (const threads of [1, 2]) {
      manualSeed(1);
      // Wide enough that two threads are worth while.
      model = new nn.Sequential(new nn.Linear(4, 4096), new nn.ReLU(), new nn.Dropout(0.3), new nn.Linear(4096, 3));
      await start({ threads, seed: 5 }).done;
      ends.push(weights(model));
    }
    expect(ends[0]).toEqual(ends[1]);
  });

  it('may be read late, by several, in part, or not at all', async () => {
    const run = start();
    await run.done;
    const [first, second] = await Promise.all([collect(run), collect(run)]);
    expect(first).toEqual(second);
    expect(first).toHaveLength(16);
    for await (const event of run) {
      expect(event).toMatchObject({ kind: 'step', step: 1 });
      break;
    }
    expect(run.history.losses()).toHaveLength(12);
  });

  it('holds out a fraction, or evaluates examples of its own, in evaluation mode', async () => {
    model = new nn.Sequential(new nn.Dropout(0.5), new nn.Linear(4, 3));
    const held = makeData(20);
    const { epochs } = await start({ validation: held, metrics: { accuracy }, epochs: 1 }).done;
    const values = await evaluate({ model, data: held, loss: crossEntropy, metrics: { accuracy } });
    expect(epochs[0]!.validation!.accuracy).toBeCloseTo(values.accuracy!, 6);
    expect(epochs[0]!.validation!.loss).toBeCloseTo(values.loss!, 6);
    expect(model.training).toBe(true);
    const run = start({ validation: 0.2 });
    expect(run.stepsPerEpoch).toBe(3);
    expect((await run.done).epochs[0]!.validation!.loss).toBeGreaterThan(0);
  });

  it('leaves out the tail on request', async () => {
    expect((await start({ dropLast: true, epochs: 1 }).done).steps).toBe(3);
  });

  it('follows a schedule by epochs or by steps, and leaves the base rate alone', async () => {
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.5 });
    const byEpoch = start({ optimizer, schedule: optim.lr.step({ stepSize: 1, gamma: 0.1 }) });
    const rates = (await collect(byEpoch)).filter((event) => event.kind === 'step').map(({ lr }) => lr);
    expect(rates[0]).toBeCloseTo(0.5, 6);
    expect(rates[4]).toBeCloseTo(0.05, 6);
    expect(rates[8]).toBeCloseTo(0.005, 6);
    expect(optimizer.lr).toBe(0.5);
  });

  it('gives each group of parameters what the schedule makes of its own rate', async () => {
    const [hidden, , out] = model.layers as [nn.Linear, nn.Module, nn.Linear];
    const groups = [{ params: hidden.parameters(), lr: 0 }, { params: out.parameters() }];
    const optimizer = new optim.NAdam(groups, { lr: 0.5 });
    const [before, after] = [weights(hidden), weights(out)];
    const run = start({ optimizer, schedule: optim.lr.step({ stepSize: 1 }) });
    const rates = (await collect(run)).filter((event) => event.kind === 'step').map(({ lr }) => lr);
    // The first group's is the one that is reported.
    expect(new Set(rates)).toEqual(new Set([0]));
    expect(weights(hidden)).toEqual(before);
    expect(weights(out)).not.toEqual(after);
    expect(optimizer.groups[1]!.lrCell.item()).toBe(0.5);
  });

  it('clips the gradients together', async () => {
    const optimizer = new optim.SGD(model.parameters(), { lr: 1 });
    const before = weights(model);
    await start({ optimizer, clipNorm: 1e-3, epochs: 1, batchSize: 50 }).done;
    const moved = Math.hypot(...weights(model).map((value, i) => value - before[i]!));
    expect(moved).toBeCloseTo(1e-3, 5);
  });

  it('takes the gradients of a batch in parts, and one step, also where parts and batches do not come out', async () => {
    const state = model.stateDict();
    const run = async (accumulate: number) => {
      model.loadStateDict(state);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.3 });
      const { epochs, steps } = await start({ optimizer, accumulate, metrics: { accuracy }, epochs: 2 }).done;
      expect([steps, optimizer.stepCell.item()]).toEqual([8, 8]);
      return [...weights(model), ...epochs.flatMap(({ loss, metrics }) => [loss, metrics.accuracy!])];
    };
    // Batches of 16 and 2.
    const whole = await run(1);
    for (const parts of [2, 3, 16, 99]) {
      const split = await run(parts);
      split.forEach((one, i) => {
        expect(one).toBeCloseTo(whole[i]!, 5);
      });
    }
  });

  it('needs less memory for a batch in parts', async () => {
    const bytes = (accumulate: number) => {
      manualSeed(1);
      const wide = new nn.Sequential(new nn.Linear(4, 256), new nn.ReLU(), new nn.Linear(256, 256), new nn.Tanh());
      const run = train({
        model: wide,
        loss: (y) => y.square().mean(),
        optimizer: new optim.SGD(wide.parameters()),
        data: { x: zeros([4096, 4]), y: zeros([4096]) },
        ...{ batchSize: 4096, accumulate },
      });
      const { builder } = (run as unknown as { job: { builder: { programs: { program: { arenaBytes: number } }[] } } })
        .job;
      return run.done.then(() => builder.programs[0]!.program.arenaBytes);
    };
    expect((await bytes(1)) / (await bytes(16))).toBeGreaterThan(3);
  });

  it('shows the model what augment makes of a batch, in training only', async () => {
    const augment = (x: Tensor, y: Tensor): [Tensor, Tensor] => [x.mul(0), y.mul(0).add(2)];
    const optimizer = new optim.SGD(model.parameters(), { lr: 1 });
    const { epochs } = await start({ augment, optimizer, metrics: { accuracy }, validation: data, epochs: 30 }).done;
    const last = model
      .forward(zeros([1, 4]))
      .argmax({ axis: 1 })
      .item();
    expect(last).toBe(2);
    // All that it has learnt is to say 2, which the metric compares with the targets as they came.
    const share = [...data.y.values()].filter((one) => one === 2).length / 50;
    expect(epochs.at(-1)!.metrics.accuracy).toBeCloseTo(share, 6);
    expect(epochs.at(-1)!.validation!.loss).toBeGreaterThan(epochs.at(-1)!.loss);
  });

  it('mixes up the examples of a batch, the same with every number of threads', async () => {
    const state = model.stateDict();
    const ends: number[][] = [];
    for (const threads of [1, 2]) {
      model.loadStateDict(state);
      const augment = (x: Tensor, y: Tensor) => mixup(x, y, { alpha: 0.4, numClasses: 3 });
      const { epochs } = await start({ augment, threads, metrics: { accuracy }, validation: 0.2, epochs: 20 }).done;
      expect(epochs.at(-1)!.validation!.loss).toBeLessThan(epochs[0]!.validation!.loss);
      ends.push(weights(model));
    }
    expect(ends[0]).toEqual(ends[1]);
  });

  it.each(['loss', 'accuracy', 'val.loss', 'val.accuracy'])(
    'lowers the rate after epochs in which %s gets no better',
    async (monitor) => {
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.5 });
      const options = { mode: 'max', factor: 0.5, patience: 1, threshold: 0, monitor } as const;
      const schedule = new optim.lr.ReduceOnPlateau(optimizer, options);
      const { epochs } = await start({ optimizer, schedule, metrics: { accuracy }, validation: 0.2, epochs: 12 }).done;
      // The same by hand.
      const other = new optim.SGD(model.parameters(), { lr: 0.5 });
      const byHand = new optim.lr.ReduceOnPlateau(other, options);
      const rates = epochs.map((epoch) => {
        const { lr } = other;
        const [, held, name = held!] = /^(val\.)?(.*)$/.exec(monitor)!;
        byHand.step(held ? epoch.validation![name]! : name === 'loss' ? epoch.loss : epoch.metrics[name]!);
        return lr;
      });
      expect(epochs.map(({ lr }) => lr)).toEqual(rates);
      expect(optimizer.lr).toBe(other.lr);
      expect(optimizer.lr).toBeLessThan(0.5);
      expect([schedule.bestCell.item(), schedule.countsCell.toArray()]).toEqual([
        byHand.bestCell.item(),
        byHand.countsCell.toArray(),
      ]);
    },
  );

  it('ends with what a predicate throws', async () => {
    const failing = () => {
      throw new RangeError('no such metric');
    };
    await expect(start({ stopWhen: failing }).done).rejects.toThrow(RangeError);
  });

  it('stops when a predicate on an epoch says so', async () => {
    const result = await start({ epochs: 50, stopWhen: [({ epoch }) => epoch === 2] }).done;
    expect(result).toMatchObject({ reason: 'stopped', steps: 8 });
  });
});

describe('steering', () => {
  it('leaves the page its random numbers, snapshots too', async () => {
    model = new nn.Sequential(new nn.Linear(4, 8), new nn.Dropout(0.5), new nn.Linear(8, 3));
    const run = start();
    const draw = () => {
      manualSeed(3);
      return [...randn([4]).data()];
    };
    const before = draw();
    for await (const event of run) if (event.step > 2) break;
    await run.snapshot();
    expect(draw()).toEqual(before);
    await run.done;
    expect(draw()).toEqual(before);
  });

  it('pauses, goes on step by step, and stops; stop may be called again', async () => {
    const run = start({ epochs: 100_000 });
    run.pause();
    const seen: TrainEvent[] = [];
    for await (const event of run) {
      if (event.kind === 'step') continue;
      seen.push(event);
      if (event.kind !== 'paused') continue;
      if (seen.filter(({ kind }) => kind === 'paused').length === 1) run.step(3);
      else {
        run.stop();
        run.stop();
      }
    }
    const pauses = seen.filter(({ kind }) => kind === 'paused');
    expect(pauses[1]!.step - pauses[0]!.step).toBe(3);
    expect(seen.at(-1)).toMatchObject({ kind: 'done', reason: 'stopped' });
    expect((await run.done).reason).toBe('stopped');
    run.stop();
  });

  it('shows the weights of now in a snapshot', async () => {
    const before = weights(model);
    const run = start({ epochs: 100_000 });
    for await (const event of run) if (event.step > 5) break;
    const state = await run.snapshot();
    expect(Object.values(state).flatMap((one) => [...one.data()])).not.toEqual(before);
    run.stop();
    await run.done;
  });

  it("aborts with the signal's reason, and the weights are back", async () => {
    const before = weights(model);
    const controller = new AbortController();
    const run = start({ epochs: 100_000, signal: controller.signal });
    for await (const event of run) {
      if (event.step > 5) {
        controller.abort(new Error('enough'));
        break;
      }
    }
    await expect(run.done).rejects.toThrow('enough');
    expect(weights(model)).not.toEqual(before);
    model.loadStateDict(model.stateDict());
    await expect(start({ signal: AbortSignal.abort(new Error('too late')) }).done).rejects.toThrow('too late');
  });
});

describe('iterables of batches', () => {
  const parts = () => [
    { x: data.x.slice(':20'), y: data.y.slice(':20') },
    { x: data.x.slice('20:40'), y: data.y.slice('20:40') },
    { x: data.x.slice('40:'), y: data.y.slice('40:') },
  ];

  it('trains on an array of batches as on the rows in memory', async () => {
    const state = model.stateDict();
    await start({ data: parts() }).done;
    const fed = weights(model);
    model.loadStateDict(state);
    await start({ shuffle: false, batchSize: 20 }).done;
    expect(weights(model)).toEqual(fed);
  });

  it('takes parts of batches, and a plateau, as with rows in memory', async () => {
    const state = model.stateDict();
    const run = async (options: Partial<TrainOptions>) => {
      model.loadStateDict(state);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.5 });
      const schedule = new optim.lr.ReduceOnPlateau(optimizer, { mode: 'max', patience: 1, monitor: 'loss' });
      await start({ optimizer, schedule, accumulate: 3, epochs: 6, ...options }).done;
      expect(optimizer.lr).toBeLessThan(0.5);
      return [...weights(model), optimizer.lr];
    };
    expect(await run({ data: parts() })).toEqual(await run({ shuffle: false, batchSize: 20 }));
  });

  it('pulls an async iterable anew for every epoch', async () => {
    const source = {
      async *[Symbol.asyncIterator]() {
        yield* parts();
      },
    };
    expect((await start({ data: source }).done).steps).toBe(9);
  });

  it('says what is wrong with a generator that is empty in its second epoch', async () => {
    const once = (function* () {
      yield* parts();
    })();
    await expect(start({ data: once }).done).rejects.toThrow(/no batch for epoch 2.*not a generator/);
  });

  it('can be stopped or aborted while a batch is awaited that never comes', async () => {
    const never = (count: number) => ({
      async *[Symbol.asyncIterator]() {
        yield* parts().slice(0, count);
        await new Promise(() => {});
      },
    });
    const atOnce = start({ data: never(0) });
    atOnce.stop();
    expect(await atOnce.done).toMatchObject({ reason: 'stopped', steps: 0 });
    const later = start({ data: never(2) });
    for await (const event of later) if (event.step === 2) break;
    later.stop();
    expect(await later.done).toMatchObject({ reason: 'stopped', steps: 2 });
    const controller = new AbortController();
    const aborted = start({ data: never(0), signal: controller.signal });
    controller.abort(new Error('no more'));
    await expect(aborted.done).rejects.toThrow('no more');
    expect((await start({ epochs: 1 }).done).reason).toBe('finished');
  });

  it('passes on what the iterable throws', async () => {
    const broken = {
      *[Symbol.iterator]() {
        yield parts()[0]!;
        throw new DataError('the disk is gone.', { op: 'reader' });
      },
    };
    await expect(start({ data: broken }).done).rejects.toThrow('reader: the disk is gone.');
  });
});

describe('what goes wrong', () => {
  it('refuses options and shapes at once, by name', () => {
    const optimizer = new optim.SGD(model.parameters());
    const plateau = (monitor: string) => new optim.lr.ReduceOnPlateau(optimizer, { monitor });
    const refusals: [Partial<TrainOptions>, RegExp][] = [
      [{ epochs: 0 }, /train: epochs must be a whole number from 1 on; got 0/],
      [{ batchSize: 1.5 }, /train: batchSize/],
      [{ accumulate: 0 }, /train: accumulate must be a whole number from 1 on; got 0/],
      [{ schedule: plateau('val.loss') }, /train: monitor must be loss; got val\.loss/],
      [
        { schedule: plateau('val.f1'), metrics: { accuracy }, validation: 0.2 },
        /monitor must be loss, accuracy, val\.loss, val\.accuracy; got val\.f1/,
      ],
      [{ data: { x: data.x, y: data.y.slice(':10') } }, /50 examples and y has 10/],
      [{ data: { x: data.x.slice(':0'), y: data.y.slice(':0') } }, /no examples/],
      [{ validation: 1.5 }, /validation must be a fraction/],
      [{ validation: { x: randn([5, 3]), y: data.y.slice(':5') } }, /validation\.x has examples of shape \[3\].*\[4\]/],
      [{ data: { x: randn([50, 5]), y: data.y } }, /linear:.*\[16, 5\] and \[8, 4\]/],
      [{ loss: (prediction: Tensor) => prediction }, /grad:.*rank 0/],
      [{ batchSize: 64, dropLast: true }, /50 examples fill no batch of 64/],
    ];
    for (const [options, message] of refusals) expect(() => start(options)).toThrow(message);
  });

  it('owns its cells while it runs', async () => {
    const run = start({ epochs: 100_000 });
    expect(() => start()).toThrow(expect.objectContaining({ code: 'MODEL_BUSY' }));
    expect(() => model.loadStateDict(model.stateDict())).toThrow(expect.objectContaining({ code: 'MODEL_BUSY' }));
    run.stop();
    await run.done;
    await start({ epochs: 1 }).done;
  });

  it('names a label that is out of range, and keeps the weights', async () => {
    const before = weights(model);
    const y = data.y.data();
    y[17] = 9;
    const run = start({ data: { x: data.x, y: tensor(y) }, shuffle: false });
    await expect(run.done).rejects.toMatchObject({
      code: 'INDEX_OUT_OF_RANGE',
      op: 'crossEntropy',
      value: 9,
      limit: 3,
      step: 2,
    });
    expect(weights(model)).not.toEqual(before);
    await expect(collect(run)).rejects.toMatchObject({ code: 'INDEX_OUT_OF_RANGE' });
  });

  it('finds a divergence in its step, names the op, and keeps the weights from before', async () => {
    const x = data.x.data();
    x[0] = Number.NaN;
    const before = weights(model);
    const run = start({ data: { x: tensor(x, { shape: data.x.shape }), y: data.y }, shuffle: false });
    await expect(run.done).rejects.toMatchObject({ name: 'DivergenceError', code: 'DIVERGED', op: 'matmul', step: 1 });
    expect(weights(model)).toEqual(before);
  });

  it('is no unhandled rejection if nobody listens', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const run = start({ data: { x: data.x, y: tensor(new Int32Array(50).fill(5)) } });
    await new Promise<void>((resolve) => {
      run.done.then(
        () => resolve(),
        () => resolve(),
      );
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

it('refuses a step that does not fit the memory, and the model is as before', async () => {
  const wide = new nn.Linear(4, 40_000);
  const before = weights(wide);
  // The loss takes no target as large as the prediction: [40,000, 40,000] are 6.4 GB.
  const run = train({
    model: wide,
    loss: (prediction, target) => prediction.square().mean().add(target.mean()),
    optimizer: new optim.SGD(wide.parameters()),
    data: { x: zeros([40_000, 4]), y: zeros([40_000]) },
    batchSize: 40_000,
  });
  await expect(run.done).rejects.toMatchObject({ name: 'OutOfMemoryError', code: 'OUT_OF_MEMORY', limit: 2 ** 32 });
  expect(weights(wide)).toEqual(before);
});

describe('evaluate and predict', () => {
  it('compute in batches what the model computes at once', async () => {
    const prediction = await predict(model, data.x, { batchSize: 16 });
    const whole = model.forward(data.x);
    expect(prediction.shape).toEqual([50, 3]);
    expect(prediction.data()).toEqual(whole.data());
    const { loss, accuracy: share } = await evaluate({
      model,
      data,
      loss: crossEntropy,
      metrics: { accuracy },
      batchSize: 7,
    });
    expect(loss).toBeCloseTo(crossEntropy(whole, data.y).item(), 6);
    expect(share).toBeCloseTo(accuracy(whole, data.y).item(), 6);
  });

  it('refuse what cannot be computed', async () => {
    await expect(evaluate({ model, data })).rejects.toThrow(/pass a loss, or metrics/);
    await expect(evaluate({ model, data: { x: data.x, y: randn([50, 2]) }, loss: mseLoss })).rejects.toThrow(/mseLoss/);
    await expect(predict(model, randn([5, 3]))).rejects.toThrow(/linear/);
    expect((await predict(model, randn([0, 4]))).shape).toEqual([0, 3]);
  });
});
