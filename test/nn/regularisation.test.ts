import 'wasmgrad/f64';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  compile,
  crossEntropy,
  dropout1d,
  dropout2d,
  grad,
  l1Penalty,
  l2Penalty,
  manualSeed,
  mixup,
  mseLoss,
  nn,
  ones,
  optim,
  type Real,
  randn,
  stochasticDepth,
  type Tensor,
  tensor,
  train,
  valueAndGrad,
  zeros,
} from 'wasmgrad';
import { expectClose, expectSameBits } from '../reference';

beforeEach(() => manualSeed(7));

/** What is left of each group of ones: 0 or 1 / (1 - p), the same for all of a group. */
function groups(y: Tensor, count: number): number[] {
  const values = [...y.values()];
  const length = values.length / count;
  return Array.from({ length: count }, (_, i) => {
    const own = new Set(values.slice(i * length, (i + 1) * length));
    expect(own.size).toBe(1);
    return [...own][0]!;
  });
}

describe('dropout of more than single elements', () => {
  const cases: [string, (p: number, training: boolean) => Tensor, number][] = [
    ['dropout1d of [N, C, L]', (p, training) => dropout1d(ones([50, 40, 3]), { p, training }), 2000],
    ['dropout1d of [C, L]', (p, training) => dropout1d(ones([2000, 3]), { p, training }), 2000],
    ['dropout2d', (p, training) => dropout2d(ones([50, 40, 2, 3]), { p, training }), 2000],
    ['stochasticDepth by rows', (p, training) => stochasticDepth(ones([2000, 2, 3]), { p, training }), 2000],
  ];

  it.each(cases)('%s: a share of p goes as a whole, the rest keeps the expectation', (_, draw, count) => {
    const kept = groups(draw(0.25, true), count);
    expect(new Set(kept)).toEqual(new Set([0, Math.fround(4 / 3)]));
    expect(Math.abs(kept.filter((one) => one === 0).length / count - 0.25)).toBeLessThan(0.03);
    expect(groups(draw(1, true), count).every((one) => one === 0)).toBe(true);
    expect(groups(draw(0.25, false), count).every((one) => one === 1)).toBe(true);
    manualSeed(3);
    const eager = draw(0.5, true);
    manualSeed(3);
    expectSameBits(compile(() => draw(0.5, true))(), eager);
  });

  it.each([
    [dropout1d, [6, 5, 4]],
    [dropout2d, [6, 5, 2, 2]],
    [stochasticDepth, [20, 3]],
  ] as [(x: Tensor) => Tensor, number[]][])('%o masks the gradient as it masked the value', (f, shape) => {
    const slope = grad((x: Tensor) => f(x).sum())(ones(shape));
    manualSeed(7);
    expectSameBits(slope, f(ones(shape)));
  });

  it('stochasticDepth by batches drops all or nothing', () => {
    const drawn = Array.from({ length: 400 }, () => groups(stochasticDepth(ones([6, 2]), { mode: 'batch' }), 1)[0]!);
    expect(new Set(drawn)).toEqual(new Set([0, 2]));
    expect(Math.abs(drawn.filter((one) => one === 0).length / 400 - 0.5)).toBeLessThan(0.1);
    expect([0, 2]).toContain(stochasticDepth(ones([]), { mode: 'batch' }).item());
  });

  it.each([
    [new nn.Dropout(), [4, 5]],
    [new nn.Dropout1d(), [4, 5, 2]],
    [new nn.Dropout2d(), [4, 5, 2, 2]],
    [new nn.StochasticDepth(0.5), [4, 5]],
    [new nn.StochasticDepth(0.5, { mode: 'batch' }), [4, 5]],
  ] as [nn.Module, number[]][])('the mode of %o is part of the program', (layer, shape) => {
    const x = ones(shape);
    const forward = compile((at: Tensor) => layer.forward(at) as Tensor);
    const drawn = () => new Set(Array.from({ length: 20 }, () => [...forward(x).values()]).flat());
    expect(drawn()).toEqual(new Set([0, 2]));
    layer.eval();
    expect(drawn()).toEqual(new Set([1]));
    layer.train();
    expect(drawn()).toEqual(new Set([0, 2]));
  });
});

describe('penalties', () => {
  it('of all parameters are one number, with slopes of weight · sign(w) and weight · w', () => {
    const [a, b] = [tensor([[1, -2]], { dtype: 'f64' }), tensor([0, 4, -3], { dtype: 'f64' })];
    expect([l1Penalty([a, b], 0.5).item(), l2Penalty([a, b], 0.5).item()]).toEqual([5, 7.5]);
    const slopes = grad((x: Tensor, y: Tensor) => l1Penalty([x, y], 0.5), { wrt: [0, 1] })(a, b);
    expect(slopes.map((one) => one.toArray())).toEqual([[[0.5, -0.5]], [0, 0.5, -0.5]]);
    expectClose(grad((x: Tensor) => l2Penalty([x], 0.5))(b), { shape: [3], data: [0, 2, -1.5] });
  });

  it('l2Penalty in the loss is weightDecay in the optimizer, in a worker too', async () => {
    const data = { x: randn([20, 3]), y: randn([20, 2]) };
    const model = new nn.Linear(3, 2);
    const before = model.stateDict();
    const options = { model, data, epochs: 3, batchSize: 8 };
    const loss = (prediction: Tensor, target: Tensor) =>
      mseLoss(prediction, target).add(l2Penalty(model.parameters(), 0.3));
    await train({ ...options, loss, optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }) }).done;
    const penalised = model.weight.data();
    model.loadStateDict(before);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, weightDecay: 0.3 });
    await train({ ...options, loss: mseLoss, optimizer }).done;
    expectClose(tensor(penalised), { shape: [6], data: [...model.weight.data()] });
  });
});

