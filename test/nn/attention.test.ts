import 'wasmgrad/f64';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  arange,
  Cell,
  compile,
  embedding,
  ge,
  grad,
  gt,
  logicalNot,
  manualSeed,
  matmul,
  mseLoss,
  nn,
  ones,
  optim,
  type Real,
  randn,
  rotaryEmbedding,
  scaledDotProductAttention,
  sinusoidalEncoding,
  softmax,
  type Tensor,
  tensor,
  transpose,
  valueAndGrad,
  vjp,
  zeros,
} from 'wasmgrad';
import oracle from '../oracle/attention.json';
import { decode, expectClose, expectSameBits, type Plain, plain } from '../reference';

beforeEach(() => manualSeed(5));

interface LayerCase {
  layer: 'TransformerDecoderLayer';
  arguments: [number, number];
  options: object;
  state: Record<string, Plain>;
  inputs: Plain[];
  call: Record<string, Plain>;
  output: Plain;
  cotangent: Plain;
  inputGradients: Plain[];
  gradients: Record<string, Plain>;
}

const cases = (oracle.layers as unknown as LayerCase[]).map((one) => ({
  ...one,
  title: `${one.layer} ${JSON.stringify(one.options)} of ${one.inputs.map(({ shape }) => `[${shape}]`)} ${Object.keys(one.call)}`,
}));

describe.each(['f64', 'f32'] as Real[])('layers, in %s', (dtype) => {
  it.each(cases)('$title has PyTorch’s numbers, and takes its state as it is', (one) => {
    const module = new nn[one.layer](...one.arguments, { ...one.options, dtype });
    const state = Object.entries(one.state).map(([name, value]) => [name, decode(value, dtype)]);
    module.loadStateDict(Object.fromEntries(state));
    const options = Object.fromEntries(Object.entries(one.call).map(([name, value]) => [name, decode(value, dtype)]));
    const inputs = one.inputs.map((input) => decode(input, dtype));
    const forward = (...xs: Tensor[]) => module.forward(...(xs as [Tensor, Tensor]), options as object) as Tensor;
    expectClose(forward(...inputs), one.output, one.title, dtype);
    const g = decode(one.cotangent, dtype);
    const parameters = module.namedParameters();
    const program = compile((...xs: Tensor[]) => {
      const loss = (...at: Tensor[]) =>
        forward(...at)
          .mul(g)
          .sum();
      return [
        ...grad(loss, { wrt: xs.map((_, i) => i) })(...xs),
        ...grad(loss, { wrt: parameters.map(([, cell]) => cell) })(...xs),
      ];
    });
    const found = program(...inputs);
    one.inputGradients.forEach((wanted, i) => {
      expectClose(found[i]!, wanted, `gradient of input ${i} of ${one.title}`, dtype);
    });
    expect(parameters.map(([name]) => name).sort()).toEqual(Object.keys(one.gradients).sort());
    parameters.forEach(([name], i) => {
      expectClose(found[inputs.length + i]!, one.gradients[name]!, `gradient of ${name} of ${one.title}`, dtype);
    });
  });
});

/** softmax(q·kᵀ / √E)·v as one would write it. */
const plainly = (q: Tensor, k: Tensor, v: Tensor) =>
  matmul(softmax(matmul(q, transpose(k)).mul(1 / Math.sqrt(q.shape.at(-1)!))), v);

