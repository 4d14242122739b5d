import { describe, expect, it } from 'vitest';
import { Copy, DynamicCopy, Op } from '../../assembly/isa';
import { cores } from './core';
import { range, record } from './record';

describe.each(cores)('dynamic copy, $precision', (core) => {
  /** Copies `count` of `length` numbers, every `step`-th, from (or to) a start. */
  function copied(length: number, count: number, start: number, { to = false, step = 1, per = count, shift = 0 } = {}) {
    core.reset();
    const whole = core.ints(
      range(length * step).map((i) => i + 1),
      shift,
    );
    const block = core.ints(
      range(count).map((i) => -1 - i),
      shift,
    );
    const [source, destination] = to ? [block, whole] : [whole, block];
    const strides = to ? [1, step] : [step, 1];
    core.run(
      record(
        Op.DYNAMIC_COPY,
        Math.ceil(count / per),
        {
          [Copy.ELEMENT]: 4,
          [Copy.RANK]: 1,
          [Copy.CHUNK]: per,
          [Copy.SOURCE]: source.byteOffset,
          [Copy.DESTINATION]: destination.byteOffset,
        },
        // Behind the axis: see DynamicCopy.
        [count, ...strides, Number(to), 1, core.ints([start], shift).byteOffset, length, length - count, step],
      ),
    );
    return { whole: [...whole], block: [...block] };
  }

  const inside = (length: number, count: number, start: number) =>
    Math.max(0, Math.min(start < 0 ? start + length : start, length - count));

  it('reads and writes blocks of every size at every start, and nothing beside them', () => {
    for (const count of range(68).slice(1)) {
      const length = 70;
      for (const start of [-500, -70, -count, -1, 0, 1, 2, 3, 70 - count, 69, 2 ** 31 - 1, -(2 ** 31)]) {
        const [from, shift] = [inside(length, count, start), count % 4];
        const read = copied(length, count, start, { shift });
        expect(read.block).toEqual(range(count).map((i) => from + i + 1));
        const { whole } = copied(length, count, start, { to: true, shift, per: 5 });
        expect(whole).toEqual(range(length).map((i) => (i >= from && i < from + count ? from - i - 1 : i + 1)));
      }
    }
  });

  it('moves by strides', () => {
    expect(copied(5, 2, 9, { step: 3 }).block).toEqual([10, 13]);
    expect(copied(3, 2, -2, { step: 2, to: true }).whole).toEqual([1, 2, -1, 4, -2, 6]);
  });

  it('does nothing where both sides are one', () => {
    core.reset();
    const numbers = core.ints([1, 2, 3, 4]);
    const { byteOffset } = numbers;
    const words = {
      ...{ [Copy.ELEMENT]: 4, [Copy.RANK]: 1, [Copy.CHUNK]: 3 },
      ...{ [Copy.SOURCE]: byteOffset, [Copy.DESTINATION]: byteOffset },
    };
    const behind = Object.values({ [DynamicCopy.TO]: 0, [DynamicCopy.STARTS]: 0, [DynamicCopy.START]: 0 });
    core.run(record(Op.DYNAMIC_COPY, 1, words, [3, 1, 1, ...behind]));
    expect([...numbers]).toEqual([1, 2, 3, 4]);
  });
});
