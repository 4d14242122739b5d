import 'wasmgrad/f64';
import { describe, expect, it, vi } from 'vitest';
import {
  add,
  assign,
  broadcastTo,
  Cell,
  compile,
  cos,
  crossEntropy,
  div,
  embedding,
  exp,
  log,
  logicalNot,
  logSoftmax,
  manualSeed,
  matmul,
  mean,
  memory,
  mul,
  nn,
  ones,
  optim,
  rand,
  relu,
  sin,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  where,
  zeros,
} from 'wasmgrad';
import { theMachine } from '../../src/graph/execute';
import { decode, expectSameBits, numbers } from '../reference';

const cellOf = (...values: number[]) => new Cell(tensor(values));

describe('compile', () => {
  it('takes and gives trees of tensors, and passes static values', () => {
    const f = compile((batch: { x: Tensor; more: Tensor[] }, scale: number, name: string) => ({
      total: add(batch.x, batch.more[0]!),
      rest: [mul(batch.more[1]!, scale), null],
      name,
    }));
    const [x, y, z] = [tensor([1]), tensor([2]), tensor([3])];
    const result = f({ x, more: [y, z] }, 10, 'a');
    expect([result.total.toArray(), (result.rest[0] as Tensor).toArray(), result.rest[1], result.name]).toEqual([
      [3],
      [30],
      null,
      'a',
    ]);
    expect((f({ x, more: [y, z] }, 100, 'b').rest[0] as Tensor).toArray()).toEqual([300]);
  });

  it('returns fresh outputs: an argument, a capture, a cell, the same tensor twice', () => {
    const captured = tensor([7]);
    const cell = cellOf(5);
    const f = compile((x: Tensor) => [x, captured, cell, x, x.add(1)]);
    const first = f(tensor([1]));
    assign(cell, tensor([6]));
    const second = f(tensor([2]));
    expect(first.map((y) => y.toArray())).toEqual([[1], [7], [5], [1], [2]]);
    expect(second.map((y) => y.toArray())).toEqual([[2], [7], [6], [2], [3]]);
  });

  it('traces once per shape, dtype and static value, and keeps the last 16', () => {
    const traced = vi.fn();
    const f = compile((x: Tensor, scale: unknown = 1) => {
      traced();
      return mul(x, Number(scale));
    });
    const calls: [Tensor, unknown][] = [
      [tensor([1]), 1],
      [tensor([1, 2]), 1],
      [tensor([[1, 2]]), 1],
      [tensor(Int32Array.of(1)), 1],
      [tensor([1]), 2],
      [tensor([1]), '2'],
      [tensor([1]), true],
      [tensor([1]), 0],
      [tensor([1]), -0],
      [tensor([1]), Number.POSITIVE_INFINITY],
    ];
    for (const [x, scale] of [...calls, ...calls]) f(x, scale);
    expect(traced).toHaveBeenCalledTimes(calls.length);
    expect(Object.is(f(tensor([1]), -0).item(), -0)).toBe(true);
    const size = (n: number) => f(zeros([n, 1]));
    traced.mockClear();
    for (let n = 10; n < 26; n++) size(n);
    for (let n = 10; n < 26; n++) size(n);
    expect(traced).toHaveBeenCalledTimes(16);
    size(26);
    size(11);
    expect(traced).toHaveBeenCalledTimes(17);
    size(10);
    expect(traced).toHaveBeenCalledTimes(18);
  });

  it('tells functions and modules apart that look alike', () => {
    const f = compile((x: Tensor, g: (x: Tensor) => Tensor) => g(x));
    const times = (factor: number) => (x: Tensor) => mul(x, factor);
    expect([f(tensor([1]), times(2)).item(), f(tensor([1]), times(3)).item()]).toEqual([2, 3]);
    const [a, b] = [new nn.Linear(1, 1), new nn.Linear(1, 1)];
    const through = compile((x: Tensor, model: nn.Linear) => model.forward(x));
    expectSameBits(through(tensor([[1]]), a), a.forward(tensor([[1]])));
    expectSameBits(through(tensor([[1]]), b), b.forward(tensor([[1]])));
  });

  it('traces again where a module that it used changes mode', () => {
    const traced = vi.fn();
    const model = new nn.Sequential(new nn.Dropout(0.5), new nn.ReLU());
    const f = compile((x: Tensor) => {
      traced();
      return model.forward(x);
    });
    const x = ones([100]);
    const zerosIn = (y: Tensor) => [...y.values()].filter((one) => one === 0).length;
    expect(zerosIn(f(x))).toBeGreaterThan(20);
    model.eval();
    expectSameBits(f(x), x);
    model.train();
    expect(zerosIn(f(x))).toBeGreaterThan(20);
    model.eval();
    expectSameBits(f(x), x);
    expect(traced).toHaveBeenCalledTimes(2);
  });

  it('joins an outer compile', () => {
    const inner = compile((x: Tensor) => mul(x, 2));
    const outer = compile((x: Tensor) => add(inner(x), inner(x)));
    expect(outer(tensor([3])).toArray()).toEqual([12]);
    expect(() => inner.stats()).toThrow(/call the function once first/);
  });

  it('says what will run', () => {
    const f = compile((x: Tensor, w: Tensor) => relu(matmul(x, w).add(1)));
    f(zeros([4, 3]), zeros([3, 2]));
    const { records, flop, arenaBytes, programBytes } = f.stats();
    expect(records).toBe(f.disassemble().match(/^ *\d+ {2}/gm)!.length);
    expect(flop).toBeGreaterThanOrEqual(2 * 4 * 3 * 2);
    expect(Math.min(arenaBytes, programBytes)).toBeGreaterThan(0);
    expect(f.disassemble()).toMatch(/gemm\s+matmul 4×3×2/);
    expect(f.disassemble()).toMatch(/add\+relu/);
  });

  it('fuses, and rounds as step by step', () => {
    const chain = (x: Tensor, y: Tensor) => {
      const a = sub(mul(sin(x), exp(y)), div(cos(y), add(square(x), 1.5)));
      return [a, mul(a.abs().add(0.1).log(), where(x.gt(y), a, relu(a.neg())))];
    };
    for (const real of ['f32', 'f64'] as const) {
      const [x, y] = [decode(numbers([37, 61], 1), real), decode(numbers([61], 2), real)];
      const compiled = compile(chain);
      compiled(x, y).forEach((result, i) => {
        expectSameBits(result, chain(x, y)[i]!);
      });
      // 16 steps in at most 5 passes over memory: y has another size than x.
      expect(compiled.stats().records).toBeLessThanOrEqual(5);
    }
  });
});

