import { describe, expect, it } from 'vitest';
import { Control, Fault, Gather, Op, ScatterAdd, Status, Type } from '../../assembly/isa';
import { cores } from './core';
import { rounder } from './law';
import { numbers, range, record } from './record';

interface Shape {
  outer: number;
  n: number;
  inner: number;
  count: number;
  /** Strides of the index in o, j and i. */
  index: [number, number, number];
}

const shapes: Shape[] = [
  ...[1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 200].map(
    (inner): Shape => ({ outer: 2, n: 6, inner, count: 9, index: [9, 1, 0] }),
  ),
  { outer: 1, n: 10, inner: 33, count: 64, index: [0, 1, 0] }, // an embedding
  { outer: 17, n: 10, inner: 1, count: 1, index: [1, 0, 0] }, // a class of each row
  { outer: 3, n: 5, inner: 7, count: 4, index: [28, 7, 1] }, // gather along an axis
  { outer: 3, n: 5, inner: 7, count: 4, index: [0, 0, 1] },
  { outer: 3, n: 5, inner: 7, count: 4, index: [1, 3, 2] },
];

function indexOf(shape: Shape, seed: number): number[] {
  const [o, j, i] = shape.index;
  const size = o * (shape.outer - 1) + j * (shape.count - 1) + i * (shape.inner - 1) + 1;
  return numbers(size, seed).map((v) => Math.floor(((v + 1) / 2) * shape.n));
}

/** (o, j, i) → the elements of y and of x that belong together. */
function* pairs({ outer, n, inner, count, index: [so, sj, si] }: Shape, index: number[]): Generator<[number, number]> {
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < count; j++) {
      for (let i = 0; i < inner; i++) {
        const row = index[o * so + j * sj + i * si]!;
        yield [(o * count + j) * inner + i, (o * n + row) * inner + i];
      }
    }
  }
}

