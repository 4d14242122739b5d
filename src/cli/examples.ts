import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Examples, type NdArray, takeExamples } from '../data/dataset';
import { type LabelledExamples, readMnist } from '../data/datasets';
import { readCsv } from '../data/readers/csv';
import { split } from '../data/split';
import { type Statistics, standardise } from '../data/standardise';
import { type Table, tableToXY } from '../data/table';
import { DataError } from '../errors';
import { UsageError } from './command';
import { isFolder, readPath } from './files';
import type { ModelCard } from './model-file';
import { plural } from './render/numbers';

/** What `--data` holds, ready to train on; and of the model's card what the data decides. */
export interface TrainingData {
  train: Examples;
  validation: Examples | null;
  test: Examples | null;
  card: Pick<ModelCard, 'inputs' | 'target' | 'split'>;
}

export interface SplitWishes {
  seed: number;
  /** Fractions of all examples. */
  validation: number;
  test: number;
}

/** A folder of IDX files: those named train-… to train on, those named t10k-… to test with. */
export async function readTrainingFolder(
  folder: string,
  { seed, validation }: Omit<SplitWishes, 'test'>,
): Promise<TrainingData> {
  const [train, test] = [await readIdxPair(folder, 'train'), await readIdxPair(folder, 't10k')];
  const classes = numbered(train.y.data.reduce((most, label) => Math.max(most, label), 0) + 1);
  const card = pictureCard({ pixels: train.x.shape[1]!, divisor: 255, classes });
  checkWidth(folder, test.x.shape[1]!, card.inputs, 'the training images have');
  checkLabels(join(folder, 't10k-labels-idx1-ubyte'), test.y, classes);
  return { ...splitExamples(train, { seed, validation, test: 0 }, train.y.data), test, card };
}

/** A table. Its features, and a target that is a number, are standardised by the rows that are trained on. */
export async function readTrainingTable(
  path: string,
  { target, task, ...wishes }: SplitWishes & { target: string; task: 'auto' | 'classification' | 'regression' },
): Promise<TrainingData> {
  const bytes = await readPath(path);
  const table = await readCsv(bytes, { name: path });
  const { x, y, classes, featureNames } = tableToXY(table, { target, task });
  const column = table.columns.find((name) => !featureNames.includes(name)) ?? target;
  if (classes?.length === 1) {
    throw new DataError(
      `the target ${JSON.stringify(column)} is ${JSON.stringify(classes[0])} in every row: there is nothing to learn.`,
      { file: path, argument: 'target', got: classes },
    );
  }
  const parts = splitExamples({ x, y }, wishes, classes && (y.data as Int32Array));
  const inputs = standardise(parts.train.x);
  const outputs = classes ? { mean: [0], std: [1] } : standardise(asColumn(parts.train.y));
  const card: TrainingData['card'] = {
    inputs: {
      mean: [...inputs.mean],
      std: [...inputs.std],
      names: hasNames(table) ? featureNames : null,
      picture: null,
    },
    target: { column, classes: classes ?? null, mean: outputs.mean[0]!, std: outputs.std[0]! },
    split: { sha256: sha256(bytes), ...wishes },
  };
  const apply = (examples: Examples | null) => examples && prepare(examples, card);
  return {
    train: prepare(parts.train, card),
    validation: apply(parts.validation),
    test: apply(parts.test),
    card,
  };
}