describe('cells', () => {
  it('swap, take one value, keep an old one: all updates take place at once', () => {
    const [a, b, c] = [cellOf(1, 2), cellOf(3, 4), cellOf(0, 0)];
    const f = compile(() => {
      const old = add(a, 0);
      const [x, y] = [add(a, 0), add(b, 0)];
      assign(a, y);
      assign(b, x);
      assign(c, y);
      return [old, add(a, b)];
    });
    const [old, total] = f();
    expect([a, b, c].map((cell) => cell.toArray())).toEqual([
      [3, 4],
      [1, 2],
      [3, 4],
    ]);
    expect([old!.toArray(), total!.toArray()]).toEqual([
      [1, 2],
      [4, 6],
    ]);
    f();
    expect([a, b, c].map((cell) => cell.toArray())).toEqual([
      [1, 2],
      [3, 4],
      [1, 2],
    ]);
  });

  it('swap straight, without a copy by the user', () => {
    const [a, b] = [cellOf(1), cellOf(2)];
    const swap = compile(() => {
      const left = mul(a, 1);
      assign(a, b);
      assign(b, left);
    });
    swap();
    expect([a.item(), b.item()]).toEqual([2, 1]);
    const rotate = [cellOf(1), cellOf(2), cellOf(3)];
    compile(() => {
      const values = rotate.map((cell) => add(cell, 0));
      rotate.forEach((cell, i) => {
        assign(cell, values[(i + 1) % 3]!);
      });
    })();
    expect(rotate.map((cell) => cell.item())).toEqual([2, 3, 1]);
  });

  it('follow from each other by records that could both write in place', () => {
    const [a, b] = [
      new Cell(
        tensor([
          [1, 2],
          [3, 4],
        ]),
      ),
      new Cell(
        tensor([
          [5, 6],
          [7, 8],
        ]),
      ),
    ];
    const x = tensor([
      [0, 1],
      [1, 1],
    ]);
    const [wantedA, wantedB] = [matmul(b, x), softmax(matmul(a, x))];
    const f = compile((t: Tensor) => {
      const [fromB, fromA] = [matmul(b, t), softmax(matmul(a, t))];
      assign(a, fromB);
      assign(b, fromA);
    });
    f(x);
    expectSameBits(tensor(a), wantedA);
    expectSameBits(tensor(b), wantedB);
    const [p, q] = [new Cell(tensor([[1, 2]])), new Cell(tensor([[3, 5]]))];
    const [wantedP, wantedQ] = [softmax(q), logSoftmax(p)];
    compile(() => {
      const [fromQ, fromP] = [softmax(q), logSoftmax(p)];
      assign(p, fromQ);
      assign(q, fromP);
    })();
    expectSameBits(tensor(p), wantedP);
    expectSameBits(tensor(q), wantedQ);
  });

  it('are read after they were written, and the last write counts', () => {
    const cell = cellOf(1);
    const f = compile(() => {
      assign(cell, add(cell, 1));
      const between = mul(cell, 10);
      assign(cell, mul(cell, 3));
      return [between, cell];
    });
    expect(f().map((y) => y.item())).toEqual([20, 6]);
    expect(cell.item()).toBe(6);
    expect(f().map((y) => y.item())).toEqual([70, 21]);
  });

  it('keep an old value for an output although they are updated in place', () => {
    const cell = cellOf(1, 2, 3);
    const f = compile(() => {
      const before = cell.mul(1);
      const view = cell.reshape([3, 1]);
      assign(cell, add(cell, 1));
      return [before, view];
    });
    expect(f().map((y) => y.toArray())).toEqual([
      [1, 2, 3],
      [[1], [2], [3]],
    ]);
    expect(cell.toArray()).toEqual([2, 3, 4]);
    const plain = compile(() => {
      const old = cell.slice('::-1');
      assign(cell, old);
      return old;
    });
    expect(plain().toArray()).toEqual([4, 3, 2]);
    expect(cell.toArray()).toEqual([4, 3, 2]);
  });

  it('are shared by several compiled functions, eager code and the host', () => {
    const cell = cellOf(1);
    const up = compile(() => assign(cell, add(cell, 1)));
    const double = compile(() => assign(cell, mul(cell, 2)));
    up();
    double();
    assign(cell, add(cell, 10));
    up();
    expect(cell.item()).toBe(15);
    expect(compile((x: Tensor) => add(x, cell))(cell).item()).toBe(30);
  });

  it('take constants, arguments, views of them, and values of every dtype', () => {
    const after = (start: Tensor, next: (cell: Cell, x: Tensor) => Tensor, x = tensor([5])) => {
      const cell = new Cell(start);
      compile((argument: Tensor) => assign(cell, next(cell, argument)))(x);
      return cell.toArray();
    };
    expect(after(tensor([1, 2]), () => zeros([2]))).toEqual([0, 0]);
    expect(after(tensor([1]), (_, x) => x)).toEqual([5]);
    expect(after(tensor([1, 2]), (_, x) => broadcastTo(x, [2]))).toEqual([5, 5]);
    expect(after(tensor(Int32Array.of(1, 2)), (cell) => cell.add(1))).toEqual([2, 3]);
    expect(after(tensor([true, false]), (cell) => logicalNot(cell))).toEqual([false, true]);
    expect(after(tensor(Uint8Array.of(1, 2)), (cell) => cell.slice('::-1'))).toEqual([2, 1]);
    expect(after(tensor([0.5], { dtype: 'f64' }), (cell) => cell.mul(0.1))).toEqual([0.05]);
    expect(after(zeros([0, 3]), (cell) => cell.add(1))).toEqual([]);
  });

  it('take only what fits', () => {
    const cell = cellOf(1, 2);
    const bad = { name: 'ShapeError', op: 'assign', argument: 'value', got: [3], expected: [2] };
    expect(() => assign(cell, zeros([3]))).toThrow(expect.objectContaining(bad));
    expect(() => compile(() => assign(cell, zeros([3])))()).toThrow(expect.objectContaining(bad));
    expect(() => assign(cell, zeros([2], { dtype: 'f64' }))).toThrow(/f32.*f64/);
    cell.owner = 'run-1';
    expect(() => assign(cell, zeros([2]))).toThrow(expect.objectContaining({ code: 'MODEL_BUSY' }));
    cell.owner = null;
    expect(cell.toArray()).toEqual([1, 2]);
  });
});

