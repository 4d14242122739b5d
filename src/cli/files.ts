import { existsSync } from 'node:fs';
import { access, constants, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DataError } from '../errors';

const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file or folder.',
  ENOTDIR: 'a part of this path is no folder.',
  EISDIR: 'this is a folder, not a file.',
  EACCES: 'it may not be opened: permission denied.',
};

/** A system's error about a path as a sentence. */
export function fileError(path: string, error: unknown): DataError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new DataError(REASONS[code] ?? message, { file: path });
}

export async function readPath(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error) => {
    throw fileError(path, error);
  });
}

export async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch((error) => {
    throw fileError(path, error);
  });
  return found.isDirectory();
}

/** Before a long training, not after it: throws unless a file can be put there. */
export async function checkWritable(path: string): Promise<void> {
  const folder = dirname(path);
  await access(folder, constants.W_OK).catch((error) => {
    throw fileError(folder, error);
  });
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory()) throw fileError(path, { code: 'EISDIR' });
  if (there) {
    await access(path, constants.W_OK).catch((error) => {
      throw fileError(path, error);
    });
  }
}

/** A file of this package, whose root is above this module: above dist/ when built, above src/ in the sources. */
export function packageFile(name: string): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return join(folder, name);
}
