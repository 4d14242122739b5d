import { describe, expect, test } from 'vitest';
import {
  closest,
  defineCommand,
  ExitCode,
  fraction,
  parseOptions,
  positiveNumber,
  wholeNumber,
} from '../../src/cli/command';
import { renderHelp } from '../../src/cli/help';
import { parseModelSpec } from '../../src/cli/model-spec';
import { plain, widthOf } from '../../src/cli/render/text';

const bake = defineCommand({
  name: 'bake',
  description: 'Bakes.',
  args: {
    flour: { type: 'string', valueHint: 'sort', required: true, description: 'What to bake from.' },
    'oven-heat': { type: 'string', valueHint: 'degrees', default: '200', description: 'How hot.' },
    form: { type: 'enum', options: ['loaf', 'roll'], default: 'loaf', description: 'What it looks like.' },
    dry: { type: 'boolean', default: false, description: 'Only says what would happen.' },
  },
  examples: [{ means: 'a loaf', line: 'wasmgrad bake --flour rye' }],
  run: async () => ExitCode.OK,
});
const parse = (line: string) => parseOptions(bake, line.split(' ').filter(Boolean));

describe('options', () => {
  test('are given, or have their defaults', () => {
    expect(parse('--flour rye --dry')).toMatchObject({ flour: 'rye', 'oven-heat': '200', form: 'loaf', dry: true });
    expect(parse('--flour=rye --oven-heat=-5')).toMatchObject({ 'oven-heat': '-5', dry: false });
    expect(parse('--flour -1')).toMatchObject({ flour: '-1' });
  });

  test.each([
    ['', '--flour is missing.'],
    ['--flour', '--flour needs a value.'],
    ['--flour --dry', '--flour needs a value.'],
    ['--flour=', '--flour needs a value.'],
    ['--flor rye', 'unknown option --flor; did you mean --flour?'],
    ['--flour rye --water 1', 'unknown option --water; there are --flour, --oven-heat, --form, --dry.'],
    ['--flour rye -w', 'unknown option -w; there are'],
    ['--flour rye --no-oven', 'unknown option --oven'],
    ['--flour rye --form bagel', '--form must be loaf or roll; got "bagel".'],
    ['--flour rye wheat', '"wheat" belongs to no option'],
  ])('"%s" is a usage error', (line, message) => {
    expect(() => parse(line)).toThrow(
      expect.objectContaining({ name: 'UsageError', message: expect.stringContaining(message) }),
    );
  });

  test('numbers are checked', () => {
    expect([wholeNumber('n', '7', 1), positiveNumber('n', '1e-3'), fraction('n', '0')]).toEqual([7, 0.001, 0]);
    for (const text of ['0', '1.5', '-1', 'x', '', '1e3'])
      expect(() => wholeNumber('n', text, 1)).toThrow('--n must be');
    for (const text of ['0', '-1', 'x', ' ', 'Infinity'])
      expect(() => positiveNumber('n', text)).toThrow('--n must be');
    for (const text of ['1', '-0.1', 'x', '']) expect(() => fraction('n', text)).toThrow('--n must be');
  });

  test('two typing mistakes are forgiven, not in a word of two letters', () => {
    expect(closest('trian', ['demo', 'train'])).toBe('train');
    expect(closest('x', ['lr'])).toBeUndefined();
  });
});

test('a model is linear, or an mlp with the sizes of its hidden layers', () => {
  expect(parseModelSpec('linear')).toEqual([]);
  expect(parseModelSpec('mlp:128,64')).toEqual([128, 64]);
  for (const spec of ['', 'mlp', 'mlp:', 'mlp:0', 'mlp:8,', 'mlp:8;4', 'mlp:-8', 'cnn:3']) {
    expect(parseModelSpec(spec)).toBeUndefined();
  }
});

test('help shows usage, every option with its default, and an example, and fits', () => {
  expect(renderHelp(bake as never, 60, plain).join('\n')).toMatchInlineSnapshot(`
    "wasmgrad bake  Bakes.

    Usage
      wasmgrad bake --flour <sort> [options]

    Options
      --flour <sort>         What to bake from. Required.
      --oven-heat <degrees>  How hot. Default: 200.
      --form loaf|roll       What it looks like. Default: loaf.
      --dry                  Only says what would happen.
      --help                 Shows this page.

    Examples
      # a loaf
      wasmgrad bake --flour rye"
  `);
  for (const line of renderHelp(bake as never, 40, plain)) expect(widthOf(line)).toBeLessThanOrEqual(40);
});
