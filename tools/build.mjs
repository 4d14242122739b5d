// Builds what is not current: build/ (the core) and dist/ (the package: library, types, command line).
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { buildCore } from './core.mjs';
import { licencesOf } from './licences.mjs';
import { cache, contentKey, filesUnder, isCurrent, replaceFile, root } from './stamp.mjs';
import { virtualModules } from './virtual-modules.mjs';

const dist = join(root, 'dist');

/** The package's entries, package.json's "exports" and "bin", and the namespaces within them. */
const entries = {
  index: 'src/index.ts',
  f64: 'src/f64.ts',
  fast: 'src/fast.ts',
  nn: 'src/nn/index.ts',
  init: 'src/nn/init.ts',
  optim: 'src/optim/index.ts',
  lr: 'src/optim/lr.ts',
  worker: 'src/train/worker.ts',
  cli: 'src/cli/main.ts',
};

/**
 * Leaves `export * as nn from './nn/index'` and the like as they are, but for the file's name: bundled, a namespace is an
 * object, which nobody can shake.
 */
const namespaces = {
  name: 'wasmgrad-namespaces',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/(nn\/index|optim\/index|init|lr)$/ }, ({ path, importer }) =>
      /^src\/(nn\/|optim\/)?index\.ts$/.test(relative(root, importer))
        ? { path: `./${path.split('/')[1]}.js`, external: true }
        : undefined,
    );
  },
};

/**
 * All entries in one build, so that they share one copy of the core, the worker and every registry. Left readable, since
 * an application's bundler minifies it.
 */
async function buildModules() {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: dist,
    bundle: true,
    splitting: true,
    metafile: true,
    chunkNames: 'chunks/[hash]',
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    external: ['comlink', 'node:*'],
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [virtualModules(), namespaces],
  });
  for (const entry of Object.keys(entries)) if (entry !== 'cli') refuseNode(metafile.outputs, `dist/${entry}.js`);
  // The worker's text holds comlink, the command line citty.
  writeFileSync(join(dist, 'LICENCES.txt'), licencesOf('comlink', 'citty'));
  const cli = join(dist, 'cli.js');
  writeFileSync(cli, `#!/usr/bin/env node\n${readFileSync(cli, 'utf8')}`);
}

/** A static import of `node:` anywhere below a library entry breaks every browser's bundle. */
function refuseNode(outputs, entry) {
  const seen = new Set();
  const visit = (output) => {
    if (seen.has(output)) return;
    seen.add(output);
    for (const { path, external } of outputs[output].imports) {
      if (!external) visit(path);
      else if (path.startsWith('node:')) throw new Error(`${entry} imports ${path} by way of ${output}`);
    }
  };
  visit(entry);
}

/** Declarations name other files without an extension, which TypeScript's `node16` resolution does not follow. */
function addExtensions(file) {
  const completed = readFileSync(file, 'utf8').replace(
    /(from |import |import\(|declare module )(['"])(\.[^'"]*)\2/g,
    (_, before, quote, path) => {
      const target = join(dirname(file), path);
      if (existsSync(`${target}.d.ts`)) return `${before}${quote}${path}.js${quote}`;
      if (existsSync(join(target, 'index.d.ts'))) return `${before}${quote}${path}/index.js${quote}`;
      throw new Error(`${file} names ${path}, which has no declarations`);
    },
  );
  writeFileSync(file, completed);
}

async function buildDeclarations() {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [tsc, '--project', 'tsconfig.build.json'], { cwd: root }).catch(
    (error) => {
      throw new Error(`tsc:\n${error.stdout || error.message}`);
    },
  );
  filesUnder(join(dist, 'types')).forEach(addExtensions);
}

export async function buildAll() {
  await buildCore();
  const key = contentKey([
    'assembly',
    'asconfig.json',
    'src',
    'tools',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ]);
  const stamp = join(cache, 'dist.stamp');
  if (isCurrent(stamp, key, [dist])) return;
  console.error('building the package…');
  rmSync(dist, { recursive: true, force: true });
  await Promise.all([buildModules(), buildDeclarations()]);
  replaceFile(stamp, key);
}
