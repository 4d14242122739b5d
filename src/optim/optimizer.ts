import { Cell } from '../cell';
import type { Real } from '../dtype';
import { ShapeError, ValueError } from '../errors';
import { assign } from '../graph/trace';
import { add } from '../ops/elementwise';
import { sameShape, show } from '../shape';
import { full, type Tensor, zeros } from '../tensor';

/** Throws unless a hyperparameter is a number in its range. */
export function checkRange(
  op: string,
  options: Record<string, number>,
  low: number,
  high = Number.POSITIVE_INFINITY,
): void {
  for (const [argument, value] of Object.entries(options)) {
    if (!(value >= low && value < high)) {
      const allowed = high === Number.POSITIVE_INFINITY ? `from ${low} on` : `from ${low} to below ${high}`;
      throw new ValueError(`${argument} must be ${allowed}; got ${value}.`, {
        op: `optim.${op}`,
        argument,
        got: value,
        expected: allowed,
      });
    }
  }
}

/**
 * Changes parameters by their gradients. A subclass says what state a parameter needs and how one step goes; learning rate,
 * step count and state are cells, so that a compiled step updates them in the same program.
 */
export abstract class Optimizer {
  /** The learning rate, a real number of rank 0. */
  readonly lrCell: Cell;
  /** Steps taken, an i32 of rank 0. */
  readonly stepCell: Cell;
  private readonly state: Cell[][];

  /** `slots`: how many tensors of its own each parameter needs. */
  constructor(
    readonly name: string,
    readonly parameters: readonly Cell[],
    lr: number,
    slots: number,
  ) {
    if (parameters.length === 0) {
      throw new ValueError('there are no parameters; pass model.parameters().', {
        op: `optim.${name}`,
        argument: 'parameters',
        got: [],
      });
    }
    checkRange(name, { lr }, 0);
    const dtype = parameters[0]!.dtype as Real;
    this.lrCell = new Cell(full([], lr, { dtype }));
    this.stepCell = new Cell(full([], 0, { dtype: 'i32' }));
    this.state = parameters.map(({ shape, dtype: own }) =>
      Array.from({ length: slots }, () => new Cell(zeros(shape, { dtype: own }))),
    );
  }

  /** The learning rate as a number; setting it needs no new trace. */
  get lr(): number {
    return this.lrCell.item();
  }

  set lr(value: number) {
    checkRange(this.name, { lr: value }, 0);
    this.lrCell.write(full([], value, { dtype: this.lrCell.dtype }));
  }

  /** One parameter's new value and state. */
  protected abstract update(parameter: Tensor, gradient: Tensor, lr: Tensor, step: Tensor, state: Tensor[]): Tensor[];

  /** Everything that a step changes beside the parameters, by name. @internal */
  namedCells(): [string, Cell][] {
    const state = this.state.flatMap((cells, i) =>
      cells.map((cell, slot): [string, Cell] => [`state.${i}.${slot}`, cell]),
    );
    return [['lr', this.lrCell], ['step', this.stepCell], ...state];
  }

  /**
   * Takes a step along the gradients, which come in the order of the parameters, at the optimizer's learning rate or a given
   * one. Throws a ShapeError where they do not fit.
   */
  step(gradients: readonly Tensor[], { lr = this.lrCell }: { lr?: Tensor } = {}): void {
    if (gradients.length !== this.parameters.length) {
      throw new ShapeError(`${this.parameters.length} parameters need as many gradients; got ${gradients.length}.`, {
        op: `optim.${this.name}`,
        argument: 'gradients',
        got: gradients.length,
        expected: this.parameters.length,
      });
    }
    const step = add(this.stepCell, 1);
    assign(this.stepCell, step);
    this.parameters.forEach((parameter, i) => {
      const gradient = gradients[i]!;
      if (!sameShape(gradient.shape, parameter.shape)) {
        throw new ShapeError(
          `gradient ${i} of shape ${show(gradient.shape)} does not match its parameter of shape ${show(parameter.shape)}.`,
          { op: `optim.${this.name}`, argument: 'gradients', got: gradient.shape, expected: parameter.shape },
        );
      }
      const [value, ...state] = this.update(parameter, gradient, lr, step, this.state[i]!);
      assign(parameter, value!);
      state.forEach((one, slot) => {
        assign(this.state[i]![slot]!, one);
      });
    });
  }
}
