import { describe, expect, it } from 'vitest';
import { Copy, Fill, Op } from '../../assembly/isa';
import { type Core, cores } from './core';
import { range, record } from './record';

interface Axis {
  size: number;
  from: number;
  to: number;
}

type Element = 1 | 4 | 8;

function allocate(core: Core, element: Element, values: number[], misaligned = 0) {
  if (element === 1) return core.u8s(values, misaligned);
  if (element === 4) return core.ints(values, misaligned);
  return core.precision === 'f64' ? core.reals(values, misaligned) : core.others(values, misaligned);
}

/** The elements between the lowest and the highest that an axis list reaches, and where its first one is among them. */
function extent(strides: number[], sizes: number[]): { size: number; origin: number } {
  let low = 0;
  let high = 0;
  strides.forEach((stride, axis) => {
    const reach = stride * (sizes[axis]! - 1);
    if (reach < 0) low += reach;
    else high += reach;
  });
  return { size: high - low + 1, origin: -low };
}

function* indices(sizes: number[]): Generator<number[]> {
  const total = sizes.reduce((a, b) => a * b, 1);
  for (let flat = 0; flat < total; flat++) {
    let rest = flat;
    const index = new Array<number>(sizes.length);
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      index[axis] = rest % sizes[axis]!;
      rest = Math.floor(rest / sizes[axis]!);
    }
    yield index;
  }
}

const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

describe.each(cores)('copy and fill, $precision', (core) => {
  function check(element: Element, axes: Axis[], per = axes[0]?.size ?? 1, shift = 0): void {
    core.reset();
    const sizes = axes.map((axis) => axis.size);
    const from = axes.map((axis) => axis.from);
    const to = axes.map((axis) => axis.to);
    const read = extent(from, sizes);
    const written = extent(to, sizes);
    const value = (i: number) => (element === 1 ? (i * 37 + 11) & 255 : i * 2654435 + 1);
    const source = allocate(core, element, range(read.size).map(value), shift);
    const destination = allocate(core, element, new Array(written.size).fill(99), shift);
    const expected = new Array(written.size).fill(99);
    for (const index of indices(sizes)) {
      expected[written.origin + dot(index, to)] = source[read.origin + dot(index, from)]!;
    }
    const chunks = axes.length ? Math.ceil(sizes[0]! / per) : 1;
    core.run(
      record(
        Op.COPY,
        chunks,
        {
          [Copy.ELEMENT]: element,
          [Copy.RANK]: axes.length,
          [Copy.CHUNK]: per,
          [Copy.SOURCE]: source.byteOffset + read.origin * element,
          [Copy.DESTINATION]: destination.byteOffset + written.origin * element,
        },
        axes.flatMap((axis) => [axis.size, axis.from, axis.to]),
      ),
    );
    expect([...destination], JSON.stringify({ element, axes, per })).toEqual(expected);
  }

  /** Axes of a copy that permutes a contiguous array of `shape`, written contiguously. */
  function permuted(shape: number[], order: number[]): Axis[] {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const sizes = order.map((axis) => shape[axis]!);
    return order.map((axis, i) => ({
      size: shape[axis]!,
      from: strides[axis]!,
      to: sizes.slice(i + 1).reduce((a, b) => a * b, 1),
    }));
  }

  describe.each([1, 4, 8] as const)('elements of %i bytes', (element) => {
    it('copies one element', () => check(element, []));

    it('copies runs of every size', () => {
      for (let n = 1; n < 68; n++) {
        check(element, [{ size: n, from: 1, to: 1 }], n, n % 5);
        check(element, [{ size: n, from: 1, to: 1 }], 7, 1);
        check(
          element,
          [
            { size: 3, from: n + 2, to: n },
            { size: n, from: 1, to: 1 },
          ],
          2,
          3,
        );
      }
      check(element, [{ size: 5000, from: 1, to: 1 }], 1024, 1);
    });

    it('transposes planes of every size', () => {
      for (let rows = 1; rows < 23; rows++) {
        for (const columns of [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 65]) {
          check(element, permuted([rows, columns], [1, 0]), columns, rows % 3);
        }
      }
      check(element, permuted([130, 67], [1, 0]), 5, 1);
    });

    it('transposes onto strided rows, and from them', () => {
      for (const [rows, columns] of [
        [5, 9],
        [16, 16],
        [21, 6],
      ] as const) {
        check(
          element,
          [
            { size: rows, from: 1, to: columns + 3 },
            { size: columns, from: rows + 2, to: 1 },
          ],
          4,
        );
        check(
          element,
          [
            { size: rows, from: columns + 3, to: 1 },
            { size: columns, from: 1, to: rows + 2 },
          ],
          4,
        );
      }
    });

    it('permutes up to eight axes', () => {
      check(element, permuted([3, 4, 5], [2, 1, 0]), 2, 1);
      check(element, permuted([3, 4, 5], [2, 0, 1]), 2, 1);
      check(element, permuted([3, 4, 5], [1, 0, 2]), 1, 1);
      check(element, permuted([2, 7, 5, 6], [0, 2, 3, 1]), 1);
      check(element, permuted([6, 5, 4, 3], [3, 2, 1, 0]), 2);
      check(element, permuted([2, 3, 2, 1, 2, 3, 2, 2], [7, 0, 6, 1, 5, 2, 4, 3]), 1);
    });

    it('broadcasts, slices and flips', () => {
      check(
        element,
        [
          { size: 5, from: 0, to: 7 },
          { size: 7, from: 1, to: 1 },
        ],
        2,
      );
      check(
        element,
        [
          { size: 5, from: 1, to: 9 },
          { size: 9, from: 0, to: 1 },
        ],
        2,
      );
      check(element, [{ size: 9, from: 0, to: 1 }]);
      check(element, [{ size: 9, from: 3, to: 1 }], 4);
      check(element, [{ size: 9, from: 1, to: 3 }], 4);
      check(element, [{ size: 9, from: -1, to: 1 }], 4);
      check(element, [{ size: 9, from: 1, to: -2 }], 4);
      check(
        element,
        [
          { size: 5, from: -11, to: 6 },
          { size: 6, from: 2, to: 1 },
        ],
        3,
      );
      check(
        element,
        [
          { size: 5, from: -1, to: 6 },
          { size: 6, from: 5, to: 1 },
        ],
        3,
      );
      check(
        element,
        [
          { size: 5, from: 1, to: -6 },
          { size: 6, from: -5, to: 1 },
        ],
        3,
      );
      check(element, [
        { size: 1, from: 1, to: 4 },
        { size: 6, from: 5, to: 1 },
      ]);
    });

    it('fills', () => {
      const bits = new Int32Array(new Float64Array([-1 / 3]).buffer);
      const pattern = new Uint8Array(bits.slice().buffer).subarray(0, element);
      for (const n of [...range(68), 1000]) {
        for (const per of [n || 1, 16]) {
          core.reset();
          const destination = allocate(core, element, new Array(n).fill(0), n % 3);
          core.run(
            record(Op.FILL, Math.ceil(n / per), {
              [Fill.ELEMENT]: element,
              [Fill.SIZE]: n,
              [Fill.CHUNK]: per,
              [Fill.LOW]: bits[0]!,
              [Fill.HIGH]: bits[1]!,
              [Fill.DESTINATION]: destination.byteOffset,
            }),
          );
          const bytes = Uint8Array.from({ length: n * element }, (_, i) => pattern[i % element]!);
          expect(new Uint8Array(destination.slice().buffer)).toEqual(bytes);
        }
      }
    });
  });
});