/** A small classifier with everything that a step changes, and a copy of its bits. */
function trainable() {
  manualSeed(1);
  const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Dropout(0.2), new nn.Linear(8, 3));
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
  const step = compile((x: Tensor, y: Tensor) => {
    const { value, grads } = valueAndGrad(() => crossEntropy(model.forward(x), y), { wrt: model.parameters() })();
    optimizer.step(grads);
    return value;
  });
  const everything = () => [
    ...model.parameters().map((cell) => [...cell.values()]),
    ...optimizer.namedCells().map(([, cell]) => [...cell.values()]),
  ];
  const x = decode(numbers([6, 4], 3), 'f32');
  return { model, optimizer, step, everything, x, y: tensor(Int32Array.of(0, 1, 2, 0, 1, 2)) };
}

describe('a training step', () => {
  it('takes a new learning rate without a new trace', () => {
    const { model, optimizer, step, x, y } = trainable();
    step(x, y);
    optimizer.lr = 0;
    const before = model.stateDict();
    step(x, y);
    for (const [name, value] of Object.entries(model.stateDict())) expectSameBits(value, before[name]!);
    optimizer.lr = 0.5;
    step(x, y);
    expect(model.stateDict()['3.bias']!.toArray()).not.toEqual(before['3.bias']!.toArray());
    expect(optimizer.lr).toBe(0.5);
  });

  it('is one call into the core, and allocates nothing', () => {
    const { step, x, y } = trainable();
    step(x, y);
    const machine = theMachine();
    const core = machine.core('f32', false);
    const calls = vi.fn(core.run.bind(core));
    const of = vi.spyOn(machine, 'core').mockReturnValue({ ...core, run: calls });
    const allocate = vi.spyOn(machine.memory, 'allocate');
    const { live } = memory();
    const { buffer } = machine.memory;
    for (let i = 0; i < 10; i++) step(x, y);
    expect(calls).toHaveBeenCalledTimes(10);
    expect(allocate).not.toHaveBeenCalled();
    expect([memory().live, machine.memory.buffer]).toEqual([live, buffer]);
    of.mockRestore();
    allocate.mockRestore();
  });

  it('gives the bits of eager steps', () => {
    const [a, b] = [trainable(), trainable()];
    manualSeed(5);
    const losses = Array.from({ length: 5 }, () => a.step(a.x, a.y));
    manualSeed(5);
    for (const loss of losses) {
      const { value, grads } = valueAndGrad(() => crossEntropy(b.model.forward(b.x), b.y), {
        wrt: b.model.parameters(),
      })();
      b.optimizer.step(grads);
      expectSameBits(value, loss);
    }
    expect(a.everything()).toEqual(b.everything());
  });
});

