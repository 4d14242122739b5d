import type { Cell } from '../cell';
import { ShapeError, ValueError } from '../errors';
import { show } from '../shape';
import { checkCounts, checkOption, type Tensor, tensor } from '../tensor';
import { checkRange } from './optimizer';

export interface LBFGSOptions {
  /** The first guess of how far to go along a direction. */
  lr?: number;
  /** Directions that one call of `step` goes along. */
  maxIter?: number;
  /** Evaluations of the closure after which a call ends: 1.25·maxIter unless given. */
  maxEval?: number;
  /** A call ends where no slope is above this. */
  toleranceGrad?: number;
  /** A call ends where neither the value nor a parameter moves by more. */
  toleranceChange?: number;
  /** How many steps make up the picture of the curvature. */
  historySize?: number;
  /** Looks for a point that meets the strong Wolfe conditions, rather than going as far as `lr` says. */
  lineSearchFn?: 'strongWolfe' | null;
}

/** What is minimised: its value, rank 0, and its gradients in the order of the parameters, at their values of now. */
export type Closure = () => { value: Tensor; grads: readonly Tensor[] };

type Vector = Float64Array;

/** A point on the line that is searched: how far along, the value, the gradient and its slope along the line. */
interface Point {
  t: number;
  value: number;
  gradient: Vector;
  slope: number;
}

interface Step {
  /** Change of the gradient. */
  y: Vector;
  /** Change of the parameters. */
  s: Vector;
  /** 1 / (y·s). */
  rho: number;
}

/**
 * Limited-memory BFGS (Liu & Nocedal 1989), as torch.optim.LBFGS: directions from a picture of the curvature that the last
 * `historySize` steps make up. Where to go next depends on values, so `step` takes a function that computes value and gradients, best
 * a compiled one, and calls it several times; for whole batches, outside of `compile` and `train`:
 *
 *     const optimizer = new optim.LBFGS(model.parameters(), { lineSearchFn: 'strongWolfe' });
 *     const closure = compile(() => valueAndGrad(() => mseLoss(model.forward(x), y), { wrt: model.parameters() })());
 *     for (let i = 0; i < 20; i++) console.log(optimizer.step(closure));
 *
 * The arithmetic between the calls is done in float64 by + - × ÷ √ alone, so that it is the same everywhere. Throws a ValueError for
 * options out of their range.
 */
export class LBFGS {
  private readonly options: Required<LBFGSOptions>;
  private readonly size: number;
  private history: Step[] = [];
  /** Size of the inverse curvature where nothing is known of it. */
  private scale = 1;
  private iterations = 0;
  /** Where the last direction led, its length, and the gradient before it. */
  private last: { direction: Vector; t: number; gradient: Vector } | null = null;

  constructor(
    readonly parameters: readonly Cell[],
    {
      lr = 1,
      maxIter = 20,
      maxEval = Math.floor((maxIter * 5) / 4),
      toleranceGrad = 1e-7,
      toleranceChange = 1e-9,
      historySize = 100,
      lineSearchFn = null,
    }: LBFGSOptions = {},
  ) {
    if (parameters.length === 0) {
      throw new ValueError('there are no parameters; pass model.parameters().', {
        op: 'optim.LBFGS',
        argument: 'parameters',
        got: [],
      });
    }
    checkRange('LBFGS', { lr, toleranceGrad, toleranceChange }, 0);
    checkCounts('optim.LBFGS', { maxIter, maxEval, historySize });
    const known = lineSearchFn === null || lineSearchFn === 'strongWolfe';
    checkOption('optim.LBFGS', 'lineSearchFn', lineSearchFn, known, "'strongWolfe' or null");
    this.options = { lr, maxIter, maxEval, toleranceGrad, toleranceChange, historySize, lineSearchFn };
    this.size = parameters.reduce((total, { size }) => total + size, 0);
  }

