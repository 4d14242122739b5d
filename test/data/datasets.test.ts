import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readBreastCancer, readDigits, readMnist } from '../../src/data/datasets';

const embedded = (name: string) => readFile(new URL(`../../data/${name}`, import.meta.url));

describe('embedded datasets', () => {
  it('digits: 1,797 images, pixels in 0 … 1, about 180 of each digit', async () => {
    const { x, y } = await readDigits(await embedded('digits.csv.gz'));
    expect([x.shape, y.shape]).toEqual([[1797, 64], [1797]]);
    expect(Math.min(...x.data.subarray(0, 64))).toBe(0);
    expect(x.data.reduce((a, b) => Math.max(a, b))).toBe(1);
    expect([...x.data.subarray(2, 6)]).toEqual([5 / 16, 13 / 16, 9 / 16, 1 / 16]);
    const counts = Array.from({ length: 10 }, (_, digit) => y.data.filter((label) => label === digit).length);
    expect(counts).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
  });

  it('breast cancer: 212 malignant, 357 benign, 30 features by name', async () => {
    const { x, y, classes, featureNames } = await readBreastCancer(await embedded('breast_cancer.csv'), {
      dtype: 'f64',
    });
    expect([x.shape, y.shape, classes]).toEqual([[569, 30], [569], ['malignant', 'benign']]);
    expect([x.data[0], x.data[29], y.data[0], y.data[568]]).toEqual([17.99, 0.1189, 0, 1]);
    expect(y.data.filter((label) => label === 0)).toHaveLength(212);
    expect([featureNames.length, featureNames[0], featureNames[20]]).toEqual([30, 'mean radius', 'worst radius']);
  });
});

describe('readMnist', () => {
  const header = (shape: number[]) => [0, 0, 8, shape.length, ...shape.flatMap((length) => [0, 0, 0, length])];
  const images = Uint8Array.of(...header([2, 1, 2]), 0, 255, 51, 102);

  it('flattens and scales images', async () => {
    const labels = Uint8Array.of(...header([2]), 9, 0);
    expect(await readMnist({ images, labels })).toEqual({
      x: { shape: [2, 2], data: Float32Array.of(0, 1, 0.2, 0.4) },
      y: { shape: [2], data: Int32Array.of(9, 0) },
    });
  });

  it('refuses a pair that does not fit', async () => {
    const labels = new File([Uint8Array.of(...header([3]), 0, 1, 2)], 'labels.idx');
    await expect(readMnist({ images, labels })).rejects.toThrow(
      'labels.idx: there must be one label per image; labels have the shape [3], images [2, 1, 2].',
    );
    await expect(readMnist({ images, labels: images })).rejects.toMatchObject({ code: 'BAD_DATA', argument: 'labels' });
    const negative = Uint8Array.of(0, 0, 9, 1, 0, 0, 0, 2, 0, 255);
    await expect(readMnist({ images, labels: negative })).rejects.toThrow(
      'labels: label 1 must be a whole number from 0 on; got -1.',
    );
  });
});
