// Builds the web page into build/web/, which any host of files can serve, from any path.
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { build } from 'esbuild';
import { icon } from './icon.mjs';
import { licencesOf } from './licences.mjs';
import { root } from './stamp.mjs';
import { sources, virtualModules, workerSource } from './virtual-modules.mjs';

export const site = join(root, 'build', 'web');

const sourceTypes = ['.ts', '.css', '.js'];
const datasets = ['digits.csv.gz', 'README.md'];

export async function buildWeb() {
  rmSync(site, { recursive: true, force: true });
  cpSync(join(root, 'web'), site, { recursive: true, filter: (path) => !sourceTypes.includes(extname(path)) });
  for (const name of datasets) cpSync(join(root, 'data', name), join(site, 'data', name));
  const options = {
    absWorkingDir: root,
    outdir: site,
    bundle: true,
    target: 'es2022',
    minify: true,
    logLevel: 'warning',
  };
  await build({
    ...options,
    entryPoints: ['web/main.ts', 'web/style.css'],
    alias: sources,
    format: 'esm',
    plugins: [virtualModules()],
  });
  await build({ ...options, entryPoints: ['web/boot.ts'], format: 'iife' });
  // A file of the page's own: its policy forbids blobs.
  writeFileSync(join(site, 'worker.js'), await workerSource());
  for (const size of [192, 512]) writeFileSync(join(site, `icon-${size}.png`), icon(size));
  writeFileSync(join(site, 'licences.txt'), licencesOf('comlink', 'uplot'));
  const files = filesOf(site);
  const contents = createHash('sha256');
  for (const file of files) contents.update(file).update(readFileSync(join(site, file)));
  const version = contents.digest('hex').slice(0, 12);
  await build({
    ...options,
    entryPoints: ['web/service-worker.js'],
    format: 'iife',
    define: { VERSION: JSON.stringify(version), FILES: JSON.stringify(['./', ...files]) },
  });
}

/** All files in a folder, as addresses relative to it. */
function filesOf(folder) {
  const names = readdirSync(folder, { recursive: true }).map((name) => join(folder, name));
  const files = names
    .filter((name) => statSync(name).isFile())
    .map((name) => relative(folder, name).replaceAll('\\', '/'));
  return files.sort();
}

if (process.argv[1] === import.meta.filename) await buildWeb();