describe('scaledDotProductAttention', () => {
  it('never holds a matrix of scores, in the gradient neither', () => {
    const t = 2048;
    const shape = [2, t, 16];
    const bytesOf = (attend: typeof plainly) => {
      const step = compile((q: Tensor, k: Tensor, v: Tensor) =>
        grad((...xs: [Tensor, Tensor, Tensor]) => attend(...xs).sum(), { wrt: [0, 1, 2] })(q, k, v),
      );
      step(zeros(shape), zeros(shape), zeros(shape));
      return step.stats().arenaBytes;
    };
    const scores = 4 * t * t;
    expect(bytesOf((q, k, v) => scaledDotProductAttention(q, k, v, { isCausal: true }))).toBeLessThan(scores / 5);
    expect(bytesOf(plainly)).toBeGreaterThan(scores);
  });

  it('of wide rows is as of others', () => {
    for (const width of [300, 512, 513]) {
      const xs = [7, 9, 9].map((rows) => randn([2, rows, width], { dtype: 'f64' })) as [Tensor, Tensor, Tensor];
      const [a, b] = [vjp((...at: Tensor[]) => scaledDotProductAttention(...(at as typeof xs))), vjp(plainly)].map(
        (f) => f(...xs),
      ) as [ReturnType<ReturnType<typeof vjp>>, ReturnType<ReturnType<typeof vjp>>];
      expectClose(a.value, { shape: [...b.value.shape], data: [...b.value.values()] });
      const g = randn(a.value.shape, { dtype: 'f64' });
      const grads = b.pullback(g) as Tensor[];
      (a.pullback(g) as Tensor[]).forEach((one, i) => {
        expectClose(one, { shape: [...one.shape], data: [...grads[i]!.values()] });
      });
    }
  });

  it('a row that may attend to nothing is 0, and no gradient goes there', () => {
    const attnMask = tensor([
      [true, true, false],
      [false, false, false],
    ]);
    const [q, k, v] = [randn([2, 4]), randn([3, 4]), randn([3, 2])];
    for (const mask of [attnMask, tensor([[0, 1, -1], new Array<number>(3).fill(Number.NEGATIVE_INFINITY)])]) {
      const f = (a: Tensor, b: Tensor, c: Tensor) => scaledDotProductAttention(a, b, c, { attnMask: mask });
      expect(f(q, k, v).slice('1').toArray()).toEqual([0, 0]);
      const grads = grad(
        (...xs: [Tensor, Tensor, Tensor]) =>
          f(...xs)
            .square()
            .sum(),
        { wrt: [0, 1, 2] },
      )(q, k, v);
      expect(grads[0]!.slice('1').toArray()).toEqual([0, 0, 0, 0]);
      expect(grads.every((one) => one.values().every(Number.isFinite))).toBe(true);
      const twice = (x: Tensor) =>
        grad((at: Tensor) => f(at, k, v).square().sum())(x)
          .square()
          .sum();
      expect(grad(twice)(q).values().every(Number.isFinite)).toBe(true);
    }
    expect(scaledDotProductAttention(q, zeros([0, 4]), zeros([0, 2])).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it('drops weights out, and divides the others', () => {
    const [q, k, v] = [zeros([50, 2]), zeros([40, 2]), ones([40, 1])];
    const dropped = scaledDotProductAttention(q, k, v, { dropoutP: 0.5 });
    const kept = [...dropped.values()].map((one) => one * 20);
    expect(kept.every((one) => Math.abs(one - Math.round(one)) < 1e-4)).toBe(true);
    expect(new Set(kept.map(Math.round)).size).toBeGreaterThan(3);
    expect(Math.abs(dropped.mean().item() - 1)).toBeLessThan(0.1);
  });
});

describe('MultiheadAttention', () => {
  it('starts as PyTorch’s does, under its names', () => {
    const layer = new nn.MultiheadAttention(8, 2);
    const bound = Math.sqrt(6 / (8 + 24));
    expect(layer.inProjWeight!.values().every((one) => Math.abs(one) <= bound)).toBe(true);
    expect(Math.max(...layer.inProjWeight!.values())).toBeGreaterThan(0.9 * bound);
    expect([...layer.inProjBias!.values(), ...layer.outProj.bias!.values()].every((one) => one === 0)).toBe(true);
    const names = (one: nn.Module) => one.namedParameters().map(([name]) => name);
    expect(names(layer)).toEqual(['in_proj_weight', 'in_proj_bias', 'out_proj.weight', 'out_proj.bias']);
    expect(names(new nn.MultiheadAttention(4, 2, { kdim: 3, bias: false }))).toEqual([
      ...['q_proj_weight', 'k_proj_weight', 'v_proj_weight', 'out_proj.weight'],
    ]);
  });

  it('forbids where the function allows', () => {
    const layer = new nn.MultiheadAttention(6, 2, { batchFirst: true });
    const x = randn([2, 4, 6]);
    const later = gt(arange(4), arange(4).reshape([4, 1]));
    const causal = layer.forward(x, x, x, { isCausal: true });
    expectSameBits(layer.forward(x, x, x, { attnMask: later }), causal);
    const [q, k, v] = [randn([4, 2]), randn([4, 2]), randn([4, 2])];
    expectSameBits(
      scaledDotProductAttention(q, k, v, { attnMask: logicalNot(later) }),
      scaledDotProductAttention(q, k, v, { isCausal: true }),
    );
  });

  it('a query that may attend to nothing gets the bias alone', () => {
    const layer = new nn.MultiheadAttention(4, 2, { batchFirst: true });
    layer.outProj.bias!.write(tensor([1, 2, 3, 4]));
    const x = randn([2, 3, 4]);
    const keyPaddingMask = tensor([
      [true, true, true],
      [false, true, false],
    ]);
    const y = layer.forward(x, x, x, { keyPaddingMask });
    expect(y.slice('0').toArray()).toEqual(new Array(3).fill([1, 2, 3, 4]));
    expect(y.values().every(Number.isFinite)).toBe(true);
  });

  it('cuts and joins heads without a copy', () => {
    for (const batchFirst of [false, true]) {
      const layer = new nn.MultiheadAttention(8, 2, { batchFirst });
      const step = compile((x: Tensor) =>
        valueAndGrad(() => layer.forward(x).square().sum(), { wrt: layer.parameters() })(),
      );
      step(randn([4, 5, 8]));
      const copies = step.disassemble().match(/^.* copy .*$/gm) ?? [];
      // The gradient of in_proj_weight is made of three.
      expect(copies.filter((line) => !line.includes('concat'))).toEqual([]);
    }
  });

  it('attends piece by piece to what is in its cache, in programs that are traced once', () => {
    const layer = new nn.MultiheadAttention(8, 2, { batchFirst: true });
    const x = randn([3, 9, 8]);
    const whole = layer.forward(x, x, x, { isCausal: true });
    const cache = layer.cache(3, 12);
    let traced = 0;
    const step = compile((at: Tensor) => {
      traced++;
      return layer.forward(at, at, at, { cache });
    });
    const parts = [4, 1, 1, 1, 2];
    for (const again of [false, true]) {
      let from = 0;
      for (const length of parts) {
        const y = step(x.slice(`:, ${from}:${from + length}`));
        const wanted = whole.slice(`:, ${from}:${from + length}`);
        expectClose(y, { shape: [...wanted.shape], data: [...wanted.values()] }, `from ${from}, again: ${again}`);
        from += length;
      }
      expect(cache.position.item()).toBe(9);
      cache.reset();
    }
    expect(traced).toBe(3);
    const eager = layer.cache(3, 12);
    const y = layer.forward(x, x, x, { cache: eager });
    expectClose(y, { shape: [...whole.shape], data: [...whole.values()] });
    expect(() => layer.forward(x, x, x, { cache: eager })).toThrow(/12 positions has 9; 9 more/);
  });
});

describe('transformers', () => {
  const decoder = () =>
    new nn.TransformerDecoder(
      () => new nn.TransformerDecoderLayer(8, 2, { dimFeedforward: 16, dropout: 0, batchFirst: true }),
      2,
      { norm: new nn.LayerNorm(8) },
    );

  it('stacks are their layers, under PyTorch’s names', () => {
    const stack = new nn.TransformerEncoder(
      () => new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 16, dropout: 0 }),
      2,
    );
    expect(stack.namedParameters().map(([name]) => name)).toContain('layers.1.self_attn.in_proj_weight');
    const x = randn([5, 3, 8]);
    const [first, second] = stack.layers as [nn.TransformerEncoderLayer, nn.TransformerEncoderLayer];
    const options = { isCausal: true };
    expectSameBits(stack.forward(x, options), second.forward(first.forward(x, options), options));
    expect(
      decoder()
        .namedParameters()
        .map(([name]) => name),
    ).toEqual(expect.arrayContaining(['layers.0.multihead_attn.out_proj.bias', 'norm.weight']));
  });

  it('a decoder continues from caches as if it had seen all at once', () => {
    const stack = decoder();
    const [x, memory] = [randn([2, 6, 8]), randn([2, 4, 8])];
    const whole = stack.forward(x, memory, { tgtIsCausal: true });
    const caches = stack.layers.map(({ selfAttn }) => selfAttn.cache(2, 6));
    const step = compile((at: Tensor) => stack.forward(at, memory, { caches }));
    for (let i = 0; i < 6; i++) {
      const wanted = whole.slice(`:, ${i}:${i + 1}`);
      expectClose(step(x.slice(`:, ${i}:${i + 1}`)), { shape: [...wanted.shape], data: [...wanted.values()] });
    }
  });

  it('drop out in training alone', () => {
    const layer = new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 16, dropout: 0.5 });
    const x = randn([4, 2, 8]);
    const forward = compile((at: Tensor) => layer.forward(at));
    expect([...forward(x).values()]).not.toEqual([...forward(x).values()]);
    manualSeed(8);
    const eager = layer.forward(x);
    manualSeed(8);
    expectSameBits(forward(x), eager);
    layer.eval();
    expectSameBits(forward(x), forward(x));
    expectSameBits(forward(x), layer.forward(x));
  });

  it('learn to turn a sequence round', () => {
    class Reverser extends nn.Module {
      words = new nn.Embedding(5, 16);
      places = new nn.Embedding(6, 16);
      block = new nn.TransformerEncoderLayer(16, 2, {
        dimFeedforward: 32,
        dropout: 0,
        batchFirst: true,
        normFirst: true,
      });
      out = new nn.Linear(16, 1);
      forward(x: Tensor) {
        return this.out.forward(this.block.forward(this.words.forward(x).add(this.places.forward(arange(6)))));
      }
    }
    const model = new Reverser();
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    const step = compile((x: Tensor, y: Tensor) => {
      const { value, grads } = valueAndGrad(() => mseLoss(model.forward(x), y), { wrt: model.parameters() })();
      optimizer.step(grads);
      return value;
    });
    let loss = 1;
    for (let i = 0; i < 400; i++) {
      const words = Array.from({ length: 32 }, (_, row) =>
        Array.from({ length: 6 }, (_, at) => (i * 7919 + row * 104729 + at * 1299709 + ((i * row * at) % 7)) % 5),
      );
      const x = tensor(Int32Array.from(words.flat()), { shape: [32, 6] });
      const y = tensor(words.map((one) => [...one].reverse().map((word) => [word / 4])));
      loss = step(x, y).item();
    }
    expect(loss).toBeLessThan(0.01);
  });
});

