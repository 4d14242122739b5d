// Compiles assembly/ with asc into build/core-f32.wasm, extension-f32.wasm and so on; does nothing where they are current.
import { execFile } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cache, contentKey, isCurrent, replaceFile, root } from './stamp.mjs';

/** The double build, and the single build with relaxed SIMD, are binaries of their own: targets in asconfig.json. */
const targets = ['f32', 'f64', 'fast'].flatMap((build) => [`core-${build}`, `extension-${build}`]);
const asc = join(root, 'node_modules/assemblyscript/bin/asc.js');

export const binaryPath = (target) => join(root, 'build', `${target}.wasm`);

async function compile(target) {
  const product = binaryPath(target);
  const entry = target.startsWith('core') ? 'assembly/run.ts' : 'assembly/extension.ts';
  const temporary = `${product}.${process.pid}`;
  // asconfig.json has the flags. Not -O3 or --converge, which hoist the loads of unrolled kernels and cost a fifth of their speed.
  const args = [asc, entry, '--config', 'asconfig.json', '--target', target, '--outFile', temporary];
  await promisify(execFile)(process.execPath, args, { cwd: root }).catch((error) => {
    throw new Error(`asc could not compile ${target}:\n${error.stderr || error.message}`);
  });
  renameSync(temporary, product);
}

async function buildIfStale() {
  const key = contentKey(['assembly', 'asconfig.json', 'package-lock.json', 'tools/core.mjs']);
  const stamp = join(cache, 'core.stamp');
  if (isCurrent(stamp, key, targets.map(binaryPath))) return;
  console.error('building the core…');
  mkdirSync(join(root, 'build'), { recursive: true });
  await Promise.all(targets.map(compile));
  replaceFile(stamp, key);
}

let running;

/** Vitest asks once for each of its projects, at the same time. */
export function buildCore() {
  running ??= buildIfStale().finally(() => {
    running = undefined;
  });
  return running;
}
