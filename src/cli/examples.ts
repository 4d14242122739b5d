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

/** A model's card, and how errors call the model. */
export interface NamedCard {
  name: string;
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
  checkWidth(join(folder, 't10k-images-idx3-ubyte'), test.x.shape[1]!, { name: 'train-images-idx3-ubyte', card });
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
  model: NamedCard,
  { target: given, heldOut = false }: { target?: string | undefined; heldOut?: boolean },
): Promise<{ examples: Examples; wasTrainedOn: boolean }> {
  const { card } = model;
  const target = given ?? card.target.column ?? undefined;
  if (await isFolder(path)) {
    const examples = await readIdxPair(path, 't10k');
    if (!card.target.classes)
      throw new DataError('labels are classes, and the model predicts a number.', { file: path });
    checkWidth(path, examples.x.shape[1]!, model);
    checkLabels(join(path, 't10k-labels-idx1-ubyte'), examples.y, card.target.classes);
    return { examples, wasTrainedOn: false };
  }
  const bytes = await readPath(path);
  const table = await readCsv(bytes, { name: path });
  if (target === undefined) {
    throw new UsageError('--target is missing: the model learned from pictures, so name the column with the labels.');
  }
  const { classes } = card.target;
  const labelled = tableToXY(arrange(table, model, target), {
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
export async function readInputs(path: string, model: NamedCard): Promise<NdArray> {
  if (await isFolder(path)) {
    const { x } = await readIdxPair(path, 't10k');
    checkWidth(path, x.shape[1]!, model);
    return x;
  }
  const table = await readCsv(await readPath(path), { name: path });
  const { x } = tableToXY(arrange(table, model), { target: -1, task: 'regression' });
  return standardise(x, statisticsOf(model.card)).x;
}

/** The card of a model for pictures whose pixels 0 … divisor were scaled to 0 … 1. */
export function pictureCard({
  pixels,
  divisor,
  classes,
  column = null,
}: {
  pixels: number;
  divisor: number;
  classes: string[];
  /** Of the labels, where the pictures are rows of a table. */
  column?: string | null;
}): TrainingData['card'] {
  const side = Math.sqrt(pixels);
  return {
    inputs: {
      mean: Array<number>(pixels).fill(0),
      std: Array<number>(pixels).fill(divisor),
      names: null,
      picture: Number.isInteger(side) ? [side, side] : null,
    },
    target: { column, classes, mean: 0, std: 1 },
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
function arrange(table: Table, model: NamedCard, target?: string): Table {
  const { inputs } = model.card;
  const targetColumn = target === undefined ? undefined : findColumn(table, target);
  const chosen = inputs.names ? columnsNamed(table, inputs.names, model) : columnsBeside(targetColumn, table, model);
  if (target !== undefined && targetColumn === undefined) {
    throw new DataError(
      `there is no column ${JSON.stringify(target)} to be the target; there are ${list(table.columns)}.`,
      {
        file: table.name,
        argument: 'target',
        got: target,
        expected: table.columns,
      },
    );
  }
  return {
    ...table,
    columns: [...chosen.map((column) => table.columns[column]!), target ?? 'target'],
    row: (index) => {
      const cells = table.row(index);
      return [...chosen.map((column) => cells[column]!), targetColumn === undefined ? '0' : cells[targetColumn]!];
    },
  };
}

/** A column's place by its name, or by its number, which counts from the end where it is negative. */
function findColumn({ columns }: Table, target: string): number | undefined {
  if (columns.includes(target)) return columns.indexOf(target);
  const place = /^-?\d+$/.test(target) ? Number(target) : Number.NaN;
  return [place, place + columns.length].find((column) => columns[column] !== undefined);
}

function columnsNamed({ name: file, columns }: Table, wanted: string[], model: NamedCard): number[] {
  const missing = wanted.filter((column) => !columns.includes(column));
  if (missing.length > 0) {
    throw new DataError(
      `${list(missing)} ${missing.length === 1 ? 'is' : 'are'} missing: ${model.name} takes the columns ${list(wanted)}, ` +
        `and there are ${list(columns)}.`,
      { file, argument: 'data', got: columns, expected: wanted },
    );
  }
  return wanted.map((column) => columns.indexOf(column));
}

/** All columns but the target: the one given, or, where there is one column too many, that of the training data. */
function columnsBeside(target: number | undefined, table: Table, model: NamedCard): number[] {
  const all = table.columns.map((_, column) => column);
  const { inputs, target: trained } = model.card;
  const spare = all.length === inputs.mean.length + 1 && trained.column !== null;
  const aside = target ?? (spare ? findColumn(table, trained.column!) : undefined);
  const chosen = all.filter((column) => column !== aside);
  checkWidth(table.name, chosen.length, model);
  return chosen;
}

function checkWidth(file: string, got: number, { name, card: { inputs } }: NamedCard): void {
  const expected = inputs.mean.length;
  if (got === expected) return;
  const pictures = inputs.picture ? `, pictures of ${inputs.picture.join(' × ')}` : '';
  throw new DataError(`each example has ${plural(got, 'input')}, and ${name} takes ${expected}${pictures}.`, {
    file,
    argument: 'data',
    got,
    expected,
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

/** Of a file's bytes: to know it again. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => JSON.stringify(name));
  return names.length > 8 ? `${shown.join(', ')}, … (${names.length} in all)` : shown.join(', ');
}
