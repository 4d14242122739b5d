import { Check, Control } from '../isa';
import { LANES, SHIFT, address, word } from '../real';

/**
 * Sets the flag if any real of the chunk, or its square, is NaN or infinite. 0 · x is 0 for a finite x and NaN for any
 * other, and a sum of such products stays NaN once it is one: no branch in the loop.
 */
export function check(record: usize, chunk: i32): void {
  const per = word(record, Check.CHUNK);
  const start = chunk * per;
  const count = min(word(record, Check.SIZE) - start, per);
  let pointer = address(record, Check.SOURCE) + (<usize>start << SHIFT);
  const end = pointer + (<usize>count << SHIFT);
  const vectors = pointer + (<usize>(count & -LANES) << SHIFT);
  const squares = word(record, Check.SQUARES) != 0;
  const zero = v128.splat<real>(0);
  let seen = zero;
  for (; pointer < vectors; pointer += 16) {
    const x = v128.load(pointer);
    const y = squares ? v128.mul<real>(x, x) : x;
    seen = v128.add<real>(seen, v128.mul<real>(y, zero));
  }
  let finite = !v128.any_true(v128.ne<real>(seen, seen));
  for (; pointer < end; pointer += sizeof<real>()) {
    const x = load<real>(pointer);
    const y = squares ? x * x : x;
    if (y - y != 0) finite = false;
  }
  if (!finite) atomic.store<i32>(Control.BASE + Control.FLAG, 1);
}
