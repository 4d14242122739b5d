import 'wasmgrad/f64';
import { describe, expect, it } from 'vitest';
import {
  add,
  assign,
  Cell,
  cast,
  compile,
  concat,
  cos,
  detach,
  dropout,
  exp,
  full,
  grad,
  linear,
  manualSeed,
  matmul,
  maximum,
  mean,
  mseLoss,
  mul,
  nn,
  pow,
  sigmoid,
  sin,
  square,
  sub,
  sum,
  type Tensor,
  TraceError,
  tensor,
  valueAndGrad,
  vjp,
  where,
} from 'wasmgrad';
import { expectSameBits } from '../reference';

const scalar = (value: number) => full([], value, { dtype: 'f64' });
const vector = (...values: number[]) => tensor(Float64Array.from(values));

describe('grad', () => {
  it('differentiates with respect to the first argument unless told otherwise', () => {
    const f = (a: Tensor, b: Tensor) => mul(square(a), b);
    expect(grad(f)(scalar(3), scalar(5)).item()).toBe(30);
    expect(grad(f, { wrt: 1 })(scalar(3), scalar(5)).item()).toBe(9);
    expect(grad(f, { wrt: [1, 0] })(scalar(3), scalar(5)).map((g) => g.item())).toEqual([9, 30]);
    expect(grad(f, { wrt: [] })(scalar(3), scalar(5))).toEqual([]);
  });

  it('gives the value along with the gradients', () => {
    const { value, grads } = valueAndGrad((x: Tensor) => sum(exp(x)))(vector(0, 1));
    expect(value.item()).toBeCloseTo(1 + Math.E, 14);
    expect(grads.toArray()).toEqual([1, exp(scalar(1)).item()]);
  });

  it('does not confuse perturbations: an inner gradient takes the outer argument for a constant', () => {
    // d/dx [d/dy (x·y)] at y = x is d/dx x = 1, not 2.
    expect(grad((x: Tensor) => grad((y: Tensor) => mul(x, y))(x))(scalar(3)).item()).toBe(1);
    // d/dx x·[d/dy (x + y)](1) = 1.
    expect(grad((x: Tensor) => mul(x, grad((y: Tensor) => add(x, y))(scalar(1))))(scalar(2)).item()).toBe(1);
    // The captured outer value alone: no gradient of the inner argument leads to it.
    const x = scalar(4);
    expect(grad((y: Tensor) => mul(x, y))(x).item()).toBe(4);
  });

  it('has gradients of any order', () => {
    const f = (x: Tensor) => mul(sin(x), exp(x));
    const cube = (x: Tensor) => pow(x, 3);
    expect(grad(grad(cube))(scalar(2)).item()).toBe(12);
    expect(grad(grad(grad(cube)))(scalar(2)).item()).toBe(6);
    expect(grad(grad(grad(grad(cube))))(scalar(2)).item()).toBe(0);
    // (e^x sin x)⁗ = -4 e^x sin x
    const x = 0.7;
    expect(grad(grad(grad(grad(f))))(scalar(x)).item()).toBeCloseTo(-4 * Math.exp(x) * Math.sin(x), 12);
    const mixed = grad((a: Tensor) => grad((b: Tensor) => mul(square(a), pow(b, 3)))(scalar(2)));
    expect(mixed(scalar(5)).item()).toBe(2 * 5 * 3 * 4);
  });

  it('adds the cotangents of a value that is used several times', () => {
    const f = (x: Tensor) => {
      const y = square(x);
      return sum(add(mul(y, x), concat([y, y]).slice('1:3')));
    };
    // x³ + (y₁, y₀) for two elements.
    expect(grad(f)(vector(2, 3)).toArray()).toEqual([3 * 4 + 4, 3 * 9 + 6]);
    expect(grad((x: Tensor) => sum(add(x, x)))(vector(1, 1)).toArray()).toEqual([2, 2]);
  });

  it('is zero where nothing leads, through detach, and for the branch not taken', () => {
    expect(grad((x: Tensor) => sum(mul(detach(x), 2)))(vector(1, 2)).toArray()).toEqual([0, 0]);
    expect(grad((x: Tensor) => sum(mul(detach(x), x)))(vector(3, 2)).toArray()).toEqual([3, 2]);
    expect(grad((_: Tensor) => scalar(7))(vector(1, 2)).toArray()).toEqual([0, 0]);
    const safe = (x: Tensor) => sum(where(x.gt(0), pow(where(x.gt(0), x, 1), 0.5), 0));
    expect(grad(safe)(vector(-1, 0, 4)).toArray()).toEqual([0, 0, 0.25]);
  });

  it('sums back what was broadcast', () => {
    const g = grad((w: Tensor, b: Tensor, x: Tensor) => sum(add(mul(x, w), b)), { wrt: [0, 1] });
    const [dw, db] = g(
      scalar(2),
      tensor([[1], [2]], { dtype: 'f64' }),
      tensor(
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
        { dtype: 'f64' },
      ),
    );
    expect(dw!.toArray()).toBe(21);
    expect(db!.toArray()).toEqual([[3], [3]]);
  });

  it('takes parameters and cells, among them one that is shared, and leaves them as they were', () => {
    const model = new nn.Sequential(new nn.Linear(3, 2), new nn.Tanh(), new nn.Linear(2, 1));
    const x = tensor([
      [1, -2, 0.5],
      [0, 1, 3],
    ]);
    const before = model.stateDict();
    const { grads } = valueAndGrad(() => mean(square(model.forward(x))), { wrt: model.parameters() })();
    expect(grads.map(({ shape }) => shape)).toEqual([[2, 3], [2], [1, 2], [1]]);
    const byHand = grad((w: Tensor) => {
      const hidden = linear(x, w, model.parameters()[1]).tanh();
      return mean(square(linear(hidden, model.parameters()[2]!, model.parameters()[3])));
    })(before['0.weight']!);
    expectSameBits(grads[0]!, byHand);
    for (const [name, value] of Object.entries(model.stateDict())) expectSameBits(value, before[name]!);
    const cell = new Cell(scalar(3));
    expect(grad(() => mul(cell, cell), { wrt: [cell] })()[0]!.item()).toBe(6);
    expect(grad(() => sigmoid(new Cell(scalar(1))), { wrt: [cell] })()[0]!.item()).toBe(0);
  });

  it('sees what was assigned inside the function', () => {
    const cell = new Cell(scalar(3));
    const f = () => {
      assign(cell, mul(cell, 2));
      return square(cell);
    };
    // (2c)² = 4c²
    const { value, grads } = valueAndGrad(f, { wrt: [cell] })();
    expect([value.item(), grads[0]!.item(), cell.item()]).toEqual([36, 24, 6]);
  });

  it('works in a program as outside, and in compiled functions within', () => {
    const inner = compile((w: Tensor, x: Tensor) => mean(square(matmul(w, x))));
    const g = (w: Tensor, x: Tensor) => grad(inner)(w, x);
    const [w, x] = [
      tensor([
        [0.1, 0.2],
        [0.3, -0.4],
      ]),
      tensor([
        [1, 2],
        [3, 4],
      ]),
    ];
    expectSameBits(compile(g)(w, x), g(w, x));
    const hessian = (v: Tensor) => grad((u: Tensor) => sum(mul(grad((t: Tensor) => sum(cos(t)))(u), u)))(v);
    expectSameBits(compile(hessian)(vector(0.3, 1)), hessian(vector(0.3, 1)));
  });

  it('passes a cast between precisions', () => {
    const g = grad((x: Tensor) => sum(square(cast(x, 'f64'))))(tensor([1, 2, 3]));
    expect([g.dtype, g.toArray()]).toEqual(['f32', [2, 4, 6]]);
  });

  it('refuses what has no gradient, with a reason', () => {
    const refused = (f: () => unknown) => expect(f).toThrow(expect.objectContaining({ code: 'NOT_DIFFERENTIABLE' }));
    refused(() => grad((x: Tensor) => x)(vector(1, 2)));
    refused(() => grad((x: Tensor) => x.argmax())(vector(1, 2)));
    refused(() => grad((() => 3) as never as (x: Tensor) => Tensor)(vector(1)));
    refused(() => grad((x: Tensor) => sum(x))(tensor(Int32Array.of(1, 2))));
    refused(() => grad((_: Tensor, x: Tensor) => sum(x))(tensor(Int32Array.of(1, 2)), vector(1)));
    expect(() => grad((x: Tensor) => sum(x), { wrt: 1 })(vector(1))).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', argument: 'wrt' }),
    );
    expect(() => grad((x: Tensor) => x)(vector(1, 2))).toThrow(/f64.*\[2\].*mean\(\)/);
  });
});

