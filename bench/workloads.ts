import {
  add,
  assign,
  Cell,
  compile,
  conv2d,
  crossEntropy,
  exp,
  full,
  linear,
  manualSeed,
  matmul,
  mseLoss,
  nn,
  optim,
  relu,
  slice,
  sum,
  type Tensor,
  tanh,
  tensor,
  transpose,
  valueAndGrad,
  vjp,
} from 'wasmgrad';
import 'wasmgrad/fast';
import { theMachine } from '../src/graph/execute';
import { lower } from '../src/graph/lower';
import { Trace } from '../src/graph/trace';
import { sizeOf } from '../src/shape';
import { BATCHES, centred, uniform } from './data';

/** What is timed: `call` does it once and returns a number of what it computed. */
export interface Prepared {
  call(): number;
  release(): void;
}

export interface Workload {
  /** As the peers know it, too. */
  name: string;
  /** The numbers of threads it is timed on. */
  threads: number[];
  prepare(threads: number): Prepared;
  /** What it is compared with, by a name of its own, in place of the peers. */
  rival?: { name: string; workload: Workload };
  /** What a call takes, where a physical limit exists to compare it with; a step's time is shown as it is. */
  work: { unit: 'FLOP' | 'byte'; amount: number } | null;
}

/** A layer's weights [out, in, …] and biases, and so on. */
function initialise(parameters: nn.Parameter[]): void {
  let inputs = 0;
  for (const [i, parameter] of parameters.entries()) {
    if (parameter.shape.length > 1) inputs = sizeOf(parameter.shape.slice(1));
    const bound = Math.fround(1 / Math.sqrt(inputs));
    const values = uniform(parameter.size, 100 + i).map((value) => Math.fround(value * 2 - 1) * bound);
    assign(parameter, tensor(values, { shape: parameter.shape }));
  }
}

/** A compiled step, called with one batch after the other: they are copied into the core's memory in every call. */
function prepareStep(
  model: nn.Module,
  optimizer: optim.Optimizer,
  loss: (prediction: Tensor, target: Tensor) => Tensor,
  xs: Tensor[],
  ys: Tensor[],
  threads: number,
): Prepared {
  const step = compile(
    (x: Tensor, y: Tensor) => {
      const { value, grads } = valueAndGrad(() => loss(model.forward(x), y), { wrt: model.parameters() })();
      optimizer.step(grads);
      return value;
    },
    { threads },
  );
  let i = 0;
  return {
    call() {
      const value = step(xs[i % xs.length]!, ys[i % ys.length]!).item();
      i++;
      return value;
    },
    release() {}, // the collector's
  };
}

const batchesOf = (count: number, make: (i: number) => Tensor) => Array.from({ length: count }, (_, i) => make(i));

/** The first seed's step: a ReLU layer learns to be another layer. */
function regression(batch: number, inputs: number, outputs: number): Workload['prepare'] {
  return (threads) => {
    const model = new nn.Sequential(new nn.Linear(inputs, outputs), new nn.ReLU());
    initialise(model.parameters());
    const w = tensor(uniform(outputs * inputs, 1), { shape: [outputs, inputs] });
    const b = tensor(uniform(outputs, 2));
    const xs = batchesOf(BATCHES, (i) => tensor(uniform(batch * inputs, 10 + i), { shape: [batch, inputs] }));
    const ys = xs.map((x) => linear(x, w, b));
    return prepareStep(model, new optim.SGD(model.parameters(), { lr: 0.01 }), mseLoss, xs, ys, threads);
  };
}

/** One batch of ten classes more than of x: every x meets many classes, so that a network never knows them by heart. */
function classification(shape: number[], make: () => nn.Module, batch = shape[0]!): Workload['prepare'] {
  return (threads) => {
    const model = make();
    initialise(model.parameters());
    const xs = batchesOf(BATCHES, (i) => tensor(uniform(sizeOf(shape), 10 + i), { shape }));
    const ys = batchesOf(BATCHES + 1, (i) =>
      tensor(Int32Array.from(uniform(batch, 50 + i), (value) => Math.fround(value * 10))),
    );
    return prepareStep(model, new optim.Adam(model.parameters()), crossEntropy, xs, ys, threads);
  };
}

/** Dense layers with ReLU in between. */
const dense = (batch: number, sizes: number[]) =>
  classification([batch, sizes[0]!], () => {
    const layers = sizes.slice(1).map((outputs, i) => new nn.Linear(sizes[i]!, outputs));
    return new nn.Sequential(...layers.flatMap((layer, i) => (i > 0 ? [new nn.ReLU(), layer] : [layer])));
  });

