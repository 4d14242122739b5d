import 'wasmgrad/f64';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  add,
  bernoulli,
  compile,
  defaultGenerator,
  dropout,
  Generator,
  grad,
  manualSeed,
  mul,
  normal,
  ones,
  type Real,
  rand,
  randint,
  randn,
  randperm,
  sum,
  type Tensor,
  tensor,
  uniform,
  vjp,
} from 'wasmgrad';
import { permutation } from '../../src/data/philox';
import { expectSameBits } from '../reference';
import { draws } from './draws';

beforeEach(() => manualSeed(7));

const position = (generator: Generator = defaultGenerator) => generator.cell.values()[2]!;

function moments(x: Tensor) {
  const values = [...x.values()];
  const mean = values.reduce((total, one) => total + one, 0) / values.length;
  const variance = values.reduce((total, one) => total + (one - mean) ** 2, 0) / values.length;
  return { mean, variance, low: Math.min(...values), high: Math.max(...values) };
}

describe.each(['f32', 'f64'] as Real[])('in %s', (dtype) => {
  const seeded: [string, () => Tensor][] = [
    ['rand', () => rand([33, 7], { dtype })],
    ['uniform', () => uniform([1025], { low: -3, high: 5, dtype })],
    ['randn', () => randn([3, 333], { dtype })],
    ['normal', () => normal([99], { mean: 4, std: 0.5, dtype })],
    ['bernoulli', () => bernoulli([77], { p: 0.3, dtype })],
    ['dropout', () => dropout(ones([20000], { dtype }), { p: 0.4 })],
    ['a draw of nothing', () => rand([0, 3], { dtype })],
    ['a draw of one', () => randn([], { dtype })],
  ];

  it.each(seeded)('%s: seeded, and the same eager, compiled and on two threads', (_, draw) => {
    const first = draw();
    const second = draw();
    expect(position()).toBe(2);
    manualSeed(7);
    const compiled = compile(draw);
    expectSameBits(compiled(), first);
    expectSameBits(compiled(), second);
    const threaded = compile(draw, { threads: 2 });
    manualSeed(7);
    expectSameBits(threaded(), first);
    expect(position()).toBe(1);
  });

  it.each(Object.keys(draws))('%s: samples of all shapes, within their range, the same bits in every mode', (name) => {
    for (const { call, shape, dtype: own = dtype, range } of draws[name]!) {
      const title = `${name} of [${shape}]`;
      const y = call(dtype, new Generator(7, 1));
      expect([y.shape, y.dtype], title).toEqual([shape, own]);
      const round = dtype === 'f32' && own === 'f32' ? Math.fround : (value: number) => value;
      const [low, high] = [round(range[0]), round(range[1])];
      expect(
        [...y.values()].filter((one) => !(one >= low && one <= high)),
        title,
      ).toEqual([]);
      const generator = new Generator(7, 1);
      expectSameBits(compile(() => call(dtype, generator))(), y, title);
      generator.manualSeed(7);
      expectSameBits(compile(() => call(dtype, generator), { threads: 2 })(), y, title);
      const other = call(dtype, new Generator(8, 1));
      // So many of so different numbers are never drawn twice; masks of few channels may be.
      if (new Set(y.values()).size > 4) expect(other.toArray(), title).not.toEqual(y.toArray());
    }
  });

  it('draws have the moments of their laws', () => {
    const n = 100_000;
    const close = (actual: number, expected: number, error: number) =>
      expect(Math.abs(actual - expected)).toBeLessThan(error);
    const flat = moments(rand([n], { dtype }));
    close(flat.mean, 0.5, 0.005);
    close(flat.variance, 1 / 12, 0.001);
    expect(flat.low).toBeGreaterThanOrEqual(0);
    expect(flat.high).toBeLessThan(1);
    const bell = moments(randn([n], { dtype }));
    close(bell.mean, 0, 0.015);
    close(bell.variance, 1, 0.02);
    const shifted = moments(normal([n], { mean: -2, std: 3, dtype }));
    close(shifted.mean, -2, 0.05);
    close(shifted.variance, 9, 0.2);
    const coin = moments(bernoulli([n], { p: 0.3, dtype }));
    close(coin.mean, 0.3, 0.006);
    expect([coin.low, coin.high]).toEqual([0, 1]);
    expect([bernoulli([100], { p: 0, dtype }), bernoulli([100], { p: 1, dtype })].map((x) => sum(x).item())).toEqual([
      0, 100,
    ]);
  });
});

