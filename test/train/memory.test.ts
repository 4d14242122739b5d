import { beforeEach, describe, expect, it } from 'vitest';
import { manualSeed, mseLoss, nn, optim, randn, type Tensor, type TrainOptions, train } from 'wasmgrad';

const weights = (model: nn.Module) => Object.values(model.stateDict()).flatMap((one) => [...one.data()]);

let model: nn.Sequential;
let data: { x: Tensor; y: Tensor };
function start(options: Partial<TrainOptions> = {}) {
  manualSeed(1);
  model = new nn.Sequential(new nn.Linear(8, 32), new nn.Tanh(), new nn.Linear(32, 1));
  const x = randn([600, 8]);
  data = { x, y: x.sum({ axis: 1, keepDims: true }) };
  const optimizer = new optim.Adam(model.parameters());
  return train({ model, loss: mseLoss, optimizer, data, epochs: 2, batchSize: 256, threads: 1, ...options });
}

describe('a run that needs more memory than there is', () => {
  it('is refused before it begins, with what takes how much, and a batch that fits', async () => {
    const limit = 700_000;
    const run = start({ memoryLimit: limit });
    const before = weights(model);
    const error = await run.done.catch((reason) => reason);
    expect(error).toMatchObject({ name: 'OutOfMemoryError', code: 'OUT_OF_MEMORY', op: 'train', limit });
    expect(error.message).toMatch(/needs \d+ bytes, \d+ for weights and optimizer, \d+ for results in between/);
    expect(error.asked).toBeGreaterThan(limit);
    expect(weights(model)).toEqual(before);
    expect(error.expected).toBeGreaterThan(8);
    const fitting = start({ memoryLimit: limit, batchSize: error.expected });
    expect((await fitting.done).reason).toBe('finished');
    // Not much smaller than need be.
    await expect(start({ memoryLimit: limit, batchSize: 2 * error.expected }).done).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
    });
  });

  it('says so where no batch would fit', async () => {
    await expect(start({ memoryLimit: 1000 }).done).rejects.toMatchObject({
      message: expect.stringContaining('No batches would fit'),
      expected: 0,
    });
  });
});

describe('memory that does not grow', () => {
  const { getBuiltinModule } = process;
  const threads = getBuiltinModule('node:worker_threads');
  let refused = 0;
  /** Workers in which the so-manieth growth is refused. */
  class Poor extends threads.Worker {
    constructor(source: string, options: ConstructorParameters<typeof threads.Worker>[1]) {
      const patch = `{ const { grow } = WebAssembly.Memory.prototype; let left = ${refused};
        WebAssembly.Memory.prototype.grow = function (pages) {
          if (left <= 1) { if (left === 1) globalThis.refusedOnce = true; left = 0; throw new RangeError('refused'); }
          left--; return grow.call(this, pages); }; }\n`;
      super(refused > 0 ? patch + source : source, options);
    }
  }
  beforeEach(() => {
    process.getBuiltinModule = ((name: string) =>
      name === 'node:worker_threads' ? { ...threads, Worker: Poor } : getBuiltinModule(name as 'node:fs')) as never;
    return () => {
      process.getBuiltinModule = getBuiltinModule;
    };
  });

  it('at whichever growth ends the run, and nothing is lost', async () => {
    const big: Partial<TrainOptions> = { batchSize: 600, validation: 0.5, epochs: 1 };
    await start(big).done;
    const expected = weights(model);
    let failures = 0;
    for (refused = 1; refused < 20; refused++) {
      const run = start(big);
      const before = weights(model);
      const error = await run.done.then(
        () => null,
        (reason) => reason,
      );
      if (error === null) {
        expect(weights(model)).toEqual(expected);
        break;
      }
      failures++;
      expect(error).toMatchObject({
        name: 'OutOfMemoryError',
        code: 'OUT_OF_MEMORY',
        asked: expect.any(Number),
        live: expect.any(Number),
        limit: expect.any(Number),
      });
      expect(weights(model)).toEqual(before);
      // The model is nobody's, and the process works.
      const allowed = refused;
      refused = 0;
      await start(big).done;
      expect(weights(model)).toEqual(expected);
      refused = allowed;
    }
    refused = 0;
    expect(failures).toBeGreaterThan(1);
  });

  it('on the page is an error, too, and the page works on', async () => {
    const { grow } = WebAssembly.Memory.prototype;
    const huge = () => randn([40_000_000]);
    WebAssembly.Memory.prototype.grow = () => {
      throw new RangeError('refused');
    };
    try {
      expect(huge).toThrow(expect.objectContaining({ name: 'OutOfMemoryError', live: expect.any(Number) }));
    } finally {
      WebAssembly.Memory.prototype.grow = grow;
    }
    expect(randn([1000]).shape).toEqual([1000]);
    await start().done;
  });
});

const STEPS = Number(process.env.STEPS ?? 30_000);

it(`${STEPS} steps leave memory as it was, but for the history`, async () => {
  const net = new nn.Linear(2, 1);
  const run = train({
    ...{ model: net, loss: mseLoss, optimizer: new optim.SGD(net.parameters(), { lr: 1e-3 }) },
    ...{ data: { x: randn([1000, 2]), y: randn([1000, 1]) }, batchSize: 1, epochs: STEPS / 1000 },
  });
  const used: number[] = [];
  for await (const event of run) {
    if (event.kind !== 'epoch') continue;
    globalThis.gc?.();
    used.push(process.memoryUsage().rss);
  }
  const { history } = await run.done;
  expect(history.length).toBe(STEPS);
  const median = (part: number[]) => part.toSorted((a, b) => a - b)[part.length >> 1]!;
  const third = Math.floor(used.length / 3);
  // Later against in the middle: 16 bytes a step, its arrays half empty at worst, and what collectors leave for a while.
  const growth = median(used.slice(-third)) - median(used.slice(third, 2 * third));
  expect(growth).toBeLessThan(2 * 16 * STEPS + 40_000_000);
}, 600_000);
