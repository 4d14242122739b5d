import { DataError } from '../errors';
import { show, sizeOf } from '../shape';
import type { NdArray } from './dataset';
import { readCsv } from './readers/csv';
import { readIdx } from './readers/idx';
import { nameOf, readBytes, type Source } from './readers/source';
import { type LabelledTable, tableToXY } from './table';

/** Examples for a classifier: `x` [n, features], `y` [n] with indices of classes. */
export interface LabelledExamples {
  x: NdArray<Float32Array>;
  y: NdArray<Int32Array>;
}

/** `data/digits.csv.gz`: 1,797 images of handwritten digits, 8 × 8, with the pixels 0 … 16 scaled to 0 … 1. */
export async function readDigits(source: Source): Promise<LabelledExamples> {
  const table = await readCsv(source, { header: false, name: nameOf(source, undefined, 'digits.csv') });
  const { x, y } = tableToXY(table, { target: -1, task: 'classification' }) as LabelledTable & LabelledExamples;
  for (let i = 0; i < x.data.length; i++) x.data[i]! /= 16;
  return { x, y };
}

/** `data/breast_cancer.csv`: 569 tumours, 30 measurements each, not standardised; 0 is malignant and 1 benign. */
export async function readBreastCancer(
  source: Source,
  { dtype }: { dtype?: 'f32' | 'f64' } = {},
): Promise<LabelledTable> {
  const name = nameOf(source, undefined, 'breast_cancer.csv');
  // The first line is `569,30,malignant,benign`: counts and class names, four cells over rows of 31.
  const table = await readCsv(source, { header: false, skipRows: 1, name });
  const examples = tableToXY(table, { target: -1, task: 'classification', ...(dtype && { dtype }) });
  return { ...examples, classes: ['malignant', 'benign'], featureNames: BREAST_CANCER_FEATURES };
}

const NUCLEUS = [
  'radius',
  'texture',
  'perimeter',
  'area',
  'smoothness',
  'compactness',
  'concavity',
  'concave points',
  'symmetry',
  'fractal dimension',
];
const BREAST_CANCER_FEATURES = /* @__PURE__ */ ['mean', 'error of', 'worst'].flatMap((of) =>
  NUCLEUS.map((name) => `${of} ${name}`),
);

/**
 * `data/king-james-wisdom.txt.gz`: 440,000 characters of English of 1611, a verse a line: Job, Psalms, Proverbs, Ecclesiastes and
 * the Song of Solomon.
 */
export async function readKingJames(source: Source): Promise<string> {
  return new TextDecoder().decode(await readBytes(source, nameOf(source, undefined, 'king-james-wisdom.txt')));
}

/** A pair of IDX files, as MNIST and Fashion-MNIST come: images [n, …] flattened to rows, bytes scaled to 0 … 1. */
export async function readMnist(source: { images: Source; labels: Source }): Promise<LabelledExamples> {
  const file = nameOf(source.labels, undefined, 'labels');
  const [images, labels] = await Promise.all([readIdx(source.images), readIdx(source.labels, { name: file })]);
  const n = labels.shape[0]!;
  if (labels.shape.length !== 1 || images.shape[0] !== n) {
    throw new DataError(
      `there must be one label per image; labels have the shape ${show(labels.shape)}, images ${show(images.shape)}.`,
      { file, argument: 'labels', got: labels.shape, expected: [images.shape[0]] },
    );
  }
  const y = Int32Array.from(labels.data);
  const bad = y.findIndex((label, index) => label < 0 || label !== labels.data[index]);
  if (bad !== -1) {
    throw new DataError(`label ${bad} must be a whole number from 0 on; got ${labels.data[bad]}.`, {
      file,
      argument: 'labels',
      got: labels.data[bad],
    });
  }
  const x = Float32Array.from(images.data);
  if (images.data instanceof Uint8Array) for (let i = 0; i < x.length; i++) x[i]! /= 255;
  return { x: { shape: [n, sizeOf(images.shape.slice(1))], data: x }, y: { shape: [n], data: y } };
}
