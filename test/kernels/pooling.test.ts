import { describe, expect, it } from 'vitest';
import { Op, Pool } from '../../assembly/isa';
import { cores } from './core';
import { numbers, range, record } from './record';

interface Plane {
  planes: number;
  h: number;
  w: number;
}

describe.each(cores)('pooling of halves, $precision', (core) => {
  const round = core.precision === 'f32' ? Math.fround : (x: number) => x;
  /** Windows of two: an odd last row or column is in none. */
  const windows = (length: number) => range(Math.floor(length / 2)).flatMap((i) => [2 * i, 2 * i + 2, 2]);

  function pooled(
    op: Op,
    x: ArrayLike<number>,
    { planes, h, w }: Plane,
    { halves = 1, per = planes, shift = 0, at = [] as number[] } = {},
  ) {
    core.reset();
    const [oh, ow] = [Math.floor(h / 2), Math.floor(w / 2)];
    const isBackward = op === Op.AVERAGE_POOL_BACKWARD || op === Op.MAX_POOL_BACKWARD;
    const destination = core.reals(planes * (isBackward ? h * w : oh * ow), shift);
    const indices = core.ints(op === Op.MAX_POOL ? planes * oh * ow : at, shift);
    core.run(
      record(
        op,
        Math.ceil(planes / per),
        {
          [Pool.PLANES]: planes,
          [Pool.H]: h,
          [Pool.W]: w,
          [Pool.OH]: oh,
          [Pool.OW]: ow,
          [Pool.STEP_Y]: 1,
          [Pool.STEP_X]: 1,
          [Pool.CHUNK]: per,
          [Pool.HALVES]: halves,
          [Pool.SOURCE]: core.reals(x, shift).byteOffset,
          [Pool.DESTINATION]: destination.byteOffset,
          [Pool.INDICES]: indices.byteOffset,
        },
        [...windows(h), ...windows(w)],
      ),
    );
    return { values: [...destination], indices: [...indices] };
  }

  const elements = ({ h, w }: Plane, plane: number, at: number) => {
    const ow = Math.floor(w / 2);
    const [y, x] = [Math.floor(at / ow), at % ow];
    return [0, 1, w, w + 1].map((offset) => plane * h * w + 2 * y * w + 2 * x + offset);
  };
  const outputs = ({ planes, h, w }: Plane) =>
    range(planes).flatMap((plane) =>
      range(Math.floor(h / 2) * Math.floor(w / 2)).map((at): [number, number] => [plane, at]),
    );

  it('finds the same maxima with vectors as without, rows of every length', () => {
    for (const w of range(20).slice(2)) {
      const plane = { planes: 3, h: 5, w };
      const x = numbers(3 * 5 * w, w).map(round);
      const wanted = outputs(plane).map(([p, at]) => {
        const all = elements(plane, p, at);
        const best = all.reduce((most, one) => (x[one]! > x[most]! ? one : most));
        return [x[best]!, best - p * 5 * w];
      });
      for (const options of [{}, { halves: 0 }, { per: 2, shift: 1 }, { per: 1, shift: 3 }]) {
        const { values, indices } = pooled(Op.MAX_POOL, x, plane, options);
        expect(values).toEqual(wanted.map(([value]) => value));
        expect(indices).toEqual(wanted.map(([, index]) => index));
      }
    }
  });

  it('gives back what came for each maximum, with vectors as without', () => {
    for (const w of range(20).slice(2)) {
      const plane = { planes: 3, h: w % 2 === 0 ? 4 : 5, w };
      const x = numbers(3 * plane.h * w, w).map(round);
      const { values, indices } = pooled(Op.MAX_POOL, x, plane);
      const wanted = new Array<number>(x.length).fill(0);
      outputs(plane).forEach(([p], i) => {
        wanted[p * plane.h * w + indices[i]!] = values[i]!;
      });
      for (const options of [{}, { halves: 0 }, { per: 2, shift: 1 }, { per: 1, shift: 3 }]) {
        expect(pooled(Op.MAX_POOL_BACKWARD, values, plane, { ...options, at: indices }).values).toEqual(wanted);
      }
    }
  });

  it('lets the first of equals win, and the last NaN', () => {
    const plane = { planes: 1, h: 2, w: 16 };
    const x = [...range(16).map((i) => i >> 1), ...range(16).map((i) => i >> 1)];
    for (const halves of [0, 1]) {
      expect(pooled(Op.MAX_POOL, x, plane, { halves }).indices).toEqual(range(8).map((i) => 2 * i));
      const spoiled = x.map((value, i) => (i === 5 || i === 20 || i === 18 ? Number.NaN : value));
      const { values, indices } = pooled(Op.MAX_POOL, spoiled, plane, { halves });
      expect(values).toEqual([0, Number.NaN, Number.NaN, 3, 4, 5, 6, 7]);
      expect(indices.slice(0, 4)).toEqual([0, 18, 20, 6]);
    }
  });

  it('takes means, and gives every element its share back', () => {
    for (const w of [2, 3, 8, 11]) {
      const plane = { planes: 4, h: 6, w };
      const x = numbers(4 * 6 * w, w).map(round);
      const { values } = pooled(Op.AVERAGE_POOL, x, plane, { per: 3, shift: 1 });
      const wanted = outputs(plane).map(([p, at]) =>
        round(elements(plane, p, at).reduce((sum, one) => round(sum + x[one]!), 0) / 4),
      );
      expect(values).toEqual(wanted);
      const shares = new Array<number>(x.length).fill(0);
      outputs(plane).forEach(([p, at], i) => {
        for (const one of elements(plane, p, at)) shares[one] = values[i]! / 4;
      });
      expect(pooled(Op.AVERAGE_POOL_BACKWARD, values, plane, { per: 3 }).values).toEqual(shares);
    }
  });
});