describe('a step that diverges', () => {
  it('raises, names the op, and leaves every cell as it was; the next good step works', () => {
    const { step, everything, x, y } = trainable();
    const twin = trainable();
    manualSeed(9);
    step(x, y);
    const before = everything();
    const spoilt = tensor(x);
    spoilt.values()[5] = Number.NaN;
    expect(() => step(spoilt, y)).toThrow(
      expect.objectContaining({ name: 'DivergenceError', code: 'DIVERGED', op: 'matmul' }),
    );
    expect(everything()).toEqual(before);
    const loss = step(x, y);
    manualSeed(9);
    twin.step(x, y);
    // The generator has not moved either.
    expectSameBits(twin.step(x, y), loss);
    expect(everything()).toEqual(twin.everything());
  });

  it('finds a NaN that is in the gradient only', () => {
    const w = new nn.Parameter(tensor([0, 1]));
    const optimizer = new optim.SGD([w], { lr: 1 });
    const step = compile(() => {
      // The root's slope at 0 is infinite, and times 0 it is NaN.
      const { value, grads } = valueAndGrad(() => sum(sqrt(square(w))), { wrt: [w] })();
      optimizer.step(grads);
      return value;
    });
    expect(step).toThrow(expect.objectContaining({ code: 'DIVERGED' }));
    expect([w.toArray(), optimizer.stepCell.item()]).toEqual([[0, 1], 0]);
    assign(w, tensor([1, 1]));
    expect([step().item(), w.toArray(), optimizer.stepCell.item()]).toEqual([2, [0, 0], 1]);
  });

  it('names the op that went wrong first', () => {
    const cell = cellOf(-1, 2);
    const f = compile(() => assign(cell, mul(log(cell), 2)));
    expect(f).toThrow(expect.objectContaining({ op: expect.stringContaining('log') }));
    expect(cell.toArray()).toEqual([-1, 2]);
  });

  it('is not one with masks of -Infinity that are meant', () => {
    const w = new nn.Parameter(tensor([[1, 2, 3]]));
    const optimizer = new optim.SGD([w], { lr: 0.1 });
    const mask = tensor([[true, false, true]]);
    const step = compile(() => {
      const { value, grads } = valueAndGrad(() => sum(square(softmax(where(mask, w, Number.NEGATIVE_INFINITY)))), {
        wrt: [w],
      })();
      optimizer.step(grads);
      return value;
    });
    expect(step().item()).toBeGreaterThan(0.5);
    expect(w.toArray()).not.toEqual([[1, 2, 3]]);
    expect((w.toArray() as number[][])[0]![1]).toBe(2);
  });

  it('without updates gives what it computed', () => {
    expect(compile((x: Tensor) => log(x))(tensor([-1, 0])).toArray()).toEqual([Number.NaN, Number.NEGATIVE_INFINITY]);
  });

  it('skips its updates for an index out of range as well', () => {
    const table = new nn.Parameter(
      tensor([
        [1, 2],
        [3, 4],
      ]),
    );
    const optimizer = new optim.SGD([table], { lr: 1, momentum: 0.9 });
    const step = compile((i: Tensor) => {
      const { value, grads } = valueAndGrad(() => mean(embedding(i, table)), { wrt: [table] })();
      optimizer.step(grads);
      return value;
    });
    const bad = { code: 'INDEX_OUT_OF_RANGE', op: 'embedding', value: 2, limit: 2 };
    expect(() => step(tensor(Int32Array.of(0, 2)))).toThrow(expect.objectContaining(bad));
    expect([table.toArray(), optimizer.stepCell.item()]).toEqual([
      [
        [1, 2],
        [3, 4],
      ],
      0,
    ]);
    expect(step(tensor(Int32Array.of(0, 1))).item()).toBe(2.5);
    expect(table.toArray()).toEqual([
      [0.75, 1.75],
      [2.75, 3.75],
    ]);
  });
});

