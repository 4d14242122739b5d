import 'wasmgrad/f64';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  batchNorm,
  Cell,
  compile,
  grad,
  groupNorm,
  layerNorm,
  manualSeed,
  mseLoss,
  nn,
  optim,
  type Real,
  randn,
  rmsNorm,
  type Tensor,
  tensor,
  train,
  valueAndGrad,
  zeros,
} from 'wasmgrad';
import oracle from '../oracle/norm_layers.json';
import { decode, expectClose, expectSameBits, type Plain } from '../reference';

beforeEach(() => manualSeed(3));

interface LayerCase {
  layer: 'BatchNorm1d';
  features: number;
  options: object;
  before: Record<string, Plain>;
  inputs: Plain[];
  cotangent: Plain;
  outputs: Plain[];
  slopes: Plain[];
  states: Record<string, Plain>[];
}

const cases = (oracle.cases as unknown as LayerCase[]).map((one) => ({
  ...one,
  title: `${one.layer} ${JSON.stringify(one.options)} of [${one.inputs[0]!.shape}]`,
}));

const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

function made({ layer, features, options, before }: LayerCase, dtype: Real) {
  const module = new nn[layer](features, { ...options, dtype });
  const state = Object.entries(before).map(([name, value]) => [name, decode(value, dtype)]);
  module.loadStateDict(Object.fromEntries(state), { rename: camel });
  return module;
}

function expectState(module: nn.Module, state: Record<string, Plain>, title: string) {
  const own = module.stateDict();
  expect(Object.keys(own).sort()).toEqual(Object.keys(state).map(camel).sort());
  for (const [name, value] of Object.entries(state)) {
    // PyTorch's InstanceNorm does not count.
    if (name === 'num_batches_tracked' && title.startsWith('Instance')) continue;
    expectClose(own[camel(name)]!, value, `${name} of ${title}`);
  }
}

describe.each(['f64', 'f32'] as Real[])('layers with running statistics, in %s', (dtype) => {
  it.each(cases)('$title has PyTorch’s numbers in three steps of training and in evaluation', (one) => {
    const module = made(one, dtype);
    const compiled = made(one, dtype);
    const f = (x: Tensor) => compiled.forward(x);
    const program = compile((x: Tensor, g: Tensor) => valueAndGrad((at: Tensor) => f(at).mul(g).sum())(x));
    one.inputs.forEach((input, i) => {
      const title = `${one.title}, step ${i}`;
      const [x, g] = [decode(input, dtype), decode(one.cotangent, dtype)];
      for (const each of [module, compiled]) each.train(i < 3);
      expectClose(module.forward(x), one.outputs[i]!, title);
      expectState(module, one.states[i]!, title);
      const { value, grads } = program(x, g);
      const total = one.outputs[i]!.data.reduce<number>(
        (sum, y, j) => sum + Number(y) * Number(one.cotangent.data[j]),
        0,
      );
      expect(Math.abs(value.item() - total)).toBeLessThan(1e-4);
      expectClose(grads, one.slopes[i]!, title);
      expectState(compiled, one.states[i]!, title);
    });
  });
});

