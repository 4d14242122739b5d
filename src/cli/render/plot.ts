import { formatLoss } from './numbers';
import { joinFitting, padEnd, padStart, plain, type Style, widthOf } from './text';

export interface LossPlot {
  /** The loss of each step, from step 1 on. */
  losses: ArrayLike<number>;
  /** Measured at the end of some steps. */
  validation?: readonly { step: number; loss: number }[];
  /** How far the axis goes; by default to the last step. */
  totalSteps?: number | undefined;
  /** Where it is known and there are several epochs, the axis counts those. */
  stepsPerEpoch?: number | undefined;
}

export interface PlotSize {
  /** Columns in all. */
  width: number;
  /** Lines of the plot proper; the axis and its legend take two more. */
  height: number;
}

interface Point {
  /** Dots from the left, and the loss. */
  x: number;
  value: number;
}

/** Above this ratio of largest to smallest loss, equal steps of the axis are equal ratios. */
const LOG_FROM = 20;
const VALIDATION_MARK = '●';
/** Columns between marks, at least. */
const MARK_DISTANCE = 3;

/**
 * The course of the loss: training as a line of braille dots, two across and four down to a character, smoothed; validation
 * as marks. Empty before there is a finite loss.
 */
export function renderLossPlot(plot: LossPlot, { width, height }: PlotSize, style: Style = plain): string[] {
  const { losses, validation = [], stepsPerEpoch } = plot;
  const lastStep = Math.max(plot.totalSteps ?? losses.length, losses.length, 2);
  const smoothed = smooth(losses);
  const shown = [...smoothed, ...validation.map(({ loss }) => loss)].filter(Number.isFinite);
  if (shown.length === 0) return [];
  const low = shown.reduce((a, b) => Math.min(a, b));
  const high = shown.reduce((a, b) => Math.max(a, b));
  const scale = low > 0 && high / low >= LOG_FROM ? logarithmic(low, high) : linear(low, high);

  const labels = new Map(scale.ticks.map((tick) => [rowOf(scale.position(tick), height), scale.label(tick)]));
  const gutter = Math.max(5, ...[...labels.values()].map(widthOf));
  const columns = width - gutter - 2;
  const dotOf = (step: number) => Math.round(((step - 1) / (lastStep - 1)) * (2 * columns - 1));
  const canvas = new BrailleCanvas(columns, height);
  let previous: [number, number] | undefined;
  for (const { x, value } of onePerDot(smoothed, dotOf)) {
    const dot: [number, number] = [x, Math.round((1 - scale.position(value)) * (4 * height - 1))];
    canvas.line(previous ?? dot, dot);
    previous = dot;
  }
  const marks = new Map<number, number>();
  // From the last one backwards, since that is the one that counts; each with some air around it.
  for (const { step, loss } of validation.toReversed()) {
    const column = dotOf(step) >> 1;
    const next = [...marks.keys()].at(-1) ?? Number.POSITIVE_INFINITY;
    if (Number.isFinite(loss) && column <= next - MARK_DISTANCE) marks.set(column, rowOf(scale.position(loss), height));
  }

  const lines = Array.from({ length: height }, (_, row) => {
    const cells = Array.from({ length: columns }, (_, column) =>
      marks.get(column) === row ? style.yellow(VALIDATION_MARK) : paint(canvas.at(column, row), style.cyan),
    );
    const axis = labels.has(row) ? '┤' : '│';
    return `${padStart(labels.get(row) ?? '', gutter)} ${style.dim(axis)}${cells.join('').trimEnd()}`;
  });
  const last = validation.at(-1);
  const legend = [
    `${style.cyan('⠒⠒')} training loss`,
    ...(last ? [`${style.yellow(VALIDATION_MARK)} validation loss ${formatLoss(last.loss)}`] : []),
    ...(scale.name ? [style.dim(scale.name)] : []),
  ];
  const inEpochs = stepsPerEpoch !== undefined && lastStep >= 2 * stepsPerEpoch;
  return [
    ...lines,
    ...horizontalAxis(lastStep, inEpochs ? stepsPerEpoch : 1, inEpochs ? 'epoch' : 'step', columns, gutter, style),
    `${' '.repeat(gutter + 2)}${joinFitting(legend, '   ', columns)}`,
  ];
}

/**
 * The mean of the steps around each one, a thirtieth of all at a time. Near the first step there are fewer, the same number
 * on both sides, so that the fall from the first loss stays where it was.
 */
function smooth(losses: ArrayLike<number>): Float64Array {
  const n = losses.length;
  const radius = Math.floor(n / 60);
  const sums = new Float64Array(n + 1);
  const counts = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) {
    const finite = Number.isFinite(losses[i]!);
    sums[i + 1] = sums[i]! + (finite ? losses[i]! : 0);
    counts[i + 1] = counts[i]! + (finite ? 1 : 0);
  }
  return Float64Array.from({ length: n }, (_, i) => {
    const from = i - Math.min(i, radius);
    const to = Math.min(n, i + Math.min(i, radius) + 1);
    return (sums[to]! - sums[from]!) / (counts[to]! - counts[from]!);
  });
}

