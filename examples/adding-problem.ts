/**
 * The adding problem (Hochreiter & Schmidhuber 1997, §5.4): what two marked numbers of a long sequence add up to. Their signal comes a hundred
 * steps before it is asked for, and a network learns it only if it learns to keep it.
 *
 *     node tools/run.mjs examples/adding-problem.ts lstm   # or gru
 */
import { fileURLToPath } from 'node:url';
import {
  add,
  arange,
  cast,
  clipGradNorm,
  compile,
  concat,
  eq,
  ge,
  log,
  logicalOr,
  lt,
  manualSeed,
  mseLoss,
  mul,
  neg,
  nn,
  optim,
  randint,
  reshape,
  slice,
  stack,
  sub,
  type Tensor,
  uniform,
  valueAndGrad,
  where,
  zeros,
} from 'wasmgrad';

export interface Task {
  x: Tensor;
  lengths: Tensor;
  y: Tensor;
}

/**
 * n sequences of t to t + t/10 pairs, x [t + t/10, n, 2]: a number in [-1, 1), and a mark. Marks are -1 at both ends, 1 at one of the first ten
 * pairs and at another one before the middle, and else 0; y [n, 1] is 0.5 + (X₁ + X₂) / 4 of the numbers marked by 1. Of an end none is.
 */
export function sequences(n: number, t: number): Task {
  const most = t + Math.floor(t / 10);
  const lengths = randint(t, most + 1, [n]);
  const values = uniform([most, n], { low: -1, high: 1 });
  const time = reshape(arange(most), [most, 1]);
  const first = randint(0, 10, [n]);
  const rest = randint(0, t / 2 - 1, [n]);
  const second = add(rest, cast(ge(rest, first), 'i32')); // any but the first
  const isEnd = logicalOr(eq(time, 0), eq(time, sub(lengths, 1)));
  const isMarked = logicalOr(eq(time, first), eq(time, second));
  const marks = where(isEnd, -1, where(isMarked, 1, 0));
  const marked = where(isMarked, where(eq(time, 0), 0, values), 0).sum({ axis: 0 });
  const isInside = cast(lt(time, lengths), 'f32');
  return {
    x: mul(stack([values, marks], { axis: 2 }), reshape(isInside, [most, n, 1])),
    lengths,
    y: reshape(add(mul(marked, 0.25), 0.5), [n, 1]),
  };
}

export type Kind = 'lstm' | 'gru';

/**
 * A recurrent layer that reads a sequence, and a dense one that says what its last state means. Biases of the gates that keep a state start at
 * log U(1, t - 1), so that units forget within one to t steps (Tallec & Ollivier 2018, "chrono"): from PyTorch's, they all forget at once.
 */
class Adder extends nn.Module {
  readonly layer: nn.LSTM | nn.GRU;
  readonly out: nn.Linear;

  constructor(kind: Kind, hidden: number, t: number) {
    super();
    this.layer = kind === 'lstm' ? new nn.LSTM(2, hidden) : new nn.GRU(2, hidden);
    this.out = new nn.Linear(hidden, 1);
    const keep = log(uniform([hidden], { low: 1, high: t - 1 }));
    const rest = zeros([hidden]);
    // i, f, g, o, or r, z, n.
    const bias = kind === 'lstm' ? [neg(keep), keep, rest, rest] : [rest, keep, rest];
    const state = this.layer.stateDict();
    this.layer.loadStateDict({ ...state, bias_ih_l0: concat(bias), bias_hh_l0: zeros([bias.length * hidden]) });
  }

  override forward({ x, lengths }: Omit<Task, 'y'>): Tensor {
    const { state } = this.layer.forward(x, null, { lengths });
    const h = (Array.isArray(state) ? state[0] : state) as Tensor;
    return this.out.forward(slice(h, '0'));
  }
}

export interface Course {
  seed?: number;
  t?: number;
  hidden?: number;
  batchSize?: number;
  lr?: number;
  /** The mean squared error of sequences that were held out, below which it is done, and steps after which it gives up. */
  enough?: number;
  most?: number;
  print?: (line: string) => void;
}

/** Trains on new sequences in every step; the steps that were needed, and the error that was left. */
export function learn(
  kind: Kind,
  { seed = 0, t = 100, hidden = 64, batchSize = 32, lr = 3e-3, enough = 1e-3, most = 10_000, print = () => {} }: Course,
): { steps: number; error: number } {
  manualSeed(seed);
  const held = sequences(1000, t);
  const model = new Adder(kind, hidden, t);
  const optimizer = new optim.Adam(model.parameters(), { lr });
  const step = compile(
    () => {
      const task = sequences(batchSize, t);
      const loss = () => mseLoss(model.forward(task), task.y);
      const { value, grads } = valueAndGrad(loss, { wrt: model.parameters() })();
      optimizer.step(clipGradNorm(grads, 1));
      return value;
    },
    { threads: 2 },
  );
  const test = compile((task: Task) => mseLoss(model.forward(task), task.y), { threads: 2 });
  const started = performance.now();
  let [steps, error] = [0, test(held).item()];
  while (error >= enough && steps < most) {
    for (let i = 0; i < 100; i++) step();
    steps += 100;
    error = test(held).item();
    const seconds = (performance.now() - started) / 1000;
    print(`step ${String(steps).padStart(5)}   error ${error.toFixed(5)}   ${seconds.toFixed(1)} s`);
  }
  return { steps, error };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const kind = process.argv[2] === 'gru' ? 'gru' : 'lstm';
  const { steps, error } = learn(kind, { print: console.log });
  console.log(`after ${steps} steps the mean squared error of 1,000 other sequences is ${error.toFixed(5)}`);
}
