import 'wasmgrad/f64';
import { expect, it } from 'vitest';
import {
  checkGradients,
  checkpoint,
  compile,
  dropout,
  exp,
  grad,
  manualSeed,
  mul,
  nn,
  randn,
  sin,
  sum,
  type Tensor,
  tanh,
  valueAndGrad,
} from 'wasmgrad';
import { decode, expectSameBits, numbers } from '../reference';

type Block = (x: Tensor) => Tensor;

const layers = Array.from({ length: 12 }, () => new nn.Linear(24, 24));

/** Three blocks of four layers each, wrapped or as they are. */
const chain = (wrap: (f: Block) => Block, drop: number) => {
  const blocks = [0, 4, 8].map((from) =>
    wrap((x) =>
      layers.slice(from, from + 4).reduce((y, layer) => dropout(tanh(sin(exp(layer.forward(y)))), { p: drop }), x),
    ),
  );
  const parameters = layers.flatMap((layer) => layer.parameters());
  return compile((x: Tensor) => {
    const { value, grads } = valueAndGrad(() => sum(blocks.reduce((y, block) => block(y), dropout(x, { p: drop }))), {
      wrt: parameters,
    })();
    return [value, ...grads];
  });
};

it('gives the same bits with less memory, dropout and all', () => {
  for (const drop of [0, 0.3]) {
    const x = randn([512, 24]);
    const results = [(f: Block) => f, checkpoint].map((wrap) => {
      manualSeed(4);
      const step = chain(wrap as (f: Block) => Block, drop);
      return { values: [...step(x), ...step(x)], ...step.stats() };
    });
    const [plain, kept] = results as [(typeof results)[0], (typeof results)[0]];
    kept.values.forEach((one, i) => {
      expectSameBits(one, plain.values[i]!);
    });
    expect(kept.arenaBytes).toBeLessThan(0.55 * plain.arenaBytes);
    // The price: the inside once more.
    expect(kept.flop).toBeGreaterThan(1.2 * plain.flop);
  }
});

it('is the function itself, eager and in a trace', () => {
  const f = checkpoint((a: { x: Tensor }, y: Tensor, scale: number) => ({
    sum: a.x.add(y),
    rest: [mul(y, scale), null],
  }));
  const [x, y] = [randn([3]), randn([3])];
  const eager = f({ x }, y, 2);
  const compiled = compile(f)({ x }, y, 2);
  expectSameBits(compiled.sum, eager.sum);
  expectSameBits(compiled.rest[0]!, eager.rest[0]!);
  expect([eager.rest[1], compiled.rest[1]]).toEqual([null, null]);
});

it('has gradients of any order, nested and twice on the same values', () => {
  const inner = checkpoint((x: Tensor) => exp(sin(x)));
  const f = checkpoint((x: Tensor, y: Tensor) => mul(inner(x), inner(mul(y, inner(x)))));
  const xs = [decode(numbers([5], 1)), decode(numbers([5], 2))];
  expect(checkGradients((x, y) => f(x!, y!).add(f(x!, x!)), xs, { order: 2 }).error).toBeLessThan(1e-6);
  const slope = (x: Tensor) => grad((x: Tensor) => sum(mul(f(x, x), f(x, x))))(x);
  expect(checkGradients(slope, [xs[0]!], { order: 2 }).error).toBeLessThan(1e-6);
});

it('does not count twice what it takes from outside, where its argument is made of that too', () => {
  const w = decode(numbers([5], 3));
  const f = (w: Tensor) => sum(checkpoint((y: Tensor) => sin(mul(y, w)))(mul(w, w)));
  expect(checkGradients(f, [w], { order: 2 }).error).toBeLessThan(1e-6);
});

it('keeps what it takes from outside', () => {
  const w = decode(numbers([5], 3));
  const f = (w: Tensor) => sum(checkpoint(() => exp(w))());
  expect(checkGradients(f, [w], { order: 2 }).error).toBeLessThan(1e-6);
});
