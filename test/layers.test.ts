import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

/** src/ from the bottom up: a file imports from layers before its own, and from its own folder. */
const layers = [
  'errors',
  'dtype',
  'shape',
  'machine',
  'tensor',
  'cell',
  'graph',
  'ops',
  'transform',
  'nn',
  'optim',
  'data',
  'text',
  'formats',
  'train',
  'search',
  'cli',
  'f64',
  'fast',
  'index',
];

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
  .map((file) => join('src', file));

const layerOf = (file: string) => file.split('/')[1]!.replace(/\.ts$/, '');

const fileOf = (path: string) => [`${path}.ts`, join(path, 'index.ts')].find((name) => files.includes(name));

/** The files that `file` imports or re-exports: all of them, and those that are still imported when types are gone. */
function importsOf(file: string) {
  const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const pattern = /\b(?:(?:import|export)\s+(type\b)?[^;'"]*?from|import\s*\(?)\s*['"](\.[^'"]*)['"]/g;
  const imports = [...code.matchAll(pattern)].map(([, type, name]) => {
    const path = normalize(join(dirname(file), name!)).replace(/\.[jt]s$/, '');
    return { type, target: fileOf(path) ?? `${path}.ts` };
  });
  return {
    all: imports.map(({ target }) => target),
    values: imports.filter(({ type }) => !type).map(({ target }) => target),
  };
}

const imports = new Map(files.map((file) => [file, importsOf(file)]));

test('every file belongs to a layer', () => {
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((file) => !layers.includes(layerOf(file)))).toEqual([]);
});

test('imports run one way, types too', () => {
  const rank = (file: string) => layers.indexOf(layerOf(file));
  const mayImport = (file: string, target: string) =>
    target === 'assembly/isa.ts' || (files.includes(target) && rank(target) <= rank(file));
  const wrong = [...imports].flatMap(([file, { all }]) =>
    all.filter((target) => !mayImport(file, target)).map((target) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('no file imports itself by way of others', () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: string[]) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file)) return;
    done.add(file);
    for (const target of imports.get(file)?.values ?? []) visit(target, [...path, file]);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});