describe('vjp', () => {
  it('gives the value of any shape, and a pullback that may be called again', () => {
    const { value, pullback } = vjp((x: Tensor) => square(x))(vector(1, 2, 3));
    expect(value.toArray()).toEqual([1, 4, 9]);
    expect((pullback(vector(1, 0, 0)) as Tensor).toArray()).toEqual([2, 0, 0]);
    expect((pullback(vector(1, 1, -1)) as Tensor).toArray()).toEqual([2, 4, -6]);
  });

  it('gives one cotangent for each of several arguments', () => {
    const { pullback } = vjp((a: Tensor, b: Tensor) => mul(a, b))(vector(1, 2), vector(3, 4));
    expect((pullback(vector(1, 10)) as Tensor[]).map((g) => g.toArray())).toEqual([
      [3, 40],
      [1, 20],
    ]);
  });

  it('has gradients of its own', () => {
    const f = (x: Tensor) => sum(vjp(square)(x).pullback(x) as Tensor);
    // Σ 2x² -> 4x
    expect(grad(f)(vector(1, 3)).toArray()).toEqual([4, 12]);
  });

  it('draws the same numbers in the pullback, whatever happened in between', () => {
    manualSeed(3);
    const rate = new Cell(scalar(2));
    const { value, pullback } = vjp((x: Tensor) => mul(dropout(x), rate))(full([64], 1, { dtype: 'f64' }));
    assign(rate, scalar(100));
    dropout(full([3], 1));
    expectSameBits(pullback(full([64], 1, { dtype: 'f64' })) as Tensor, value);
  });

  it('refuses a cotangent of another shape or dtype', () => {
    const { pullback } = vjp(square)(vector(1, 2));
    expect(() => pullback(scalar(1))).toThrow(/cotangent.*f64\[2\].*f64\[\]/);
    expect(() => pullback(tensor([1, 2]))).toThrow(/f64\[2\].*f32\[2\]/);
  });
});

