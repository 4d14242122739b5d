import { beforeEach, describe, expect, it } from 'vitest';
import {
  accuracy,
  add,
  compile,
  concat,
  crossEntropy,
  evaluate,
  manualSeed,
  mseLoss,
  nn,
  optim,
  predict,
  randn,
  readSafetensors,
  type Tensor,
  tensor,
  train,
  valueAndGrad,
  writeSafetensors,
} from 'wasmgrad';

/** Two inputs, two outputs. */
class Twofold extends nn.Module {
  readonly body = new nn.Linear(5, 8);
  readonly kind = new nn.Linear(8, 3);
  readonly size = new nn.Linear(8, 1);

  override forward({ left, right }: { left: Tensor; right: Tensor }): { kind: Tensor; size: Tensor } {
    const h = this.body.forward(concat([left, right], { axis: 1 })).tanh();
    return { kind: this.kind.forward(h), size: this.size.forward(h) };
  }
}

type Truth = { kind: Tensor; size: Tensor };

const weights = (model: nn.Module) => Object.values(model.stateDict()).flatMap((one) => [...one.data()]);

let model: Twofold;
let data: { x: { left: Tensor; right: Tensor }; y: Truth };
beforeEach(() => {
  manualSeed(5);
  model = new Twofold();
  const [left, right] = [randn([60, 3]), randn([60, 2])];
  data = { x: { left, right }, y: { kind: left.argmax({ axis: 1 }), size: right.sum({ axis: 1, keepDims: true }) } };
});

const loss = (p: { kind: Tensor; size: Tensor }, t: Truth) => ({
  kind: crossEntropy(p.kind, t.kind),
  size: mseLoss(p.size, t.size),
});
const metrics = { right: (p: { kind: Tensor; size: Tensor }, t: Truth) => accuracy(p.kind, t.kind) };

describe('data and models of several parts', () => {
  it('are trained on the sum of their losses, each of which is told of', async () => {
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
    const run = train({ model, loss, optimizer, data, metrics, epochs: 40, batchSize: 16, validation: 0.2 });
    const { epochs } = await run.done;
    const last = epochs.at(-1)!;
    expect(Object.keys(last.metrics)).toEqual(['kind', 'size', 'right']);
    expect(last.metrics.kind! + last.metrics.size!).toBeCloseTo(last.loss, 5);
    expect(last.validation!.kind! + last.validation!.size!).toBeCloseTo(last.validation!.loss, 5);
    expect(last.loss).toBeLessThan(0.5 * epochs[0]!.loss);
    expect(last.metrics.right).toBeGreaterThan(0.9);
    const scores = await evaluate({ model, data, loss, metrics, batchSize: 13 });
    expect(scores.kind! + scores.size!).toBeCloseTo(scores.loss!, 5);
    const { kind, size } = await predict<Truth>(model, data.x, { batchSize: 13 });
    const whole = model.forward(data.x);
    expect([kind.shape, size.shape]).toEqual([
      [60, 3],
      [60, 1],
    ]);
    expect(kind.sub(whole.kind).abs().max().item()).toBeLessThan(1e-5);
    expect(size.sub(whole.size).abs().max().item()).toBeLessThan(1e-5);
  });

  it('come in batches as well', async () => {
    const part = (from: number) => ({
      x: { left: data.x.left.slice(`${from}:${from + 20}`), right: data.x.right.slice(`${from}:${from + 20}`) },
      y: { kind: data.y.kind.slice(`${from}:${from + 20}`), size: data.y.size.slice(`${from}:${from + 20}`) },
    });
    const start = () => {
      manualSeed(5);
      model = new Twofold();
      return {
        model,
        loss,
        optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }),
        epochs: 2,
        batchSize: 20,
        shuffle: false,
      };
    };
    await train({ ...start(), data }).done;
    const expected = weights(model);
    await train({ ...start(), data: [part(0), part(20), part(40)] }).done;
    expect(weights(model)).toEqual(expected);
  });

  it('that do not fit are refused by name', () => {
    const optimizer = new optim.SGD(model.parameters());
    const start = (other: object) => () =>
      train({ model, loss, optimizer, data: { ...data, ...other } as typeof data });
    expect(start({ y: { ...data.y, size: data.y.size.slice(':50') } })).toThrow(
      expect.objectContaining({
        code: 'SHAPE_MISMATCH',
        argument: 'y.size',
        message: expect.stringContaining('x.left has 60 examples and y.size has 50'),
      }),
    );
    expect(start({ y: undefined })).toThrow(expect.objectContaining({ name: 'DataError', argument: 'data' }));
    const validation = { x: { left: data.x.left, right: data.x.left }, y: data.y };
    expect(() => train({ model, loss, optimizer, data, validation })).toThrow(
      expect.objectContaining({ argument: 'validation', message: expect.stringContaining('validation.x.right') }),
    );
  });
});

