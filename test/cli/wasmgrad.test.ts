import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { flowersCsv, housesCsv, Scratch, writeIdxFolder } from './files';

const program = join(process.cwd(), 'dist/cli.js');
const scratch = new Scratch();
const pictures = new Scratch();
afterAll(() => {
  scratch.remove();
  pictures.remove();
});

beforeAll(() => {
  scratch.write('flowers.csv', flowersCsv());
  scratch.write('houses.csv', housesCsv());
  writeIdxFolder(pictures);
});

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** `wasmgrad …words`, in the scratch folder, its output in pipes: no terminal. */
function wasmgrad(
  words: string[],
  whileItRuns: (child: ChildProcess, out: string) => void = () => {},
  debug = '',
): Promise<Ended> {
  const env = { ...process.env, WASMGRAD_DEBUG: debug };
  const child = spawn(process.execPath, [program, ...words], { cwd: scratch.folder, env });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
    whileItRuns(child, out);
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

const lastLine = (out: string) => out.trimEnd().split('\n').at(-1)!;
const jsonLines = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('demo reads at least 97 % of the held-out digits, says so in its last line, and saves the model', async () => {
  const { code, out, err } = await wasmgrad(['demo']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).not.toContain('\x1b');
  expect(out.match(/^epoch .*$/gm)).toHaveLength(60);
  expect(out).toContain('the worst mistakes');
  expect(out).toContain(`saved as ${scratch.path('digits.safetensors')}\n`);
  const [, accuracy] = /^test accuracy: (\d+\.\d) %$/.exec(lastLine(out))!;
  expect(Number(accuracy)).toBeGreaterThanOrEqual(97);
  expect(out.endsWith(' %\n')).toBe(true);
  expect(statSync(scratch.path('digits.safetensors')).size).toBeGreaterThan(4 * (64 * 128 + 128 * 10));
});

describe('a table', () => {
  test('train, eval and predict agree', async () => {
    const trained = await wasmgrad([
      'train',
      '--data',
      'flowers.csv',
      '--target',
      'species',
      '--model',
      'mlp:16',
      '--epochs',
      '30',
      '--batch-size',
      '16',
      '--lr',
      '0.01',
      '--out',
      'flowers.safetensors',
    ]);
    expect({ code: trained.code, err: trained.err }).toEqual({ code: 0, err: '' });
    expect(trained.out).toContain('examples: 84 training, 12 validation, 24 test');
    expect(trained.out).toMatch(/Linear +\[16, 16\]/);
    expect(trained.out.match(/^epoch .*$/gm)).toHaveLength(30);
    expect(trained.out).not.toContain('\x1b');
    expect(lastLine(trained.out)).toMatch(/^test accuracy: \d+\.\d %$/);

    const model = ['--model', 'flowers.safetensors', '--data', 'flowers.csv'];
    const [held, all, csv, json] = await Promise.all([
      wasmgrad(['eval', ...model, '--held-out']),
      wasmgrad(['eval', ...model, '--json']),
      wasmgrad(['predict', ...model]),
      wasmgrad(['predict', ...model, '--json']),
    ]);
    expect(lastLine(held!.out)).toBe(lastLine(trained.out));
    expect(held!.out).not.toContain('note:');
    const answers = csv!.out.trimEnd().split('\n').slice(1);
    expect(csv!.out.split('\n')[0]).toBe('prediction,probability');
    expect(answers).toHaveLength(120);
    const right = answers.filter((line, i) => line.split(',')[0] === ['iris', 'rose', 'tulip'][i % 3]).length;
    expect(jsonLines(all!.out)).toEqual([
      expect.objectContaining({ kind: 'score', part: 'evaluation', examples: 120, accuracy: right / 120 }),
    ]);
    const predicted = jsonLines(json!.out);
    expect(predicted.map(({ prediction }) => prediction)).toEqual(answers.map((line) => line.split(',')[0]));
    expect(Object.keys(predicted[0].probabilities)).toEqual(['iris', 'rose', 'tulip']);
  });

  test('with a number as its target ends with the rmse', async () => {
    const { code, out } = await wasmgrad([
      'train',
      '--data',
      'houses.csv',
      '--target',
      'price',
      '--model',
      'linear',
      '--lr',
      '0.05',
      '--out',
      'houses.safetensors',
    ]);
    expect(code).toBe(0);
    const [, rmse] = /^test rmse: (\d+\.\d+)$/.exec(lastLine(out))!;
    expect(Number(rmse)).toBeLessThan(2);
    const predicted = await wasmgrad(['predict', '--model', 'houses.safetensors', '--data', 'houses.csv']);
    const [head, first] = predicted.out.split('\n');
    expect(head).toBe('prediction');
    expect(Math.abs(Number(first) - 150)).toBeLessThan(5);
  });

  test('gives the same model for the same seed, with any number of threads', async () => {
    const train = async (seed: string, threads: string) => {
      const words = [
        '--data',
        'flowers.csv',
        '--target',
        'species',
        '--epochs',
        '3',
        '--json',
        '--out',
        `${seed}-${threads}`,
      ];
      const { out } = await wasmgrad(['train', ...words, '--seed', seed, '--threads', threads]);
      return jsonLines(out)
        .filter(({ kind }) => kind === 'step')
        .map(({ loss }) => loss);
    };
    const [one, two, other] = await Promise.all([train('7', '1'), train('7', '2'), train('8', '1')]);
    expect(two).toEqual(one);
    expect(other).not.toEqual(one);
  });
});

test('a folder of IDX files: --json tells everything, a line each, and eval finds the same accuracy', async () => {
  const words = ['--data', pictures.folder, '--model', 'mlp:8', '--epochs', '4', '--batch-size', '8', '--json'];
  const { code, out, err } = await wasmgrad(['train', ...words, '--out', 'pictures.safetensors']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const events = jsonLines(out);
  const kinds = events.map(({ kind }) => kind);
  expect(events[0]).toMatchObject({ kind: 'start', examples: { training: 72, validation: 8, test: 20 }, epochs: 4 });
  expect(kinds.filter((kind) => kind === 'step')).toHaveLength(36);
  expect(kinds.filter((kind) => kind === 'epoch')).toHaveLength(4);
  expect(kinds.slice(-3)).toEqual(['done', 'saved', 'score']);
  expect(events.find(({ kind }) => kind === 'epoch').validation).toEqual({
    loss: expect.any(Number),
    accuracy: expect.any(Number),
  });
  const again = await wasmgrad(['eval', '--model', 'pictures.safetensors', '--data', pictures.folder]);
  expect(lastLine(again.out)).toBe(`evaluation accuracy: ${(100 * events.at(-1).accuracy).toFixed(1)} %`);
});

test('Ctrl-C stops after a step, saves what there is, and says so', async () => {
  let sent = false;
  const words = ['--data', 'flowers.csv', '--target', 'species', '--epochs', '1000000', '--out', 'early.safetensors'];
  const { code, out } = await wasmgrad(['train', ...words], (child, text) => {
    if (!sent && text.includes('epoch')) sent = child.kill('SIGINT');
  });
  expect(code).toBe(130);
  expect(lastLine(out)).toBe(`interrupted; the model as it is now is ${scratch.path('early.safetensors')}`);
  const { code: evaluated } = await wasmgrad(['eval', '--model', 'early.safetensors', '--data', 'flowers.csv']);
  expect(evaluated).toBe(0);
});

describe('what goes wrong is one sentence on stderr', () => {
  const flowers = ['--data', 'flowers.csv', '--target', 'species'];

  test.each([
    [2, ['trian'], 'wasmgrad: unknown command trian; did you mean train?\nSee wasmgrad --help.\n'],
    [2, ['train', '--epochs', '3'], 'wasmgrad train: --data is missing.\nSee wasmgrad train --help.\n'],
    [
      2,
      ['train', '--data', 'flowers.csv'],
      'wasmgrad train: --target is missing: the column of the table that is to be predicted.\nSee wasmgrad train --help.\n',
    ],
    [
      2,
      ['train', ...flowers, '--model', 'cnn:3'],
      'wasmgrad train: --model must be "linear", or "mlp:" and the sizes of the hidden layers, such as mlp:128 or mlp:128,64; got "cnn:3".\nSee wasmgrad train --help.\n',
    ],
    [
      1,
      ['train', '--data', 'nope.csv', '--target', 'x'],
      'wasmgrad train: nope.csv: there is no such file or folder.\n',
    ],
    [
      1,
      ['train', ...flowers, '--out', 'no/where.safetensors'],
      'wasmgrad train: no: there is no such file or folder.\n',
    ],
    [
      1,
      ['eval', '--model', 'flowers.csv', '--data', 'flowers.csv'],
      /^wasmgrad eval: flowers.csv: it holds no model; .*\n$/,
    ],
  ] as const)('exit %i: %j', async (code, words, err) => {
    const ended = await wasmgrad([...words]);
    expect(ended.code).toBe(code);
    expect(ended.out).toBe('');
    expect(ended.err).toMatch(err);
  });

  test('unless WASMGRAD_DEBUG asks for the stack as well', async () => {
    const { err } = await wasmgrad(['train', '--data', 'nope.csv', '--target', 'x'], undefined, '1');
    expect(err).toMatch(/^wasmgrad train: nope.csv: .*\nDataError: nope.csv: .*\n +at /);
  });

  test('also where the loss becomes infinite', async () => {
    const { code, err } = await wasmgrad([
      'train',
      '--data',
      'houses.csv',
      '--target',
      'price',
      '--optimizer',
      'sgd',
      '--lr',
      '1e30',
      '--out',
      'lost.safetensors',
    ]);
    expect(code).toBe(1);
    expect(err).toMatch(/^wasmgrad train: .*NaN or an infinity.*\n$/);
    expect(existsSync(scratch.path('lost.safetensors'))).toBe(false);
  });
});

test('help is on standard output when asked for, on stderr when a command is missing', async () => {
  const [asked, train, missing, version] = await Promise.all([
    wasmgrad(['--help']),
    wasmgrad(['train', '--help']),
    wasmgrad([]),
    wasmgrad(['--version']),
  ]);
  expect(asked).toMatchObject({ code: 0, err: '' });
  for (const command of ['demo', 'train', 'eval', 'predict']) expect(asked!.out).toContain(`\n  ${command} `);
  expect(train!.out).toContain('wasmgrad train --data iris.csv --target species');
  expect(missing).toEqual({ code: 2, out: '', err: asked!.out });
  expect(version!.out).toMatch(/^\d+\.\d+\.\d+\n$/);
});