/** The examples of a file that a trained model is to be judged by. */
export async function readEvaluationData(
  path: string,
  card: ModelCard,
  { target = card.target.column ?? undefined, heldOut = false }: { target?: string | undefined; heldOut?: boolean },
): Promise<{ examples: Examples; wasTrainedOn: boolean }> {
  if (await isFolder(path)) {
    const examples = await readIdxPair(path, 't10k');
    if (!card.target.classes)
      throw new DataError('labels are classes, and the model predicts a number.', { file: path });
    checkWidth(path, examples.x.shape[1]!, card.inputs);
    checkLabels(join(path, 't10k-labels-idx1-ubyte'), examples.y, card.target.classes);
    return { examples, wasTrainedOn: false };
  }
  const bytes = await readPath(path);
  const table = await readCsv(bytes, { name: path });
  if (target === undefined) {
    throw new UsageError('--target is missing: the model learned from pictures, so name the column with the labels.');
  }
  const { classes } = card.target;
  const labelled = tableToXY(withColumns(table, card, target), {
    target: -1,
    ...(classes ? { classes } : { task: 'regression' }),
  });
  const same = card.split?.sha256 === sha256(bytes);
  if (!heldOut) return { examples: prepare(labelled, card), wasTrainedOn: same };
  if (!card.split || !same || card.split.test === 0) {
    const why = !card.split || !same ? 'this is not the table that the model was trained on.' : 'none were held out.';
    throw new DataError(`--held-out wants the rows that training held out, and ${why}`, { file: path });
  }
  const test = splitExamples(labelled, card.split, classes ? (labelled.y.data as Int32Array) : undefined).test!;
  return { examples: prepare(test, card), wasTrainedOn: false };
}

/** The inputs of a file whose answers are not known; a target column is left aside. */
export async function readInputs(path: string, card: ModelCard): Promise<NdArray> {
  if (await isFolder(path)) {
    const { x } = await readIdxPair(path, 't10k');
    checkWidth(path, x.shape[1]!, card.inputs);
    return x;
  }
  const table = await readCsv(await readPath(path), { name: path });
  const { x } = tableToXY(withColumns(table, card), { target: -1, task: 'regression' });
  return standardise(x, statisticsOf(card)).x;
}

/** The card of a model for pictures whose pixels 0 … divisor were scaled to 0 … 1. */
export function pictureCard({ pixels, divisor, classes }: { pixels: number; divisor: number; classes: string[] }) {
  const side = Math.sqrt(pixels);
  return {
    inputs: {
      mean: Array<number>(pixels).fill(0),
      std: Array<number>(pixels).fill(divisor),
      names: null,
      picture: Number.isInteger(side) ? ([side, side] as [number, number]) : null,
    },
    target: { column: null, classes, mean: 0, std: 1 },
    split: null,
  };
}

/** '0', '1', … */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, label) => String(label));
}

/** The same shares of every class in all parts, where there are classes. */
export function splitExamples(examples: Examples, wishes: SplitWishes, labels?: ArrayLike<number>) {
  const parts = split(examples.x.shape[0]!, { ...wishes, ...(labels && { stratify: labels }) });
  const take = (indices: Int32Array) => (indices.length ? takeExamples(examples, indices) : null);
  return { train: takeExamples(examples, parts.train), validation: take(parts.validation), test: take(parts.test) };
}

/** Values of a table as the model takes and gives them. */
function prepare({ x, y }: Examples, card: Pick<ModelCard, 'inputs' | 'target'>): Examples {
  const { classes, mean, std } = card.target;
  const statistics = { mean: Float64Array.of(mean), std: Float64Array.of(std) };
  return {
    x: standardise(x, statisticsOf(card)).x,
    y: classes ? y : standardise(asColumn(y), statistics).x,
  };
}

function statisticsOf({ inputs }: Pick<ModelCard, 'inputs'>): Statistics {
  return { mean: Float64Array.from(inputs.mean), std: Float64Array.from(inputs.std) };
}

/** [n] as [n, 1]: what a model with one output gives. */
function asColumn({ shape, data }: NdArray): NdArray {
  return { shape: [shape[0]!, 1], data };
}

/**
 * The table with the columns that the model takes, in its order, and the target behind them. Without a target a column of
 * zeros stands there, for a table is always read with one.
 */
