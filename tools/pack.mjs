// The package as its users get it: packed by npm, and installed from the tarball into a folder of its own.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './stamp.mjs';

const npm = (folder, ...args) => promisify(execFile)('npm', args, { cwd: folder });

/** Leaves `folder` with a package.json and node_modules/wasmgrad. Asks no registry: the dependency is packed as well. */
export async function installPackage(folder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
  const sources = [root, join(root, 'node_modules/comlink')];
  const packed = await npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder, ...sources);
  const tarballs = JSON.parse(packed.stdout).map(({ filename }) => `./${filename}`);
  await npm(folder, 'install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...tarballs);
}
