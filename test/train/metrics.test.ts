import { beforeEach, describe, expect, it } from 'vitest';
import {
  auc,
  confusionMatrix,
  evaluate,
  f1Score,
  floor,
  type Metric,
  manualSeed,
  meanAbsoluteError,
  nn,
  optim,
  perplexity,
  precision,
  r2Score,
  randint,
  randn,
  recall,
  rootMeanSquaredError,
  type StatefulMetric,
  type Tensor,
  tensor,
  topKAccuracy,
  train,
} from 'wasmgrad';

/** Gives what it is given: the data are the predictions. */
class Identity extends nn.Module {
  override forward(x: Tensor): Tensor {
    return x;
  }
}
const model = new Identity();

/** In batches of which the last is smaller, through the worker. */
const of = async (metric: Metric, x: Tensor, y: Tensor) =>
  (await evaluate({ model, data: { x, y }, metrics: { metric }, batchSize: 16 })).metric!;

beforeEach(() => {
  manualSeed(3);
});

describe('classes', () => {
  const n = 101;
  let logits: Tensor;
  let labels: Tensor;
  let guesses: number[];
  let truths: number[];
  beforeEach(() => {
    logits = randn([n, 4]);
    // Class 3 is never meant, though it is guessed.
    labels = randint(0, 3, [n]);
    guesses = logits.argmax({ axis: 1 }).toArray() as number[];
    truths = labels.toArray() as number[];
  });

  const matrix = () => {
    const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
    truths.forEach((truth, i) => {
      counts[truth]![guesses[i]!]!++;
    });
    return counts;
  };
  const sums = () => {
    const counts = matrix();
    const right = counts.map((row, i) => row[i]!);
    const own = counts.map((row) => row.reduce((a, b) => a + b));
    const taken = counts.map((_, j) => counts.reduce((sum, row) => sum + row[j]!, 0));
    return { right, own, taken };
  };
  const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;

  it('are counted, truth by guess', async () => {
    const { metric } = await evaluate({
      model,
      data: { x: logits, y: labels },
      metrics: { metric: confusionMatrix },
      batchSize: 7,
    });
    expect(metric).toEqual(matrix());
  });

  it.each(['macro', 'micro', 'none'] as const)('have precision, recall and F1, %s', async (average) => {
    const { right, own, taken } = sums();
    const share = (part: number, all: number) => (all === 0 ? 0 : part / all);
    const each = {
      precision: right.map((r, i) => share(r, taken[i]!)),
      recall: right.map((r, i) => share(r, own[i]!)),
      f1: right.map((r, i) => share(2 * r, own[i]! + taken[i]!)),
    };
    const share4 = right.reduce((a, b) => a + b) / n;
    const expected = (values: number[]) => (average === 'none' ? values : average === 'micro' ? share4 : mean(values));
    const metrics = { precision: precision({ average }), recall: recall({ average }), f1: f1Score({ average }) };
    const got = (await evaluate({ model, data: { x: logits, y: labels }, metrics, batchSize: 16 })) as Record<
      string,
      unknown
    >;
    for (const name of ['precision', 'recall', 'f1'] as const) {
      const [value, wanted] = [[got[name]].flat() as number[], [expected(each[name])].flat()];
      expect(value).toHaveLength(wanted.length);
      value.forEach((one, i) => {
        expect(one).toBeCloseTo(wanted[i]!, 6);
      });
    }
  });

  it('that are nowhere do not count', async () => {
    const x = tensor([
      [9, 0, 0],
      [9, 0, 0],
      [0, 9, 0],
    ]);
    // Class 2 is neither meant nor guessed: (1/2 + 1) / 2 of two classes.
    expect(await of(precision({ average: 'macro' }), x, tensor(Int32Array.of(0, 1, 1)))).toBeCloseTo(0.75, 6);
  });

  it('are among the k likeliest', async () => {
    const rows = logits.toArray() as number[][];
    const among = (k: number) =>
      mean(truths.map((truth, i) => Number(rows[i]!.filter((one) => one > rows[i]![truth]!).length < k)));
    for (const k of [1, 2, 3, 4]) expect(await of(topKAccuracy(k), logits, labels)).toBeCloseTo(among(k), 6);
  });

  it('may be two, of one number each', async () => {
    const scores = randn([n]);
    const y = randint(0, 2, [n]);
    const [guess, truth] = [(scores.toArray() as number[]).map((one) => Number(one > 0.3)), y.toArray() as number[]];
    const count = (g: number, t: number) => guess.filter((one, i) => one === g && truth[i] === t).length;
    const [tp, fp, fn] = [count(1, 1), count(1, 0), count(0, 1)];
    const options = { threshold: 0.3 };
    expect(await of(precision(options), scores, y)).toBeCloseTo(tp / (tp + fp), 6);
    expect(await of(recall(options), scores, y)).toBeCloseTo(tp / (tp + fn), 6);
    expect(await of(f1Score(options), scores, y)).toBeCloseTo((2 * tp) / (2 * tp + fp + fn), 6);
  });

  it('are told apart by scores: how often a pair is in order', async () => {
    // On a grid, so that there are equal scores, and none that differ fall into one bin.
    const scores = floor(randn([n]).mul(8)).div(8);
    const y = randint(0, 2, [n]);
    const [s, t] = [scores.toArray() as number[], y.toArray() as number[]];
    let [pairs, right] = [0, 0];
    t.forEach((a, i) => {
      t.forEach((b, j) => {
        if (a <= b) return;
        pairs++;
        right += s[i]! > s[j]! ? 1 : s[i] === s[j] ? 0.5 : 0;
      });
    });
    expect(await of(auc(), scores, y)).toBeCloseTo(right / pairs, 5);
    expect(await of(auc(), scores, y.mul(0))).toBe(0.5);
  });
});

