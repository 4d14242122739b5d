// Builds the web page into build/web/: web/main.ts and web/style.css with what they import, index.html, the datasets.
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { build } from 'esbuild';
import { licencesOf } from './licences.mjs';
import { root } from './stamp.mjs';
import { sources, virtualModules } from './virtual-modules.mjs';

export const site = join(root, 'build', 'web');

export async function buildWeb() {
  rmSync(site, { recursive: true, force: true });
  cpSync(join(root, 'web'), site, { recursive: true, filter: (path) => !['.ts', '.css'].includes(extname(path)) });
  cpSync(join(root, 'data'), join(site, 'data'), { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: ['web/main.ts', 'web/style.css'],
    outdir: site,
    alias: sources,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    logLevel: 'warning',
    plugins: [virtualModules()],
  });
  writeFileSync(join(site, 'licences.txt'), licencesOf('comlink', 'uplot'));
}

if (process.argv[1] === import.meta.filename) await buildWeb();
