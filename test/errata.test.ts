import 'wasmgrad/f64';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import {
  batches,
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  compile,
  grad,
  halfMseLoss,
  linear,
  log,
  manualSeed,
  matmul,
  mean,
  mseLoss,
  mul,
  neg,
  nn,
  ones,
  optim,
  randn,
  relu,
  sigmoid,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  vjp,
  zeros,
} from 'wasmgrad';
import oracle from './oracle/errata.json';

// One test for each entry of ERRATA.md, under its name: the number that the document's own code gives (errata.py ran it; where
// a few ops suffice it is computed again here), and what wasmgrad gives in its place.

type Numbers = number | string | Numbers[];
interface Erratum {
  id: string;
  // biome-ignore lint/suspicious/noExplicitAny: every erratum has an example of its own kind
  [key: string]: any;
}
const errata = new Map((oracle.errata as unknown as Erratum[]).map((one) => [one.id, one]));
const tests: string[] = [];

/** The test of an entry. */
function erratum(id: string, check: (entry: Erratum) => void): void {
  tests.push(id);
  it(id, () => check(errata.get(id)!));
}

const numeric = (value: Numbers): never => (Array.isArray(value) ? value.map(numeric) : Number(value)) as never;
const f64 = (value: Numbers) => tensor(numeric(value), { dtype: 'f64' });
const parameter = (value: Numbers) => new nn.Parameter(f64(value));

/** Every element within 1e-9 of its size, and of the tensor's. */
function close(actual: Tensor, expected: Numbers): void {
  const wanted = f64(expected);
  expect(actual.shape).toEqual(wanted.shape);
  const [a, b] = [actual.values(), wanted.values()];
  const size = Math.max(1e-3, ...[...b].filter(Number.isFinite).map(Math.abs));
  for (const [i, value] of b.entries()) {
    if (Number.isFinite(value)) expect(Math.abs(a[i]! - value)).toBeLessThan(1e-9 * size);
    else expect(a[i]).toBe(value);
  }
}

const farFrom = (actual: Tensor, asWritten: Numbers) => {
  const other = f64(asWritten).values();
  const worst = Math.max(...[...actual.values()].map((value, i) => Math.abs(value - other[i]!)));
  expect(worst).toBeGreaterThan(1e-3 * Math.max(...[...other].map(Math.abs)));
};

erratum('s0-gradient-of-the-loss', ({ example, asWritten, corrected, parameters }) => {
  const { w, b, x, label, lr } = example;
  const predict = (weights: Tensor[]) => linear(f64([[x]]), weights[0]!, weights[1]!);
  const lossOf = (weights: Tensor[]) => mseLoss(predict(weights), f64([[label]]));
  const step = (criterion: (weights: Tensor[]) => Tensor) => {
    const weights = [parameter([[w]]), parameter([b])];
    const { grads } = valueAndGrad(() => criterion(weights), { wrt: weights })();
    new optim.SGD(weights, { lr }).step(grads);
    return weights;
  };
  expect(lossOf([f64([[w]]), f64([b])]).item()).toBe(example.before);
  const [model, loss] = [step((weights) => sum(predict(weights))), step(lossOf)];
  close(f64(model.map((one) => one.item())), parameters.asWritten);
  close(f64(loss.map((one) => one.item())), parameters.corrected);
  close(lossOf(model), asWritten);
  close(lossOf(loss), corrected);
});

erratum('s0-dense-dx', ({ example, asWritten, corrected }) => {
  const [x, w, b, dy] = [example.x, example.w, example.b, example.dy].map(f64) as [Tensor, Tensor, Tensor, Tensor];
  const { value: y, pullback } = vjp((input: Tensor) => linear(input, w, b))(x);
  close(matmul(y, w), asWritten);
  close(pullback(dy) as Tensor, corrected);
  farFrom(pullback(dy) as Tensor, asWritten);
});

