import { describe, expect, it } from 'vitest';
import { permutation, philox4x32 } from '../../src/data/philox';

const F = 0xffffffff;

describe('philox4x32', () => {
  // The known answers of the Random123 distribution (kat_vectors).
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[F, F, F, F], [F, F], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ] as const)('counter %j, key %j', (counter, key, words) => {
    const hex = philox4x32([...counter], [...key]).map((word) => word.toString(16).padStart(8, '0'));
    expect(hex.join(' ')).toBe(words);
  });
});

describe('permutation', () => {
  /** As assembly/isa.ts words it, with products in 64 bits. */
  function reference(n: number, seed: number, stream: number, position: number): number[] {
    const order = Array.from({ length: n }, (_, index) => index);
    for (let i = n - 1; i >= 1; i--) {
      const word = philox4x32([Math.floor(i / 4), 0, position, 0], [seed, stream])[i % 4]!;
      const other = Number((BigInt(word) * BigInt(i + 1)) >> 32n);
      [order[i], order[other]] = [order[other]!, order[i]!];
    }
    return order;
  }

  it.each([0, 1, 2, 3, 4, 5, 7, 8, 9, 64, 1000, 70_000])('of %i equals the definition', (n) => {
    expect([...permutation(n, { seed: 7, stream: 3, position: 5 })]).toEqual(reference(n, 7, 3, 5));
  });

  it('depends on seed, stream and position', () => {
    const orders = [
      { seed: 0, stream: 1, position: 0 },
      { seed: 1, stream: 1, position: 0 },
      { seed: 0, stream: 2, position: 0 },
      { seed: 0, stream: 1, position: 1 },
    ].map((key) => permutation(50, key).join());
    expect(new Set(orders).size).toBe(4);
  });

  it('puts each element at each place equally often', () => {
    const counts = new Float64Array(25);
    const trials = 5000;
    for (let seed = 0; seed < trials; seed++) {
      permutation(5, { seed, stream: 1 }).forEach((element, place) => {
        counts[element * 5 + place]! += 1;
      });
    }
    const expected = trials / 5;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(39.3); // 16 degrees of freedom, p = 0.001
  });

  it.each([-1, 1.5, 2 ** 32, Number.NaN])('refuses the seed %d', (seed) => {
    expect(() => permutation(3, { seed, stream: 1 })).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', argument: 'seed', got: seed }),
    );
  });
});