/** LeCun et al. 1998, roughly. */
const leNet = (batch: number) =>
  classification(
    [batch, 1, 28, 28],
    () =>
      new nn.Sequential(
        ...[new nn.Conv2d(1, 8, 5), new nn.ReLU(), new nn.MaxPool2d(2)],
        ...[new nn.Conv2d(8, 16, 5), new nn.ReLU(), new nn.MaxPool2d(2)],
        ...[new nn.Flatten(), new nn.Linear(256, 10)],
      ),
  );

/** A recurrent layer, and a dense one on what it has made of the last step. */
class OfLast extends nn.Module {
  readonly out: nn.Linear;

  constructor(readonly layer: nn.LSTM | nn.GRU) {
    super();
    this.out = new nn.Linear(layer.hiddenSize, 10);
  }

  override forward(x: Tensor): Tensor {
    return this.out.forward(slice(this.layer.forward(x).output, '-1'));
  }
}

const recurrent = (steps: number, batch: number, inputs: number, make: () => nn.LSTM | nn.GRU) =>
  classification([steps, batch, inputs], () => new OfLast(make()), batch);

/** One block of a transformer (Vaswani et al. 2017; norms first), which is to make some numbers of others. */
function transformer(batch: number, length: number, width: number, heads: number): Workload['prepare'] {
  return (threads) => {
    const options = { dimFeedforward: 4 * width, dropout: 0, normFirst: true, batchFirst: true };
    const model = new nn.TransformerEncoderLayer(width, heads, options);
    // Norms, which come last, start as they do.
    initialise(model.parameters().slice(0, 8));
    const shape = [batch, length, width];
    const of = (stream: number) => tensor(uniform(sizeOf(shape), stream), { shape });
    const xs = batchesOf(BATCHES, (i) => of(10 + i));
    const ys = batchesOf(BATCHES + 1, (i) => of(50 + i));
    return prepareStep(model, new optim.Adam(model.parameters()), mseLoss, xs, ys, threads);
  };
}

/** What follows the last of `length` characters, by 4 blocks of width 128: keys and values of those before are in a cache, or computed again. */
function generation(length: number, isCached: boolean): Workload {
  return {
    name: `generate ${length}${isCached ? '' : ' without a cache'}`,
    threads: [1],
    prepare(threads) {
      manualSeed(0);
      const options = {
        dimFeedforward: 512,
        dropout: 0,
        activation: 'gelu',
        normFirst: true,
        batchFirst: true,
      } as const;
      const characters = new nn.Embedding(64, 128);
      const blocks = new nn.TransformerEncoder(() => new nn.TransformerEncoderLayer(128, 4, options), 4);
      const out = new nn.Linear(128, 64);
      const logits = (x: Tensor, caches?: nn.KeyValueCache[]) => {
        const y = blocks.forward(characters.forward(x), caches ? { caches } : { isCausal: true });
        return out.forward(slice(y, ':, -1'));
      };
      const values = Int32Array.from(uniform(length, 1), (value) => Math.floor(value * 64));
      const text = tensor(values, { shape: [1, length] });
      const first = (y: Tensor) => y.data()[0]!;
      if (!isCached) {
        const whole = compile((x: Tensor) => logits(x), { threads });
        return { call: () => first(whole(text)), release() {} };
      }
      const caches = blocks.layers.map(({ selfAttn }) => selfAttn.cache(1, length));
      logits(slice(text, ':, :-1'), caches);
      const last = slice(text, ':, -1:');
      const next = compile(
        (x: Tensor) => {
          const y = logits(x, caches);
          // Back, so that each call is of the same position.
          for (const { position } of caches) assign(position, full([], length - 1, { dtype: 'i32' }));
          return y;
        },
        { threads },
      );
      return { call: () => first(next(last)), release() {} };
    },
    work: null,
  };
}

/** A program whose operands are cells, which lie in the core's memory: what is timed copies nothing in or out. */
function prepareProgram(f: () => Tensor[], threads: number, fast = false): Prepared {
  const trace = new Trace();
  const results = trace.record(f);
  const { program, cells } = lower(trace.close(results));
  const loaded = theMachine().load(
    program,
    cells.map((cell) => cell.storage),
    fast,
  );
  const fill = () => {};
  return {
    call() {
      loaded.run(fill, threads);
      return results.reduce((sum, _, i) => sum + loaded.peek(i)[0]!, 0);
    },
    release: () => loaded.unload(),
  };
}

