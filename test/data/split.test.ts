import { describe, expect, it } from 'vitest';
import { batches } from '../../src/data/batches';
import { split } from '../../src/data/split';

const sorted = (indices: Iterable<number>) => [...indices].sort((a, b) => a - b);
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index);

describe('split', () => {
  it.each([
    [10, { validation: 0.1, test: 0.2 }, [7, 1, 2]],
    [1797, { test: 0.2 }, [1438, 0, 359]],
    [3, { validation: 0.1 }, [2, 1, 0]],
    [1, {}, [1, 0, 0]],
  ])('%i by %j', (n, options, sizes) => {
    const { train, validation, test } = split(n, options);
    expect([train.length, validation.length, test.length]).toEqual(sizes);
    expect(sorted([...train, ...validation, ...test])).toEqual(upTo(n));
  });

  it('depends on the seed alone', () => {
    const options = { validation: 0.2, test: 0.2 };
    expect(split(100, { ...options, seed: 3 })).toEqual(split(100, { ...options, seed: 3 }));
    expect(split(100, { ...options, seed: 3 }).test).not.toEqual(split(100, { ...options, seed: 4 }).test);
    expect(sorted(split(10, { test: 0.3 }).test)).toEqual([...split(10, { test: 0.3 }).test]);
    expect([...split(20, { validation: 0.2, test: 0.2 }).test]).toEqual([2, 11, 17, 18]);
  });

  it('keeps the proportions of labels, off by less than two examples, in every part', () => {
    const labels = upTo(300).map((index) => (index < 200 ? 'common' : index < 290 ? 'rare' : 'rarest'));
    const share = { common: 200 / 300, rare: 90 / 300, rarest: 10 / 300 };
    for (let seed = 0; seed < 20; seed++) {
      const parts = split(300, { validation: 0.1, test: 0.2, seed, stratify: labels });
      expect(parts.test.length).toBe(60);
      expect(parts.validation.length).toBe(30);
      expect(sorted([...parts.train, ...parts.validation, ...parts.test])).toEqual(upTo(300));
      for (const part of [parts.train, parts.validation, parts.test]) {
        for (const [label, fraction] of Object.entries(share)) {
          const count = [...part].filter((index) => labels[index] === label).length;
          expect(Math.abs(count - fraction * part.length)).toBeLessThan(2);
        }
      }
    }
  });

  it('refuses what leaves nothing to train on, a fraction out of range and labels that do not fit', () => {
    expect(() => split(2, { validation: 0.5, test: 0.5 })).toThrow(
      'split: validation (0.5) and test (0.5) leave nothing to train on: they take 1 and 1 of 2 examples.',
    );
    expect(() => split(0)).toThrow(expect.objectContaining({ code: 'BAD_VALUE' }));
    expect(() => split(10, { test: 1 })).toThrow(expect.objectContaining({ argument: 'test', got: 1 }));
    expect(() => split(10, { validation: Number.NaN })).toThrow(expect.objectContaining({ argument: 'validation' }));
    expect(() => split(3, { test: 0.2, stratify: [1, 2] })).toThrow('split: stratify has 2 labels for 3 examples.');
  });
});

describe('batches', () => {
  it('gives each example once; the tail is kept', () => {
    const epoch = batches(10, { batchSize: 4, seed: 1, epoch: 2 });
    expect(epoch.map((batch) => batch.length)).toEqual([4, 4, 2]);
    expect(sorted(epoch.flatMap((batch) => [...batch]))).toEqual(upTo(10));
  });

  it('drops the tail on request, and only a tail', () => {
    expect(batches(10, { batchSize: 4, dropLast: true }).map((batch) => batch.length)).toEqual([4, 4]);
    expect(batches(8, { batchSize: 4, dropLast: true })).toHaveLength(2);
    expect(batches(3, { batchSize: 4, dropLast: true })).toHaveLength(0);
  });

  it('orders by (seed, epoch)', () => {
    const order = (seed: number, epoch: number) => batches(50, { batchSize: 50, seed, epoch })[0]!;
    expect(order(1, 0)).toEqual(order(1, 0));
    expect(order(1, 0)).not.toEqual(order(1, 1));
    expect(order(1, 0)).not.toEqual(order(2, 0));
    expect([...batches(5, { batchSize: 5, shuffle: false })[0]!]).toEqual([0, 1, 2, 3, 4]);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses the batch size %d', (batchSize) => {
    expect(() => batches(10, { batchSize })).toThrow(
      expect.objectContaining({ argument: 'batchSize', got: batchSize }),
    );
  });
});
