/**
 * Two ops from outside the package, each with a gradient rule of its own: one because its formula's gradient is worse than the true one, one
 * because the true gradient is of no use. The second trains a network whose hidden weights are all 1 or -1.
 *
 *     node tools/run.mjs examples/custom-op.ts
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  abs,
  accuracy,
  add,
  cast,
  checkGradients,
  crossEntropy,
  defineOp,
  evaluate,
  exp,
  ge,
  grad,
  le,
  linear,
  log1p,
  manualSeed,
  mean,
  mul,
  nn,
  optim,
  readDigits,
  sub,
  type Tensor,
  tanh,
  tensor,
  train,
  where,
} from 'wasmgrad';
import 'wasmgrad/f64';

/**
 * log cosh(x), a loss that is x²/2 near 0 and |x| far away. `meaning` says what the op is, in terms of other ops: written such that e^x never
 * overflows. Its own gradient would be made of sign(x) and a quotient, whose slope at 0 is 0; `vjp` says that it is tanh(x), whose
 * slope there is 1. A name of one's own keeps it apart from the package's ops.
 */
const logCoshOp = defineOp({
  name: 'example.logCosh',
  version: 1,
  meaning: ([x]) => [add(abs(x!), sub(log1p(exp(mul(abs(x!), -2))), Math.LN2))],
  // A cotangent g of the result becomes one of each input: here g·tanh(x).
  vjp: ([g], { inputs: [x] }) => [mul(g!, tanh(x!))],
});

export const logCosh = (x: Tensor): Tensor => logCoshOp([x])[0]!;

/**
 * 1 where x ≥ 0, else -1. Its gradient is 0 wherever there is one, and nothing would be learnt; the rule lets cotangents pass straight
 * through as long as |x| is at most `limit` (Hubara et al. 2016, eq. 4). Options are plain data, part of what is traced.
 */
const binarizeOp = defineOp<{ limit: number }>({
  name: 'example.binarize',
  version: 1,
  meaning: ([x]) => [sub(mul(cast(ge(x!, 0), x!.dtype), 2), 1)],
  vjp: ([g], { inputs: [x], options: { limit } }) => [where(le(abs(x!), limit), g!, 0)],
});

export const binarize = (x: Tensor, { limit = 1 }: { limit?: number } = {}): Tensor => binarizeOp([x], { limit })[0]!;

/** x·(scale·sign W)ᵀ + b, with the mean |w| of each output as its scale (Rastegari et al. 2016, eq. 6). What learns is W. */
class BinaryLinear extends nn.Linear {
  override forward(x: Tensor): Tensor {
    const scale = mean(abs(this.weight), { axis: 1, keepDims: true });
    return linear(x, mul(binarize(this.weight), scale), this.bias ?? undefined);
  }
}

export interface Learned {
  /** The share of held-out digits that are told right. */
  share: number;
  /** The different values of each hidden unit's weights. */
  levels: number[];
}

/** Trains a network with binary hidden weights on digits, in a worker that has never heard of these ops. */
export async function learnBinary({ seed = 0, epochs = 30 } = {}): Promise<Learned> {
  manualSeed(seed);
  const hidden = new BinaryLinear(64, 128);
  const model = new nn.Sequential(hidden, new nn.ReLU(), new nn.Linear(128, 10));
  const { x, y } = await readDigits(await readFile('data/digits.csv.gz'));
  const part = (from: number, to: number) => ({
    x: { shape: [to - from, 64], data: x.data.slice(from * 64, to * 64) },
    y: { shape: [to - from], data: y.data.slice(from, to) },
  });
  const run = train({
    model,
    loss: crossEntropy,
    optimizer: new optim.Adam(model.parameters(), { lr: 0.01 }),
    data: part(0, 1437),
    epochs,
    batchSize: 64,
    seed,
    schedule: optim.lr.cosine({ tMax: epochs }),
  });
  await run.done;
  const { accuracy: share } = await evaluate({ model, data: part(1437, 1797), metrics: { accuracy } });
  const rows = binarize(hidden.weight).toArray() as number[][];
  return { share: share!, levels: [...new Set(rows.flat())].sort() };
}

async function main(): Promise<void> {
  const x = tensor([-30, -1, 0, 0.5, 400], { dtype: 'f64' });
  const slope = grad((at: Tensor) => logCosh(at).sum());
  console.log(`log cosh       ${logCosh(x).toArray()}`);
  console.log(`its slope      ${slope(x).toArray()}`);
  console.log(`and curvature  ${grad((at: Tensor) => slope(at).sum())(x).toArray()}`);
  // Both orders against differences: the rule that was written down is the gradient of the meaning that was written down.
  const { error } = checkGradients(logCosh, [tensor([-2, 0.3, 1.7], { dtype: 'f64' })], { order: 2 });
  console.log(`off by         ${error.toExponential(1)}\n`);

  const { share, levels } = await learnBinary();
  console.log(`hidden weights of ${levels.join(' and ')} tell ${(100 * share).toFixed(1)} % of the digits right`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