describe('memory', () => {
  it('stays flat over 100,000 synchronous steps, each on a new tensor', () => {
    const w = cellOf(0, 0);
    const step = compile((x: Tensor) => {
      assign(w, add(mul(w, 0.5), x));
      return sum(w);
    });
    step(tensor([1, 1]));
    const { live, peak } = memory();
    for (let i = 0; i < 100_000; i++) step(tensor([i, 1]));
    expect(memory()).toMatchObject({ live, peak });
  });

  it('stays flat over eager ops, over errors, and over programs that fall out of the last 16', () => {
    const x = rand([64, 64]);
    const f = compile((t: Tensor) => matmul(t, t));
    for (let n = 1; n < 20; n++) f(zeros([n, n]));
    const cell = new Cell(x);
    const { live } = memory();
    for (let i = 0; i < 2000; i++) add(mul(x, i), 1);
    for (let i = 0; i < 100; i++) add(cell, i);
    for (let i = 0; i < 50; i++) {
      expect(() => embedding(tensor(Int32Array.of(9)), x.slice(':3'))).toThrow(/index 9/);
      expect(() => matmul(x, zeros([3, 3]))).toThrow(/64.*3/);
    }
    expect(memory().live).toBe(live);
    for (let n = 1; n < 20; n++) f(zeros([n, n]));
    expect(memory().live).toBe(live);
  });

  it('says what was asked, what is live and what the limit is when it is exhausted', () => {
    const { live, limit } = memory();
    const small = tensor([1]);
    const row = zeros([40_000, 1]);
    expect(() => matmul(row, row.transpose())).toThrow(
      expect.objectContaining({ code: 'OUT_OF_MEMORY', asked: expect.any(Number), live: expect.any(Number), limit }),
    );
    expect(memory().live).toBe(live);
    expect(add(small, 1).item()).toBe(2);
  });
});
