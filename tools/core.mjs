// Compiles assembly/ with asc into build/core-f32.wasm, core-f64.wasm and core-fast.wasm; does nothing where they are current.
import { execFile } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cache, contentKey, isCurrent, replaceFile, root } from './stamp.mjs';

/** Double build, and single build with relaxed SIMD, are cores of their own: asconfig.json. */
const builds = ['f32', 'f64', 'fast'];
const asc = join(root, 'node_modules/assemblyscript/bin/asc.js');

export const corePath = (build) => join(root, 'build', `core-${build}.wasm`);

async function compile(build) {
  const product = corePath(build);
  const temporary = `${product}.${process.pid}`;
  // asconfig.json has the flags. Not -O3 or --converge, which hoist the loads of unrolled kernels and cost a fifth of their speed.
  const args = [asc, '--config', 'asconfig.json', '--target', build, '--outFile', temporary];
  await promisify(execFile)(process.execPath, args, { cwd: root }).catch((error) => {
    throw new Error(`asc could not compile the ${build} core:\n${error.stderr || error.message}`);
  });
  renameSync(temporary, product);
}

async function buildIfStale() {
  const key = contentKey(['assembly', 'asconfig.json', 'package-lock.json', 'tools/core.mjs']);
  const stamp = join(cache, 'core.stamp');
  if (isCurrent(stamp, key, builds.map(corePath))) return;
  console.error('building the core…');
  mkdirSync(join(root, 'build'), { recursive: true });
  await Promise.all(builds.map(compile));
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
