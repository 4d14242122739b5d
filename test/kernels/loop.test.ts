import { describe, expect, it } from 'vitest';
import { Copy, Loop, Op } from '../../assembly/isa';
import { cores } from './core';
import { range, record } from './record';

describe.each(cores)('loop, $precision', (core) => {
  /**
   * Each turn y_t = (first of x_t, carry's last), and the next carry is x_t: by copies alone. Of `width` numbers each, and with what each turn
   * began with.
   */
  function looped(length: number, width: number, { reverse = false, kept = true, shift = 0 } = {}) {
    core.reset();
    const ints = (values: ArrayLike<number> | number) => core.ints(values as number[], shift);
    const [init, value, into, x, y] = [ints(range(width).map((i) => -1 - i)), ...range(4).map(() => ints(width))];
    const xs = ints(range(length * width).map((i) => 100 + i));
    const [ys, keeping] = [ints(length * width), ints(length * width)];
    const copy = (from: number, to: number, size: number) => {
      const places = { [Copy.SOURCE]: from, [Copy.DESTINATION]: to };
      const fields = { [Copy.ELEMENT]: 4, [Copy.RANK]: 1, [Copy.CHUNK]: size, ...places };
      const [op, chunks, ...operands] = record(Op.COPY, 1, fields, [size, 1, 1]);
      return [op!, operands.length + 3, chunks!, ...operands];
    };
    const last = 4 * (width - 1);
    const body = [
      ...copy(x!.byteOffset, y!.byteOffset, width),
      ...copy(into!.byteOffset + last, y!.byteOffset + last, 1),
      ...[Op.END, 3, 0],
    ];
    const parts = [
      ...[init.byteOffset, value!.byteOffset, into!.byteOffset, x!.byteOffset],
      ...[kept ? keeping.byteOffset : 0, 4 * width],
      ...[xs.byteOffset, x!.byteOffset, 4 * width],
      ...[y!.byteOffset, ys.byteOffset, 4 * width],
    ];
    core.run(
      record(
        Op.LOOP,
        1,
        {
          ...{ [Loop.LENGTH]: length, [Loop.REVERSE]: Number(reverse), [Loop.CARRIES]: 1, [Loop.XS]: 1, [Loop.YS]: 1 },
          [Loop.BODY]: Loop.FIRST + parts.length,
        },
        [...parts, ...body],
      ),
    );
    return { value: [...value!], ys: [...ys], kept: [...keeping], xs: [...xs], init: [...init] };
  }

  it.each([false, true])('hands carries on and deals parts out, reverse: %s', (reverse) => {
    for (const width of [...range(20).slice(1), 130]) {
      for (const length of [0, 1, 2, 5]) {
        const { value, ys, kept, xs, init } = looped(length, width, { reverse, shift: width % 4 });
        let carry = init;
        const order = reverse ? range(length).reverse() : range(length);
        for (const t of order) {
          const part = (all: number[]) => all.slice(t * width, (t + 1) * width);
          expect(part(kept)).toEqual(carry);
          expect(part(ys)).toEqual([...part(xs).slice(0, -1), carry.at(-1)]);
          carry = part(xs);
        }
        expect(value).toEqual(carry);
      }
    }
  });

  it('keeps nothing where nobody asks for it', () => {
    const { kept } = looped(3, 5, { kept: false });
    expect(new Set(kept)).toEqual(new Set([-1]));
  });
});
