import { describe, expect, it } from 'vitest';
import { Op, Upsample } from '../../assembly/isa';
import { cores, doubleWords } from './core';
import { rounder } from './law';
import { numbers, range, record } from './record';

type Tap = [first: number, second: number, weight: number];

/** Of an axis: elements around (i + 0.5) · input / output - 0.5, or the one at ⌊i · input / output⌋. */
function taps(input: number, output: number, linear: boolean): Tap[] {
  return range(output).map((i) => {
    const scale = input / output;
    if (!linear) return [Math.floor(i * scale), Math.floor(i * scale), 0];
    const at = Math.max(0, (i + 0.5) * scale - 0.5);
    const first = Math.min(Math.floor(at), input - 1);
    return [first, Math.min(first + 1, input - 1), at - first];
  });
}

describe.each(cores)('upsample, $precision', (core) => {
  const round = rounder(core);

  interface Plane {
    planes: number;
    from: [number, number];
    to: [number, number];
    linear: boolean;
  }
  const shapes: Plane[] = [true, false].flatMap((linear) => [
    ...range(36)
      .slice(1)
      .map((w): Plane => ({ planes: 2, from: [3, 5], to: [4, w], linear })),
    ...range(9)
      .slice(1)
      .map((w): Plane => ({ planes: 3, from: [w, w], to: [5, 7], linear })),
    { planes: 1, from: [1, 3], to: [1, 4097], linear },
    { planes: 1, from: [3, 4500], to: [2, 4098], linear },
    { planes: 5, from: [7, 2], to: [21, 2], linear },
  ]);

  function run(op: Op, x: ArrayLike<number>, { planes, from, to, linear }: Plane, { per = planes, shift = 0 } = {}) {
    core.reset();
    const [oh, ow] = to;
    const [h, w] = from;
    const destination = core.reals(planes * (op === Op.UPSAMPLE ? oh * ow : h * w), shift);
    core.run(
      record(
        op,
        Math.ceil(planes / per),
        {
          [Upsample.PLANES]: planes,
          [Upsample.H]: h,
          [Upsample.W]: w,
          [Upsample.OH]: oh,
          [Upsample.OW]: ow,
          [Upsample.CHUNK]: per,
          [Upsample.SOURCE]: core.reals(x, shift).byteOffset,
          [Upsample.DESTINATION]: destination.byteOffset,
        },
        [...taps(h, oh, linear), ...taps(w, ow, linear)].flatMap(([first, second, weight]) => [
          first,
          second,
          ...doubleWords(weight),
        ]),
      ),
    );
    return [...destination];
  }

  const sizeOf = ({ planes }: Plane, [h, w]: [number, number]) => planes * h * w;

  function forward(x: number[], { planes, from: [h, w], to: [oh, ow], linear }: Plane): number[] {
    const mix = ([first, second, weight]: Tap, at: (i: number) => number) => {
      if (first === second) return at(first);
      const v = round(weight);
      return round(round(round(1 - v) * at(first)) + round(v * at(second)));
    };
    return range(planes).flatMap((plane) =>
      taps(h, oh, linear).flatMap((row) =>
        taps(w, ow, linear).map((column) => mix(row, (y) => mix(column, (i) => x[(plane * h + y) * w + i]!))),
      ),
    );
  }

  function backward(g: number[], { planes, from: [h, w], to: [oh, ow], linear }: Plane): number[] {
    const dx = new Array<number>(planes * h * w).fill(0);
    const give = ([first, second, weight]: Tap, g: number, to: (i: number, g: number) => void) => {
      if (first === second) to(first, g);
      else {
        const v = round(weight);
        to(first, round(round(1 - v) * g));
        to(second, round(v * g));
      }
    };
    const columns = taps(w, ow, linear);
    for (const plane of range(planes)) {
      taps(h, oh, linear).forEach((row, oy) => {
        // All of a row goes to the first row before any of it goes to the second.
        const parts: [number, number[]][] = [];
        columns.forEach((_, ox) => {
          let part = 0;
          give(row, g[(plane * oh + oy) * ow + ox]!, (y, h) => {
            parts[part] ??= [y, []];
            parts[part++]![1].push(h);
          });
        });
        for (const [y, values] of parts) {
          columns.forEach((column, ox) => {
            give(column, values[ox]!, (i, part) => {
              const at = (plane * h + y) * w + i;
              dx[at] = round(dx[at]! + part);
            });
          });
        }
      });
    }
    return dx;
  }

  it('keeps the law, at every width', () => {
    for (const shape of shapes) {
      const x = numbers(sizeOf(shape, shape.from), shape.to[1]).map(round);
      expect(run(Op.UPSAMPLE, x, shape, { shift: shape.to[1] % 4 }), JSON.stringify(shape)).toEqual(forward(x, shape));
    }
  });

  it('backward keeps it too', () => {
    for (const shape of shapes) {
      const g = numbers(sizeOf(shape, shape.to), shape.to[1]).map(round);
      const dx = run(Op.UPSAMPLE_BACKWARD, g, shape, { shift: shape.to[1] % 4 });
      expect(dx, JSON.stringify(shape)).toEqual(backward(g, shape));
    }
  });

  it('gives the same bits in chunks', () => {
    for (const shape of shapes) {
      const x = numbers(sizeOf(shape, shape.from), 1);
      const g = numbers(sizeOf(shape, shape.to), 2);
      expect(run(Op.UPSAMPLE, x, shape, { per: 1 })).toEqual(run(Op.UPSAMPLE, x, shape));
      expect(run(Op.UPSAMPLE_BACKWARD, g, shape, { per: 1 })).toEqual(run(Op.UPSAMPLE_BACKWARD, g, shape));
    }
  });
});