function product(m: number, k: number, n: number, layout: string, threads: number[], fast = false): Workload {
  const matrix = (rows: number, columns: number, stream: number, transposed: boolean) => {
    const values = centred(rows * columns, stream);
    const stored = new Cell(tensor(values, { shape: transposed ? [columns, rows] : [rows, columns] }));
    return () => (transposed ? transpose(stored) : stored);
  };
  return {
    name: `W3 ${m}×${k}×${n} ${layout}${fast ? ' fast' : ''}`,
    threads,
    prepare(count) {
      const a = matrix(m, k, 1, layout[0] === 'T');
      const b = matrix(k, n, 2, layout[1] === 'T');
      return prepareProgram(() => [matmul(a(), b())], count, fast);
    },
    work: { unit: 'FLOP', amount: 2 * m * k * n },
  };
}

const onBoth = [1, 2];
const FLOATS = 4_000_000;

/** `arrays`: how many of them an op reads and writes. */
function pass(name: string, arrays: number, op: (x: Tensor, y: Tensor) => Tensor): Workload {
  return {
    name: `W7 ${name}`,
    threads: [1],
    prepare(threads) {
      const [x, y] = [new Cell(tensor(centred(FLOATS, 1))), new Cell(tensor(uniform(FLOATS, 2)))];
      return prepareProgram(() => [op(x, y)], threads);
    },
    work: { unit: 'byte', amount: 4 * FLOATS * arrays },
  };
}

/** In relaxed SIMD, beside the default build. */
function relaxed(m: number, k: number, n: number): Workload {
  return { ...product(m, k, n, 'NN', [1], true), rival: { name: 'default', workload: product(m, k, n, 'NN', [1]) } };
}

/** A 3 × 3 convolution, padded to keep the size, and both of its gradients. */
function convolution(batch: number, channels: number, outputs: number, size: number): Workload {
  const kernel = 3;
  const cell = (shape: number[], stream: number) =>
    new Cell(
      tensor(
        centred(
          shape.reduce((a, b) => a * b),
          stream,
        ),
        { shape },
      ),
    );
  return {
    name: `conv ${kernel}×${kernel} ${channels}→${outputs}`,
    threads: onBoth,
    prepare(threads) {
      const x = cell([batch, channels, size, size], 1);
      const w = cell([outputs, channels, kernel, kernel], 2);
      const g = cell([batch, outputs, size, size], 3);
      return prepareProgram(() => {
        const { value, pullback } = vjp((a: Tensor, b: Tensor) => conv2d(a, b, { padding: 1 }))(x, w);
        return [value, ...(pullback(g) as Tensor[])];
      }, threads);
    },
    work: { unit: 'FLOP', amount: 3 * 2 * batch * outputs * channels * (size * kernel) ** 2 },
  };
}

const LAYOUTS = ['NN', 'NT', 'TN', 'TT'];

export const workloads: Workload[] = [
  { name: 'W1', threads: onBoth, prepare: regression(512, 10, 2), work: null },
  { name: 'W2', threads: onBoth, prepare: dense(64, [784, 128, 10]), work: null },
  { name: 'W2b', threads: onBoth, prepare: dense(128, [784, 512, 512, 10]), work: null },
  ...LAYOUTS.map((layout) => product(256, 256, 256, layout, [1])),
  ...LAYOUTS.map((layout) => product(512, 512, 512, layout, layout === 'NN' ? onBoth : [1])),
  ...LAYOUTS.map((layout) => product(1024, 1024, 1024, layout, layout === 'NN' ? onBoth : [1])),
  ...LAYOUTS.map((layout) => product(64, 784, 128, layout, [1])),
  ...LAYOUTS.map((layout) => product(1000, 1000, 17, layout, [1])),
  ...LAYOUTS.map((layout) => product(1000, 17, 1000, layout, [1])),
  ...LAYOUTS.map((layout) => product(512, 10, 2, layout, [1])),
  relaxed(512, 512, 512),
  convolution(32, 16, 32, 32),
  { name: 'W4', threads: onBoth, prepare: leNet(32), work: null },
  { name: 'W5', threads: onBoth, prepare: recurrent(32, 16, 32, () => new nn.LSTM(32, 128)), work: null },
  { name: 'W5g', threads: onBoth, prepare: recurrent(32, 16, 32, () => new nn.GRU(32, 128)), work: null },
  { name: 'W6', threads: onBoth, prepare: transformer(8, 64, 64, 4), work: null },
  { ...generation(256, true), rival: { name: 'without a cache', workload: generation(256, false) } },
  pass('relu', 2, relu),
  pass('add', 3, add),
  pass('sum', 1, (x) => sum(x)),
  pass('exp', 2, exp),
  pass('tanh', 2, tanh),
];
