/** What the peers in JavaScript consist of: installed apart from the project, which does not depend on it, and bundled. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build } from 'esbuild';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
export const peersFolder = here('../.cache/peers');

/** Installs what bench/peers/js/package.json lists. */
export function installPeers(): void {
  const wanted = readFileSync(here('peers/js/package.json'), 'utf8');
  // npm writes this file last.
  const installed = existsSync(`${peersFolder}/node_modules/.package-lock.json`);
  if (installed && readFileSync(`${peersFolder}/package.json`, 'utf8') === wanted) return;
  mkdirSync(peersFolder, { recursive: true });
  writeFileSync(`${peersFolder}/package.json`, wanted);
  const npm = ['install', '--ignore-scripts', '--no-audit', '--no-fund'];
  execFileSync('npm', npm, { cwd: peersFolder, stdio: 'pipe', shell: process.platform === 'win32' });
}

/** tfjs fetches its WebAssembly from beside its page. */
export function copyTfjsCores(folder: string): void {
  const source = `${peersFolder}/node_modules/@tensorflow/tfjs-backend-wasm/dist`;
  for (const file of readdirSync(source)) {
    if (file.endsWith('.wasm')) copyFileSync(`${source}/${file}`, `${folder}/${file}`);
  }
}

/** Bundles a file of bench/ into a folder in which, or in one above, the peers are installed. Returns the bundle's path. */
export async function bundle(file: string, folder: string, options: BuildOptions): Promise<string> {
  const outfile = `${folder}/${file.replace(/^.*\//, '').replace(/\.\w+$/, '')}.js`;
  await build({
    entryPoints: [here(file)],
    outfile,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
    ...options,
  });
  return outfile;
}
