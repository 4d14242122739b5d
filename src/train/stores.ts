import { CheckpointError } from '../errors';
import { Checkpoints } from './checkpoints';

/** What is being written, until it has its own name. */
const UNFINISHED = 'unfinished';

/**
 * Checkpoints in a folder, in Node, Deno and Bun: written beside, brought to the disk, and then renamed. It is made where it is missing.
 *
 *     train({ …, checkpoint: { to: directory('runs/1') } })
 */
export function directory(path: string): Checkpoints {
  const { mkdir, open, readdir, readFile, rename, unlink } = builtin('node:fs/promises');
  const { join } = builtin('node:path');
  const isAbsent = (error: unknown) => (error as { code?: string }).code === 'ENOENT';
  return new Checkpoints({
    list: () =>
      readdir(path).catch((error) => {
        if (isAbsent(error)) return [];
        throw error;
      }),
    read: (name) => readFile(join(path, name)),
    async write(name, bytes) {
      await mkdir(path, { recursive: true });
      const file = await open(join(path, UNFINISHED), 'w');
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(join(path, UNFINISHED), join(path, name));
    },
    remove: (name) => unlink(join(path, name)),
  });
}

function builtin<T extends 'node:fs/promises' | 'node:path'>(name: T) {
  const module = globalThis.process?.getBuiltinModule?.(name);
  if (module) return module;
  throw new CheckpointError('there are no folders here; in a page use opfs(…) or indexedDb(…).', {
    ...{ code: 'UNSUPPORTED', op: 'directory', argument: 'path' },
  });
}

/**
 * Checkpoints in the page's own files, the Origin Private File System, in a folder of this name: written beside and swapped in by the browser.
 *
 *     train({ …, checkpoint: { to: opfs('run-1') } })
 */
export function opfs(name: string): Checkpoints {
  const folder = async () => {
    if (!globalThis.navigator?.storage?.getDirectory) {
      throw new CheckpointError(
        'there is no OPFS here: it needs a browser and a secure context; use indexedDb(…) or directory(…).',
        {
          ...{ code: 'UNSUPPORTED', op: 'opfs', argument: 'name' },
        },
      );
    }
    const root = await navigator.storage.getDirectory();
    return root.getDirectoryHandle(name, { create: true });
  };
  return new Checkpoints({
    async list() {
      const names: string[] = [];
      for await (const one of (await folder()).keys()) names.push(one);
      return names;
    },
    async read(file) {
      const handle = await (await folder()).getFileHandle(file);
      return new Uint8Array(await (await handle.getFile()).arrayBuffer());
    },
    async write(file, bytes) {
      const at = await folder();
      const handle = await at.getFileHandle(file, { create: true });
      try {
        // What is written is in a file of its own until it is closed.
        const stream = await handle.createWritable();
        try {
          await stream.write(bytes);
        } catch (error) {
          await stream.abort();
          throw error;
        }
        await stream.close();
      } catch (error) {
        await at.removeEntry(file);
        throw error;
      }
    },
    remove: async (file) => (await folder()).removeEntry(file),
  });
}

/** Checkpoints in a database of the page's, of this name. It is there without a secure context, too. */
export function indexedDb(name: string): Checkpoints {
  const STORE = 'files';
  const done = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  let opened: Promise<IDBDatabase> | null = null;
  const open = () => {
    const request = indexedDB.open(`wasmgrad ${name}`, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    return done(request);
  };
  /** Resolves when the transaction is kept, not merely asked for. */
  const transact = async <T>(mode: IDBTransactionMode, f: (files: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
    if (typeof indexedDB === 'undefined') {
      throw new CheckpointError('there is no IndexedDB here; use directory(…).', {
        ...{ code: 'UNSUPPORTED', op: 'indexedDb', argument: 'name' },
      });
    }
    opened ??= open().catch((error) => {
      opened = null; // may be granted the next time
      throw error;
    });
    const transaction = (await opened).transaction(STORE, mode, { durability: 'strict' });
    const kept = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
    const [result] = await Promise.all([done(f(transaction.objectStore(STORE))), kept]);
    return result;
  };
  return new Checkpoints({
    list: async () => (await transact('readonly', (files) => files.getAllKeys())) as string[],
    read: async (file) => (await transact('readonly', (files) => files.get(file))) as Uint8Array,
    write: async (file, bytes) => void (await transact('readwrite', (files) => files.put(bytes, file))),
    remove: async (file) => void (await transact('readwrite', (files) => files.delete(file))),
  });
}
