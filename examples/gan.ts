/**
 * Two networks that learn from each other (Goodfellow et al. 2014): one makes points of noise, the other tells them from real ones, which lie in eight
 * heaps on a ring. The second one's slope at real points is penalised (Mescheder et al. 2018, "R₁"), so the step takes a gradient of a gradient.
 *
 *     node tools/run.mjs examples/gan.ts
 */
import { fileURLToPath } from 'node:url';
import {
  add,
  compile,
  cos,
  gather,
  grad,
  manualSeed,
  mul,
  neg,
  nn,
  optim,
  randint,
  randn,
  sin,
  softplus,
  square,
  stack,
  type Tensor,
  tensor,
  train,
  valueAndGrad,
} from 'wasmgrad';

const HEAPS = 8;
const RADIUS = 2;
const SPREAD = 0.1;
const NOISE = 8;

const angles = tensor(Float32Array.from({ length: HEAPS }, (_, i) => i / HEAPS)).mul(2 * Math.PI);
/** [HEAPS, 2] */
const centres = mul(stack([cos(angles), sin(angles)], { axis: 1 }), RADIUS);

/** n points of the heaps, [n, 2]. */
function realPoints(n: number): Tensor {
  const heap = randint(0, HEAPS, [n, 1]);
  return add(gather(centres, heap.add(tensor([[0, 0]], { dtype: 'i32' })), { axis: 0 }), mul(randn([n, 2]), SPREAD));
}

const layers = (inputs: number, hidden: number, outputs: number) =>
  new nn.Sequential(
    new nn.Linear(inputs, hidden),
    new nn.LeakyReLU(),
    new nn.Linear(hidden, hidden),
    new nn.LeakyReLU(),
    new nn.Linear(hidden, outputs),
  );

class GAN extends nn.Module {
  readonly generator: nn.Sequential;
  readonly critic: nn.Sequential;

  constructor(hidden: number) {
    super();
    this.generator = layers(NOISE, hidden, 2);
    this.critic = layers(2, hidden, 1);
  }

  /** n made points, [n, 2]. */
  override forward(n: number): Tensor {
    return this.generator.forward(randn([n, NOISE]));
  }
}

/** What the step is: each of the two gets better by turns. */
function turns(model: GAN, lr: number) {
  const { generator, critic } = model;
  const adam = (part: nn.Module) => new optim.Adam(part.parameters(), { lr, betas: [0, 0.99] });
  const [critical, generating] = [adam(critic), adam(generator)];
  return (real: Tensor) => {
    const n = real.shape[0]!;
    const made = model.forward(n);
    const judged = valueAndGrad(
      () => {
        const slope = grad((x: Tensor) => critic.forward(x).sum())(real);
        const penalty = mul(square(slope).sum({ axis: 1 }).mean(), 0.5);
        const doubt = add(softplus(neg(critic.forward(real))).mean(), softplus(critic.forward(made)).mean());
        return add(doubt, mul(penalty, 0.1));
      },
      { wrt: critic.parameters() },
    )();
    critical.step(judged.grads);
    const fooled = valueAndGrad(() => softplus(neg(critic.forward(model.forward(n)))).mean(), {
      wrt: generator.parameters(),
    })();
    generating.step(fooled.grads);
    return { critic: judged.value, generator: fooled.value };
  };
}

/** Of n made points: the share that lies in a heap (within four standard deviations), and the smallest heap's share of those, times the number of heaps. */
export function judge(model: GAN, n: number): { inHeaps: number; evenness: number } {
  const points = model.forward(n).toArray() as [number, number][];
  const heaps = centres.toArray() as [number, number][];
  const counts = heaps.map(([cx, cy]) => points.filter(([x, y]) => Math.hypot(x - cx, y - cy) < 4 * SPREAD).length);
  const inside = counts.reduce((a, b) => a + b);
  return { inHeaps: inside / n, evenness: inside === 0 ? 0 : (Math.min(...counts) * HEAPS) / inside };
}

export interface Course {
  epochs: number;
  hidden?: number;
  lr?: number;
  print?: (line: string) => void;
}

/** Trains for so many epochs of 500 steps. */
export async function learn({ epochs, hidden = 128, lr = 1e-3, print = () => {} }: Course): Promise<GAN> {
  manualSeed(0);
  const model = new GAN(hidden);
  const step = compile(turns(model, lr));
  const data = { x: realPoints(256 * 500) };
  const run = train({ model, step, data, epochs, batchSize: 256, threads: 2 });
  for await (const event of run) {
    if (event.kind !== 'epoch') continue;
    await run.snapshot();
    const { inHeaps, evenness } = judge(model, 2000);
    const shares = `${(100 * inHeaps).toFixed(0)} % of the points in heaps, the smallest heap ${evenness.toFixed(2)} of its share`;
    print(
      `epoch ${String(event.epoch).padStart(2)}   critic ${event.loss.toFixed(3)}   generator ${event.metrics.generator!.toFixed(3)}   ${shares}`,
    );
  }
  await run.done;
  return model;
}

/** The plane from -3 to 3, more ink where more points are. */
function draw(points: [number, number][]): string {
  const [width, height] = [60, 30];
  const counts = Array.from({ length: height }, () => new Array<number>(width).fill(0));
  for (const [x, y] of points) {
    const [column, row] = [Math.floor(((x + 3) / 6) * width), Math.floor(((3 - y) / 6) * height)];
    if (counts[row]?.[column] !== undefined) counts[row][column]!++;
  }
  const lines = counts.map((row) =>
    row
      .map((count) => ' .:*#'[Math.min(4, count)])
      .join('')
      .trimEnd(),
  );
  return lines.slice(lines.findIndex(Boolean), lines.findLastIndex(Boolean) + 1).join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const model = await learn({ epochs: 12, print: console.log });
  console.log(draw(model.forward(1500).toArray() as [number, number][]));
}
