import 'wasmgrad/f64';
import { describe, expect, it, vi } from 'vitest';
import {
  add,
  arange,
  assign,
  Cell,
  cast,
  checkGradients,
  checkpoint,
  compile,
  crossEntropy,
  dropout,
  embedding,
  grad,
  log,
  manualSeed,
  matmul,
  mul,
  nn,
  optim,
  type Real,
  rand,
  randn,
  scan,
  sin,
  stack,
  sum,
  type Tensor,
  tanh,
  tensor,
  train,
  unbind,
  valueAndGrad,
  vjp,
  zeros,
} from 'wasmgrad';
import { decode, expectClose, expectSameBits, numbers } from '../reference';

/** A recurrent layer over [T, N, E], whose state is a matrix: every step's output, and what is left at the end. */
const recurrent = (x: Tensor, h: Tensor, w: Tensor, u: Tensor) =>
  scan(
    (h: Tensor, x: Tensor) => {
      const next = tanh(matmul(x, w).add(matmul(h, u)));
      return [next, mul(next, x)] as const;
    },
    h,
    x,
  );

/** The same, a step behind the other. */
const unrolled = (x: Tensor, h: Tensor, w: Tensor, u: Tensor) => {
  const ys: Tensor[] = [];
  for (const one of unbind(x)) {
    h = tanh(matmul(one, w).add(matmul(h, u)));
    ys.push(mul(h, one));
  }
  return [h, stack(ys)] as const;
};

const operands = (real: Real, length = 7, n = 3, e = 5) =>
  [
    [length, n, e],
    [n, e],
    [e, e],
    [e, e],
  ].map((shape, i) => decode(numbers(shape, i + 1, -0.5, 0.5), real)) as [Tensor, Tensor, Tensor, Tensor];

const whole =
  (f: (...xs: ReturnType<typeof operands>) => readonly [Tensor, Tensor]) =>
  (x: Tensor, h: Tensor, w: Tensor, u: Tensor) => {
    const [last, ys] = f(x, h, w, u);
    return add(sum(mul(last, last)), sum(sin(ys)));
  };

describe.each(['f32', 'f64'] as Real[])('in %s', (real) => {
  it('gives the bits of its steps one after another, eager and compiled, on one thread and two', () => {
    for (const length of [1, 2, 7, 33]) {
      const all = operands(real, length);
      const [last, ys] = unrolled(...all);
      for (const f of [recurrent, compile(recurrent), compile(recurrent, { threads: 2 })]) {
        const [own, others] = f(...all);
        expectSameBits(own, last);
        expectSameBits(others, ys);
      }
    }
  });

  it('has the gradients of its steps one after another', () => {
    const all = operands(real);
    const wrt = [0, 1, 2, 3];
    const wanted = grad(whole(unrolled), { wrt })(...all);
    const eager = grad(whole(recurrent), { wrt })(...all);
    const compiled = compile((...xs: typeof all) => grad(whole(recurrent), { wrt })(...xs), { threads: 2 })(...all);
    wanted.forEach((one, i) => {
      expectClose(eager[i]!, { shape: [...one.shape], data: [...one.data()] }, `gradient ${i}`);
      expectSameBits(compiled[i]!, eager[i]!);
    });
  });
});

it('has gradients of the second and the third order', () => {
  const all = operands('f64', 4, 2, 3);
  expect(checkGradients(whole(recurrent), all, { order: 2 }).error).toBeLessThan(1e-6);
  const slope = (...xs: typeof all) => sum(sin(grad(whole(recurrent), { wrt: 2 })(...xs)));
  expect(checkGradients(slope, all, { order: 2 }).error).toBeLessThan(1e-6);
});

it('goes backwards, and leaves each y where its x stands', () => {
  const x = tensor([1, 2, 3, 4]);
  const f = (c: Tensor, x: Tensor) => [c.add(x), c.mul(x)] as const;
  const both = [false, true].map((reverse) => scan(f, tensor(0), x, { reverse }).map((one) => one.toArray()));
  expect(both).toEqual([
    [10, [0, 2, 9, 24]],
    [10, [9, 14, 12, 0]],
  ]);
  const back = (x: Tensor) => sum(sin(scan(f, tensor(0, { dtype: 'f64' }), x, { reverse: true })[1]));
  expect(checkGradients(back, [decode(numbers([5], 3))], { order: 2 }).error).toBeLessThan(1e-6);
});

