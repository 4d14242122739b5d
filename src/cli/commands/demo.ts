import { readDigits } from '../../data/datasets';
import { defineCommand, threadCount, wholeNumber } from '../command';
import { numbered, pictureCard, sha256, splitExamples } from '../examples';
import { packageFile, readPath } from '../files';
import { trainModel } from '../training';
import { json, seed, threads } from './options';

export const demo = defineCommand({
  name: 'demo',
  description: 'Learns to read handwritten digits in a few seconds: the embedded data, no option needed.',
  args: {
    out: {
      type: 'string',
      valueHint: 'file',
      default: 'digits.safetensors',
      description: 'Where the trained model is saved.',
    },
    seed,
    threads,
    json,
  },
  notes: [
    'The 1,797 pictures of 8 × 8 pixels are parted at random, the same share of each digit in each part: 20 % are kept ' +
      'for the test at the end, and a tenth of the others watches over the training. The model has 64 inputs, 128 hidden ' +
      'units and 10 outputs.',
  ],
  examples: [{ means: 'see it learn', line: 'wasmgrad demo' }],
  async run(args, terminal) {
    const recipe = { seed: wholeNumber('seed', args.seed, 0), threads: threadCount(args.threads) };
    const bytes = await readPath(packageFile('data/digits.csv.gz'));
    const digits = await readDigits(bytes);
    const wishes = { seed: recipe.seed, validation: 0.08, test: 0.2 };
    const card = {
      ...pictureCard({ pixels: 64, divisor: 16, classes: numbered(10), column: '64' }),
      split: { sha256: sha256(bytes), ...wishes },
    };
    const parts = splitExamples(digits, wishes, digits.y.data);
    return trainModel(
      { ...parts, card },
      {
        ...recipe,
        model: 'mlp:128',
        epochs: 60,
        batchSize: 16,
        optimizer: 'adam',
        lr: 5e-3,
        schedule: 'cosine',
        out: args.out,
        json: args.json,
      },
      terminal,
    );
  },
});