describe.each(cores)('gather and scatter-add, $precision', (core) => {
  const round = rounder(core);
  const control = new Int32Array(core.memory.buffer, Control.BASE);
  const faultOf = () => [Control.FAULT, Control.FAULT_VALUE, Control.FAULT_LIMIT].map((field) => control[field >> 2]);

  function gather(element: 1 | 4 | 8, shape: Shape, x: number[], index: number[], items: number, shift = 0) {
    core.reset();
    const wide = (values: number[] | number) =>
      core.precision === 'f64' ? core.reals(values, shift) : core.others(values, shift);
    const elements = (values: number[] | number) =>
      element === 1 ? core.u8s(values, shift) : element === 4 ? core.ints(values, shift) : wide(values);
    const source = elements(x);
    const indices = core.ints(index, shift);
    const destination = elements(shape.outer * shape.count * shape.inner);
    const status = core.run(
      record(Op.GATHER, Math.ceil((shape.outer * shape.count) / items), {
        [Gather.ELEMENT]: element,
        [Gather.OUTER]: shape.outer,
        [Gather.N]: shape.n,
        [Gather.INNER]: shape.inner,
        [Gather.COUNT]: shape.count,
        [Gather.INDEX_OUTER]: shape.index[0],
        [Gather.INDEX_STEP]: shape.index[1],
        [Gather.INDEX_INNER]: shape.index[2],
        [Gather.ITEMS]: items,
        [Gather.SOURCE]: source.byteOffset,
        [Gather.INDEX]: indices.byteOffset,
        [Gather.DESTINATION]: destination.byteOffset,
      }),
    );
    return { y: [...destination], status };
  }

  function scatterAdd(type: Type, shape: Shape, y: number[], index: number[], x: number[], per: number, shift = 0) {
    core.reset();
    const elements = (values: number[]) => (type === Type.I32 ? core.ints(values, shift) : core.reals(values, shift));
    const source = elements(y);
    const indices = core.ints(index, shift);
    const destination = elements(x);
    const status = core.run(
      record(Op.SCATTER_ADD, Math.ceil((shape.outer * shape.inner) / per), {
        [ScatterAdd.TYPE]: type,
        [ScatterAdd.OUTER]: shape.outer,
        [ScatterAdd.N]: shape.n,
        [ScatterAdd.INNER]: shape.inner,
        [ScatterAdd.COUNT]: shape.count,
        [ScatterAdd.INDEX_OUTER]: shape.index[0],
        [ScatterAdd.INDEX_STEP]: shape.index[1],
        [ScatterAdd.INDEX_INNER]: shape.index[2],
        [ScatterAdd.CHUNK]: per,
        [ScatterAdd.SOURCE]: source.byteOffset,
        [ScatterAdd.INDEX]: indices.byteOffset,
        [ScatterAdd.DESTINATION]: destination.byteOffset,
      }),
    );
    return { x: [...destination], status };
  }

  it.each([1, 4, 8] as const)('gathers elements of %i bytes', (element) => {
    for (const shape of shapes) {
      const x = range(shape.outer * shape.n * shape.inner).map((i) => (element === 1 ? i & 255 : i * 1000 + 7));
      const index = indexOf(shape, 5);
      const expected: number[] = [];
      for (const [to, from] of pairs(shape, index)) expected[to] = x[from]!;
      for (const items of [1, 5, 1000]) {
        const { y, status } = gather(element, shape, x, index, items, items % 4);
        expect(y, JSON.stringify(shape)).toEqual(expected);
        expect(status).toBe(Status.DONE);
      }
    }
  });

  it('adds equal indices in rising order', () => {
    for (const shape of shapes) {
      const index = indexOf(shape, 6);
      const y = numbers(shape.outer * shape.count * shape.inner, 1).map(round);
      const x = numbers(shape.outer * shape.n * shape.inner, 2).map(round);
      const expected = x.slice();
      for (const [from, to] of pairs(shape, index)) expected[to] = round(expected[to]! + y[from]!);
      for (const per of [1, 4, 13, 10000]) {
        expect(scatterAdd(Type.REAL, shape, y, index, x, per, per % 3).x, JSON.stringify(shape)).toEqual(expected);
      }
    }
  });

  it('adds whole numbers, wrapping', () => {
    for (const shape of shapes) {
      const index = indexOf(shape, 7);
      const y = range(shape.outer * shape.count * shape.inner).map((i) => (i * 715827883) | 0);
      const x = range(shape.outer * shape.n * shape.inner).map((i) => (i * 1234567891) | 0);
      const expected = x.slice();
      for (const [from, to] of pairs(shape, index)) expected[to] = (expected[to]! + y[from]!) | 0;
      expect(scatterAdd(Type.I32, shape, y, index, x, 3).x).toEqual(expected);
    }
  });

  it.each([
    [4, 4],
    [-1, 4],
    [2147483647, 4],
    [-2147483648, 4],
  ])('reports index %i of %i, and touches nothing outside', (bad, n) => {
    for (const strides of [
      [1, 1, 0],
      [9, 3, 1],
    ] as [number, number, number][]) {
      const shape: Shape = { outer: 1, n, inner: 3, count: 3, index: strides };
      const index = strides[2] ? [1, 2, 3, 0, bad, 2, 3, 1, 0] : [1, bad, 2];
      const x = range(n * 3).map((i) => i + 1);
      const y = range(9).map((i) => 10 * i + 10);
      const gathered: number[] = [];
      for (const [to, from] of pairs(
        shape,
        index.map((row) => (row === bad ? 0 : row)),
      )) {
        gathered[to] = x[from]!;
      }
      const read = gather(4, shape, x, index, 9);
      expect(read.y).toEqual(gathered);
      expect(read.status).toBe(Status.FAULT);
      expect(faultOf()).toEqual([Fault.INDEX, bad, n]);
      const added = x.slice();
      for (const [from, to] of pairs(shape, index)) if (to >= 0 && to < 3 * n) added[to]! += y[from]!;
      const written = scatterAdd(Type.REAL, shape, y, index, x, 1);
      expect(written.x).toEqual(added);
      expect(written.status).toBe(Status.FAULT);
      expect(faultOf()).toEqual([Fault.INDEX, bad, n]);
    }
  });

  it('keeps the first fault', () => {
    const shape: Shape = { outer: 1, n: 2, inner: 1, count: 3, index: [0, 1, 0] };
    gather(4, shape, [1, 2], [0, 9, -3], 1);
    expect(faultOf()).toEqual([Fault.INDEX, 9, 2]);
  });
});
