import { describe, expect, it } from 'vitest';
import { Normalize, NormalizeBackward, Op } from '../../assembly/isa';
import { cores } from './core';
import { double, numbers, range, record } from './record';

type Shape = readonly [a: number, g: number, b: number];
const EPS = 1e-5;

/** The indices of a group's elements. */
const members = ([a, g, b]: Shape, group: number) =>
  range(a).flatMap((row) => range(b).map((i) => (row * g + group) * b + i));

const average = (xs: number[]) => xs.reduce((total, x) => total + x, 0) / xs.length;

/** What plain loops in float64 say. */
function reference(x: ArrayLike<number>, shape: Shape, rms: boolean, cotangent?: ArrayLike<number>) {
  const y = new Array<number>(x.length).fill(0);
  const dx = new Array<number>(x.length).fill(0);
  const [variance, means]: number[][] = [[], []];
  for (const group of range(shape[1])) {
    const at = members(shape, group);
    const rough = rms ? 0 : average(at.map((i) => x[i]!));
    // What the mean was rounded by: more than all else where it is far from 0.
    const rest = rms ? 0 : average(at.map((i) => x[i]! - rough));
    const mean = rough + rest;
    const square = average(at.map((i) => (x[i]! - rough - rest) ** 2));
    const r = 1 / Math.sqrt(square + EPS);
    for (const i of at) y[i] = (x[i]! - rough - rest) * r;
    means!.push(mean);
    variance!.push(square);
    if (!cotangent) continue;
    const slope = average(at.map((i) => cotangent[i]! * y[i]!));
    const common = rms ? 0 : average(at.map((i) => cotangent[i]!));
    for (const i of at) dx[i] = r * (cotangent[i]! - common - y[i]! * slope);
  }
  return { y, variance: variance!, mean: means!, dx };
}