describe('mixup', () => {
  const ends = { x: tensor([[0], [1]]), y: tensor(Int32Array.of(0, 1)) };

  /** λ is what is left of one-hot rows; one that is mixed with itself keeps 1. */
  function shares(alpha: number, count: number): number[] {
    const own = tensor(Int32Array.from({ length: 8 }, (_, i) => i));
    const draw = compile(() => mixup(zeros([8]), own, { alpha, numClasses: 8 })[1]);
    return Array.from({ length: count }, () => {
      const rows = draw().values();
      return Math.min(...Array.from({ length: 8 }, (_, i) => rows[i * 9]!));
    });
  }

  it.each([0.1, 0.4, 1, 3])('mixes by a share ~ Beta(%d, same)', (alpha) => {
    const drawn = shares(alpha, 4000);
    const mean = drawn.reduce((total, one) => total + one, 0) / drawn.length;
    const variance = drawn.reduce((total, one) => total + (one - mean) ** 2, 0) / drawn.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.025);
    expect(variance * 4 * (2 * alpha + 1)).toBeCloseTo(1, 1);
    if (alpha !== 1) return;
    // Beta(1, 1) is uniform: Kolmogorov's distance.
    drawn.sort((a, b) => a - b);
    expect(Math.max(...drawn.map((one, i) => Math.abs(one - i / drawn.length)))).toBeLessThan(0.03);
  });

  it.each(['f32', 'f64'] as Real[])('mixes targets as it mixes examples, in %s, eager and compiled', (dtype) => {
    const x = tensor(
      [
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 1],
      ],
      { dtype },
    );
    const [mixed, same] = mixup(x, x);
    expectSameBits(mixed, same);
    const classes = tensor(Int32Array.of(0, 1, 2, 1));
    const draw = () => mixup(x, classes, { numClasses: 3, alpha: 0.5 });
    manualSeed(5);
    const [eager, probabilities] = draw();
    manualSeed(5);
    const compiled = compile(draw)();
    expectSameBits(compiled[0]!, eager);
    expectSameBits(compiled[1]!, probabilities);
    expect([probabilities.dtype, probabilities.shape]).toEqual([dtype, [4, 3]]);
    expectClose(probabilities.sum({ axis: 1 }), { shape: [4], data: [1, 1, 1, 1] });
    expect(Number.isFinite(crossEntropy(randn([4, 3], { dtype }), probabilities).item())).toBe(true);
  });

  it('trains on what it mixes', () => {
    const model = new nn.Linear(2, 3);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.5 });
    const step = compile((x: Tensor, y: Tensor) => {
      const [mixed, target] = mixup(x, y, { alpha: 0.2, numClasses: 3 });
      const loss = () => crossEntropy(model.forward(mixed), target);
      const { value, grads } = valueAndGrad(loss, { wrt: model.parameters() })();
      optimizer.step(grads);
      return value;
    });
    const x = tensor([
      [1, 0],
      [0, 1],
      [-1, -1],
      [0.9, 0],
    ]);
    const y = tensor(Int32Array.of(0, 1, 2, 0));
    for (let i = 0; i < 200; i++) step(x, y);
    expect(model.forward(x).argmax({ axis: 1 }).toArray()).toEqual([0, 1, 2, 0]);
  });

  it.each([
    ['bytes', () => mixup(zeros([2, 1], { dtype: 'u8' }), ends.y), 'DTYPE_MISMATCH', ['x must', 'u8[2, 1]']],
    ['classes without their number', () => mixup(ends.x, ends.y), 'BAD_VALUE', ['numClasses', 'undefined']],
    ['bytes as classes', () => mixup(ends.x, zeros([2], { dtype: 'u8' })), 'DTYPE_MISMATCH', ['y must', 'u8', 'i32']],
    ['no targets', () => mixup(ends.x, undefined as never), 'DTYPE_MISMATCH', ['y must', 'undefined']],
    ['an alpha of 0', () => mixup(ends.x, ends.x, { alpha: 0 }), 'BAD_VALUE', ['alpha', 'above 0', 'got 0']],
    ['a target too few', () => mixup(ends.x, zeros([1, 2])), 'SHAPE_MISMATCH', ['[2, 1]', '[1, 2]']],
    ['two precisions', () => mixup(ends.x, zeros([2], { dtype: 'f64' })), 'DTYPE_MISMATCH', ['y', 'f64', 'f32']],
  ] as [string, () => unknown, string, string[]][])('refuses %s', (_, f, code, says) => {
    expect(f).toThrow(expect.objectContaining({ code, op: 'mixup' }));
    for (const part of says) expect(f).toThrow(part);
  });
});