/** The mean of the values that share a column of dots. */
function onePerDot(values: Float64Array, dotOf: (step: number) => number): Point[] {
  const points: (Point & { count: number })[] = [];
  values.forEach((value, index) => {
    if (!Number.isFinite(value)) return;
    const x = dotOf(index + 1);
    const point = points.at(-1);
    if (point?.x === x) {
      point.count++;
      point.value += (value - point.value) / point.count;
    } else points.push({ x, value, count: 1 });
  });
  return points;
}

interface Scale {
  name: string;
  /** 0 at the bottom … 1 at the top. */
  position(value: number): number;
  ticks: number[];
  label(tick: number): string;
}

function linear(low: number, high: number): Scale {
  const spread = high - low || Math.abs(high) || 1;
  // Near 0 the axis begins there: a loss of 0 is what everybody hopes for.
  const bottom = low >= 0 && low < spread ? 0 : low - (high === low ? spread / 2 : 0);
  const top = high === low ? high + spread / 2 : high;
  const step = niceStep((top - bottom) / 4);
  const first = Math.ceil(bottom / step);
  const ticks = Array.from({ length: Math.floor(top / step) - first + 1 }, (_, i) => (first + i) * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return {
    name: '',
    position: (value) => (value - bottom) / (top - bottom),
    ticks,
    label: (tick) => (digits > 5 || Math.abs(tick) >= 1e6 ? tick.toExponential(1) : tick.toFixed(digits)),
  };
}

function logarithmic(low: number, high: number): Scale {
  const [bottom, top] = [Math.log10(low), Math.log10(high)];
  const multiples = top - bottom > 3 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let exponent = Math.floor(bottom); exponent <= top; exponent++) {
    for (const multiple of multiples) {
      const tick = Number(`${multiple}e${exponent}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return {
    name: 'log scale',
    position: (value) => (Math.log10(Math.max(value, low)) - bottom) / (top - bottom),
    ticks,
    label: (tick) => (tick >= 1e-4 && tick < 1e6 ? String(tick) : tick.toExponential(0)),
  };
}

/** The smallest of 1, 2, 5, 10, 20, … (and their tenths) that is not below `step`. */
function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5, 10].find((multiple) => multiple * power >= step * (1 - 1e-9)) ?? 10);
}

function rowOf(position: number, height: number): number {
  return Math.min(height - 1, Math.floor((1 - position) * height));
}

/** Two lines: the axis with its ticks, and their labels with the unit at the end. */
function horizontalAxis(
  lastStep: number,
  stepsPerUnit: number,
  unit: string,
  columns: number,
  gutter: number,
  style: Style,
): string[] {
  const end = lastStep / stepsPerUnit;
  const every = Math.max(1, niceStep(end / Math.min(8, Math.max(2, Math.floor(columns / 12)))));
  const axis = Array<string>(columns).fill('─');
  let labels = '';
  const room = columns - unit.length - 2;
  for (let tick = 0; tick <= end; tick += every) {
    const column = Math.min(columns - 1, Math.round((tick / end) * (columns - 1)));
    const label = String(tick);
    const start = Math.max(0, column - (label.length >> 1));
    if (start + label.length > room && tick > 0) break;
    axis[column] = '┬';
    labels = padEnd(labels, start) + label;
  }
  return [
    `${' '.repeat(gutter + 1)}${style.dim(`└${axis.join('')}`)}`,
    `${' '.repeat(gutter + 2)}${padEnd(labels, columns - unit.length)}${style.dim(unit)}`,
  ];
}

function paint(character: string, colour: (text: string) => string): string {
  return character === ' ' ? character : colour(character);
}

/** Dots of a braille character, by row and column: its code is 0x2800 plus these bits. */
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
];

class BrailleCanvas {
  readonly #cells: Uint8Array;

  constructor(
    private readonly columns: number,
    rows: number,
  ) {
    this.#cells = new Uint8Array(columns * rows);
  }

  /** Both ends included; each is [x, y] in dots from the upper left corner. */
  line([x0, y0]: [number, number], [x1, y1]: [number, number]): void {
    const count = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0), 1);
    for (let i = 0; i <= count; i++) {
      const x = Math.round(x0 + ((x1 - x0) * i) / count);
      const y = Math.round(y0 + ((y1 - y0) * i) / count);
      this.#cells[(y >> 2) * this.columns + (x >> 1)]! |= DOTS[y & 3]![x & 1]!;
    }
  }

  at(column: number, row: number): string {
    const bits = this.#cells[row * this.columns + column]!;
    return bits === 0 ? ' ' : String.fromCharCode(0x2800 + bits);
  }
}