describe('a step of the user’s own', () => {
  const own = () => {
    const net = new nn.Linear(3, 1);
    const optimizer = new optim.SGD(net.parameters(), { lr: 0.05 });
    const step = (x: Tensor, y: Tensor) => {
      const { value, grads } = valueAndGrad(() => mseLoss(net.forward(x), y), { wrt: net.parameters() })();
      optimizer.step(grads);
      return { loss: value, weight: net.weight.square().sum() };
    };
    return { net, step, optimizer };
  };

  it('does what train does with a loss and an optimizer, compiled or not', async () => {
    const x = randn([50, 3]);
    const both = { x, y: x.sum({ axis: 1, keepDims: true }) };
    const results = [];
    for (const kind of ['usual', 'own', 'compiled']) {
      manualSeed(9);
      const { net, step, optimizer } = own();
      const common = { model: net, data: both, epochs: 3, batchSize: 16, seed: 4 };
      const run =
        kind === 'usual'
          ? train({ ...common, loss: mseLoss, optimizer })
          : train({ ...common, step: kind === 'own' ? step : compile(step) });
      const { history, epochs } = await run.done;
      results.push([weights(net), [...history.losses()]]);
      if (kind !== 'usual') expect(epochs[0]!.metrics.weight).toBeGreaterThan(0);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('needs no targets, and may give one number', async () => {
    const net = new nn.Linear(3, 3);
    const optimizer = new optim.SGD(net.parameters(), { lr: 0.1 });
    const step = (x: Tensor) => {
      const { value, grads } = valueAndGrad(() => mseLoss(net.forward(x), x), { wrt: net.parameters() })();
      optimizer.step(grads);
      return value;
    };
    const { epochs } = await train({ model: net, step, data: { x: randn([64, 3]) }, epochs: 5 }).done;
    expect(epochs[4]!.loss).toBeLessThan(epochs[0]!.loss);
    expect(() => train({ model: net, step: () => ({}), data: { x: randn([4, 3]) } })).toThrow(
      expect.objectContaining({ argument: 'step' }),
    );
  });
});

describe('frozen parameters', () => {
  it('stay as they are, to the bit, and the rest is fitted to a file’s', async () => {
    const body = () => new nn.Sequential(new nn.Linear(4, 8), new nn.Tanh());
    const trained = body();
    const file = writeSafetensors(trained.stateDict());
    class Tuned extends nn.Module {
      readonly encoder = body();
      readonly head = new nn.Linear(8, 2);
      override forward(x: Tensor): Tensor {
        return this.head.forward(this.encoder.forward(x));
      }
    }
    const tuned = new Tuned();
    tuned.loadStateDict(readSafetensors(file).tensors, { strict: false, rename: (name) => `encoder.${name}` });
    const x = randn([80, 4]);
    const y = trained.forward(x).slice(':, :2').mul(3);
    const head = weights(tuned.head);
    const optimizer = new optim.Adam(tuned.head.parameters(), { lr: 0.05 });
    const { epochs } = await train({
      model: tuned,
      loss: mseLoss,
      optimizer,
      data: { x, y },
      epochs: 60,
      batchSize: 20,
    }).done;
    expect(weights(tuned.encoder)).toEqual(weights(trained));
    expect(weights(tuned.head)).not.toEqual(head);
    expect(epochs.at(-1)!.loss).toBeLessThan(1e-2);
  });
});

it('gradients of parts of a batch come to those of the whole', async () => {
  const x = randn([64, 4]);
  const y = add(x.sum({ axis: 1, keepDims: true }), tensor([[0.5]]));
  const after = async (accumulate: number) => {
    manualSeed(2);
    const net = new nn.Sequential(new nn.Linear(4, 16), new nn.Tanh(), new nn.Linear(16, 1));
    const optimizer = new optim.SGD(net.parameters(), { lr: 0.1 });
    await train({ model: net, loss: mseLoss, optimizer, data: { x, y }, epochs: 5, batchSize: 32, accumulate }).done;
    return weights(net);
  };
  const whole = await after(1);
  for (const parts of [2, 5, 32]) {
    (await after(parts)).forEach((weight, i) => {
      expect(Math.abs(weight - whole[i]!)).toBeLessThan(1e-6);
    });
  }
});
