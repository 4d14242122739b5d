import { Cell } from '../cell';
import type { Real } from '../dtype';
import { ShapeError, ValueError } from '../errors';
import { assign } from '../graph/trace';
import { add, mul, neg } from '../ops/elementwise';
import { type Shape, sameShape, show } from '../shape';
import { checkOption, full, type Tensor, zeros } from '../tensor';

/** Throws unless a hyperparameter is a number in its range. */
export function checkRange(
  op: string,
  options: Record<string, number>,
  low: number,
  high = Number.POSITIVE_INFINITY,
): void {
  const allowed = high === Number.POSITIVE_INFINITY ? `from ${low} on` : `from ${low} to below ${high}`;
  for (const [argument, value] of Object.entries(options)) {
    checkOption(`optim.${op}`, argument, value, value >= low && value < high, allowed);
  }
}

/** What to optimize: `model.parameters()`, or groups of parameters that have options of their own. */
export type Params<O> = readonly Cell[] | readonly ({ params: readonly Cell[] } & Partial<O>)[];

/** Parameters that share their options. */
export interface Group<O> {
  readonly params: readonly Cell[];
  readonly options: O;
  /** The group's learning rate, a real number of rank 0. */
  readonly lrCell: Cell;
}

/** What an update knows beside a parameter and its gradient. */
export interface UpdateContext<O> {
  /** A real number of rank 0. */
  lr: Tensor;
  /** This step's number, from 1, an i32 of rank 0. */
  step: Tensor;
  /** The parameter's own, as `start` gave it, then as earlier updates left it. */
  state: Tensor[];
  options: O;
}

/**
 * Changes parameters by their gradients. A subclass says what state a parameter starts with and how one step goes; learning rate,
 * step count and state are cells, so that a compiled step updates them in the same program.
 */
export abstract class Optimizer<O extends { lr: number } = { lr: number }> {
  readonly groups: readonly Group<O>[];
  /** All parameters, group after group: the order of the gradients. */
  readonly parameters: readonly Cell[];
  /** Steps taken, an i32 of rank 0. */
  readonly stepCell: Cell;
  private readonly state: Cell[][];

  /** `defaults` are the options that neither `options` nor a group has. Throws a ValueError for options out of their range. */
  constructor(
    readonly name: string,
    params: Params<O>,
    defaults: O,
    options: Partial<O> = {},
  ) {
    const lists = params.some((one) => one instanceof Cell)
      ? [{ params: params as readonly Cell[] }]
      : (params as readonly ({ params: readonly Cell[] } & Partial<O>)[]);
    this.parameters = lists.flatMap((group) => group.params);
    const op = `optim.${name}`;
    if (this.parameters.length === 0 || lists.some((group) => group.params.length === 0)) {
      throw new ValueError('there are no parameters; pass model.parameters().', {
        op,
        argument: 'parameters',
        got: [],
      });
    }
    const twice = this.parameters.findIndex((one, i) => this.parameters.indexOf(one) !== i);
    if (twice >= 0) {
      throw new ValueError(`parameter ${twice} of shape ${show(this.parameters[twice]!.shape)} is there twice.`, {
        op,
        argument: 'parameters',
        got: twice,
      });
    }
    this.groups = lists.map(({ params: own, ...given }) => {
      const all = { ...defaults, ...defined(options), ...defined(given) } as O;
      checkRange(name, { lr: all.lr }, 0);
      this.check(all);
      return { params: own, options: all, lrCell: new Cell(full([], all.lr, { dtype: own[0]!.dtype as Real })) };
    });
    this.stepCell = new Cell(full([], 0, { dtype: 'i32' }));
    this.state = this.groups.flatMap((group) =>
      group.params.map((parameter) => this.start(parameter, group.options).map((value) => new Cell(value))),
    );
  }

  /** The learning rate of the first group, a real number of rank 0. */
  get lrCell(): Cell {
    return this.groups[0]!.lrCell;
  }

  /** The learning rate of the first group as a number; setting it sets that of all groups, and needs no new trace. */
  get lr(): number {
    return this.lrCell.item();
  }

  set lr(value: number) {
    checkRange(this.name, { lr: value }, 0);
    for (const { lrCell } of this.groups) lrCell.write(full([], value, { dtype: lrCell.dtype }));
  }

  /** Throws for options that do not go together, or are out of their range. */
  protected check(_options: O): void {}

  /** The state that a parameter starts with. */
  protected abstract start(parameter: Cell, options: O): Tensor[];

  /** One parameter's new value and state. */
  protected abstract update(parameter: Tensor, gradient: Tensor, context: UpdateContext<O>): Tensor[];

  /** Everything that a step changes beside the parameters, by name. @internal */
  namedCells(): [string, Cell][] {
    const rates = this.groups.map(({ lrCell }, i): [string, Cell] => [i === 0 ? 'lr' : `lr.${i}`, lrCell]);
    const state = this.state.flatMap((cells, i) =>
      cells.map((cell, slot): [string, Cell] => [`state.${i}.${slot}`, cell]),
    );
    return [...rates, ['step', this.stepCell], ...state];
  }

  /**
   * Takes a step along the gradients, which come in the order of the parameters, at the learning rates of the groups, at another
   * one, or at what a function makes of each. Throws a ShapeError where gradients do not fit.
   */
  step(gradients: readonly Tensor[], { lr }: { lr?: Tensor | ((base: Tensor) => Tensor) } = {}): void {
    const op = `optim.${this.name}`;
    if (gradients.length !== this.parameters.length) {
      throw new ShapeError(`${this.parameters.length} parameters need as many gradients; got ${gradients.length}.`, {
        op,
        argument: 'gradients',
        got: gradients.length,
        expected: this.parameters.length,
      });
    }
    const step = add(this.stepCell, 1);
    assign(this.stepCell, step);
    let i = 0;
    for (const { params, options, lrCell } of this.groups) {
      const rate = typeof lr === 'function' ? lr(lrCell) : (lr ?? lrCell);
      for (const parameter of params) {
        const gradient = gradients[i]!;
        if (!sameShape(gradient.shape, parameter.shape)) {
          throw new ShapeError(
            `gradient ${i} of shape ${show(gradient.shape)} does not match its parameter of shape ${show(parameter.shape)}.`,
            { op, argument: 'gradients', got: gradient.shape, expected: parameter.shape },
          );
        }
        const cells = this.state[i]!;
        const [value, ...state] = this.update(parameter, gradient, { lr: rate, step, state: cells, options });
        assign(parameter, value!);
        state.forEach((one, slot) => {
          assign(cells[slot]!, one);
        });
        i++;
      }
    }
  }
}

/** Without what is undefined, which would hide a default. */
function defined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** So many zeros like a parameter, as its state. */
export function zerosOf({ shape, dtype }: { shape: Shape; dtype: Cell['dtype'] }, count: number): Tensor[] {
  return Array.from({ length: count }, () => zeros(shape, { dtype }));
}

/** The direction to descend along: the gradient, or its opposite to climb, and the slope of an L2 penalty. */
export function descent(
  parameter: Tensor,
  gradient: Tensor,
  { weightDecay, maximize }: { weightDecay: number; maximize: boolean },
): Tensor {
  const g = maximize ? neg(gradient) : gradient;
  return weightDecay === 0 ? g : add(g, mul(parameter, weightDecay));
}

/** beta·mean + (1 - beta)·x: what a mean becomes that forgets. */
export function forget(mean: Tensor, x: Tensor, beta: number): Tensor {
  return add(mul(mean, beta), mul(x, 1 - beta));
}
