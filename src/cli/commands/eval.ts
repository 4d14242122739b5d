import { defineCommand, ExitCode, threadCount } from '../command';
import { readEvaluationData } from '../examples';
import { loadModel } from '../model-file';
import { reportScore } from '../report';
import { json, model, threads } from './options';

export const evaluate = defineCommand({
  name: 'eval',
  description: 'Measures how well a trained model does on data whose answers are known.',
  args: {
    model,
    data: {
      type: 'string',
      valueHint: 'file|folder',
      required: true,
      description:
        'A table (.csv, also .csv.gz) with the columns that the model was trained on, or a folder of IDX files.',
    },
    target: {
      type: 'string',
      valueHint: 'column',
      description: "The table's column with the answers. Default: the one that the model was trained on.",
    },
    'held-out': {
      type: 'boolean',
      default: false,
      description: 'Of the table that the model was trained on, only the rows that were kept for the test.',
    },
    threads,
    json,
  },
  notes: ['Of a folder of IDX files, those named t10k-… are read.'],
  examples: [
    { means: 'new rows of the same kind', line: 'wasmgrad eval --model model.safetensors --data new.csv' },
    {
      means: 'the rows that training kept aside',
      line: 'wasmgrad eval --model model.safetensors --data iris.csv --held-out',
    },
  ],
  async run(args, terminal) {
    const threads = threadCount(args.threads);
    const stored = await loadModel(args.model);
    const { examples, wasTrainedOn } = await readEvaluationData(
      args.data,
      { name: args.model, card: stored.card },
      {
        target: args.target,
        heldOut: args['held-out'],
      },
    );
    if (wasTrainedOn && !args.json) {
      terminal.print('note: the model was trained on most of these rows; --held-out takes the others only.');
    }
    await reportScore(args['held-out'] ? 'test' : 'evaluation', stored, examples, {
      terminal,
      json: args.json,
      threads,
    });
    return ExitCode.OK;
  },
});
