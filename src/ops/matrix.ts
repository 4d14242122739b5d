import { ShapeError } from '../errors';
import { show } from '../shape';
import { arange, checkNumeric, checkOption, type Tensor } from '../tensor';
import { add, ge, le, mul, where } from './elementwise';
import { unsqueeze } from './movement';

/**
 * Every product of an element of a and one of b: [N] x [M] -> [N, M] (torch.outer). Throws a ShapeError unless both are vectors, a
 * DtypeError unless they are real or i32, and alike.
 */
export function outer(a: Tensor, b: Tensor): Tensor {
  checkNumeric('outer', { a, b });
  for (const [argument, x] of Object.entries({ a, b })) {
    if (x.rank !== 1) {
      throw new ShapeError(`${argument} must be a vector; got shape ${show(x.shape)}.`, {
        op: 'outer',
        argument,
        got: x.shape,
      });
    }
  }
  return mul(unsqueeze(a, 1), b);
}

/** x where its row and column are on the right side of a diagonal, else 0. */
function triangle(op: string, x: Tensor, diagonal: number, side: typeof ge): Tensor {
  if (x.rank < 2) {
    throw new ShapeError(`x must have rows and columns; got shape ${show(x.shape)}.`, {
      op,
      argument: 'x',
      got: x.shape,
    });
  }
  checkOption(op, 'diagonal', diagonal, Number.isInteger(diagonal), 'a whole number');
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  return where(side(add(unsqueeze(arange(rows), 1), diagonal), arange(columns)), x, 0);
}

/**
 * The lower triangle of the last two axes, with the diagonal or one above (1, 2, …) or below (-1, …) it; 0 elsewhere (torch.tril).
 * Throws a ShapeError below rank 2.
 */
export function tril(x: Tensor, { diagonal = 0 }: { diagonal?: number } = {}): Tensor {
  return triangle('tril', x, diagonal, ge);
}

/** The upper triangle likewise, from the diagonal on (torch.triu). Throws a ShapeError below rank 2. */
export function triu(x: Tensor, { diagonal = 0 }: { diagonal?: number } = {}): Tensor {
  return triangle('triu', x, diagonal, le);
}