it('whole numbers cover their range evenly', () => {
  const dice = randint(1, 7, [60_000]);
  expect(dice.dtype).toBe('i32');
  const counts = new Array<number>(8).fill(0);
  for (const face of dice.values()) counts[face]!++;
  expect([counts[0], counts[7]]).toEqual([0, 0]);
  for (const count of counts.slice(1, 7)) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  const whole = moments(randint(-(2 ** 31), 2 ** 31, [1000]));
  expect(whole.low).toBeLessThan(-(2 ** 30));
  expect(whole.high).toBeGreaterThan(2 ** 30);
});

it('whole numbers are the same in programs of both precisions', () => {
  const draw = () => [randint(0, 1000, [9]), randperm(9)];
  const [a, b] = draw();
  manualSeed(7);
  const [x, y] = compile(() => [...draw(), rand([2], { dtype: 'f64' })])();
  expectSameBits(x!, a!);
  expectSameBits(y!, b!);
});

it('a permutation holds every number once, is the batches’ own, and differs from the next', () => {
  const [a, b] = [randperm(1000), randperm(1000)];
  expect([...a.values()].sort((x, y) => x - y)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  expect([...a.values()]).not.toEqual([...b.values()]);
  expect([...a.values()]).toEqual([...permutation(1000, { seed: 7, stream: 0, position: 0 })]);
  manualSeed(7);
  expectSameBits(compile(() => randperm(1000))(), a);
  expect(randperm(0).shape).toEqual([0]);
});

it('eager and compiled draws advance the position alike, and go on from each other', () => {
  const f = () => add(rand([5]), randn([5]));
  const [a, b, c] = [f(), f(), f()];
  expect(position()).toBe(6);
  manualSeed(7);
  const compiled = compile(f);
  expectSameBits(compiled(), a);
  expect(position()).toBe(2);
  expectSameBits(f(), b);
  expectSameBits(compiled(), c);
  expect(position()).toBe(6);
});

it('no two draws of a program are merged', () => {
  const [a, b] = compile(() => [rand([4]), rand([4])])();
  expect(a!.toArray()).not.toEqual(b!.toArray());
  manualSeed(7);
  expectSameBits(a!, rand([4]));
  expectSameBits(b!, rand([4]));
});

it('generators are streams of their own, and do not move the default one', () => {
  const [a, b] = [new Generator(7, 1), new Generator(7, 2)];
  const before = rand([3], { generator: a });
  expect(before.toArray()).not.toEqual(rand([3], { generator: b }).toArray());
  expect([position(), position(a), position(b)]).toEqual([0, 1, 1]);
  a.manualSeed(7);
  expectSameBits(compile(() => rand([3], { generator: a }))(), before);
});

describe('dropout', () => {
  it('keeps the expectation, and zeroes a share of p', () => {
    const y = dropout(ones([100_000]), { p: 0.25 });
    const zeroed = [...y.values()].filter((one) => one === 0).length;
    expect(Math.abs(zeroed / 100_000 - 0.25)).toBeLessThan(0.006);
    expect(Math.abs(moments(y).mean - 1)).toBeLessThan(0.01);
    expect(new Set(y.values())).toEqual(new Set([0, Math.fround(4 / 3)]));
  });

  it('of two layers differs, also where a program computes both from the same value', () => {
    const x = ones([64]);
    const [a, b] = compile((t: Tensor) => [dropout(t), dropout(t)])(x);
    expect(a!.toArray()).not.toEqual(b!.toArray());
  });

  it('passes everything without training or rate, and nothing at a rate of 1', () => {
    const x = tensor([1, 2, 3]);
    expect(dropout(x, { training: false })).toBe(x);
    expect(dropout(x, { p: 0 })).toBe(x);
    expect(dropout(x, { p: 1 }).toArray()).toEqual([0, 0, 0]);
    expect(position()).toBe(1);
  });

  it('masks the gradient as it masked the value', () => {
    const x = ones([50]);
    const g = grad((t: Tensor) => sum(dropout(t)))(x);
    manualSeed(7);
    expectSameBits(g, dropout(x));
    manualSeed(7);
    const { value, pullback } = vjp((t: Tensor) => mul(dropout(t), 3))(x);
    rand([2]);
    expectSameBits(pullback(ones([50])) as Tensor, value);
  });
});
