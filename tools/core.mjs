// Compiles assembly/ with asc into build/core-f32.wasm and build/core-f64.wasm; does nothing where they are current.
import { execFile } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cache, contentKey, isCurrent, replaceFile, root } from './stamp.mjs';

const precisions = ['f32', 'f64'];
const asc = join(root, 'node_modules/assemblyscript/bin/asc.js');

export const corePath = (precision) => join(root, 'build', `core-${precision}.wasm`);

async function compile(precision) {
  const product = corePath(precision);
  const temporary = `${product}.${process.pid}`;
  // asconfig.json has the flags. Not -O3 or --converge, which hoist the loads of unrolled kernels and cost a fifth of their speed.
  const args = [asc, '--config', 'asconfig.json', '--target', precision, '--outFile', temporary];
  await promisify(execFile)(process.execPath, args, { cwd: root }).catch((error) => {
    throw new Error(`asc could not compile the ${precision} core:\n${error.stderr || error.message}`);
  });
  renameSync(temporary, product);
}

async function buildIfStale() {
  const key = contentKey(['assembly', 'asconfig.json', 'package-lock.json', 'tools/core.mjs']);
  const stamp = join(cache, 'core.stamp');
  if (isCurrent(stamp, key, precisions.map(corePath))) return;
  console.error('building the core…');
  mkdirSync(join(root, 'build'), { recursive: true });
  await Promise.all(precisions.map(compile));
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