  /**
   * Goes along up to `maxIter` directions, and returns the value from before the first. Throws a ShapeError where the closure's
   * gradients do not fit the parameters.
   */
  step(closure: Closure): number {
    const { lr, maxIter, maxEval, toleranceGrad, toleranceChange, historySize, lineSearchFn } = this.options;
    let { value, gradient } = this.evaluate(closure);
    const before = value;
    let evaluations = 1;
    if (largest(gradient) <= toleranceGrad) return before;
    for (let iteration = 1; ; iteration++) {
      this.iterations++;
      if (this.last) this.remember(gradient, this.last, historySize);
      const direction = this.direction(gradient);
      const previous = value;
      const slope = dot(gradient, direction);
      let t = this.iterations === 1 ? Math.min(1, 1 / sumOfSizes(gradient)) * lr : lr;
      this.last = { direction, t, gradient };
      if (slope > -toleranceChange) return before;
      const start = this.values();
      if (lineSearchFn) {
        const at = (along: number): Point => {
          this.move(start, direction, along);
          const point = this.evaluate(closure);
          return { t: along, ...point, slope: dot(point.gradient, direction) };
        };
        const found = strongWolfe(at, { t: 0, value, gradient, slope }, t, largest(direction), toleranceChange);
        ({ t, value, gradient } = found.point);
        evaluations += found.evaluations;
        this.last.t = t;
        this.move(start, direction, t);
      } else {
        this.move(start, direction, t);
        // In the last one no use is made of it.
        if (iteration !== maxIter) {
          ({ value, gradient } = this.evaluate(closure));
          evaluations++;
        }
      }
      const done =
        iteration === maxIter ||
        evaluations >= maxEval ||
        largest(gradient) <= toleranceGrad ||
        largest(direction) * t <= toleranceChange ||
        Math.abs(value - previous) < toleranceChange;
      if (done) return before;
    }
  }

  /** Adds the last step to the picture of the curvature, unless it curves downwards. */
  private remember(gradient: Vector, last: { direction: Vector; t: number; gradient: Vector }, most: number): void {
    const y = gradient.map((one, i) => one - last.gradient[i]!);
    const s = last.direction.map((one) => one * last.t);
    const ys = dot(y, s);
    if (!(ys > 1e-10)) return;
    if (this.history.length === most) this.history.shift();
    this.history.push({ y, s, rho: 1 / ys });
    this.scale = ys / dot(y, y);
  }

  /** Minus the inverse curvature times the gradient: the two loops of Nocedal (1980). */
  private direction(gradient: Vector): Vector {
    const d = gradient.map((one) => -one);
    const shares: number[] = [];
    for (const { y, s, rho } of [...this.history].reverse()) {
      const share = dot(s, d) * rho;
      shares.push(share);
      addScaled(d, y, -share);
    }
    for (let i = 0; i < d.length; i++) d[i]! *= this.scale;
    for (const { y, s, rho } of this.history) addScaled(d, s, shares.pop()! - dot(y, d) * rho);
    return d;
  }

  private evaluate(closure: Closure): { value: number; gradient: Vector } {
    const { value, grads } = closure();
    const gradient = new Float64Array(this.size);
    let at = 0;
    this.parameters.forEach((parameter, i) => {
      const own = grads[i];
      if (grads.length !== this.parameters.length || own?.size !== parameter.size) {
        throw new ShapeError(
          `the closure must give ${this.parameters.length} gradients, number ${i} of shape ${show(parameter.shape)}; got ${grads.length}, and ${own ? show(own.shape) : 'none'}.`,
          { op: 'optim.LBFGS', argument: 'closure', got: own?.shape, expected: parameter.shape },
        );
      }
      gradient.set(own.values('optim.LBFGS'), at);
      at += parameter.size;
    });
    return { value: value.item(), gradient };
  }

  private values(): Vector {
    const values = new Float64Array(this.size);
    let at = 0;
    for (const parameter of this.parameters) {
      values.set(parameter.values(), at);
      at += parameter.size;
    }
    return values;
  }