describe('running statistics', () => {
  it('are state, and no parameters', () => {
    const layer = new nn.BatchNorm1d(2);
    expect(layer.namedParameters().map(([name]) => name)).toEqual(['weight', 'bias']);
    expect(layer.namedCells().map(([name]) => name)).toEqual([
      ...['weight', 'bias'],
      ...['runningMean', 'runningVar', 'numBatchesTracked'],
    ]);
    expect(layer.numBatchesTracked!.dtype).toBe('i32');
    const plainly = new nn.BatchNorm2d(2, { affine: false, trackRunningStats: false });
    expect(plainly.namedCells()).toEqual([]);
    expect(new nn.InstanceNorm2d(2).namedCells()).toEqual([]);
  });

  it('change in grad, eager too, once for each call', () => {
    const layer = new nn.BatchNorm1d(3);
    const other = new nn.BatchNorm1d(3);
    const x = randn([5, 3]);
    grad((at: Tensor) => layer.forward(at).square().sum())(x);
    other.forward(x);
    expect(layer.numBatchesTracked!.item()).toBe(1);
    expectSameBits(tensor(layer.runningMean!), tensor(other.runningMean!));
    expectSameBits(tensor(layer.runningVar!), tensor(other.runningVar!));
  });

  it('of plain tensors stay as they are', () => {
    const [mean, variance] = [zeros([3]), new Cell(zeros([3]))];
    batchNorm(randn([4, 3]), mean, variance, { training: true });
    expect(mean.toArray()).toEqual([0, 0, 0]);
    expect(variance.toArray()).not.toEqual([0, 0, 0]);
  });

  it('are what evaluation uses, and stay', () => {
    const layer = new nn.BatchNorm1d(2).eval();
    const x = tensor([[1, 2]]);
    expectClose(layer.forward(x), { shape: [1, 2], data: [1 / Math.sqrt(1 + 1e-5), 2 / Math.sqrt(1 + 1e-5)] });
    expect(layer.numBatchesTracked!.item()).toBe(0);
  });

  it('the mode is part of the program', () => {
    const layer = new nn.BatchNorm1d(2);
    const forward = compile((x: Tensor) => layer.forward(x));
    const x = randn([6, 2]);
    forward(x);
    layer.eval();
    const evaluated = forward(x);
    expectSameBits(forward(x), evaluated);
    expect(layer.numBatchesTracked!.item()).toBe(1);
    layer.train();
    expect([...forward(x).values()]).not.toEqual([...evaluated.values()]);
    expect(layer.numBatchesTracked!.item()).toBe(2);
  });

  it('come back from a training in a worker, which evaluates with them', async () => {
    const model = new nn.Sequential(new nn.Linear(3, 8), new nn.BatchNorm1d(8), new nn.ReLU(), new nn.Linear(8, 1));
    const x = randn([40, 3]);
    const data = { x, y: x.sum({ axis: 1, keepDims: true }) };
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
    await train({ model, data, validation: data, loss: mseLoss, optimizer, epochs: 40, batchSize: 10 }).done;
    const { numBatchesTracked, runningMean } = model.layers[1] as nn.BatchNorm1d;
    expect(numBatchesTracked!.item()).toBe(160);
    expect([...runningMean!.values()].some((one) => one !== 0)).toBe(true);
    model.eval();
    expect(mseLoss(model.forward(x) as Tensor, data.y).item()).toBeLessThan(0.5);
  });
});

describe('layers without', () => {
  it('LayerNorm, RMSNorm and GroupNorm are their functions', () => {
    const x = randn([2, 4, 3]);
    const layers: [nn.Module, (w: Tensor, b: Tensor) => Tensor, string[]][] = [
      [new nn.LayerNorm(3), (w, b) => layerNorm(x, [3], w, b), ['weight', 'bias']],
      [new nn.LayerNorm([4, 3], { eps: 0.1 }), (w, b) => layerNorm(x, [4, 3], w, b, { eps: 0.1 }), ['weight', 'bias']],
      [new nn.LayerNorm(3, { bias: false }), (w) => layerNorm(x, [3], w), ['weight']],
      [new nn.LayerNorm(3, { elementwiseAffine: false }), () => layerNorm(x, [3]), []],
      [new nn.RMSNorm(3), (w) => rmsNorm(x, [3], w), ['weight']],
      [new nn.RMSNorm([4, 3], { eps: 0.1, elementwiseAffine: false }), () => rmsNorm(x, [4, 3], { eps: 0.1 }), []],
      [new nn.GroupNorm(2, 4), (w, b) => groupNorm(x, 2, w, b), ['weight', 'bias']],
      [new nn.GroupNorm(1, 4, { affine: false, eps: 0.1 }), () => groupNorm(x, 1, { eps: 0.1 }), []],
    ];
    for (const [layer, f, names] of layers) {
      const cells = layer.namedParameters();
      expect(cells.map(([name]) => name)).toEqual(names);
      expect(cells.every(([name, cell]) => cell.values().every((one) => one === Number(name === 'weight')))).toBe(true);
      for (const [, cell] of cells) cell.write(randn(cell.shape));
      expectSameBits(layer.forward(x) as Tensor, f(cells[0]?.[1] as Tensor, cells[1]?.[1] as Tensor));
    }
  });

  it('take the precision they are asked for', () => {
    expect(new nn.LayerNorm(2, { dtype: 'f64' }).forward(zeros([2], { dtype: 'f64' })).dtype).toBe('f64');
    expect(new nn.GroupNorm(1, 2, { dtype: 'f64' }).weight!.dtype).toBe('f64');
    expect(new nn.BatchNorm1d(2, { dtype: 'f64' }).runningVar!.dtype).toBe('f64');
  });

  it('pass what is empty', () => {
    expect(new nn.LayerNorm(3).forward(zeros([0, 3])).shape).toEqual([0, 3]);
    expect(new nn.RMSNorm(3).forward(zeros([0, 3])).shape).toEqual([0, 3]);
    expect(new nn.GroupNorm(1, 3).forward(zeros([0, 3, 2])).shape).toEqual([0, 3, 2]);
    expect(new nn.InstanceNorm1d(3).forward(zeros([0, 3, 2])).shape).toEqual([0, 3, 2]);
  });
});
