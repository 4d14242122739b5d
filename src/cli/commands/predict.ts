import { predict as predictOutputs } from '../../train/evaluate';
import { defineCommand, ExitCode, threadCount } from '../command';
import { readInputs } from '../examples';
import { loadModel } from '../model-file';
import { largest, softmax } from '../score';
import { json, model, threads } from './options';

export const predict = defineCommand({
  name: 'predict',
  description: 'Prints what a trained model says to each row of a table, as CSV.',
  args: {
    model,
    data: {
      type: 'string',
      valueHint: 'file|folder',
      required: true,
      description: 'A table (.csv, also .csv.gz) with the columns that the model takes, or a folder of IDX files.',
    },
    threads,
    json: { ...json, description: 'One JSON object a row in place of CSV; with the probabilities of all classes.' },
  },
  notes: [
    'Columns that the model does not take are ignored, the target among them. Of a folder of IDX files, the pictures named ' +
      't10k-… are read.',
  ],
  examples: [
    {
      means: 'predictions into a file',
      line: 'wasmgrad predict --model model.safetensors --data new.csv > answers.csv',
    },
  ],
  async run(args, terminal) {
    const threads = threadCount(args.threads);
    const { module, card } = await loadModel(args.model);
    const x = await readInputs(args.data, { name: args.model, card });
    const outputs = (await predictOutputs(module, x, { threads })).data();
    const { classes, mean, std } = card.target;
    const lines: string[] = [];
    if (!args.json) lines.push(classes ? 'prediction,probability' : 'prediction');
    const width = classes?.length ?? 1;
    for (let row = 0; row < outputs.length; row += width) {
      if (!classes) {
        const prediction = outputs[row]! * std + mean;
        lines.push(args.json ? JSON.stringify({ prediction }) : String(prediction));
        continue;
      }
      const probabilities = softmax(outputs.subarray(row, row + width));
      const best = largest(probabilities);
      const prediction = classes[best]!;
      lines.push(
        args.json
          ? JSON.stringify({
              prediction,
              probabilities: Object.fromEntries(classes.map((name, i) => [name, probabilities[i]])),
            })
          : `${csvCell(prediction)},${probabilities[best]!.toFixed(4)}`,
      );
    }
    terminal.print(...lines);
    return ExitCode.OK;
  },
});

/** Quoted where RFC 4180 demands it. */
function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
