import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type NamedCard,
  readEvaluationData,
  readInputs,
  readTrainingFolder,
  readTrainingTable,
} from '../../src/cli/examples';
import { loadModel, type ModelCard, moduleFor, saveModel } from '../../src/cli/model-file';
import { writeSafetensors } from '../../src/formats/safetensors';
import { flowersCsv, housesCsv, Scratch, writeIdxFolder } from './files';

const scratch = new Scratch();
afterAll(() => scratch.remove());

const flowers = scratch.write('flowers.csv', flowersCsv());
const wishes = { target: 'species', task: 'auto', seed: 1, validation: 0.1, test: 0.2 } as const;
const named = async (path: string, more = {}): Promise<NamedCard> => ({
  name: 'm.safetensors',
  card: (await readTrainingTable(path, { ...wishes, ...more })).card,
});

describe('a table', () => {
  test('is parted in equal shares of every class, and standardised by the rows that are trained on', async () => {
    const { train, validation, test: held, card } = await readTrainingTable(flowers, wishes);
    expect([train, validation, held].map((part) => part!.x.shape)).toEqual([
      [84, 3],
      [12, 3],
      [24, 3],
    ]);
    const shares = [0, 1, 2].map((label) => held!.y.data.filter((y) => y === label).length);
    expect(shares).toEqual([8, 8, 8]);
    const heights = Array.from(train.x.data).filter((_, i) => i % 3 === 0);
    expect(heights.reduce((a, b) => a + b, 0) / heights.length).toBeCloseTo(0, 5);
    expect(card.target).toEqual({ column: 'species', classes: ['iris', 'rose', 'tulip'], mean: 0, std: 1 });
    expect(card.inputs.names).toEqual(['height', 'width', 'noise']);
  });

  test('is read for evaluation as it was for training: the held-out rows to the bit', async () => {
    const { test: held, card } = await readTrainingTable(flowers, wishes);
    const { examples, wasTrainedOn } = await readEvaluationData(flowers, { name: 'm', card }, { heldOut: true });
    expect(examples).toEqual(held);
    expect(wasTrainedOn).toBe(false);
    const all = await readEvaluationData(flowers, { name: 'm', card }, {});
    expect(all.examples.x.shape).toEqual([120, 3]);
    expect(all.wasTrainedOn).toBe(true);
  });

  test('may have its columns in another order, more of them, and no target for predictions', async () => {
    const model = await named(flowers);
    const [one, two] = ['height,width,noise\n1,2,3', 'name,noise,species,width,height\nx,3,rose,2,1'];
    const expected = await readInputs(scratch.write('one.csv', one), model);
    expect(await readInputs(scratch.write('two.csv', two), model)).toEqual(expected);
  });

  test('may have no names', async () => {
    const path = scratch.write('bare.csv', flowersCsv(120, false));
    const model = await named(path, { target: '-1' });
    expect(model.card.inputs.names).toBeNull();
    expect(model.card.target.column).toBe('3');
    const full = await readInputs(path, model);
    const without = flowersCsv(120, false).replace(/,\w+$/gm, '');
    expect(await readInputs(scratch.write('without.csv', without), model)).toEqual(full);
  });

  test('gives a number as the target in units of its spread', async () => {
    const path = scratch.write('houses.csv', housesCsv());
    const { train, card } = await readTrainingTable(path, { ...wishes, target: 'price' });
    expect(card.target.classes).toBeNull();
    expect(train.y.shape).toEqual([84, 1]);
    const mean = Array.from(train.y.data).reduce((a, b) => a + b, 0) / 84;
    expect(mean).toBeCloseTo(0, 5);
  });

  test.each([
    ['nope.csv', undefined, {}, 'nope.csv: there is no such file or folder.'],
    [
      'flowers.csv',
      undefined,
      { target: 'kind' },
      'flowers.csv: there is no column "kind" to be the target; there are "height"',
    ],
    [
      'ragged.csv',
      'a,b\n1,2\n1,2,3',
      { target: 'b' },
      'ragged.csv, line 3: this row has 3 cells, the rows before it have 2.',
    ],
    [
      'words.csv',
      'a,b\n1,0\nx,1',
      { target: 'b' },
      'words.csv, line 3: the cell of column "a" must be a finite number; got "x".',
    ],
    ['same.csv', 'a,b\n1,x\n2,x', { target: 'b' }, 'same.csv: the target "b" is "x" in every row'],
    ['numbers.csv', 'a,b\n1,x\n2,y', { target: 'b', task: 'regression' }, 'column "b" must be a finite number'],
    ['few.csv', 'a,b\n1,x\n2,y', { target: 'b' }, 'leave nothing to train on'],
  ])('%s is refused', async (name, text, more, message) => {
    if (text) scratch.write(name, text);
    await expect(readTrainingTable(scratch.path(name), { ...wishes, ...more } as never)).rejects.toThrow(message);
  });

  test('that does not fit the model is refused, both sides named', async () => {
    const model = await named(flowers);
    const bare = await named(scratch.write('bare.csv', flowersCsv(120, false)), { target: '-1' });
    const other = scratch.write('other.csv', 'height,breadth,species\n1,2,rose');
    await expect(readEvaluationData(other, model, {})).rejects.toThrow(
      'other.csv: "width", "noise" are missing: m.safetensors takes the columns "height", "width", "noise", and there are "height", "breadth", "species".',
    );
    const narrow = scratch.write('narrow.csv', '1,2\n3,4');
    await expect(readInputs(narrow, bare)).rejects.toThrow('each example has 2 inputs, and m.safetensors takes 3.');
    await expect(readEvaluationData(flowers, model, { target: 'kind' })).rejects.toThrow('there is no column "kind"');
    const tulips = scratch.write('new.csv', 'height,width,noise,species\n1,2,3,violet');
    await expect(readEvaluationData(tulips, model, {})).rejects.toThrow(
      'must be one of "iris", "rose", "tulip"; got "violet"',
    );
    await expect(readEvaluationData(tulips, model, { heldOut: true })).rejects.toThrow('must be one of');
    const known = scratch.write('known.csv', 'height,width,noise,species\n1,2,3,rose');
    await expect(readEvaluationData(known, model, { heldOut: true })).rejects.toThrow('not the table that the model');
    const none = await named(flowers, { test: 0 });
    await expect(readEvaluationData(flowers, none, { heldOut: true })).rejects.toThrow('none were held out');
  });
});