it('carries trees of any dtypes, swaps them, and passes what does not change', () => {
  const init = { a: tensor([1, 2]), rest: [tensor([3, 4]), arange(0, 2)], none: null };
  const [last, ys] = scan(
    (c: typeof init, x: { more: Tensor }) => {
      const [b, n] = c.rest as [Tensor, Tensor];
      const next = { a: b, rest: [c.a.add(x.more), n.add(1)], none: null };
      return [next, { n, fixed: init.a }] as const;
    },
    init,
    { more: tensor([[10], [20], [30]]) },
  );
  expect([last.a.toArray(), last.rest.map((one) => one.toArray()), last.none]).toEqual([
    [23, 24],
    [
      [41, 42],
      [3, 4],
    ],
    null,
  ]);
  expect(ys.n.dtype).toBe('i32');
  expect([ys.n.toArray(), ys.fixed.toArray()]).toEqual([
    [
      [0, 1],
      [1, 2],
      [2, 3],
    ],
    [
      [1, 2],
      [1, 2],
      [1, 2],
    ],
  ]);
});

it('traces f once, and its program does not grow with time', () => {
  const f = vi.fn((c: Tensor, x: Tensor) => [tanh(c.add(x)), c] as const);
  const sizes = [10, 1000].map((length) => {
    const step = compile((x: Tensor) => valueAndGrad((x: Tensor) => scan(f, zeros([4]), x)[1].sum())(x));
    f.mockClear();
    step(randn([length, 4]));
    expect(f).toHaveBeenCalledTimes(1);
    return step.stats().programBytes;
  });
  expect(sizes[1]).toBe(sizes[0]);
});

it('may have no turn at all, or none that has an x', () => {
  const [last, ys] = scan((c: Tensor, x: Tensor) => [c.add(x), c] as const, tensor([5]), zeros([0, 1]));
  expect([last.toArray(), ys.shape]).toEqual([[5], [0, 1]]);
  expect(scan((c: Tensor) => [c.mul(2), null] as const, tensor(1), null, { length: 10 })[0].item()).toBe(1024);
  const g = grad((c: Tensor) => scan((c: Tensor) => [c.mul(2), null] as const, c, null, { length: 10 })[0]);
  expect(g(tensor(3)).item()).toBe(1024);
});

it('draws as its steps one after another do, and what comes behind it goes on from there', () => {
  const draws = () => {
    const [before, [, inside], after] = [
      rand([2]),
      scan((c: Tensor) => [c, stack([rand([2]), rand([2])])] as const, tensor(0), null, { length: 3 }),
      rand([2]),
    ];
    return [before, ...unbind(inside).flatMap((one) => unbind(one)), after];
  };
  manualSeed(5);
  const wanted = Array.from({ length: 16 }, () => rand([2]));
  for (const f of [draws, compile(draws)]) {
    manualSeed(5);
    [...f(), ...f()].forEach((one, i) => {
      expectSameBits(one, wanted[i]!, `draw ${i}`);
    });
  }
});

it('drops the same in a gradient as in what it is the gradient of', () => {
  const x = randn([6, 9]);
  const f = (x: Tensor) => scan((c: Tensor, x: Tensor) => [c, dropout(x)] as const, tensor(0), x)[1];
  manualSeed(1);
  const { value, pullback } = vjp(f)(x);
  expectSameBits((pullback(x) as Tensor).mul(1), value);
});

it('lets cells change from turn to turn, eager, compiled and around a gradient', () => {
  const count = new Cell(tensor(0));
  const f = (x: Tensor) =>
    scan(
      (c: Tensor, x: Tensor) => {
        assign(count, count.add(1));
        return [c.add(x.mul(count)), count.mul(2)] as const;
      },
      tensor(0),
      x,
    );
  const x = tensor([1, 1, 1]);
  expect(f(x).map((one) => one.toArray())).toEqual([6, [2, 4, 6]]);
  expect(compile(f)(x).map((one) => one.toArray())).toEqual([15, [8, 10, 12]]);
  expect(grad((x: Tensor) => f(x)[0])(x).toArray()).toEqual([7, 8, 9]);
  expect(count.item()).toBe(9);
});

it('may stand in another one, and in a checkpoint', () => {
  const f = (x: Tensor) =>
    scan(
      (c: Tensor, row: Tensor) => scan((c: Tensor, x: Tensor) => [sin(c.add(x)), c.mul(x)] as const, c, row),
      x.slice('0, 0'),
      x,
    )[1].sum();
  const x = decode(numbers([3, 4], 1));
  expect(checkGradients(f, [x], { order: 2 }).error).toBeLessThan(1e-6);
  expect(checkGradients(checkpoint(f), [x], { order: 2 }).error).toBeLessThan(1e-6);
  const flat = (x: Tensor) => {
    let [c, total] = [x.slice('0, 0'), zeros([], { dtype: 'f64' })];
    for (const one of unbind(x.reshape([12]))) [c, total] = [sin(c.add(one)), total.add(c.mul(one))];
    return total;
  };
  expect(f(x).item()).toBeCloseTo(flat(x).item(), 13);
});

