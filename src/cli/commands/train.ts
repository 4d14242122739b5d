import { defineCommand, fraction, positiveNumber, threadCount, UsageError, wholeNumber } from '../command';
import { readTrainingFolder, readTrainingTable } from '../examples';
import { isFolder } from '../files';
import { MODEL_SPECS, parseModelSpec } from '../model-spec';
import { type Recipe, trainModel } from '../training';
import { json, seed, threads } from './options';

const DEFAULT_TEST = '0.2';

export const train = defineCommand({
  name: 'train',
  description: 'Trains a network on your own data, shows how it goes, tests it and saves it.',
  args: {
    data: {
      type: 'string',
      valueHint: 'file|folder',
      required: true,
      description: 'A table (.csv, also .csv.gz), or a folder of IDX files, as MNIST and Fashion-MNIST come.',
    },
    target: {
      type: 'string',
      valueHint: 'column',
      description: "The table's column to predict: its name, or its number from 0 on (-1 is the last one).",
    },
    task: {
      type: 'enum',
      options: ['auto', 'classification', 'regression'],
      default: 'auto',
      description: 'Whether the target is a class or a number. auto: words and the numbers 0, 1, 2, … are classes.',
    },
    model: {
      type: 'string',
      valueHint: 'spec',
      default: 'mlp:128',
      description: `The network: ${MODEL_SPECS}.`,
    },
    epochs: {
      type: 'string',
      valueHint: 'count',
      default: 'auto',
      description: 'How often each example is seen. auto: until there were about 3,000 steps, 5 to 100 times.',
    },
    'batch-size': {
      type: 'string',
      valueHint: 'count',
      default: '64',
      description: 'Examples for each step.',
    },
    optimizer: {
      type: 'enum',
      options: ['adam', 'adamw', 'sgd'],
      default: 'adam',
      description: 'How steps are made; sgd has a momentum of 0.9.',
    },
    lr: {
      type: 'string',
      valueHint: 'number',
      default: 'auto',
      description: 'The learning rate. auto: 0.001, with sgd 0.01. Smaller where the loss jumps or becomes infinite.',
    },
    schedule: {
      type: 'enum',
      options: ['cosine', 'constant'],
      default: 'cosine',
      description: 'Whether the learning rate falls to 0 along a cosine, or stays.',
    },
    validation: {
      type: 'string',
      valueHint: 'fraction',
      default: '0.1',
      description: 'How much of the data is kept to measure the loss after each epoch; 0 for none.',
    },
    test: {
      type: 'string',
      valueHint: 'fraction',
      description: `How much of a table is kept for the test at the end; 0 for none. Default: ${DEFAULT_TEST}.`,
    },
    out: {
      type: 'string',
      valueHint: 'file',
      default: 'model.safetensors',
      description: 'Where the trained model is saved.',
    },
    seed,
    threads,
    json,
  },
  notes: [
    "Every column of the table but the target is an input, and must hold numbers. Inputs are standardised: the model's file " +
      'remembers how, and which rows were kept for the test. A folder must have the four files train-images-idx3-ubyte, ' +
      'train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each of them also as .gz.',
    'Ctrl-C ends the training early and saves what there is.',
  ],
  examples: [
    {
      means: 'a table, whose column "species" is to be predicted',
      line: 'wasmgrad train --data iris.csv --target species',
    },
    {
      means: 'pictures, with a network of 256 hidden units',
      line: 'wasmgrad train --data fashion-mnist --model mlp:256 --epochs 5 --out fashion.safetensors',
    },
    {
      means: 'a number instead of a class, for a program to read',
      line: 'wasmgrad train --data houses.csv --target price --task regression --json',
    },
  ],
  async run(args, terminal) {
    if (!parseModelSpec(args.model)) {
      throw new UsageError(`--model must be ${MODEL_SPECS}; got ${JSON.stringify(args.model)}.`);
    }
    const recipe: Recipe = {
      model: args.model,
      epochs: args.epochs === 'auto' ? 'auto' : wholeNumber('epochs', args.epochs, 1),
      batchSize: wholeNumber('batch-size', args['batch-size'], 1),
      optimizer: args.optimizer,
      lr: args.lr === 'auto' ? 'auto' : positiveNumber('lr', args.lr),
      schedule: args.schedule,
      seed: wholeNumber('seed', args.seed, 0),
      threads: threadCount(args.threads),
      out: args.out,
      json: args.json,
    };
    const validation = fraction('validation', args.validation);
    const test = fraction('test', args.test ?? DEFAULT_TEST);
    if (validation + test >= 1) throw new UsageError('--validation and --test together leave nothing to train on.');
    const { task, target, data } = args;
    if (await isFolder(data)) {
      if (args.test !== undefined) throw new UsageError('--test is for tables: a folder has test pictures of its own.');
      if (target !== undefined)
        throw new UsageError('--target is for tables: a folder has its labels in files of their own.');
      return trainModel(await readTrainingFolder(data, { seed: recipe.seed, validation }), recipe, terminal);
    }
    if (target === undefined)
      throw new UsageError('--target is missing: the column of the table that is to be predicted.');
    const table = await readTrainingTable(data, { target, task, seed: recipe.seed, validation, test });
    return trainModel(table, recipe, terminal);
  },
});