  /** Sets the parameters to start + t·direction. */
  private move(start: Vector, direction: Vector, t: number): void {
    let at = 0;
    for (const parameter of this.parameters) {
      const { shape, dtype, size } = parameter;
      const moved = Float64Array.from({ length: size }, (_, i) => start[at + i]! + t * direction[at + i]!);
      parameter.write(tensor(dtype === 'f64' ? moved : Float32Array.from(moved), { shape }));
      at += size;
    }
  }
}

function dot(a: Vector, b: Vector): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}

const largest = (a: Vector) => a.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
const sumOfSizes = (a: Vector) => a.reduce((total, one) => total + Math.abs(one), 0);

function addScaled(to: Vector, a: Vector, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i]! += factor * a[i]!;
}

/** The lowest point of the cubic through two points with their slopes, held between bounds: those points unless given. */
function cubicMinimum(
  a: Point,
  b: Point,
  [low, high]: [number, number] = a.t <= b.t ? [a.t, b.t] : [b.t, a.t],
): number {
  const d1 = a.slope + b.slope - (3 * (a.value - b.value)) / (a.t - b.t);
  const square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const d2 = Math.sqrt(square);
  const [near, far] = a.t <= b.t ? [a, b] : [b, a];
  const lowest = far.t - (far.t - near.t) * ((far.slope + d2 - d1) / (far.slope - near.slope + 2 * d2));
  return Math.min(Math.max(lowest, low), high);
}

const ENOUGH_DESCENT = 1e-4;
const ENOUGH_FLATTER = 0.9;
const MAX_SEARCH = 25;

/**
 * A point whose value is enough lower than the start's and whose slope is enough flatter (Nocedal & Wright 2006, alg. 3.5 and 3.6, with
 * minFunc's cubic steps, which PyTorch has). `reach` is the largest element of the direction.
 */
function strongWolfe(
  at: (t: number) => Point,
  start: Point,
  first: number,
  reach: number,
  toleranceChange: number,
): { point: Point; evaluations: number } {
  const tooHigh = (one: Point) => one.value > start.value + ENOUGH_DESCENT * one.t * start.slope;
  const flatEnough = (one: Point) => Math.abs(one.slope) <= -ENOUGH_FLATTER * start.slope;
  let evaluations = 1;
  let [previous, point] = [start, at(first)];
  let bracket: [Point, Point] | null = null;
  for (let search = 0; !bracket; search++) {
    if (search === MAX_SEARCH) bracket = [start, point];
    else if (tooHigh(point) || (search > 1 && point.value >= previous.value)) bracket = [previous, point];
    else if (flatEnough(point)) return { point, evaluations };
    else if (point.slope >= 0) bracket = [previous, point];
    else {
      const bounds: [number, number] = [point.t + 0.01 * (point.t - previous.t), point.t * 10];
      const next = cubicMinimum(previous, point, bounds);
      [previous, point] = [point, at(next)];
      evaluations++;
    }
  }
  const ordered = (a: Point, b: Point): [Point, Point] => (a.value <= b.value ? [a, b] : [b, a]);
  let [low, high] = ordered(...bracket);
  let stuck = false;
  while (evaluations - 1 < MAX_SEARCH && Math.abs(high.t - low.t) * reach >= toleranceChange) {
    let t = cubicMinimum(low, high);
    const [left, right] = low.t <= high.t ? [low.t, high.t] : [high.t, low.t];
    // A point at the border would not narrow the bracket.
    const margin = 0.1 * (right - left);
    if (Math.min(right - t, t - left) < margin) {
      if (stuck || t >= right || t <= left) {
        t = Math.abs(t - right) < Math.abs(t - left) ? right - margin : left + margin;
        stuck = false;
      } else stuck = true;
    } else stuck = false;
    const tried = at(t);
    evaluations++;
    if (tooHigh(tried) || tried.value >= low.value) [low, high] = ordered(low, tried);
    else if (flatEnough(tried)) return { point: tried, evaluations };
    else [low, high] = [tried, tried.slope * (high.t - low.t) >= 0 ? low : high];
  }
  return { point: low, evaluations };
}