describe('numbers', () => {
  it('are off by so much', async () => {
    // Far from 0, where sums of squares would lose what matters.
    const y = randn([101, 2]).add(1000);
    const x = y.add(randn([101, 2]).mul(0.5));
    const [p, t] = [x.toArray() as number[][], y.toArray() as number[][]];
    const errors = p.flatMap((row, i) => row.map((one, j) => one - t[i]![j]!));
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    expect(await of(meanAbsoluteError, x, y)).toBeCloseTo(mean(errors.map(Math.abs)), 4);
    expect(await of(rootMeanSquaredError, x, y)).toBeCloseTo(Math.sqrt(mean(errors.map((e) => e * e))), 4);
    const r2 = [0, 1].map((j) => {
      const own = t.map((row) => row[j]!);
      const middle = mean(own);
      const residual = own.reduce((sum, one, i) => sum + (one - p[i]![j]!) ** 2, 0);
      return 1 - residual / own.reduce((sum, one) => sum + (one - middle) ** 2, 0);
    });
    expect(await of(r2Score, x, y)).toBeCloseTo(mean(r2), 3);
  });

  it('that are all the same are predicted or not', async () => {
    const y = tensor([2, 2, 2]);
    expect(await of(r2Score, y, y)).toBe(1);
    expect(await of(r2Score, y.add(1), y)).toBe(0);
  });

  it('of all batches together: perplexity', async () => {
    const [x, y] = [randn([37, 5]), randint(0, 5, [37])];
    const rows = x.toArray() as number[][];
    const nats = (y.toArray() as number[]).map((truth, i) => {
      const row = rows[i]!;
      return Math.log(row.reduce((sum, one) => sum + Math.exp(one), 0)) - row[truth]!;
    });
    expect(await of(perplexity, x, y)).toBeCloseTo(Math.exp(nats.reduce((a, b) => a + b) / 37), 4);
  });
});

describe('in a run', () => {
  it('metrics with a state start anew in every epoch, for training and for what is held out, whatever the batches', async () => {
    const x = randn([50, 4]);
    const data = { x, y: x.slice(':, :3').argmax({ axis: 1 }) };
    const net = new nn.Sequential(new nn.Linear(4, 3));
    // How many examples there were.
    const seen: StatefulMetric<Tensor> = {
      init: (prediction) => prediction.sum().mul(0),
      update: (state, prediction) => state.add(prediction.shape[0]!),
      compute: (state) => state,
    };
    const count: StatefulMetric<Tensor> = { ...seen, init: () => tensor(0) };
    const run = train({
      ...{
        model: net,
        loss: (p: Tensor, t: Tensor) => p.square().mean().add(t.mean().mul(0)),
        data: { x, y: data.y.cast('f32') },
      },
      optimizer: new optim.SGD(net.parameters(), { lr: 0.1 }),
      ...{
        epochs: 3,
        batchSize: 16,
        accumulate: 3,
        validation: 0.2,
        metrics: { count, size: (p: Tensor) => p.mean().mul(0).add(7) },
      },
    });
    const { epochs } = await run.done;
    expect(epochs.map(({ metrics, validation }) => [metrics.count, validation!.count, metrics.size])).toEqual(
      Array(3).fill([40, 10, expect.closeTo(7, 5)]),
    );
    expect(() =>
      train({
        ...{ model: net, loss: (p: Tensor) => p.mean(), data: { x, y: x } },
        optimizer: new optim.SGD(net.parameters()),
        metrics: { seen },
      }),
    ).toThrow(expect.objectContaining({ code: 'TRACED_VALUE' }));
  });

  it('arrays are told of, too', async () => {
    const x = randn([40, 3]);
    const net = new nn.Linear(3, 3);
    const run = train({
      ...{ model: net, loss: (p: Tensor, t: Tensor) => p.sub(t).square().mean(), data: { x, y: x.mul(2) } },
      optimizer: new optim.SGD(net.parameters()),
      ...{
        validation: 0.25,
        metrics: {
          each: {
            init: () => tensor([0, 0, 0]),
            update: (s: Tensor, p: Tensor) => s.add(p.sum({ axis: 0 }).mul(0).add(1)),
            compute: (s: Tensor) => s,
          },
        },
      },
    });
    const [epoch] = (await run.done).epochs;
    expect(epoch!.arrays).toEqual({ each: [1, 1, 1], 'val.each': [1, 1, 1] });
    expect(epoch!.metrics).toEqual({});
  });
});

it('options that make no sense are refused', () => {
  expect(() => precision({ average: 'mean' as never })).toThrow(
    expect.objectContaining({ op: 'precision', argument: 'average' }),
  );
  expect(() => recall({ threshold: Number.NaN })).toThrow(expect.objectContaining({ argument: 'threshold' }));
  expect(() => auc({ bins: 0 })).toThrow(expect.objectContaining({ argument: 'bins' }));
  expect(() => topKAccuracy(0)).toThrow(expect.objectContaining({ argument: 'k' }));
});
