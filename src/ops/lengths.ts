import { DtypeError, ShapeError } from '../errors';
import { show } from '../shape';
import { checkOption, Tensor, tensor } from '../tensor';
import { reshape } from './movement';

/** How long each sequence of a batch is: numbers, or an i32 tensor [N]. */
export type Lengths = readonly number[] | Tensor;

/** Lengths as a tensor [N], and as numbers where they are known; checked as far as they are. */
export function checkLengths(
  op: string,
  argument: string,
  lengths: Lengths,
  n: number,
  least: number,
  most: number,
): { own: Tensor; known: number[] | null } {
  if (!(lengths instanceof Tensor)) {
    const whole = Array.isArray(lengths) && lengths.every(Number.isInteger);
    checkOption(op, argument, `[${lengths}]`, whole, 'a list of whole numbers, or an i32 tensor');
  } else if (lengths.dtype !== 'i32') {
    throw new DtypeError(`${argument} must be whole numbers or an i32 tensor; got ${lengths.dtype}.`, {
      op,
      argument,
      got: lengths.dtype,
      expected: 'i32',
    });
  }
  const own = lengths instanceof Tensor ? lengths : tensor(Int32Array.from(lengths));
  if (own.size !== n || own.rank > 1) {
    throw new ShapeError(`${argument} must hold a length for each of ${n} sequences; got shape ${show(own.shape)}.`, {
      op,
      argument,
      got: own.shape,
      expected: [n],
    });
  }
  const known = 'traced' in own.source ? null : [...own.values()];
  const held = known?.every((one) => one >= least && one <= most) ?? true;
  checkOption(op, argument, `[${known}]`, held, `from ${least} to ${most}`);
  return { own: reshape(own, [n]), known };
}
