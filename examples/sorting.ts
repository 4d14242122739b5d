/**
 * A transformer that sorts (Vaswani et al. 2017): its encoder reads ten digits, all at once, and its decoder writes them down in order, one after the other,
 * each from what it has written so far.
 *
 *     node tools/run.mjs examples/sorting.ts
 */
import { fileURLToPath } from 'node:url';
import {
  add,
  argmax,
  cast,
  clipGradNorm,
  compile,
  concat,
  crossEntropy,
  eq,
  full,
  manualSeed,
  nn,
  optim,
  randint,
  reshape,
  sinusoidalEncoding,
  slice,
  sort,
  type Tensor,
  valueAndGrad,
} from 'wasmgrad';

/** What the decoder is given before there is anything. */
const BEGIN = 10;

export interface SorterOptions {
  width: number;
  heads: number;
  /** How many digits. */
  length: number;
}

export class Sorter extends nn.Module {
  readonly digits: nn.Embedding;
  readonly encoder: nn.TransformerEncoderLayer;
  readonly decoder: nn.TransformerDecoderLayer;
  readonly out: nn.Linear;
  readonly length: number;

  constructor({ width, heads, length }: SorterOptions) {
    super();
    const options = { dimFeedforward: 4 * width, dropout: 0, normFirst: true, batchFirst: true };
    this.digits = new nn.Embedding(11, width);
    this.encoder = new nn.TransformerEncoderLayer(width, heads, options);
    this.decoder = new nn.TransformerDecoderLayer(width, heads, options);
    this.out = new nn.Linear(width, 10);
    this.length = length;
  }

  /** What is to be sorted, without positions: they do not matter. Digits [N, T] -> [N, T, E]. */
  read(digits: Tensor): Tensor {
    return this.encoder.forward(this.digits.forward(digits));
  }

  /** Of each place of what is written, [N, T], the logits of the next digit: [N, T, 10]. */
  override forward(written: Tensor, memory: Tensor): Tensor {
    const [length, width] = memory.shape.slice(1) as [number, number];
    const places = slice(sinusoidalEncoding(length, width), `:${written.shape[1]}`);
    const x = add(this.digits.forward(written), places);
    return this.out.forward(this.decoder.forward(x, memory, { tgtIsCausal: true }));
  }

  /** The digits as it sorts them, each the likeliest one. */
  sort(digits: Tensor): Tensor {
    const n = digits.shape[0]!;
    const memory = this.read(digits);
    let written: Tensor = full([n, 1], BEGIN, { dtype: 'i32' });
    for (let t = 0; t < this.length; t++) {
      const next = argmax(slice(this.forward(written, memory), ':, -1'), { axis: 1 });
      written = concat([written, reshape(next, [n, 1])], { axis: 1 });
    }
    return slice(written, ':, 1:');
  }
}

export interface Course extends Partial<SorterOptions> {
  seed?: number;
  batchSize?: number;
  lr?: number;
  /** The share of 1,000 sequences held out that must be sorted without a fault, and steps after which it gives up. */
  enough?: number;
  most?: number;
  print?: (line: string) => void;
}

/** Trains on new digits in every step; the steps that were needed, the share that is sorted right, and an example. */
export function learn({
  width = 32,
  heads = 4,
  length = 10,
  seed = 0,
  batchSize = 64,
  lr = 3e-3,
  enough = 0.995,
  most = 10_000,
  print = () => {},
}: Course): { steps: number; share: number; example: [number[], number[]] } {
  manualSeed(seed);
  const held = randint(0, 10, [1000, length]);
  const model = new Sorter({ width, heads, length });
  const optimizer = new optim.Adam(model.parameters(), { lr });
  const begin = full([batchSize, 1], BEGIN, { dtype: 'i32' });
  const step = compile(
    () => {
      const digits = randint(0, 10, [batchSize, length]);
      const sorted = sort(digits).values;
      const written = concat([begin, slice(sorted, ':, :-1')], { axis: 1 });
      const loss = () =>
        crossEntropy(reshape(model.forward(written, model.read(digits)), [-1, 10]), reshape(sorted, [-1]));
      const { value, grads } = valueAndGrad(loss, { wrt: model.parameters() })();
      optimizer.step(clipGradNorm(grads, 1));
      return value;
    },
    { threads: 2 },
  );
  const test = compile(
    (digits: Tensor) => {
      const written = model.sort(digits);
      return {
        written,
        share: cast(eq(written, sort(digits).values), 'f32')
          .min({ axis: 1 })
          .mean(),
      };
    },
    { threads: 2 },
  );
  const started = performance.now();
  let steps = 0;
  let share = 0;
  while (share < enough && steps < most) {
    let loss = 0;
    for (let i = 0; i < 250; i++) loss = step().item();
    steps += 250;
    share = test(held).share.item();
    const seconds = (performance.now() - started) / 1000;
    print(
      `step ${String(steps).padStart(5)}   loss ${loss.toFixed(4)}   ${(100 * share).toFixed(1)} % sorted without a fault   ${seconds.toFixed(1)} s`,
    );
  }
  const first = (rows: Tensor) => slice(rows, '0').toArray() as number[];
  return { steps, share, example: [first(held), first(test(held).written)] };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { example } = learn({ print: console.log });
  console.log(example.map((digits) => digits.join(' ')).join('   sorted:   '));
}