describe('positions', () => {
  it('an embedding is rows of its weight; that of padding is 0, and stays', () => {
    const layer = new nn.Embedding(7, 3, { paddingIdx: -5 });
    expect(layer.weight.slice('2').toArray()).toEqual([0, 0, 0]);
    layer.weight.write(randn([7, 3]));
    const index = tensor(
      [
        [2, 6, 2],
        [0, 6, 1],
      ],
      { dtype: 'i32' },
    );
    expectSameBits(layer.forward(index), embedding(index, tensor(layer.weight)));
    const [g] = valueAndGrad(() => layer.forward(index).sum(), { wrt: layer.parameters() })().grads;
    expect(g!.toArray()).toEqual([1, 1, 0, 0, 0, 0, 2].map((times) => [times, times, times]));
    const plainLayer = new nn.Embedding(200, 50);
    expect(Math.abs(plainLayer.weight.square().mean().item() - 1)).toBeLessThan(0.05);
    const [all] = valueAndGrad(() => plainLayer.forward(index).sum(), { wrt: plainLayer.parameters() })().grads;
    expect(all!.slice('2, 0').item()).toBe(2);
  });

  it.each(['f64', 'f32'] as Real[])('waves are Vaswani’s, in %s', (dtype) => {
    const [length, dim] = [13, 6];
    const data = Array.from({ length: length * dim }, (_, at) => {
      const [p, column] = [Math.floor(at / dim), at % dim];
      const angle = p / 10000 ** ((column - (column % 2)) / dim);
      return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    });
    expectClose(sinusoidalEncoding(length, dim, { dtype }), plain('f64', [length, dim], data));
  });

  it.each(['f64', 'f32'] as Real[])('rotation is Su’s, in %s', (dtype) => {
    const x = randn([2, 5, 6], { dtype });
    const turned = (offset: number, base: number) =>
      Array.from({ length: 60 }, (_, at) => {
        const [t, c] = [Math.floor(at / 6) % 5, at % 6];
        const angle = (t + offset) / base ** ((c - (c % 2)) / 6);
        const [own, other] = [x.values()[at]!, x.values()[c % 2 === 0 ? at + 1 : at - 1]!];
        return own * Math.cos(angle) + (c % 2 === 0 ? -other : other) * Math.sin(angle);
      });
    const wanted = (offset: number, base = 10000) => plain('f64', [2, 5, 6], turned(offset, base));
    expectClose(rotaryEmbedding(x), wanted(0));
    expectClose(rotaryEmbedding(x, { offset: 3, base: 100 }), wanted(3, 100));
    const position = new Cell(tensor([7], { dtype: 'i32' }));
    const program = compile((at: Tensor) => rotaryEmbedding(at, { offset: position }));
    expectClose(program(x), wanted(7));
    position.write(tensor([2], { dtype: 'i32' }));
    expectClose(program(x), wanted(2));
  });

  it('products of rotated rows depend on how far apart they are alone', () => {
    const [q, k] = [randn([1, 8], { dtype: 'f64' }), randn([1, 8], { dtype: 'f64' })];
    const at = (a: number, b: number) =>
      matmul(rotaryEmbedding(q, { offset: a }), transpose(rotaryEmbedding(k, { offset: b }))).item();
    expect(at(9, 4)).toBeCloseTo(at(105, 100), 10);
    expect(ge(tensor(Math.abs(at(9, 4) - at(9, 3))), 1e-3).item()).toBe(1);
  });
});
