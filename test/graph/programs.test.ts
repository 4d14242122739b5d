import 'wasmgrad/f64';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  add,
  assign,
  Cell,
  cast,
  compile,
  concat,
  dropout,
  dynamicSlice,
  dynamicUpdateSlice,
  exp,
  gather,
  leakyRelu,
  logSoftmax,
  manualSeed,
  matmul,
  maximum,
  mul,
  neg,
  pad,
  permute,
  type Real,
  relu,
  sigmoid,
  slice,
  softmax,
  softplus,
  square,
  sub,
  sum,
  type Tensor,
  tanh,
  tensor,
  where,
  zeros,
} from 'wasmgrad';
import { writeOptions } from '../../src/graph/passes';
import { LoadedProgram } from '../../src/machine/machine';
import { sequence } from '../kernels/core';
import { decode, expectSameBits, numbers } from '../reference';

// Programs at random: whatever the passes share, fuse, transpose, overlay and write in place, the bits are those of the ops
// one after another.

const N = 17;

/** Ops on N × N matrices that keep values small. */
const STEPS: ((a: Tensor, b: Tensor) => Tensor)[] = [
  (a, b) => add(a, b),
  (a, b) => sub(a, b.transpose()),
  (a, b) => tanh(mul(a, b)),
  (a, b) => tanh(matmul(a, b)),
  (a, b) => sigmoid(matmul(a.transpose(), b)),
  (a, b) => tanh(matmul(a, b.transpose())).transpose(),
  (a) => relu(a),
  (a, b) => relu(add(add(matmul(a, b), b.slice('0')), a)),
  (a, b) => add(tanh(b), matmul(b, a)),
  (a) => softplus(neg(a)),
  (a, b) => maximum(a, b),
  (a, b) => where(a.gt(b), a, mul(b, 0.5)),
  (a) => softmax(a),
  (a) => exp(logSoftmax(a, { axis: 0 })),
  (a, b) => sub(a, sum(b, { axis: 1, keepDims: true }).div(N)),
  (a, b) => add(a, sum(b, { axis: 0 }).mul(0.1)),
  (a, b) => concat([a.slice(':4'), b.slice('4:')]),
  (a, b) => concat([slice(a, ':, ::-1').slice(':, :2'), slice(b, ':, 2:')], { axis: 1 }),
  (a) =>
    pad(a.slice('1:, :-1'), [
      [0, 1],
      [1, 0],
    ]),
  (a) =>
    a
      .reshape([N * N])
      .reshape([N, N])
      .transpose(),
  (a, b) => gather(a, b.argmax({ axis: 1, keepDims: true }), { axis: 1 }).mul(b),
  (a) => cast(a.mul(7), 'i32').cast(a.dtype).div(8),
  (a) => tanh(add(square(a), leakyRelu(a))),
  (a) => dropout(a, { p: 0.3 }),
  (a, b) => dynamicUpdateSlice(a, b.slice('2:6, :5'), [b.argmax(), 3]),
  (a, b) => dynamicUpdateSlice(a, dynamicSlice(b, [a.argmin(), 0], [2, N]), [1, b.argmax()]),
];

/** One program: some steps on two arguments and two cells, which it may write; the results it returns. */
function program(seed: number, cells: Cell[]) {
  const next = sequence(seed);
  const draw = (below: number) => Math.floor(next() * below);
  const plan = Array.from({ length: 6 + draw(14) }, () => [draw(STEPS.length), draw(1e6), draw(1e6), draw(4)] as const);
  return (x: Tensor, y: Tensor): Tensor[] => {
    const values: Tensor[] = [x, y, ...cells];
    for (const [op, a, b, write] of plan) {
      values.push(STEPS[op]!(values[a % values.length]!, values[b % values.length]!));
      if (write === 0) assign(cells[b % cells.length]!, values[a % values.length]!);
    }
    return [values.at(-1)!, values.at(-3)!, sum(values[plan[0]![1] % values.length]!)];
  };
}

