import { resolve } from 'node:path';
import { crossEntropy, mseLoss } from '../nn/loss/index';
import { manualSeed } from '../ops/random';
import { Adam, AdamW } from '../optim/adam';
import { cosine } from '../optim/lr';
import { SGD } from '../optim/sgd';
import { accuracy } from '../train/metrics';
import { train } from '../train/train';
import { ExitCode } from './command';
import type { TrainingData } from './examples';
import { checkWritable } from './files';
import { follow } from './follow';
import { type ModelCard, moduleFor, saveModel } from './model-file';
import { formatCount } from './render/numbers';
import { reportScore } from './report';
import type { Terminal } from './terminal';

export type OptimizerName = 'adam' | 'adamw' | 'sgd';

export interface Recipe {
  model: string;
  /** 'auto': enough for some thousand steps. */
  epochs: number | 'auto';
  batchSize: number;
  optimizer: OptimizerName;
  lr: number | 'auto';
  schedule: 'cosine' | 'constant';
  seed: number;
  threads: number | 'auto';
  out: string;
  json: boolean;
}

const optimizers = {
  adam: (parameters: Parameters, lr = 1e-3) => new Adam(parameters, { lr }),
  adamw: (parameters: Parameters, lr = 1e-3) => new AdamW(parameters, { lr }),
  sgd: (parameters: Parameters, lr = 1e-2) => new SGD(parameters, { lr, momentum: 0.9 }),
};
type Parameters = ReturnType<ReturnType<typeof moduleFor>['parameters']>;

const AUTO_STEPS = 3000;

/** Trains, saves and judges a model; shows all of it. */
export async function trainModel(data: TrainingData, recipe: Recipe, terminal: Terminal): Promise<ExitCode> {
  const { json, out, seed, threads, batchSize } = recipe;
  await checkWritable(out);
  const card: ModelCard = { version: 1, model: recipe.model, ...data.card };
  const { classes } = card.target;
  const counts = {
    training: data.train.x.shape[0]!,
    validation: data.validation?.x.shape[0] ?? 0,
    test: data.test?.x.shape[0] ?? 0,
  };
  const perEpoch = Math.ceil(counts.training / batchSize);
  const epochs =
    recipe.epochs === 'auto' ? Math.min(100, Math.max(5, Math.round(AUTO_STEPS / perEpoch))) : recipe.epochs;

  manualSeed(seed);
  const module = moduleFor(card);
  if (json) {
    const start = { kind: 'start', model: recipe.model, classes, examples: counts, epochs, batchSize, seed };
    terminal.print(JSON.stringify(start));
  } else {
    const parts = Object.entries(counts).filter(([, count]) => count > 0);
    terminal.print(
      `examples: ${parts.map(([part, count]) => `${formatCount(count)} ${part}`).join(', ')}`,
      '',
      module.summary([batchSize, card.inputs.mean.length]),
      '',
    );
  }
  const run = train({
    model: module,
    loss: classes ? crossEntropy : mseLoss,
    optimizer: optimizers[recipe.optimizer](module.parameters(), recipe.lr === 'auto' ? undefined : recipe.lr),
    data: data.train,
    ...(data.validation && { validation: data.validation }),
    ...(classes && { metrics: { accuracy } }),
    ...(recipe.schedule === 'cosine' && { schedule: cosine({ tMax: epochs }) }),
    epochs,
    batchSize,
    seed,
    threads,
  });
  const { reason, steps } = await follow(run, { epochs, terminal, json });

  if (reason === 'stopped' && steps === 0) {
    process.stderr.write('interrupted before the first step: nothing is saved\n');
    return ExitCode.INTERRUPTED;
  }
  await saveModel(out, { module, card });
  const where = resolve(out);
  if (json) terminal.print(JSON.stringify({ kind: 'saved', file: where, reason }));
  else
    terminal.print('', reason === 'stopped' ? `interrupted; the model as it is now is ${where}` : `saved as ${where}`);
  if (reason === 'stopped') return ExitCode.INTERRUPTED;

  const [part, examples] = data.test
    ? (['test', data.test] as const)
    : data.validation
      ? (['validation', data.validation] as const)
      : (['training', data.train] as const);
  await reportScore(part, { module, card }, examples, { terminal, json, threads });
  return ExitCode.OK;
}
