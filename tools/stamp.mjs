// What has been built from what: a stamp in .cache/ holds the hash of a product's sources. Node's built-ins only.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const cache = join(root, '.cache');

/** Every file under `path` (itself, if it is a file), sorted, so that the order never depends on the file system. */
export function filesUnder(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesUnder(join(path, name)));
}

/** One hash over names and contents of the files under `paths` (relative to the project), and over `facts`. */
export function contentKey(paths, ...facts) {
  const hash = createHash('sha256').update(facts.join('\0'));
  for (const file of paths.flatMap((path) => filesUnder(join(root, path)))) {
    hash.update(`\0${file.slice(root.length)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Whether `products` exist and were made from the content that `key` names. */
export function isCurrent(stamp, key, products) {
  return products.every((product) => existsSync(product)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === key;
}

/** Writes a file in one step: a process that reads it meanwhile, or dies meanwhile, never leaves or sees half of it. */
export function replaceFile(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}
