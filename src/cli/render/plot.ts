import { formatLoss } from './numbers';
import { joinFitting, padEnd, padStart, plain, type Style } from './text';

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
/** The part of its size that a linear axis spans at least. */
const LEAST_SPREAD = 0.05;
const VALIDATION_MARK = '●';
/** Columns between marks, at least. */
const MARK_DISTANCE = 3;
/** Columns for the labels of the loss: always the same, so that nothing jumps when a plot is redrawn. */
const GUTTER = 7;

/**
 * The course of the loss: training as a line of braille dots, two across and four down to a character, smoothed; validation
 * as marks. Empty before there is a finite loss.
 */
export function renderLossPlot(plot: LossPlot, { width, height }: PlotSize, style: Style = plain): string[] {
  const { losses, validation = [], stepsPerEpoch } = plot;
  const lastStep = Math.max(plot.totalSteps ?? losses.length, losses.length, 2);
  const columns = width - GUTTER - 2;
  const dotOf = (step: number) => Math.round(((step - 1) / (lastStep - 1)) * (2 * columns - 1));
  const points = smoothedPoints(losses, dotOf);
  const marks = spacedMarks(validation, (step) => dotOf(step) >> 1);
  const shown = [...points.map(({ value }) => value), ...marks.values()];
  if (shown.length === 0) return [];
  const low = shown.reduce((a, b) => Math.min(a, b));
  const high = shown.reduce((a, b) => Math.max(a, b));
  const scale = low > 0 && high / low >= LOG_FROM ? logarithmic(low, high) : linear(low, high);

  const labels = new Map(scale.ticks.map((tick) => [rowOf(scale.position(tick), height), scale.label(tick)]));
  const canvas = new BrailleCanvas(columns, height);
  let previous: [number, number] | undefined;
  for (const { x, value } of points) {
    const dot: [number, number] = [x, Math.round((1 - scale.position(value)) * (4 * height - 1))];
    canvas.line(previous ?? dot, dot);
    previous = dot;
  }
  const lines = Array.from({ length: height }, (_, row) => {
    const cells = Array.from({ length: columns }, (_, column) => {
      const mark = marks.get(column);
      return mark !== undefined && rowOf(scale.position(mark), height) === row
        ? style.yellow(VALIDATION_MARK)
        : paint(canvas.at(column, row), style.cyan);
    });
    const axis = labels.has(row) ? '┤' : '│';
    return `${padStart(labels.get(row) ?? '', GUTTER)} ${style.dim(axis)}${cells.join('').trimEnd()}`;
  });
  const last = validation.at(-1);
  const legend = [
    `${style.cyan('⠒⠒')} training loss`,
    ...(last ? [`${style.yellow(VALIDATION_MARK)} validation ${formatLoss(last.loss)}`] : []),
    ...(scale.name ? [style.dim(scale.name)] : []),
  ];
  const inEpochs = stepsPerEpoch !== undefined && lastStep >= 2 * stepsPerEpoch;
  return [
    ...lines,
    ...horizontalAxis(lastStep, inEpochs ? stepsPerEpoch : 1, inEpochs ? 'epoch' : 'step', columns, style),
    `${' '.repeat(GUTTER + 2)}${joinFitting(legend, '   ', columns)}`,
  ];
}

/**
 * A point for each column of dots that has steps: the mean of those and of the steps around them, a thirtieth of all. Near the
 * first step there are fewer around, so that the fall from the first loss stays where it was.
 */
function smoothedPoints(losses: ArrayLike<number>, dotOf: (step: number) => number): Point[] {
  const n = losses.length;
  const radius = Math.floor(n / 60);
  const sums = new Float64Array(n + 1);
  const counts = new Uint32Array(n + 1);
  /** The step, counted from 0, with which each column begins. */
  const begins: { x: number; step: number }[] = [];
  for (let step = 0; step < n; step++) {
    const finite = Number.isFinite(losses[step]!);
    sums[step + 1] = sums[step]! + (finite ? losses[step]! : 0);
    counts[step + 1] = counts[step]! + (finite ? 1 : 0);
    const x = dotOf(step + 1);
    if (begins.at(-1)?.x !== x) begins.push({ x, step });
  }
  return begins.flatMap(({ x, step }, index) => {
    const around = Math.min(radius, step);
    const from = step - around;
    const to = Math.min(n, (begins[index + 1]?.step ?? n) + around);
    const count = counts[to]! - counts[from]!;
    return count > 0 ? [{ x, value: (sums[to]! - sums[from]!) / count }] : [];
  });
}

/** Losses by column. The last one counts, so from there backwards, each with some air around it. */
function spacedMarks(validation: NonNullable<LossPlot['validation']>, columnOf: (step: number) => number) {
  const marks = new Map<number, number>();
  let next = Number.POSITIVE_INFINITY;
  for (const { step, loss } of validation.toReversed()) {
    const column = columnOf(step);
    if (column > next - MARK_DISTANCE || !Number.isFinite(loss)) continue;
    marks.set(column, loss);
    next = column;
  }
  return marks;
}

interface Scale {
  name: string;
  /** 0 at the bottom … 1 at the top. */
  position(value: number): number;
  ticks: number[];
  label(tick: number): string;
}

function linear(low: number, high: number): Scale {
  const size = Math.max(Math.abs(low), Math.abs(high)) || 1;
  // A loss that hardly moves is a flat line in the middle, not a close-up of its noise.
  const margin = Math.max(0, (LEAST_SPREAD * size - (high - low)) / 2);
  // Near 0 the axis begins there: a loss of 0 is what everybody hopes for.
  const bottom = low >= 0 && low < high - low ? 0 : low - margin;
  const top = high + margin;
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
function horizontalAxis(lastStep: number, stepsPerUnit: number, unit: string, columns: number, style: Style): string[] {
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
    `${' '.repeat(GUTTER + 1)}${style.dim(`└${axis.join('')}`)}`,
    `${' '.repeat(GUTTER + 2)}${padEnd(labels, columns - unit.length)}${style.dim(unit)}`,
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
