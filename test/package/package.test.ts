// The packed tarball, installed in an empty folder, trains to the known bits: bundled by each bundler, in an isolated page
// and in one that is not, and under each runtime.
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build as esbuild } from 'esbuild';
import type { Browser } from 'playwright';
import { build as vite } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import webpack from 'webpack';
import { launchChromium } from '../../tools/chromium.mjs';
import { installNode } from '../../tools/node.mjs';
import { installPackage } from '../../tools/pack.mjs';
import { serve } from '../../tools/serve.mjs';
import { root } from '../../tools/stamp.mjs';
import { expected } from './app/known-training.js';

const app = mkdtempSync(join(tmpdir(), 'wasmgrad-app-'));
const modules = join(root, 'node_modules');
let browser: Browser;

beforeAll(async () => {
  cpSync(join(import.meta.dirname, 'app'), app, { recursive: true });
  [browser] = await Promise.all([launchChromium(), installPackage(app)]);
});

afterAll(async () => {
  await browser?.close();
  rmSync(app, { recursive: true });
});

/** Each leaves a page in `folder`. */
const bundlers: Record<string, (folder: string) => Promise<unknown>> = {
  esbuild(folder) {
    cpSync(join(app, 'index.html'), join(folder, 'index.html'));
    return esbuild({
      absWorkingDir: app,
      entryPoints: ['page.js', 'own-worker.js'],
      outdir: folder,
      bundle: true,
      format: 'esm',
      minify: true,
      logLevel: 'warning',
    });
  },
  Vite: (folder) =>
    vite({
      root: app,
      configFile: false,
      logLevel: 'warn',
      build: { outDir: folder, target: 'es2022', emptyOutDir: true },
    }),
  webpack(folder) {
    cpSync(join(app, 'index.html'), join(folder, 'index.html'));
    const compiler = webpack({
      mode: 'production',
      context: app,
      entry: './page.js',
      output: { path: folder, filename: 'page.js' },
      performance: false,
    });
    return new Promise((resolve, reject) => {
      compiler.run((error, stats) => {
        if (error || stats?.hasErrors() || stats?.hasWarnings()) reject(error ?? new Error(stats?.toString()));
        else compiler.close(resolve);
      });
    });
  },
};

describe.each(Object.entries(bundlers))('%s', (name, bundle) => {
  const folder = join(app, `page-${name}`);
  beforeAll(() => bundle(folder), 60_000);

  test.each([
    ['isolated', true, 'shared'],
    ['not isolated', false, 'unshared'],
  ])('trains in a page that is %s', async (_, isolated, memory) => {
    const server = await serve(folder, { isolated });
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    try {
      await page.goto(server.url);
      await page.waitForFunction(() => document.title !== 'training', null, { timeout: 20_000 });
      expect(await page.title()).toBe(`${memory} ${expected}`);
      expect(complaints).toEqual([]);
    } finally {
      await page.close();
      server.close();
    }
  });
});

describe.each([
  ["worker-src 'none'", '', /^WorkerError WORKER_BLOCKED train: .*worker: \(\) => new Worker/],
  ["worker-src 'self'", '?own-worker', new RegExp(`^shared ${expected}$`)],
])('under the policy %s', (directive, query, title) => {
  test(query ? 'a worker of the own page trains' : 'it says so, and which option helps', async () => {
    const policy = `script-src 'self' 'wasm-unsafe-eval'; ${directive}`;
    const server = await serve(join(app, 'page-esbuild'), { headers: { 'content-security-policy': policy } });
    const page = await browser.newPage();
    const workers: string[] = [];
    page.on('worker', (worker) => workers.push(worker.url()));
    try {
      await page.goto(server.url + query);
      await page.waitForFunction(() => document.title !== 'training', null, { timeout: 20_000 });
      expect(await page.title()).toMatch(title);
      // Its helper threads are of the same file.
      if (query) expect(workers).toEqual(Array(2).fill(`${server.url}own-worker.js`));
    } finally {
      await page.close();
      server.close();
    }
  });
});

