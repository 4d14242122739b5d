/**
 * "DIY Deep Learning", after the program `netbp` of Higham & Higham (arXiv 1801.05894, section 6): ten points of two kinds, a
 * 2-2-3-2 network of sigmoids, one random point a step. Draws the region of each kind.
 *
 *     node tools/run.mjs examples/seed-002.ts [region.svg]
 *
 * ERRATA.md says more on each "document" below.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  compile,
  gt,
  halfMseLoss,
  indexSelect,
  manualSeed,
  nn,
  optim,
  randint,
  slice,
  type Tensor,
  tensor,
  transpose,
  valueAndGrad,
} from 'wasmgrad';

const ETA = 0.05;
/** As many as in the paper. */
const STEPS = 1_000_000;
const POINTS = transpose(
  tensor([
    [0.1, 0.3, 0.1, 0.6, 0.4, 0.6, 0.5, 0.9, 0.4, 0.7],
    [0.1, 0.4, 0.5, 0.9, 0.2, 0.3, 0.6, 0.2, 0.4, 0.6],
  ]),
);
/** The first five are of kind A, (1, 0), the others of kind B, (0, 1). */
const KINDS = tensor([...Array(5).fill([1, 0]), ...Array(5).fill([0, 1])]);

export interface Learned {
  model: nn.Sequential;
  /** The cost of all ten points after the last step. */
  cost: number;
}

/** Trains the network; `onCost` hears the cost of all ten points ten times, in even distances. */
export function learnRegion({
  seed = 0,
  steps = STEPS,
  onCost = () => {},
}: {
  seed?: number;
  steps?: number;
  onCost?: (step: number, cost: number) => void;
} = {}): Learned {
  manualSeed(seed);
  const normal = nn.init.normal({ std: 0.5 });
  const layer = (inputs: number, outputs: number) => new nn.Linear(inputs, outputs, { init: normal, biasInit: normal });
  const model = new nn.Sequential(
    ...[layer(2, 2), layer(2, 3), layer(3, 2)].flatMap((affine) => [affine, new nn.Sigmoid()]),
  );
  const optimizer = new optim.SGD(model.parameters(), { lr: ETA });

  // Half the squares, summed over outputs: not seed-000's mean. With all points at once the gradient is the mean of each
  // point's own; the document averages first and then goes back, which is something else. Here a step has one point.
  const step = compile(() => {
    const k = randint(0, 10, [1]);
    const [x, y] = [indexSelect(POINTS, k), indexSelect(KINDS, k)];
    const { grads } = valueAndGrad(() => halfMseLoss(model.forward(x), y), { wrt: model.parameters() })();
    optimizer.step(grads);
  });
  const cost = compile(() => halfMseLoss(model.forward(POINTS), KINDS));

  for (let i = 1; i <= steps; i++) {
    step();
    if (i % Math.ceil(steps / 10) === 0) onCost(i, cost().item());
  }
  return { model, cost: cost().item() };
}

/** Whether the centres of columns × rows pixels of the unit square, the top row first, are of kind A. */
export function region(model: nn.Sequential, columns: number, rows: number): boolean[][] {
  const centres = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => [(column + 0.5) / columns, 1 - (row + 0.5) / rows]),
  );
  const outputs = model.forward(tensor(centres)) as Tensor;
  return gt(slice(outputs, '..., 0'), slice(outputs, '..., 1')).toArray() as boolean[][];
}

/** Each point and its kind. */
const marks = (POINTS.toArray() as number[][]).map(([x, y], i) => ({ x: x!, y: y!, isA: i < 5 }));

/** The unit square in half blocks, two pixels a character: A's region filled, points as o (kind A) and x (kind B). */
export function drawInTerminal(model: nn.Sequential, columns = 60, rows = 30): string {
  const pixels = region(model, columns, 2 * rows);
  const blocks = [' ', '▄', '▀', '█'];
  const lines = Array.from({ length: rows }, (_, row) => {
    const [upper, lower] = [pixels[2 * row]!, pixels[2 * row + 1]!];
    return upper.map((isA, column) => blocks[(isA ? 2 : 0) + (lower[column] ? 1 : 0)]!);
  });
  for (const { x, y, isA } of marks) lines[Math.floor((1 - y) * rows)]![Math.floor(x * columns)] = isA ? 'o' : 'x';
  const rule = '─'.repeat(columns);
  return [`┌${rule}┐`, ...lines.map((line) => `│${line.join('')}│`), `└${rule}┘`].join('\n');
}

/** The same as a picture: a path of one rectangle for every run of A's pixels, circles and crosses. */
export function drawAsSvg(model: nn.Sequential, pixels = 250): string {
  const runs = region(model, pixels, pixels).flatMap((line, row) => {
    const starts = line.flatMap((isA, column) => (isA && !line[column - 1] ? [column] : []));
    return starts.map((start) => {
      const end = line.indexOf(false, start);
      const length = (end === -1 ? pixels : end) - start;
      return `M${start} ${row}h${length}v1h-${length}z`;
    });
  });
  const points = marks.map(({ x, y, isA }) => {
    const [cx, cy] = [x * pixels, (1 - y) * pixels];
    return isA ? `<circle cx="${cx}" cy="${cy}" r="4"/>` : `<path d="M${cx - 4} ${cy - 4}l8 8m0 -8l-8 8"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${pixels} ${pixels}" width="500" height="500">
<rect width="100%" height="100%" fill="#fff"/>
<path fill="#b9d3ea" d="${runs.join('')}"/>
<g fill="none" stroke="#222" stroke-width="1.5">${points.join('')}</g>
</svg>
`;
}

function main(svgPath?: string): void {
  const start = performance.now();
  const { model, cost } = learnRegion({
    onCost: (step, value) => console.log(`step ${String(step).padStart(7)}   cost ${value.toExponential(3)}`),
  });
  const seconds = (performance.now() - start) / 1000;
  console.log(`\n${model.summary([10, 2])}\n`);
  console.log(drawInTerminal(model));
  console.log(
    `${STEPS} steps in ${seconds.toFixed(1)} s, cost ${cost.toExponential(3)}; o and x: kinds A and B; filled: A's region`,
  );
  if (svgPath) writeFileSync(svgPath, drawAsSvg(model));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv[2]);
