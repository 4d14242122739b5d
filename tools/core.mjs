// Compiles assembly/ with asc into build/core-f32.wasm and build/core-f64.wasm; does nothing where they are current.
import { execFile } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cache, contentKey, isCurrent, replaceFile, root } from './stamp.mjs';

const precisions = ['f32', 'f64'];
const asc = join(root, 'node_modules/assemblyscript/bin/asc.js');

// -O3 and --converge hoist the loads of unrolled kernels and cost a fifth of their speed.
const flags = [
  '-O2',
  '--enable=simd,threads',
  '--importMemory',
  '--sharedMemory',
  '--zeroFilledMemory',
  '--maximumMemory=65536',
  '--memoryBase=1024',
  '--runtime=stub',
  '--noAssert',
];

export const corePath = (precision) => join(root, 'build', `core-${precision}.wasm`);

async function compile(precision) {
  const product = corePath(precision);
  const temporary = `${product}.${process.pid}`;
  const args = [asc, 'assembly/run.ts', ...flags, '--use', `real=${precision}`, '-o', temporary];
  await promisify(execFile)(process.execPath, args, { cwd: root }).catch((error) => {
    throw new Error(`asc could not compile the ${precision} core:\n${error.stderr || error.message}`);
  });
  renameSync(temporary, product);
}

async function buildIfStale() {
  const key = contentKey(['assembly', 'package-lock.json', 'tools/core.mjs']);
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
