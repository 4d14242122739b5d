import source from 'worker:source';
import type { Endpoint } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';

/** What Node's workers and the web's have in common. */
export interface WorkerHandle {
  readonly endpoint: Endpoint;
  /** Calls the listener once, when the worker has died by itself, or could not start: it never spoke. */
  onDeath(listener: (why: string, spoke: boolean) => void): void;
  terminate(): void;
  /** Lets the process end although the worker lives. */
  unref(): void;
}

let ownFile: (() => Worker) | null = null;

/** From here on workers are made of the file that runs here: the worker script itself, where a page keeps it in a file because its policy forbids blobs. */
export function spawnFromOwnFile(): void {
  if (globalThis.location?.protocol.startsWith('http')) ownFile = () => new Worker(location.href, { type: 'module' });
}

/**
 * Starts the worker script, a text inside the package, so that there is no file to find: Node evaluates it, everyone else
 * loads it as a blob. `create` replaces that where a page's policy forbids blobs. Throws what the platform throws where it refuses.
 */
export function spawn(create?: () => Worker): WorkerHandle {
  if (create || typeof Worker !== 'undefined') return webHandle((create ?? ownFile ?? blobWorker)());
  // Not an import: bundlers for browsers would trip over it.
  const { Worker: Thread } = process.getBuiltinModule('node:worker_threads');
  return nodeHandle(new Thread(source, { eval: true }));
}

function blobWorker(): Worker {
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  try {
    return new Worker(url, { type: 'module', name: 'wasmgrad' });
  } finally {
    // Not at once: some browsers read the address only after the constructor has returned.
    const timer: unknown = setTimeout(() => URL.revokeObjectURL(url), 10_000);
    (timer as { unref?: () => void }).unref?.();
  }
}

function nodeHandle(worker: import('node:worker_threads').Worker): WorkerHandle {
  let over = false;
  return {
    endpoint: nodeEndpoint(worker),
    onDeath(listener) {
      const die = (why: string) => {
        if (!over) listener(why, true);
        over = true;
      };
      worker.on('error', ({ message }) => die(message));
      worker.on('exit', (code) => die(`it ended with exit code ${code}`));
    },
    terminate() {
      over = true;
      void worker.terminate();
    },
    unref: () => worker.unref(),
  };
}

function webHandle(worker: Worker): WorkerHandle {
  let spoke = false;
  worker.addEventListener('message', () => {
    spoke = true;
  });
  return {
    endpoint: worker,
    onDeath(listener) {
      worker.addEventListener(
        'error',
        (event) => {
          event.preventDefault();
          listener(event.message, spoke);
        },
        { once: true },
      );
    },
    terminate: () => worker.terminate(),
    // Deno and Bun have it, browsers need it not.
    unref: () => (worker as { unref?: () => void }).unref?.(),
  };
}
