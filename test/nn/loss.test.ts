import 'wasmgrad/f64';
import { describe, expect, it } from 'vitest';
import {
  binaryCrossEntropyWithLogits,
  checkGradients,
  compile,
  crossEntropy,
  ctcLoss,
  gaussianNllLoss,
  grad,
  klDiv,
  l1Loss,
  logSigmoid,
  logSoftmax,
  mseLoss,
  nllLoss,
  smoothL1Loss,
  type Tensor,
  tensor,
} from 'wasmgrad';
import { decode, expectClose, expectSameBits, integers, numbers } from '../reference';

// Values and gradients are PyTorch's, in test/ops; here is what PyTorch lacks, and how losses belong together.

const [x, y] = [decode(numbers([4, 3], 1)), decode(numbers([4, 3], 2))];
const classes = decode(integers([4], 3, 0, 3));
const f64 = (data: number[] | number[][]) => tensor(data, { dtype: 'f64' });

describe('losses', () => {
  it('are others with certain options', () => {
    expectSameBits(smoothL1Loss(x, y, { beta: 0 }), l1Loss(x, y));
    expectSameBits(nllLoss(logSoftmax(x, { axis: 1 }), classes), crossEntropy(x, classes));
    expectSameBits(crossEntropy(x, classes, { labelSmoothing: 0 }), crossEntropy(x, classes));
    const { size } = x;
    const halves = gaussianNllLoss(x, y, f64(new Array(4).fill(1)), { reduction: 'sum' });
    expectClose(halves.mul(2 / size), { shape: [], data: [mseLoss(x, y).item()] });
  });

  it('ignore nothing unless told to, unlike PyTorch, and learn nothing from what they ignore', () => {
    const target = tensor(Int32Array.of(0, -100, 2, -100));
    expect(() => crossEntropy(x, target)).toThrow(/index -100/);
    const slopes = grad((z: Tensor) => crossEntropy(z, target, { ignoreIndex: -100 }))(x).toArray() as number[][];
    expect([slopes[1], slopes[3]]).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    const kept = crossEntropy(x.slice('::2'), tensor(Int32Array.of(0, 2)));
    expectClose(crossEntropy(x, target, { ignoreIndex: -100 }), { shape: [], data: [kept.item()] });
    const none = tensor(Int32Array.of(1, 1, 1, 1));
    expect(crossEntropy(x, none, { ignoreIndex: 1, reduction: 'sum' }).item()).toBe(0);
    expect(crossEntropy(x, none, { ignoreIndex: 1 }).item()).toBeNaN();
  });

  it('a divergence has no part where the probability is 0', () => {
    const input = f64([Number.NEGATIVE_INFINITY, -1, -2]);
    const target = f64([0, 1, 0]);
    expect(klDiv(input, target, { reduction: 'none' }).toArray()).toEqual([0, 1, 0]);
    expect(grad((q: Tensor) => klDiv(q, target, { reduction: 'sum' }))(input).toArray()).toEqual([0, -1, 0]);
    expect(grad((p: Tensor) => klDiv(input, p, { reduction: 'sum' }))(target).toArray()).toEqual([0, 2, 0]);
    const logs = f64([Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY]);
    expect(klDiv(input, logs, { reduction: 'none', logTarget: true }).toArray()).toEqual([0, 1, 0]);
    expect(grad((p: Tensor) => klDiv(input, p, { reduction: 'sum', logTarget: true }))(logs).toArray()).toEqual([
      0, 2, 0,
    ]);
  });

  it('ctcLoss: a target without a path costs ∞, or nothing, and teaches nothing; what is impossible is no NaN', () => {
    const logits = decode(numbers([3, 2, 3], 4));
    const target = tensor(Int32Array.of(1, 1, 1, 2), { shape: [2, 2] });
    const loss = (lengths: number[], options: object) => (z: Tensor) =>
      ctcLoss(logSoftmax(z), target, lengths, [2, 2], { reduction: 'none', ...options });
    const [first, second] = loss([2, 3], {})(logits).toArray() as number[];
    expect(first).toBe(Number.POSITIVE_INFINITY);
    expect(loss([2, 3], { zeroInfinity: true })(logits).toArray()).toEqual([0, second]);
    const slopes = grad((z: Tensor) => loss([2, 3], { zeroInfinity: true })(z).sum())(logits);
    expect(
      slopes
        .slice(':, 0')
        .data()
        .every((one) => one === 0),
    ).toBe(true);
    expect(
      slopes
        .slice(':, 1')
        .data()
        .every((one) => one !== 0),
    ).toBe(true);
    // Steps that can only be class 2, which spells [2] alone.
    const never = Number.NEGATIVE_INFINITY;
    const sure = f64([
      [never, never, 0],
      [never, never, 0],
    ]);
    const spelt = (classes: number[]) => (x: Tensor) =>
      ctcLoss(x, tensor(Int32Array.from(classes)), [2], [classes.length]);
    expect([spelt([2])(sure).item(), spelt([1])(sure).item()]).toEqual([0, Number.POSITIVE_INFINITY]);
    expect(grad(spelt([2]))(sure).toArray()).toEqual([
      [0, 0, -1],
      [0, 0, -1],
    ]);
  });

  it('ctcLoss takes lengths that are traced, and knows where their values are needed', () => {
    const logits = decode(numbers([5, 2, 3], 4));
    const [inputs, targets] = [tensor(Int32Array.of(5, 3)), tensor(Int32Array.of(2, 1))];
    const rows = tensor(Int32Array.of(1, 2, 2, 0), { shape: [2, 2] });
    const compiled = compile((z: Tensor, n: Tensor, s: Tensor) => ctcLoss(z, rows, n, s));
    expectSameBits(compiled(logits, inputs, targets), ctcLoss(logits, rows, [5, 3], [2, 1]));
    const joined = tensor(Int32Array.of(1, 2, 2));
    expectSameBits(
      compile((z: Tensor) => ctcLoss(z, joined, inputs, targets))(logits),
      compiled(logits, inputs, targets),
    );
    const traced = compile((z: Tensor, s: Tensor) => ctcLoss(z, joined, inputs, s));
    expect(() => traced(logits, targets)).toThrow(/ctcLoss: .*no values while it is traced/);
  });

  it('on logits are finite to ±1e4, in both precisions', () => {
    for (const dtype of ['f32', 'f64'] as const) {
      const z = tensor([1e4, -1e4, 0, 700, -90], { dtype });
      const target = tensor([0, 1, 1, 0, 1], { dtype });
      const slopes = grad((logits: Tensor) => binaryCrossEntropyWithLogits(logits, target))(z);
      expect(slopes.toArray()).toEqual([0.2, -0.2, -0.1, 0.2, -0.2].map((one) => expect.closeTo(one, 6)));
      expect(logSigmoid(z).data().every(Number.isFinite)).toBe(true);
    }
  });

  it('have second derivatives where a variance is held', () => {
    const held = (mean: Tensor, variance: Tensor) => gaussianNllLoss(mean, y, variance, { eps: 1e-6 });
    expect(checkGradients(held, [x, decode(numbers([4, 3], 5, 0.5, 2))], { order: 2 }).error).toBeLessThan(1e-6);
    const slope = grad((variance: Tensor) => gaussianNllLoss(f64([1]), f64([1]), variance, { eps: 0.5 }))(f64([0.1]));
    // ½ / v at v = 0.5, so that a variance that is held can grow again.
    expect(slope.item()).toBe(1);
  });
});