erratum('s0-mse-gradient', ({ example, asWritten, corrected, ratio, step }) => {
  const [x, w, b, label] = [example.x, example.w, example.b, example.label].map(f64) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const gradientOf = (dy: number) => grad((weight: Tensor) => mul(mseLoss(linear(x, weight, b), label), dy))(w);
  const seed = matmul(sub(linear(x, w, b), label).transpose(), x).div(x.shape[0]!);
  close(seed, asWritten);
  close(gradientOf(example.dy), corrected);
  close(gradientOf(1), ratio.corrected);
  // Exactly 2/O apart: an upstream dy is lost, a learning rate makes up for the rest …
  close(mul(seed, ratio.trueOverSeed), ratio.corrected);
  const stepped = (gradient: Tensor, lr: number, weightDecay: number) => {
    const weight = new nn.Parameter(w);
    new optim.SGD([weight], { lr, weightDecay }).step([gradient]);
    return weight;
  };
  close(stepped(seed, step.lrAsWritten, 0), step.plain.asWritten);
  close(stepped(gradientOf(1), step.lrCorrected, 0), step.plain.corrected);
  close(stepped(seed, step.lrAsWritten, 0), step.plain.corrected);
  // … until weight decay joins in.
  close(stepped(seed, step.lrAsWritten, step.weightDecay), step.decayed.asWritten);
  close(stepped(gradientOf(1), step.lrCorrected, step.weightDecay), step.decayed.corrected);
  farFrom(stepped(gradientOf(1), step.lrCorrected, step.weightDecay), step.decayed.asWritten);
});

erratum('s0-relu-infinity', ({ example, asWritten, corrected, gradient }) => {
  const x = f64(example.x);
  close(mul(x, x.gt(0).cast('f64')), asWritten);
  close(relu(x), corrected);
  close(vjp(relu)(x).pullback(f64(gradient.dy)) as Tensor, gradient.dx);
  expect(relu(f64([Number.NaN])).item()).toBe(Number.NaN);
});

erratum('s0-zeros-and-epochs', ({ example, asWritten, corrected }) => {
  const { shape, examples, batchSize, epochs } = example;
  expect(asWritten).toEqual({ zeros: 'TypeError', steps: epochs });
  close(zeros(shape, { dtype: 'f64' }), corrected.zeros);
  // As written, the second size takes the place of the options.
  expect(() => zeros(...(shape as [never, never]))).toThrow(/shape must be a list/);
  const steps = Array.from({ length: epochs }, (_, epoch) => batches(examples, { batchSize, epoch })).flat();
  expect(steps).toHaveLength(corrected.steps);
});

erratum('s1-he-fan-in', ({ example, asWritten, corrected, wide }) => {
  const x = f64([example.x]);
  const output = (fan: (n: number, m: number) => number) =>
    (example.draws as number[][][]).reduce((a, draw, l) => {
      const w = mul(f64(draw), Math.sqrt(2 / fan(draw.length, draw[0]!.length)));
      const z = linear(a, w);
      return l < example.draws.length - 1 ? relu(z) : z;
    }, x);
  close(output((n) => n).reshape([1]), asWritten);
  close(output((_, m) => m).reshape([1]), corrected);
  // What the initialiser does: its variance goes by the inputs, and the signal keeps its size through four wide layers.
  manualSeed(11);
  const sizes = wide.layers as number[];
  const stds = sizes.slice(1).map((n, l) => {
    const values = nn.init.heNormal()([n, sizes[l]!]).values();
    return Math.sqrt([...values].reduce((total, value) => total + value * value, 0) / values.length);
  });
  for (const [l, std] of stds.slice(0, -1).entries()) expect(std / wide.weightStd.corrected[l]).toBeCloseTo(1, 1);
  const input = randn([64, sizes[0]!]);
  const rms = (scale: (l: number) => number) => {
    let total = 0;
    for (let trial = 0; trial < 20; trial++) {
      const z = sizes.slice(1).reduce((a, n, l) => {
        const layer = linear(a, mul(nn.init.heNormal()([n, sizes[l]!]), scale(l)));
        return l < sizes.length - 2 ? relu(layer) : layer;
      }, input);
      total += mean(square(z)).item() / 20;
    }
    return Math.sqrt(total);
  };
  const ratio = rms((l) => Math.sqrt(sizes[l]! / sizes[l + 1]!)) / rms(() => 1);
  expect(ratio).toBeGreaterThan(0.5 * wide.outputRatio);
  expect(ratio).toBeLessThan(2 * wide.outputRatio);
});