describe('a traced tensor', () => {
  it('has no values, and says what to do', () => {
    for (const read of [(x: Tensor) => x.item(), (x: Tensor) => x.data(), (x: Tensor) => x.toArray()]) {
      const f = compile((x: Tensor) => {
        read(x);
        return x;
      });
      expect(() => f(tensor([1]))).toThrow(expect.objectContaining({ name: 'TraceError', code: 'TRACED_VALUE' }));
    }
    expect(() => grad((x: Tensor) => (x.item() > 0 ? x : x.neg()))(scalar(1))).toThrow(/where\(\)/);
  });

  it('is of no use outside its function, or in another', () => {
    let leaked!: Tensor;
    const f = compile((x: Tensor) => {
      leaked = x.add(1);
      return leaked;
    });
    f(tensor([1, 2]));
    const ended = expect.objectContaining({ code: 'TRACE_ENDED', op: 'mul' });
    expect(() => mul(leaked, 2)).toThrow(ended);
    expect(() => compile((x: Tensor) => mul(x, leaked))(tensor([1, 2]))).toThrow(ended);
    expect(() => grad((x: Tensor) => sum(mul(x, leaked)))(tensor([1, 2]))).toThrow(TraceError);
    expect(() => leaked.toArray()).toThrow(TraceError);
    expect(String(leaked)).toBe('Tensor f32[2] (traced)');
  });

  it('leaves nothing behind when its function throws', () => {
    const boom = compile(() => {
      throw new RangeError('mine');
    });
    expect(boom).toThrow(RangeError);
    expect(add(tensor([1]), 1).toArray()).toEqual([2]);
    const cell = new Cell(scalar(2));
    const caught = compile(() => {
      try {
        grad(
          () => {
            throw new RangeError('mine');
          },
          { wrt: [cell] },
        )();
      } catch {
        // The function goes on as if nothing had been renamed.
      }
      return grad(() => square(cell), { wrt: [cell] })()[0]!;
    });
    expect(caught().item()).toBe(4);
  });
});

it('the seeds’ losses agree with their formulas through grad', () => {
  const g = grad((w: Tensor, x: Tensor, y: Tensor) => mseLoss(linear(x, w), y))(
    tensor([[1, 2]], { dtype: 'f64' }),
    tensor([[3, 4]], { dtype: 'f64' }),
    tensor([[10]], { dtype: 'f64' }),
  );
  expect(g.toArray()).toEqual([[2 * 1 * 3, 2 * 1 * 4]]);
  expect(maximum(sub(scalar(1), scalar(2)), 0).item()).toBe(0);
});