it('runs on threads beside another one, and gives the same bits', () => {
  const [x, h, w, u] = operands('f32', 50, 64, 64);
  const both = (x: Tensor) => [
    ...recurrent(x, h, w, u),
    ...scan((c: Tensor, x: Tensor) => [tanh(matmul(x, u).add(c)), c] as const, h, x, { reverse: true }),
  ];
  const [one, two] = [compile(both), compile(both, { threads: 2 })];
  for (let i = 0; i < 5; i++) {
    const wanted = one(x);
    two(x).forEach((result, at) => {
      expectSameBits(result, wanted[at]!);
    });
  }
});

it('learns in a worker: which of the letters came first', async () => {
  manualSeed(2);
  class First extends nn.Module {
    table = new nn.Parameter(randn([4, 12]));
    input = new nn.Linear(12, 16);
    state = new nn.Linear(16, 16);
    out = new nn.Linear(16, 4);
    forward(x: Tensor) {
      const [h] = scan(
        (h: Tensor, letters: Tensor) => {
          const e = this.input.forward(embedding(letters, this.table));
          return [tanh(e.add(this.state.forward(h))), null] as const;
        },
        zeros([x.shape[0]!, 16]),
        x.transpose(),
      );
      return this.out.forward(h);
    }
  }
  const model = new First();
  const x = cast(rand([256, 5]).mul(4), 'i32');
  const y = x.slice(':, 0');
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
  const run = train({ model, loss: crossEntropy, optimizer, data: { x, y }, epochs: 15, batchSize: 32 });
  const { epochs } = await run.done;
  expect(epochs.at(-1)!.loss).toBeLessThan(0.1);
}, 30_000);

describe('says what is wrong', () => {
  const x = zeros([3, 2]);
  const c = zeros([2]);
  it.each([
    [
      'another shape',
      () => scan((c: Tensor) => [c.reshape([2, 1]), null], c, x),
      'SHAPE_MISMATCH',
      ['f32[2]', 'f32[2, 1]'],
    ],
    ['another dtype', () => scan((c: Tensor) => [cast(c, 'i32'), null], c, x), 'DTYPE_MISMATCH', ['f32[2]', 'i32[2]']],
    ['another structure', () => scan((c: Tensor) => [[c] as never, null], c, x), 'BAD_VALUE', ['structure']],
    ['no pair', () => scan(((c: Tensor) => c) as never, c, x), 'BAD_VALUE', ['[carry, y]', 'object']],
    ['three results', () => scan((() => [c, c, c]) as never, c, x), 'BAD_VALUE', ['[carry, y]', '3']],
    ['lengths that differ', () => scan((c: Tensor) => [c, c], c, [x, zeros([4])]), 'SHAPE_MISMATCH', ['3 and 4']],
    ['another length', () => scan((c: Tensor) => [c, c], c, x, { length: 5 }), 'SHAPE_MISMATCH', ['5 and 3']],
    ['no length', () => scan((c: Tensor) => [c, c], c, null), 'BAD_VALUE', ['length', 'undefined']],
    ['half a length', () => scan((c: Tensor) => [c, c], c, null, { length: 0.5 }), 'BAD_VALUE', ['length', '0.5']],
    ['an x without an axis', () => scan((c: Tensor) => [c, c], c, tensor(1)), 'SHAPE_MISMATCH', ['first axis', '[]']],
    [
      'another precision inside',
      () => scan((c: Tensor) => [cast(sin(cast(c, 'f64')), 'f32'), null], c, x),
      'DTYPE_MISMATCH',
      ['f64', 'f32'],
    ],
  ] as [string, () => unknown, string, string[]][])('%s', (_, call, code, says) => {
    for (const f of [call, compile(call)]) {
      expect(f).toThrow(expect.objectContaining({ code, op: 'scan' }));
      for (const part of says) expect(f).toThrow(part);
    }
  });

  it('of values, and names the scan', () => {
    const table = zeros([3, 2]);
    const pick = (_: Tensor, i: Tensor) => [embedding(i, table).sum(), null] as const;
    expect(() => scan(pick, tensor(0), arange(1, 5))).toThrow(/scan: index 3 is out of range; allowed are 0 to 2/);
    const cell = new Cell(tensor(7));
    const f = compile((x: Tensor) =>
      assign(cell, scan((c: Tensor, x: Tensor) => [c.add(log(x)), null], tensor(0), x)[0]),
    );
    expect(() => f(tensor([1, 2, -1]))).toThrow(expect.objectContaining({ code: 'DIVERGED', op: 'scan' }));
    expect(cell.item()).toBe(7);
    f(tensor([1, 1]));
    expect(cell.item()).toBe(0);
  });

  it('of a turn’s tensor that is used outside', () => {
    let kept: Tensor | null = null;
    scan(
      (c: Tensor) => {
        kept = c;
        return [c, null];
      },
      c,
      x,
    );
    expect(() => compile(() => kept!.add(1))()).toThrow(expect.objectContaining({ code: 'TRACE_ENDED' }));
  });
});