erratum('s1-forward-pass', ({ example, asWritten, corrected, mended, preActivations }) => {
  expect(asWritten).toEqual(['NameError', 'UnboundLocalError', 'NameError', 'NameError', null]);
  expect(mended).toHaveLength(asWritten.length);
  const [x, w1, b1, w2, b2] = [example.x, example.W1, example.b1, example.W2, example.b2].map((value) => f64(value));
  const layer = (w: Tensor, b: Tensor) => {
    const made = new nn.Linear(w.shape[1]!, w.shape[0]!, { dtype: 'f64' });
    made.loadStateDict({ weight: w, bias: b.reshape([b.size]) });
    return made;
  };
  const [first, second] = [layer(w1!, b1!), layer(w2!, b2!)];
  const model = new nn.Sequential(first, new nn.ReLU(), second, new nn.Sigmoid());
  // One example a row here, one a column there.
  const input = x!.transpose();
  close(first.forward(input).transpose(), preActivations[0]);
  close(second.forward(relu(first.forward(input))).transpose(), preActivations[1]);
  close(model.forward(input).transpose(), corrected);
  // Nobody says what to keep for the backward pass: the program finds out.
  const step = compile((rows: Tensor) => valueAndGrad(() => mean(model.forward(rows)), { wrt: model.parameters() })());
  close(step(input).value, mean(f64(corrected)).item());
  expect(step(input).grads).toHaveLength(4);
});

erratum('s1-bce-sign', ({ example, asWritten, corrected, twoOutputs, logits }) => {
  const [a, y] = [f64(example.a), f64(example.y)];
  const one = f64(1);
  const terms = (p: Tensor, t: Tensor) => [mul(t, log(p)), mul(sub(one, t), log(sub(one, p)))] as const;
  const [left, right] = terms(a, y);
  close(neg(mean(sub(left, right))), asWritten);
  close(binaryCrossEntropy(a, y), corrected);
  const [a2, y2] = [f64(twoOutputs.a), f64(twoOutputs.y)];
  const dots = [matmul(y2, log(a2).transpose()), matmul(sub(one, y2), log(sub(one, a2)).transpose())] as const;
  const samples = a2.shape[1]!;
  close(neg(sum(sub(...dots))).div(samples), twoOutputs.asWritten);
  close(neg(sum(dots[0].add(dots[1]))).div(samples), twoOutputs.plusButDot);
  close(binaryCrossEntropy(a2, y2, { reduction: 'sum' }).div(samples), twoOutputs.corrected);
  const [z, target] = [f64(logits.z), f64(logits.y)];
  const [overflowing, other] = terms(sigmoid(z), target);
  expect(neg(mean(overflowing.add(other))).item()).toBe(Number(logits.asWritten));
  close(binaryCrossEntropyWithLogits(z, target), logits.corrected);
});

erratum('s1-bce-gradient', ({ example, asWritten, corrected, dz }) => {
  const [a, y] = [f64(example.a), f64(example.y)];
  const one = f64(1);
  const written = sub(y.div(a), sub(one, y).div(sub(one, a)));
  close(written, asWritten);
  close(mul(written, mul(a, sub(one, a))), dz.asWritten);
  const z = log(a.div(sub(one, a)));
  close(grad((p: Tensor) => binaryCrossEntropy(p, y, { reduction: 'sum' }))(a), corrected);
  const composed = grad((t: Tensor) => binaryCrossEntropy(sigmoid(t), y, { reduction: 'sum' }))(z);
  close(composed, dz.corrected);
  close(composed, dz.fused);
  close(grad((t: Tensor) => binaryCrossEntropyWithLogits(t, y, { reduction: 'sum' }))(z), dz.fused);
});

