import { describe, expect, it } from 'vitest';
import { countExamples, inMemory, takeExamples, takeRows } from '../../src/data/dataset';
import { standardise } from '../../src/data/standardise';

const f32 = (shape: number[], ...values: number[]) => ({ shape, data: Float32Array.from(values) });
const i32 = (shape: number[], ...values: number[]) => ({ shape, data: Int32Array.from(values) });

describe('examples in memory', () => {
  it('are counted along the first axis', () => {
    expect(countExamples({ x: f32([2, 2], 1, 2, 3, 4), y: i32([2], 0, 1) })).toBe(2);
  });

  it('are refused where x and y differ, are empty, or do not fill their shapes', () => {
    expect(() => countExamples({ x: f32([2, 1], 1, 2), y: i32([3], 0, 1, 2) }, 'train')).toThrow(
      expect.objectContaining({
        code: 'SHAPE_MISMATCH',
        message: 'train: x has 2 examples and y has 3: shapes [2, 1] and [3].',
      }),
    );
    expect(() => countExamples({ x: f32([0, 4]), y: i32([0]) })).toThrow(
      expect.objectContaining({ code: 'BAD_DATA', message: 'data: there are no examples: shapes [0, 4] and [0].' }),
    );
    expect(() => countExamples({ x: f32([2, 2], 1, 2, 3), y: i32([2], 0, 1) })).toThrow(
      'data: x has 3 elements, which do not fill its shape [2, 2].',
    );
    expect(() => countExamples({ x: f32([1], 1), y: i32([], 1) })).toThrow('data: y is a single number');
  });

  it('are taken by rows, in the order of the indices, and copied', () => {
    const x = f32([3, 2], 1, 2, 3, 4, 5, 6);
    const taken = takeExamples({ x, y: i32([3], 7, 8, 9) }, [2, 0, 2]);
    expect(taken).toEqual({ x: f32([3, 2], 5, 6, 1, 2, 5, 6), y: i32([3], 9, 7, 9) });
    taken.x.data[0] = 0;
    expect(x.data[4]).toBe(5);
    expect(takeRows(x, [])).toEqual(f32([0, 2]));
  });

  it('are told from iterables', async () => {
    const examples = { x: f32([1], 1), y: i32([1], 1) };
    async function* stream() {
      yield examples;
    }
    expect([examples, [examples], new Set([examples]), stream()].map(inMemory)).toEqual([true, false, false, false]);
  });
});

describe('standardise', () => {
  it('gives each feature mean 0 and standard deviation 1', () => {
    const { x, mean, std } = standardise(f32([4, 2], 1, 10, 2, 30, 3, 10, 4, 30));
    expect([...mean]).toEqual([2.5, 20]);
    expect([...std]).toEqual([Math.sqrt(1.25), 10]);
    expect(x).toEqual(f32([4, 2], ...[-1.5, -10, -0.5, 10, 0.5, -10, 1.5, 10].map((d, i) => d / std[i % 2]!)));
  });

  it('turns a constant feature into exactly 0, however badly its value rounds', () => {
    const constant = { shape: [1000], data: new Float64Array(1000).fill(0.1) };
    const { x, std } = standardise(constant);
    expect(std[0]).toBe(1);
    expect(x.data.every((value) => value === 0)).toBe(true);
  });

  it('keeps its accuracy where the mean is far from 0', () => {
    const far = { shape: [3], data: Float64Array.of(1e9 + 1, 1e9 + 2, 1e9 + 3) };
    expect(standardise(far).std[0]).toBeCloseTo(Math.sqrt(2 / 3), 12);
  });

  it('applies the statistics of other data, keeps f64 and turns integers into f32', () => {
    const training = standardise({ shape: [2, 1], data: Float64Array.of(0, 2) });
    expect(training.x.data).toBeInstanceOf(Float64Array);
    expect([...standardise(f32([1, 1], 5), training).x.data]).toEqual([4]);
    expect(standardise(i32([2, 1], 0, 2)).x).toEqual(f32([2, 1], -1, 1));
  });

  it('refuses statistics of other features, and no data', () => {
    const two = standardise(f32([1, 2], 1, 2));
    expect(() => standardise(f32([1, 3], 1, 2, 3), two)).toThrow(
      'standardise: x has 3 features per example, the statistics have 2: x is [1, 3].',
    );
    expect(() => standardise(f32([0, 3]))).toThrow(expect.objectContaining({ code: 'BAD_DATA' }));
  });
});
