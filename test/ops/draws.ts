import 'wasmgrad/f64';
import {
  bernoulli,
  type DType,
  dropout,
  dropout1d,
  dropout2d,
  type Generator,
  normal,
  ones,
  type Real,
  rand,
  randint,
  randn,
  randperm,
  stochasticDepth,
  type Tensor,
  uniform,
} from 'wasmgrad';

/** A sample of a function whose result follows from a seed: what it must be like, whatever is drawn. */
export interface Draw {
  call: (dtype: Real, generator: Generator) => Tensor;
  shape: readonly number[];
  /** Where it is not the one asked for. */
  dtype?: DType;
  /** Between which every element lies, both included. */
  range: readonly [number, number];
}

// Of no element, of one, of whole groups of four, of more and less, of several chunks.
const SHAPES = [
  ...[[], [0], [1], [3], [4], [5], [8], [31], [32], [4097], [9001]],
  ...[
    [1, 1],
    [2, 3],
    [17, 5],
    [0, 3],
    [3, 0],
    [100, 83],
    [2, 3, 4],
    [5, 1, 2],
    [2, 1, 3, 2],
    [1, 2, 2, 1, 3],
  ],
];
const CHANNELS = [1, 2, 5, 64].flatMap((n) => [1, 3, 70].flatMap((c) => [1, 6].map((length) => [n, c, length])));
const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 999, 5000];
const RATES = [0, 0.1, 0.5, 0.75, 1];

const pick = <T>(list: readonly T[], i: number) => list[i % list.length]!;
/** What a mask of some rate makes of ones. */
const masks = (p: number) => [0, p === 1 ? 0 : 1 / (1 - p)] as const;

const reals = (f: (shape: readonly number[], i: number) => Omit<Draw, 'shape'>) =>
  SHAPES.map((shape, i): Draw => ({ shape, ...f(shape, i) }));

const dropped = (
  f: (x: Tensor, options: { p: number; generator: Generator }) => Tensor,
  shapes: readonly (readonly number[])[],
) =>
  shapes.map((shape, i): Draw => {
    const p = pick(RATES, i);
    return { call: (dtype, generator) => f(ones(shape, { dtype }), { p, generator }), shape, range: masks(p) };
  });

const ALL = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const;

export const draws: Record<string, Draw[]> = {
  rand: reals((shape) => ({ call: (dtype, generator) => rand(shape, { dtype, generator }), range: [0, 1 - 2 ** -53] })),
  randn: reals((shape) => ({ call: (dtype, generator) => randn(shape, { dtype, generator }), range: [-9, 9] })),
  uniform: reals((shape, i) => {
    const [low, high] = pick(
      [
        [-2, 3],
        [0, 1e-3],
        [5, 6],
      ] as const,
      i,
    );
    return { call: (dtype, generator) => uniform(shape, { low, high, dtype, generator }), range: [low, high] };
  }),
  normal: reals((shape, i) => {
    const [mean, std] = pick(
      [
        [-2, 3],
        [100, 0],
        [0, 1e-3],
      ] as const,
      i,
    );
    const range = [mean - 9 * std, mean + 9 * std] as const;
    return { call: (dtype, generator) => normal(shape, { mean, std, dtype, generator }), range };
  }),
  bernoulli: reals((shape, i) => {
    const p = pick(RATES, i);
    const range = p === 0 ? ([0, 0] as const) : p === 1 ? ([1, 1] as const) : ([0, 1] as const);
    return { call: (dtype, generator) => bernoulli(shape, { p, dtype, generator }), range };
  }),
  randint: reals((shape, i) => {
    const [low, high] = pick(
      [
        [0, 2],
        [-5, 6],
        [-(2 ** 31), 2 ** 31],
      ] as const,
      i,
    );
    return { call: (_, generator) => randint(low, high, shape, { generator }), dtype: 'i32', range: [low, high - 1] };
  }),
  randperm: LENGTHS.map((n) => ({
    call: (_, generator) => randperm(n, { generator }),
    shape: [n],
    dtype: 'i32',
    range: n === 0 ? ALL : [0, n - 1],
  })),
  dropout: dropped(dropout, SHAPES),
  dropout1d: dropped(dropout1d, [...CHANNELS, [3, 4], [1, 1]]),
  dropout2d: dropped(
    dropout2d,
    CHANNELS.map(([n, c, length]) => [n!, c!, length!, 3]),
  ),
  stochasticDepth: [
    ...dropped(stochasticDepth, SHAPES.slice(1)),
    ...dropped((x, options) => stochasticDepth(x, { mode: 'batch', ...options }), SHAPES),
  ],
};