function withColumns(table: Table, { inputs, target: { column } }: ModelCard, target?: string): Table {
  const all = table.columns.map((_, index) => index);
  const aside = target ?? (table.columns.length > inputs.mean.length ? column : null);
  const targetColumn = aside === null ? undefined : findColumn(table, aside, target !== undefined);
  const chosen = inputs.names ? columnsNamed(table, inputs.names) : all.filter((index) => index !== targetColumn);
  checkWidth(table.name, chosen.length, inputs);
  return {
    ...table,
    columns: [...chosen.map((index) => table.columns[index]!), aside ?? 'target'],
    row: (index) => {
      const cells = table.row(index);
      const answer = target === undefined ? '0' : cells[targetColumn!]!;
      return [...chosen.map((column) => cells[column]!), answer];
    },
  };
}

/** A column's place by its name or number, counted from the end where negative. */
function findColumn({ name, columns }: Table, target: string, mustExist: boolean): number | undefined {
  const named = columns.indexOf(target);
  if (named !== -1) return named;
  const index = columns.at(Number(target)) === undefined ? -1 : Number(target);
  if (/^-?\d+$/.test(target) && index !== -1) return index < 0 ? index + columns.length : index;
  if (!mustExist) return undefined;
  throw new DataError(`there is no column ${JSON.stringify(target)} to be the target; there are ${list(columns)}.`, {
    file: name,
    argument: 'target',
    got: target,
    expected: columns,
  });
}

function columnsNamed({ name, columns }: Table, wanted: string[]): number[] {
  const missing = wanted.filter((column) => !columns.includes(column));
  if (missing.length > 0) {
    throw new DataError(
      `it does not fit the model, which takes the columns ${list(wanted)}: the file has ${list(columns)}, so ` +
        `${list(missing)} ${missing.length === 1 ? 'is' : 'are'} missing.`,
      { file: name, argument: 'data', got: columns, expected: wanted },
    );
  }
  return wanted.map((column) => columns.indexOf(column));
}

function checkWidth(file: string, got: number, { mean, picture }: ModelCard['inputs'], who = 'the model takes'): void {
  if (got === mean.length) return;
  const what = picture
    ? `${picture.join(' × ')} pixels, ${plural(mean.length, 'input')}`
    : plural(mean.length, 'input');
  throw new DataError(`it does not fit: ${who} ${what}, and each example here has ${got}.`, {
    file,
    argument: 'data',
    got,
    expected: mean.length,
  });
}

function checkLabels(file: string, { data }: NdArray, classes: string[]): void {
  const bad = data.findIndex((label) => label >= classes.length);
  if (bad === -1) return;
  throw new DataError(`label ${bad} is ${data[bad]}; the model knows 0 … ${classes.length - 1}.`, {
    file,
    argument: 'labels',
    got: data[bad],
    expected: classes,
  });
}

/** Names that can be relied on: there is a header, and it tells all columns apart. */
function hasNames({ columns }: Table): boolean {
  return columns.some((name, index) => name !== String(index)) && new Set(columns).size === columns.length;
}

async function readIdxPair(folder: string, part: 'train' | 't10k'): Promise<LabelledExamples> {
  const names = await readdir(folder);
  const open = async (kind: 'images' | 'labels', rank: 3 | 1) => {
    const expected = `${part}-${kind}-idx${rank}-ubyte`;
    const name = names.find((each) => each.replace(/\.gz$/, '').replace('.idx', '-idx') === expected);
    if (name === undefined) {
      throw new DataError(
        `there is no ${expected} (or ${expected}.gz) in this folder; it has ${names.length ? list(names) : 'no files'}.`,
        { file: folder, argument: 'data', got: names, expected },
      );
    }
    const path = join(folder, name);
    return new File([(await readPath(path)) as BlobPart], path);
  };
  return readMnist({ images: await open('images', 3), labels: await open('labels', 1) });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => JSON.stringify(name));
  return names.length > 8 ? `${shown.join(', ')}, … (${names.length} in all)` : shown.join(', ');
}
