import { Cell } from '../cell';
import { ShapeError } from '../errors';
import { assign } from '../graph/trace';
import { add, cast, div, maximum } from '../ops/elementwise';
import { type Tensor, zeros, zerosLike } from '../tensor';

/**
 * Gradients of several small batches as those of a large one, which need not fit into memory: `add` in each step, and every so
 * many steps an update by `take`, eagerly or in compiled functions:
 *
 *     const sums = new optim.GradientAccumulator(model.parameters());
 *     const learn = compile((x: Tensor, y: Tensor) => {
 *       const { value, grads } = valueAndGrad(() => mseLoss(model.forward(x), y), { wrt: model.parameters() })();
 *       sums.add(grads);
 *       return value;
 *     });
 *     const update = compile(() => optimizer.step(sums.take()));
 */
export class GradientAccumulator {
  /** What was added, in the order of the parameters. */
  readonly sums: readonly Cell[];
  /** How often, an i32 of rank 0. */
  readonly countCell = new Cell(zeros([], { dtype: 'i32' }));

  constructor(parameters: readonly Cell[]) {
    this.sums = parameters.map((parameter) => new Cell(zerosLike(parameter)));
  }

  /** Adds gradients, in the order of the parameters. Throws a ShapeError where they do not fit. */
  add(gradients: readonly Tensor[]): void {
    if (gradients.length !== this.sums.length) {
      throw new ShapeError(`${this.sums.length} parameters need as many gradients; got ${gradients.length}.`, {
        op: 'optim.GradientAccumulator',
        argument: 'gradients',
        got: gradients.length,
        expected: this.sums.length,
      });
    }
    this.sums.forEach((sum, i) => {
      assign(sum, add(sum, gradients[i]!));
    });
    assign(this.countCell, add(this.countCell, 1));
  }

  /** The mean of what was added since the last call, zeros if nothing; starts again from none. */
  take(): Tensor[] {
    const count = maximum(this.countCell, 1);
    const means = this.sums.map((sum) => div(sum, cast(count, sum.dtype)));
    for (const cell of [...this.sums, this.countCell]) assign(cell, zerosLike(cell));
    return means;
  }
}