test('an app has nothing of the catalogues that it does not use', async () => {
  const { outputFiles } = await esbuild({
    stdin: {
      resolveDir: app,
      contents: `
        import { gelu, mseLoss } from 'wasmgrad';
        import { Linear } from 'wasmgrad/nn';
        import { Adam } from 'wasmgrad/optim';
        console.log(gelu, mseLoss, Linear, Adam);`,
    },
    bundle: true,
    write: false,
    format: 'esm',
    logLevel: 'warning',
  });
  const definitions = /(?:function|var) (\w+)(?: = class|\()/g;
  const kept = new Set([...outputFiles[0]!.text.matchAll(definitions)].map(([, name]) => name));
  const names = ['gelu', 'mseLoss', 'Linear', 'Adam'];
  const others = ['mish', 'Hardswish', 'huberLoss', 'orthonormalise', 'oneCycle', 'LBFGS', 'NAdam', 'einsum', 'cumsum'];
  expect([...names, ...others].filter((name) => kept.has(name))).toEqual(names);
});

/** npm installs no scripts here, which would put these in place: the platform's own packages hold them. */
const runtimes: Record<string, [command: string, ...args: string[]]> = {
  Node: [process.execPath],
  // It is given no permission, and must not stop to ask for one.
  Deno: [join(modules, '@deno/linux-x64-glibc/deno'), 'run', '--no-prompt', '--no-remote'],
  Bun: [join(modules, '@oven/bun-linux-x64/bin/bun'), '--no-install'],
};

/** What a program of the app prints. */
async function printed(command: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: app, DENO_DIR: join(app, '.deno'), DENO_NO_UPDATE_CHECK: '1' };
  const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: app, env, timeout: 20_000 });
  expect(stderr).toBe('');
  return stdout.trim();
}

describe.each(Object.entries(runtimes))('%s', (_, command) => {
  test('trains, and ends by itself', async () => {
    expect(await printed(...command, 'console.js')).toBe(expected);
  });
});

describe('a run begun in this Node', () => {
  beforeAll(() => printed(process.execPath, 'go-on.js', 'begun', 'begin'));

  const folders = ['--allow-read=.', '--allow-write=.'];
  const newest = 24;
  const others: Record<string, () => [string, ...string[]]> = {
    'this Node': () => [process.execPath],
    [`Node ${newest}`]: () => [installNode(newest)],
    Deno: () => [...runtimes.Deno!, ...folders],
    Bun: () => runtimes.Bun!,
  };

  test.each(Object.entries(others))(
    'goes on in %s, to the same bits',
    async (name, command) => {
      const copy = `goes-on-in-${name.replaceAll(' ', '-')}`;
      cpSync(join(app, 'begun'), join(app, copy), { recursive: true });
      expect(await printed(...command(), 'go-on.js', copy)).toBe(expected);
    },
    120_000,
  );

  test('goes on in Chromium, to the same bits', async () => {
    const name = readdirSync(join(app, 'begun')).sort().at(-1)!;
    const folder = join(app, 'page-esbuild');
    cpSync(join(app, 'begun', name), join(folder, name));
    const server = await serve(folder, { isolated: true });
    const page = await browser.newPage();
    try {
      await page.goto(`${server.url}?resume=${name}`);
      await page.waitForFunction(() => document.title !== 'training', null, { timeout: 20_000 });
      expect(await page.title()).toBe(`shared ${expected}`);
    } finally {
      await page.close();
      server.close();
    }
  });
});

test.each(['bundler', 'node16'])('its types hold under the module resolution "%s"', async (resolution) => {
  const module = resolution === 'bundler' ? 'esnext' : resolution;
  const flags = ['--strict', '--noEmit', '--target', 'es2022', '--module', module, '--moduleResolution', resolution];
  const tsc = join(modules, 'typescript/bin/tsc');
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, ...flags, '--types', '', 'types.test-d.ts'], {
    cwd: app,
  }).catch((error) => error);
  expect(stdout).toBe('');
});
