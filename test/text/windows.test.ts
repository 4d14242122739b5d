import { expect, it } from 'vitest';
import { crossEntropy, embedding, nn, optim, perplexity, randomWindows, type Tensor, train, windows } from 'wasmgrad';

const tokens = Int32Array.from({ length: 101 }, (_, i) => i);

it('cuts a corpus into windows, each with what comes next', () => {
  const { x, y } = windows(tokens, { length: 25 });
  expect([x.shape, y.shape]).toEqual([
    [4, 25],
    [4, 25],
  ]);
  expect([...x.data]).toEqual([...tokens.subarray(0, 100)]);
  expect([...y.data]).toEqual([...tokens.subarray(1)]);
});

it.each([
  [25, 1, 76],
  [25, 25, 4],
  [25, 26, 3],
  [30, 30, 3],
  [30, 35, 3],
  [100, 7, 1],
  [1, 1, 100],
])('windows of %i, each %i behind the other, are %i', (length, stride, count) => {
  const { x, y } = windows(tokens, { length, stride });
  expect(x.shape).toEqual([count, length]);
  for (let i = 0; i < count; i++) {
    expect(x.data[i * length]).toBe(i * stride);
    expect(y.data[(i + 1) * length - 1]).toBe(i * stride + length);
  }
  // The next one would not be whole.
  expect(count * stride + length).toBeGreaterThan(100);
});

it('draws windows anywhere, anew in each pass, the same ones from one seed', () => {
  const options = { length: 10, batchSize: 8, steps: 50, seed: 3 };
  const starts = (batches: Iterable<ReturnType<typeof windows>>) =>
    [...batches].map(({ x, y }) => {
      for (let i = 0; i < x.data.length; i++) expect(y.data[i]).toBe(x.data[i]! + 1);
      return Array.from({ length: 8 }, (_, i) => x.data[i * 10]!);
    });
  const one = randomWindows(tokens, options);
  const [first, second] = [starts(one), starts(one)];
  const again = randomWindows(tokens, options);
  expect([starts(again), starts(again)]).toEqual([first, second]);
  expect(second).not.toEqual(first);
  expect(starts(randomWindows(tokens, { ...options, seed: 4 }))).not.toEqual(first);
  // Every place is as likely as any other: 800 draws of 91 places.
  const counts = new Array<number>(91).fill(0);
  for (const start of [first, second].flat(2)) counts[start]!++;
  const expected = 800 / 91;
  const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  expect(chi).toBeLessThan(140);
  expect([counts[0]! > 0, counts[90]! > 0]).toEqual([true, true]);
});

it('gives a pass from any batch on, as a resumed run asks for it', () => {
  const data = randomWindows(tokens, { length: 5, batchSize: 3, steps: 4, seed: 2 });
  const passes = [[...data], [...data]];
  expect(passes[0]).not.toEqual(passes[1]);
  for (const epoch of [0, 1]) {
    for (const batch of [0, 1, 4]) expect([...data.seek({ epoch, batch })]).toEqual(passes[epoch]!.slice(batch));
  }
});

it('sees about all tokens in a pass, unless told how many batches', () => {
  expect([...randomWindows(tokens, { length: 10, batchSize: 3 })]).toHaveLength(4);
});

it.each([
  [() => windows(tokens, { length: 101 }), 'BAD_DATA', 'windows'],
  [() => windows(tokens, { length: 0 }), 'BAD_VALUE', 'windows'],
  [() => windows(tokens, { length: 2, stride: 0 }), 'BAD_VALUE', 'windows'],
  [() => windows(new Int32Array(0), { length: 1 }), 'BAD_DATA', 'windows'],
  [() => randomWindows(tokens, { length: 101, batchSize: 1 }), 'BAD_DATA', 'randomWindows'],
  [() => randomWindows(tokens, { length: 5, batchSize: 0 }), 'BAD_VALUE', 'randomWindows'],
  [() => randomWindows(tokens, { length: 5, batchSize: 1, steps: 0.5 }), 'BAD_VALUE', 'randomWindows'],
  [() => randomWindows(tokens, { length: 5, batchSize: 1, seed: -1 }), 'BAD_VALUE', 'randomWindows'],
] as [() => unknown, string, string][])('refuses %s', (f, code, op) => {
  expect(f).toThrow(expect.objectContaining({ code, op }));
});

it('trains on random windows, with perplexity as a metric', async () => {
  // What follows a token is the next one of ten, nine times out of ten.
  const corpus = Int32Array.from({ length: 2000 }, (_, i) => i % 10);
  class Bigrams extends nn.Module {
    table = new nn.Parameter(nn.init.zeros()([10, 10]));
    forward(x: Tensor) {
      return embedding(x, this.table);
    }
  }
  const model = new Bigrams();
  const loss = (prediction: Tensor, y: Tensor) => crossEntropy(prediction.reshape([-1, 10]), y.reshape([-1]));
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.3 });
  const data = randomWindows(corpus, { length: 16, batchSize: 4, steps: 20 });
  const run = train({
    model,
    loss,
    optimizer,
    data,
    epochs: 4,
    metrics: { perplexity },
    validation: windows(corpus, { length: 16 }),
  });
  const { epochs } = await run.done;
  expect(epochs[0]!.metrics.perplexity!).toBeGreaterThan(epochs[3]!.metrics.perplexity!);
  expect(epochs[3]!.validation!.perplexity!).toBeLessThan(1.05);
  expect(epochs[3]!.validation!.perplexity!).toBeCloseTo(Math.exp(epochs[3]!.validation!.loss!), 4);
});
