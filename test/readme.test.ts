import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { format } from 'node:util';
import { afterAll, describe, expect, test, vi } from 'vitest';
import * as wasmgrad from 'wasmgrad';
import * as activations from '../src/nn/activation';
import * as losses from '../src/nn/loss/index';
import { withTable } from '../tools/ops-table';

const readme = readFileSync('README.md', 'utf8');

/** The fenced blocks of a language, with the heading that each is under. */
function blocks(language: string): { heading: string; code: string }[] {
  const pattern = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return [...readme.matchAll(pattern)].map(({ 1: code, index }) => ({
    heading: [...readme.slice(0, index).matchAll(/^##+ (.*)$/gm)].at(-1)![1]!,
    code: code!,
  }));
}

describe('every snippet runs, and prints what stands behind its lines', () => {
  // Inside the project, where `wasmgrad` means its sources.
  mkdirSync('.cache/readme', { recursive: true });
  const folder = mkdtempSync('.cache/readme/');
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(blocks('ts').map((block, i) => ({ ...block, i })))('$heading', async ({ code, i }) => {
    const expected = [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, printed]) => printed);
    const file = resolve(folder, `snippet-${i}.ts`);
    writeFileSync(file, code);
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    try {
      await import(/* @vite-ignore */ file);
      // Lines without such a comment may print anything, an epoch a line for example.
      const printed = log.mock.calls.map((values) => format(...values));
      const missing = expected.filter((line) => !printed.includes(line!));
      expect({ missing, printed }).toEqual({ missing: [], printed });
    } finally {
      log.mockRestore();
    }
  });
});

describe('every command is one that there is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmgrad-readme-'));
  symlinkSync(resolve('data'), join(folder, 'data'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  const commands = blocks('sh').flatMap(({ code }) => code.trimEnd().split('\n'));

  test.each(commands.map((line) => line.replace(/\s+#.*$/, '')))('%s', (command) => {
    const [program, first, ...rest] = command.split(' ');
    if (program === 'npm') expect(scripts).toHaveProperty(first === 'run' ? rest[0]! : first!);
    // test/examples/ runs them.
    else if (program === 'node') expect([first!, ...rest].every((file) => existsSync(file))).toBe(true);
    else {
      expect([program, first]).toEqual(['npx', 'wasmgrad']);
      const words = [resolve('tools/run.mjs'), resolve('src/cli/main.ts'), ...rest];
      // In the order of the README: later commands read what earlier ones wrote.
      expect(execFileSync(process.execPath, words, { cwd: folder, encoding: 'utf8' })).not.toBe('');
    }
  });
});

test('links inside the project lead somewhere', () => {
  const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!);
  const anchors = [...readme.matchAll(/^##+ (.*)$/gm)].map(
    ([, title]) => `#${title!.toLowerCase().replaceAll(' ', '-')}`,
  );
  const broken = links.filter(
    (target) => !target.startsWith('https://') && !anchors.includes(target) && !existsSync(target),
  );
  expect(broken).toEqual([]);
});

test('files that are named exist', () => {
  const named = [...readme.matchAll(/`((?:assembly|src|test|tools|examples|data)\/[\w./-]*)`/g)].map(
    ([, path]) => path!,
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((path) => !existsSync(path))).toEqual([]);
});

test('the table of ops is that of the definitions', () => {
  // Stale? `node tools/run.mjs tools/ops-table.ts`
  expect(readme).toBe(withTable(readme));
});

test('the catalogues list everything that there is, and nothing else', () => {
  const section = readme.slice(readme.indexOf('## The catalogues'), readme.indexOf('## What it does not do'));
  const listed = new Set(section.match(/\w+/g));
  const { nn, optim } = wasmgrad;
  const things = [losses, nn.init, optim, optim.lr].flatMap((each) => Object.keys(each));
  const names = [...things, ...Object.keys(activations).map((layer) => layer.toLowerCase())];
  const found = new Set([...listed].flatMap((name) => [name, name.toLowerCase()]));
  // The base class, and the namespace itself.
  expect(names.filter((name) => !found.has(name) && !['Optimizer', 'lr'].includes(name))).toEqual([]);
  const known = new Set([wasmgrad, nn.init, optim, optim.lr].flatMap((each) => Object.keys(each)));
  const items = [...section.matchAll(/^- [^:]*: ([\s\S]*?)(?:;|\.\n)/gm)].flatMap(([, list]) => list!.match(/\w+/g)!);
  expect(items.length).toBeGreaterThan(90);
  expect(items.filter((name) => !known.has(name) && !['and', 'AMSGrad', 'amsgrad'].includes(name))).toEqual([]);
});