/** Lets programs have as many threads as asked for, however small they are. */
function insistOn(threads: number): void {
  const { run } = LoadedProgram.prototype;
  vi.spyOn(LoadedProgram.prototype, 'run').mockImplementation(function (this: LoadedProgram, fill) {
    run.call(this, fill, threads);
  });
}
afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(['f32', 'f64'] as Real[])('in %s', (real) => {
  it.each([1, 2])('random programs give the bits of their ops one after another, on %i threads', (threads) => {
    insistOn(threads);
    for (let seed = 0; seed < 120; seed++) {
      const [x, y, p, q] = [1, 2, 3, 4].map((i) => decode(numbers([N, N], seed * 10 + i), real)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const [own, eagerOwn] = [
        [new Cell(p), new Cell(q)],
        [new Cell(p), new Cell(q)],
      ];
      const [compiled, eager] = [compile(program(seed, own)), program(seed, eagerOwn)];
      manualSeed(seed);
      const results = [compiled(x, y), compiled(y, x)].flat();
      manualSeed(seed);
      // What is eager reads a cell where it stands, so its values are copied before the next write.
      const wanted = [eager(x, y), eager(y, x)].flat();
      results.forEach((result, i) => {
        expectSameBits(result, wanted[i]!, `program ${seed}, result ${i}\n${compiled.disassemble()}`);
      });
      own.forEach((cell, i) => {
        expectSameBits(tensor(cell), tensor(eagerOwn[i]!), `program ${seed}, cell ${i}\n${compiled.disassemble()}`);
      });
    }
  });
});

describe('passes', () => {
  const records = (f: (...xs: Tensor[]) => unknown, ...xs: Tensor[]) => {
    const compiled = compile(f);
    compiled(...xs);
    return compiled.disassemble().split('\n').length - 1;
  };
  const square4 = tensor([
    [1, 2],
    [3, 4],
  ]);

  it('drop what nobody reads', () => {
    expect(
      records((x) => {
        matmul(x, x);
        return add(x, 1);
      }, square4),
    ).toBe(1);
  });

  it('compute common subexpressions once, but draws each time', () => {
    const twice = compile((x: Tensor) => [matmul(x, x), matmul(x, x)]);
    const [a, b] = twice(square4);
    expect(twice.stats().records).toBe(1);
    expectSameBits(a!, b!);
    expect(records((x) => [matmul(x, x), matmul(x, x.transpose())], square4)).toBe(2);
    expect(compile((x: Tensor) => [dropout(x), dropout(x)])(tensor([1, 1])).length).toBe(2);
  });

  it('run what needs nothing of each other as one record, on any number of threads', () => {
    const x = decode(numbers([130, 140], 5), 'f32');
    const f = (t: Tensor) => [
      matmul(t, t.transpose()),
      softmax(t),
      t.transpose().exp(),
      t.sum({ axis: 0 }),
      concat([t, t]),
    ];
    for (const threads of [1, 2]) {
      insistOn(threads);
      const compiled = compile(f);
      for (let run = 0; run < 20; run++) {
        compiled(x).forEach((y, i) => {
          expectSameBits(y, f(x)[i]!);
        });
      }
      vi.restoreAllMocks();
      // The two halves of concat are written into one place, one after the other.
      expect(compiled.stats().records).toBe(2);
      expect(compiled.disassemble().split('\n').length - 1).toBeGreaterThanOrEqual(6);
    }
  });

  it('keep 0 and -0 apart, and NaN and the infinities', () => {
    const f = compile((x: Tensor) => [mul(x, 0), mul(x, -0), add(x, Number.POSITIVE_INFINITY), add(x, Number.NaN)]);
    const [a, b, c, d] = f(tensor([1])).map((y) => y.item());
    expect([Object.is(a, 0), Object.is(b, -0), c, d]).toEqual([true, true, Number.POSITIVE_INFINITY, Number.NaN]);
    const values = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, null, 'NaN', '-0'];
    expect(new Set(values.map((value) => writeOptions({ value }))).size).toBe(values.length);
  });

  it('fold transposes into the product, also into its result', () => {
    expect(records((x, y) => matmul(x.transpose(), y.transpose()).transpose(), square4, square4)).toBe(1);
  });

  it('write products of several batch axes in any order of their axes', () => {
    const [x, y] = [
      [3, 4, 5, 6],
      [3, 4, 6, 2],
    ].map((shape, seed) => decode(numbers(shape, seed), 'f32')) as [Tensor, Tensor];
    const orders = [0, 1, 2, 3].flatMap((a) =>
      [0, 1, 2, 3].flatMap((b) => [0, 1, 2, 3].map((c) => [a, b, c, 6 - a - b - c])),
    );
    const permutations = orders.filter(
      (order) => new Set(order).size === 4 && order.every((axis) => axis >= 0 && axis < 4),
    );
    expect(permutations).toHaveLength(24);
    for (const order of permutations) {
      const f = (x: Tensor, y: Tensor) => permute(matmul(x, y), order);
      expectSameBits(compile(f)(x, y), f(x, y), String(order));
    }
  });

  it('let products end with a bias, with what they are added to, and with a relu', () => {
    const [x, w] = [1, 2].map((seed) => decode(numbers([20, 20], seed), 'f32')) as [Tensor, Tensor];
    const b = decode(numbers([20], 3), 'f32');
    const layer = (x: Tensor, w: Tensor, b: Tensor) => relu(add(add(matmul(x, w.transpose()), b), x));
    const compiled = compile(layer);
    const y = compiled(x, w, b);
    expect(compiled.disassemble().split('\n')).toHaveLength(2);
    expect(compiled.disassemble()).toContain('matmul+add+add+relu');
    expectSameBits(y, layer(x, w, b));
    // What is needed as it was stays as it was.
    const both = compile((x: Tensor, b: Tensor) => {
      const product = matmul(x, x);
      return [product, add(product, b)];
    });
    const [product, sum] = both(x, b) as [Tensor, Tensor];
    expectSameBits(product, matmul(x, x));
    expectSameBits(sum, add(matmul(x, x), b));
  });

  it('reduce what a chain makes while it is in the cache, in the order of the reduction alone', () => {
    const kinds: [string, number[], (x: Tensor, y: Tensor) => Tensor][] = [
      ['everything', [3, 5000], (x, y) => sum(mul(x, y))],
      ['rows', [200, 130], (x, y) => sum(exp(mul(x, y)), { axis: 1 })],
      ['long rows of whole blocks', [2, 8192], (x, y) => sum(mul(x, y), { axis: 1 })],
      ['a maximum', [70, 61], (x, y) => sub(x, y).max({ axis: -1 })],
      ['where', [300, 7], (x, y) => where(x.gt(y), x, y).argmax({ axis: 1 })],
    ];
    for (const [name, shape, f] of kinds) {
      const [x, y] = [1, 2].map((seed) => decode(numbers(shape, seed), 'f32')) as [Tensor, Tensor];
      for (const threads of [1, 2]) {
        insistOn(threads);
        const compiled = compile(f);
        expectSameBits(compiled(x, y), f(x, y), name);
        vi.restoreAllMocks();
        expect(compiled.disassemble(), name).toContain('map_reduce');
        // No more than the two arguments, and results.
        expect(compiled.stats().arenaBytes, name).toBeLessThan(2 * (4 * x.size + 64) + 4 * 300 + 256);
      }
    }
  });

  it('take no more memory than what must be there at one time', () => {
    const size = 100_000;
    const x = tensor(new Float32Array(size), { shape: [size] });
    const chain = compile((x: Tensor) => {
      let y = x;
      // Products end a chain of elementwise steps: each needs its operand and its result, no more.
      for (let i = 0; i < 8; i++) y = matmul(tanh(y).reshape([size / 100, 100]), zeros([100, 100])).reshape([size]);
      return y;
    });
    chain(x);
    const bound = 2 * 4 * size;
    expect(chain.stats().arenaBytes).toBeLessThan(1.1 * bound);
    const elementwise = compile((x: Tensor) => sigmoid(exp(tanh(x).mul(2)).add(x)));
    elementwise(x);
    expect(elementwise.stats().arenaBytes).toBeLessThan(1.1 * 4 * size);
  });

  it('run small dependent records as one, on one thread', () => {
    const chained = compile((x: Tensor) => softmax(matmul(softmax(matmul(x, x)), x)));
    chained(square4);
    expect(chained.stats().records).toBe(1);
    expect(chained.disassemble().match(/→/g)).toHaveLength(3);
  });

  it('update in place where nobody reads the old value', () => {
    const cell = new Cell(tensor(new Float32Array(1000)));
    const f = compile((x: Tensor) => assign(cell, add(mul(cell, 0.9), x)));
    f(tensor(new Float32Array(1000).fill(1)));
    // The new value goes straight into the cell: the arena holds the argument alone.
    expect(f.stats().arenaBytes).toBeLessThan(4 * 1000 + 128);
  });

  it('let buffers share memory once they are done with', () => {
    const x = tensor(new Float32Array(10_000), { shape: [100, 100] });
    const deep = compile((t: Tensor) => {
      let y = t;
      for (let i = 0; i < 10; i++) y = softmax(matmul(y, t));
      return y;
    });
    deep(x);
    expect(deep.stats().arenaBytes).toBeLessThan(4 * 40_000 + 1000);
  });
});