erratum('s1-mini-batches', ({ example, asWritten, corrected, epochsAsWritten }) => {
  const { examples, batchSize, epochs } = example;
  const facts = (orders: number[][][]) => ({
    sizes: orders[0]!.map((batch) => batch.length),
    seen: new Set(orders[0]!.flat()).size,
    sameOrder: Number(String(orders[0]) === String(orders[1])),
  });
  expect(facts(epochsAsWritten)).toEqual(asWritten);
  const order = (epoch: number, dropLast = false) =>
    batches(examples, { batchSize, epoch, dropLast }).map((one) => [...one]);
  expect(facts(Array.from({ length: epochs }, (_, epoch) => order(epoch)))).toEqual(corrected);
  expect(order(1)).toEqual(order(1));
  expect(order(0, true).map((batch) => batch.length)).toEqual(asWritten.sizes);
});

erratum('s2-parameter-count', ({ example, asWritten, corrected, tenSamples }) => {
  const sizes = example.layers as number[];
  const total = (last: number) =>
    Array.from({ length: last }, (_, l) => sizes[l + 1]! * (sizes[l]! + 1)).reduce((sum, count) => sum + count, 0);
  expect(total(example.N)).toBe(asWritten);
  expect(total(tenSamples.N)).toBe(Number.NaN);
  const model = new nn.Sequential(...sizes.slice(1).map((n, l) => new nn.Linear(sizes[l]!, n)));
  expect(model.parameters().reduce((count, { size }) => count + size, 0)).toBe(corrected);
  expect(model.summary([10, 2])).toMatch(new RegExp(`total\\s+${corrected}$`));
});

erratum('s2-backprop-on-averages', ({ example, asWritten, corrected, relativeErrors }) => {
  const [x, y] = [f64(example.x), f64(example.y)];
  const weights = (example.weights as number[][][]).map(f64);
  const biases = (example.biases as number[][]).map(f64);
  const loss = (...all: Tensor[]) =>
    halfMseLoss(
      weights.reduce((a, _, l) => sigmoid(linear(a, all[l]!, all[l + weights.length]!)), x),
      y,
    );
  const all = [...weights, ...biases];
  const grads = grad(loss, { wrt: all.map((_, i) => i) })(...all);
  const found = { w: grads.slice(0, weights.length), b: grads.slice(weights.length) };
  for (const [l, gradient] of found.w.entries()) close(gradient, corrected.w[l]);
  for (const [l, gradient] of found.b.entries()) close(gradient, corrected.b[l]);

  // As written: an average at the last layer, and from there on a recursion that knows no sample.
  const activations = [x];
  for (const [l, w] of weights.entries()) activations.push(sigmoid(linear(activations[l]!, w, biases[l]!)));
  const slope = (l: number) =>
    mul(activations[l]!, sub(ones(activations[l]!.shape, { dtype: 'f64' }), activations[l]!));
  const average = (t: Tensor) => mean(t, { axis: 0 });
  const literal: { w: Tensor[]; b: Tensor[] } = { w: [], b: [] };
  let db = average(mul(slope(weights.length), sub(activations.at(-1)!, y)));
  for (let l = weights.length; l > 0; l--) {
    if (l < weights.length) db = mul(average(slope(l)), matmul(db, weights[l]!));
    literal.b.unshift(db);
    literal.w.unshift(mul(db.reshape([db.size, 1]), average(activations[l - 1]!)));
  }
  for (const kind of ['w', 'b'] as const) {
    for (const [l, gradient] of literal[kind].entries()) close(gradient, asWritten[kind][l]);
    const squares = (tensors: Tensor[]) => tensors.reduce((total, one) => total + sum(square(one)).item(), 0);
    const off = Math.sqrt(squares(literal[kind].map((one, l) => sub(one, found[kind][l]!))) / squares(found[kind]));
    expect(off).toBeCloseTo(relativeErrors[kind], 9);
    expect(off).toBeGreaterThan(0.1);
  }
});

it('every entry of ERRATA.md has its test, and every test its entry', () => {
  const named = [...readFileSync('ERRATA.md', 'utf8').matchAll(/^Test: `test\/errata\.test\.ts › (.*)`$/gm)].map(
    ([, id]) => id,
  );
  expect(named).toEqual(tests);
  expect([...errata.keys()]).toEqual(tests);
});