describe('a folder of IDX files', () => {
  const pictures = new Scratch();
  writeIdxFolder(pictures);
  afterAll(() => pictures.remove());

  test('has training and test pictures', async () => {
    const {
      train,
      validation,
      test: held,
      card,
    } = await readTrainingFolder(pictures.folder, { seed: 0, validation: 0.1 });
    expect([train.x.shape, validation!.x.shape, held!.x.shape]).toEqual([
      [72, 16],
      [8, 16],
      [20, 16],
    ]);
    expect(card.inputs.picture).toEqual([4, 4]);
    expect(card.target.classes).toEqual(['0', '1', '2', '3']);
    const { examples } = await readEvaluationData(pictures.folder, { name: 'm', card }, {});
    expect(examples).toEqual(held);
    expect(await readInputs(pictures.folder, { name: 'm', card })).toEqual(held!.x);
  });

  test('is compared with the model, and a table is asked for its labels', async () => {
    const model = await named(flowers);
    await expect(readEvaluationData(pictures.folder, model, {})).rejects.toThrow(
      'each example has 16 inputs, and m.safetensors takes 3.',
    );
    const { card } = await readTrainingFolder(pictures.folder, { seed: 0, validation: 0 });
    await expect(readEvaluationData(flowers, { name: 'm', card }, {})).rejects.toThrow('--target is missing');
    const houses = await named(scratch.write('houses.csv', housesCsv()), { target: 'price' });
    await expect(readEvaluationData(pictures.folder, houses, {})).rejects.toThrow('the model predicts a number');
  });

  test('without its files, or with damaged ones, is refused', async () => {
    const broken = new Scratch();
    const read = () => readTrainingFolder(broken.folder, { seed: 0, validation: 0 });
    await expect(read()).rejects.toThrow(
      'there is no train-images-idx3-ubyte (or train-images-idx3-ubyte.gz) in this folder; it has no files.',
    );
    writeIdxFolder(broken);
    rmSync(broken.path('t10k-labels-idx1-ubyte'));
    await expect(read()).rejects.toThrow('there is no t10k-labels-idx1-ubyte');
    broken.write('t10k-labels-idx1-ubyte', Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 9, 1));
    await expect(read()).rejects.toThrow(`${join(broken.folder, 't10k-labels-idx1-ubyte')}: the file is cut off`);
    writeIdxFolder(broken, { side: 5 });
    const small = new Scratch();
    writeIdxFolder(small);
    const { card } = await readTrainingFolder(small.folder, { seed: 0, validation: 0 });
    await expect(readEvaluationData(broken.folder, { name: 'm', card }, {})).rejects.toThrow(
      'each example has 25 inputs, and m takes 16, pictures of 4 × 4.',
    );
    small.remove();
    broken.remove();
  });
});

describe("a model's file", () => {
  const card = async () => ({ version: 1, model: 'mlp:5', ...(await named(flowers)).card }) satisfies ModelCard;

  test('brings back weights and card', async () => {
    const stored = { card: await card(), module: moduleFor(await card()) };
    await saveModel(scratch.path('m.safetensors'), stored);
    const again = await loadModel(scratch.path('m.safetensors'));
    expect(again.card).toEqual(stored.card);
    const weights = (model: typeof again) =>
      Object.entries(model.module.stateDict()).map(([name, value]) => [name, value.toArray()]);
    expect(weights(again)).toEqual(weights(stored));
  });

  test('is refused where it is another kind of file', async () => {
    const write = async (metadata: Record<string, string>) =>
      scratch.write('odd.safetensors', writeSafetensors({}, { metadata }));
    await expect(loadModel(scratch.path('none.safetensors'))).rejects.toThrow('there is no such file');
    await expect(loadModel(flowers)).rejects.toThrow('flowers.csv: it holds no model; safetensors: the header');
    await expect(loadModel(await write({}))).rejects.toThrow('it was not written by "wasmgrad train"');
    for (const text of ['{', '{}', 'null', JSON.stringify({ ...(await card()), version: 2 })]) {
      await expect(loadModel(await write({ wasmgrad: text }))).rejects.toThrow('is damaged, or of a newer version');
    }
    await expect(loadModel(await write({ wasmgrad: JSON.stringify(await card()) }))).rejects.toThrow(
      'its tensors are not those of mlp:5: loadStateDict: the dictionary lacks 0.weight',
    );
  });
});