describe.each(cores)('normalize, $precision', (core) => {
  const single = core.precision === 'f32';

  function near(got: ArrayLike<number>, wanted: ArrayLike<number>, what: string, tolerance = single ? 1e-5 : 1e-13) {
    const scale = 1 + Math.max(0, ...Array.from(wanted, Math.abs));
    const worst = Math.max(0, ...Array.from(wanted, (one, i) => Math.abs(one - got[i]!)));
    expect(worst / scale, what).toBeLessThan(tolerance);
  }

  interface How {
    rms?: boolean;
    per?: number;
    shift?: number;
    inPlace?: boolean;
  }

  function forward(
    values: ArrayLike<number>,
    [a, g, b]: Shape,
    { rms = false, per = 1, shift = 0, inPlace = false }: How,
  ) {
    core.reset();
    const x = core.reals(values, shift);
    const y = inPlace ? x : core.reals(x.length, shift);
    const variance = core.reals(g, shift);
    const mean = core.reals(g, shift);
    core.run(
      record(Op.NORMALIZE, Math.ceil(g / per), {
        [Normalize.RMS]: Number(rms),
        [Normalize.A]: a,
        [Normalize.G]: g,
        [Normalize.B]: b,
        [Normalize.CHUNK]: per,
        ...double(Normalize.EPS, EPS),
        [Normalize.SOURCE]: x.byteOffset,
        [Normalize.DESTINATION]: y.byteOffset,
        [Normalize.VARIANCE]: variance.byteOffset,
        [Normalize.MEAN]: rms ? 0 : mean.byteOffset,
      }),
    );
    return { y: [...y], variance: [...variance], mean: [...mean] };
  }

  function backward(
    values: ArrayLike<number>,
    cotangents: ArrayLike<number>,
    [a, g, b]: Shape,
    { rms = false, per = 1, shift = 0, inPlace = false }: How,
  ) {
    const made = forward(values, [a, g, b], { rms });
    core.reset();
    const cotangent = core.reals(cotangents, shift);
    const dx = inPlace ? cotangent : core.reals(cotangents.length, shift);
    core.run(
      record(Op.NORMALIZE_BACKWARD, Math.ceil(g / per), {
        [NormalizeBackward.RMS]: Number(rms),
        [NormalizeBackward.A]: a,
        [NormalizeBackward.G]: g,
        [NormalizeBackward.B]: b,
        [NormalizeBackward.CHUNK]: per,
        ...double(NormalizeBackward.EPS, EPS),
        [NormalizeBackward.OUTPUT]: core.reals(made.y, shift).byteOffset,
        [NormalizeBackward.VARIANCE]: core.reals(made.variance, shift).byteOffset,
        [NormalizeBackward.COTANGENT]: cotangent.byteOffset,
        [NormalizeBackward.DESTINATION]: dx.byteOffset,
      }),
    );
    return [...dx];
  }

  function check(shape: Shape, how: How = {}) {
    const size = shape[0] * shape[1] * shape[2];
    const [x, g] = [core.Real.from(numbers(size, 1)), core.Real.from(numbers(size, 2))];
    const wanted = reference(x, shape, how.rms ?? false, g);
    const made = forward(x, shape, how);
    near(made.y, wanted.y, `y of ${shape}`);
    near(made.variance, wanted.variance, `variance of ${shape}`);
    if (!how.rms) near(made.mean, wanted.mean, `mean of ${shape}`);
    near(backward(x, g, shape, how), wanted.dx, `gradient of ${shape}`, single ? 1e-4 : 1e-12);
  }

  it('groups of every length, in a row, in several, and side by side', () => {
    for (const n of range(68).slice(2)) {
      check([1, 3, n], { shift: n % 4, per: 2, inPlace: n % 2 > 0 });
      check([3, 2, n], { shift: n % 4, rms: true });
      check([n, 5, 1], { shift: n % 4, per: 4, inPlace: n % 2 > 0 });
      check([n, 3, 1], { rms: true, per: 3 });
    }
  });

  it('any number of groups', () => {
    for (const g of range(36).slice(1)) {
      for (const per of [1, 3, 16]) {
        check([5, g, 1], { per, shift: g % 3 });
        check([2, g, 3], { per, shift: g % 3 });
      }
    }
  });

  it('blocks that are full, or one more or less', () => {
    for (const n of [4095, 4096, 4097, 8192, 12289]) {
      check([1, 2, n]);
      check([2, 2, n], { rms: true });
    }
    for (const n of [63, 64, 65, 128, 500]) check([n, 6, 1], { per: 6 });
    for (const a of [4095, 4096, 4097, 8200]) check([a, 2, 2]);
  });

  it('cut in other chunks it has the same bits', () => {
    for (const shape of [
      [7, 40, 1],
      [1, 40, 33],
      [3, 40, 5],
    ] as const) {
      const size = shape[0] * shape[1] * shape[2];
      const [x, g] = [numbers(size, 3), numbers(size, 4)];
      const [one, dx] = [forward(x, shape, { per: 40 }), backward(x, g, shape, { per: 40 })];
      for (const per of [1, 4, 5, 16, 39]) {
        expect(forward(x, shape, { per, shift: 1 })).toEqual(one);
        expect(backward(x, g, shape, { per, shift: 1 })).toEqual(dx);
      }
    }
  });

  it('is as exact where the mean is far from 0', () => {
    for (const shape of [
      [1, 2, 10_000],
      [300, 3, 1],
      [50, 3, 40],
    ] as const) {
      // What is left of the numbers when they are rounded to the build's precision is what the reference sees.
      const x = core.Real.from(numbers(shape[0] * shape[1] * shape[2], 5).map((one) => one + 1000));
      const { y, variance, mean } = forward(x, shape, {});
      const wanted = reference(x, shape, false);
      near(y, wanted.y, 'y', single ? 1e-6 : 1e-12);
      near(variance, wanted.variance, 'variance', single ? 1e-6 : 1e-12);
      near(mean, wanted.mean, 'mean', single ? 1e-7 : 1e-15);
    }
  });

  it('equal numbers give zeros, and NaN spreads in its group alone', () => {
    for (const shape of [
      [4, 3, 1],
      [1, 3, 4],
      [2, 3, 2],
    ] as const) {
      const x = new Array<number>(12).fill(0.1);
      const { y, variance } = forward(x, shape, {});
      near(y, new Array<number>(12).fill(0), 'y');
      near(variance, [0, 0, 0], 'variance');
      const at = members(shape, 1);
      x[at[2]!] = Number.NaN;
      forward(x, shape, { per: 3 }).y.forEach((one, i) => {
        expect(Number.isNaN(one), `element ${i} of ${shape}`).toBe(at.includes(i));
      });
    }
  });
});
