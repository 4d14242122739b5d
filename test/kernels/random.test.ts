import { describe, expect, it } from 'vitest';
import { Op, Random, RandomKind } from '../../assembly/isa';
import { cores } from './core';
import { rounder } from './law';
import { double, range, record } from './record';

/** Philox4x32-10 as the paper writes it (Salmon et al., SC 2011), in whole numbers without bound. */
function philox(counter: number[], key: number[]): number[] {
  const word = 0xffffffffn;
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & word, (p0 >> 32n) ^ c3 ^ k1, p0 & word];
    k0 = (k0 + 0x9e3779b9n) & word;
    k1 = (k1 + 0xbb67ae85n) & word;
  }
  return [c0, c1, c2, c3].map(Number);
}

it('the reference gives the known answers of Random123', () => {
  const pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
  const all = 0xffffffff;
  expect(philox([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  expect(philox([all, all, all, all], [all, all])).toEqual([0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
  expect(philox(pi, [0xa4093822, 0x299f31d0])).toEqual([0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]);
});

const generators = [
  { seed: 0, stream: 0, position: 0, draw: 0 },
  { seed: 42, stream: 3, position: 1000, draw: 7 },
  { seed: 0xffffffff, stream: 0xdeadbeef, position: 0xfffffffe, draw: 5 }, // position + draw wraps
];
type Generator = (typeof generators)[number];

describe.each(cores)('random, $precision', (core) => {
  const round = rounder(core);

  function draw(
    kind: RandomKind,
    size: number,
    { seed, stream, position, draw }: Generator,
    { low = 0, high = 1, per = Math.ceil(size / 4) * 4 || 4, shift = 0 } = {},
  ): number[] {
    core.reset();
    const whole = kind === RandomKind.INTEGER || kind === RandomKind.PERMUTATION;
    const generator = core.ints([seed, stream, position, 0]);
    const destination = whole ? core.ints(size, shift) : core.reals(size, shift);
    const chunks = kind === RandomKind.PERMUTATION ? 1 : Math.ceil(size / per);
    core.run(
      record(Op.RANDOM, chunks, {
        [Random.KIND]: kind,
        [Random.SIZE]: size,
        [Random.CHUNK]: per,
        [Random.DRAW]: draw,
        ...double(Random.LOW, low),
        ...double(Random.HIGH, high),
        [Random.GENERATOR]: generator.byteOffset,
        [Random.DESTINATION]: destination.byteOffset,
      }),
    );
    return [...destination];
  }

  /** The first `count` words of a draw. */
  function wordsOf(count: number, { seed, stream, position, draw }: Generator): number[] {
    const words: number[] = [];
    for (let block = 0; words.length < count; block++) {
      words.push(...philox([block, 0, (position + draw) >>> 0, 0], [seed, stream]));
    }
    return words;
  }

  function uniforms(count: number, generator: Generator): number[] {
    const words = wordsOf(2 * count, generator);
    return Array.from({ length: count }, (_, e) =>
      core.precision === 'f32'
        ? (words[e]! >>> 8) * 2 ** -24
        : ((words[2 * e]! >>> 5) * 2 ** 26 + (words[2 * e + 1]! >>> 6)) * 2 ** -53,
    );
  }

  it('uniform numbers are those of the law, to the bit', () => {
    for (const generator of generators) {
      for (const size of [...range(68), 1000]) {
        const u = uniforms(size, generator);
        expect(draw(RandomKind.UNIFORM, size, generator, { shift: size % 4 })).toEqual(u);
        const [low, range] = [round(-0.3), round(round(1.7) - round(-0.3))];
        const expected = u.map((x) => round(low + round(x * range)));
        expect(draw(RandomKind.UNIFORM, size, generator, { low: -0.3, high: 1.7 })).toEqual(expected);
      }
    }
  });

  it('bernoulli and whole numbers too', () => {
    for (const generator of generators) {
      for (const size of [1, 2, 3, 4, 5, 15, 16, 17, 64, 67]) {
        const hits = uniforms(size, generator).map((u) => Number(u < round(0.3)));
        expect(draw(RandomKind.BERNOULLI, size, generator, { high: 0.3, shift: 1 })).toEqual(hits);
        for (const [low, high] of [
          [0, 10],
          [-5, 6],
          [-2147483648, 2147483647],
          [7, 8],
        ] as const) {
          const span = BigInt(high - low);
          const whole = wordsOf(size, generator).slice(0, size);
          const expected = whole.map((w) => low + Number((BigInt(w) * span) >> 32n));
          expect(draw(RandomKind.INTEGER, size, generator, { low, high, shift: 3 })).toEqual(expected);
        }
      }
    }
  });

  it('normals follow Box-Muller', () => {
    for (const generator of generators) {
      for (const size of range(68)) {
        const u = uniforms(size + 1, generator);
        const numbers = draw(RandomKind.NORMAL, size, generator, { shift: 2 });
        const shifted = draw(RandomKind.NORMAL, size, generator, { low: 5, high: 0.5 });
        for (let e = 0; e < size; e++) {
          const radius = Math.sqrt(-2 * Math.log(1 - u[e & ~1]!));
          const angle = 2 * Math.PI * u[e | 1]!;
          const expected = radius * (e & 1 ? Math.sin(angle) : Math.cos(angle));
          expect(Math.abs(numbers[e]! - expected)).toBeLessThan(core.precision === 'f32' ? 4e-6 : 1e-14);
          expect(shifted[e]).toBe(round(5 + round(0.5 * numbers[e]!)));
        }
      }
    }
  });

  it('normals have the moments of normals', () => {
    const numbers = draw(RandomKind.NORMAL, 200000, generators[1]!);
    const moment = (k: number) => numbers.reduce((sum, x) => sum + x ** k, 0) / numbers.length;
    expect(Math.abs(moment(1))).toBeLessThan(0.01);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.015);
    expect(Math.abs(moment(3))).toBeLessThan(0.03);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.1);
    expect(numbers.every(Number.isFinite)).toBe(true);
  });

  it.each([RandomKind.UNIFORM, RandomKind.NORMAL, RandomKind.BERNOULLI, RandomKind.INTEGER])(
    'kind %i does not depend on chunks or on the size',
    (kind) => {
      const options = { low: 0, high: kind === RandomKind.INTEGER ? 1000 : 0.9 };
      const whole = draw(kind, 1003, generators[1]!, options);
      for (const per of [4, 8, 20, 64, 500]) {
        expect(draw(kind, 1003, generators[1]!, { ...options, per })).toEqual(whole);
      }
      expect(draw(kind, 501, generators[1]!, options)).toEqual(whole.slice(0, 501));
    },
  );

  it('permutations are those of Fisher and Yates', () => {
    for (const generator of generators) {
      for (const size of [...range(68), 1000]) {
        const expected = range(size);
        const words = wordsOf(size, generator);
        for (let i = size - 1; i > 0; i--) {
          const other = Number((BigInt(words[i]!) * BigInt(i + 1)) >> 32n);
          [expected[i], expected[other]] = [expected[other]!, expected[i]!];
        }
        expect(draw(RandomKind.PERMUTATION, size, generator, { shift: 1 })).toEqual(expected);
      }
    }
  });
});
