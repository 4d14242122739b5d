import source from 'worker:source';
import type { Endpoint } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { WorkerError } from '../errors';

/** What Node's workers and the web's have in common. */
export interface WorkerHandle {
  readonly endpoint: Endpoint;
  /** Calls the listener once, when the worker has died by itself or could not start. */
  onDeath(listener: (error: WorkerError) => void): void;
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
 * loads it as a blob. `create` replaces that where a page's policy forbids blobs.
 */
export function spawn(create?: () => Worker): WorkerHandle {
  if (create || typeof Worker !== 'undefined') return webHandle(create ?? ownFile ?? blobWorker);
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
        if (!over) listener(new WorkerError(why, { op: 'train', argument: 'worker' }));
        over = true;
      };
      worker.on('error', (error) => die(`the worker stopped with an error: ${error.message}`));
      worker.on('exit', (code) => die(`the worker ended by itself, with exit code ${code}.`));
    },
    terminate() {
      over = true;
      void worker.terminate();
    },
    unref: () => worker.unref(),
  };
}

function webHandle(create: () => Worker): WorkerHandle {
  let worker: Worker;
  try {
    worker = create();
  } catch (error) {
    throw blocked(String(error));
  }
  let spoken = false;
  worker.addEventListener('message', () => {
    spoken = true;
  });
  return {
    endpoint: worker,
    onDeath(listener) {
      worker.addEventListener(
        'error',
        (event) => {
          event.preventDefault();
          const why = `the worker stopped with an error: ${event.message}`;
          listener(spoken ? new WorkerError(why, { op: 'train', argument: 'worker' }) : blocked(event.message));
        },
        { once: true },
      );
    },
    terminate: () => worker.terminate(),
    // Deno and Bun have it, browsers need it not.
    unref: () => (worker as { unref?: () => void }).unref?.(),
  };
}

function blocked(why: string | undefined): WorkerError {
  return new WorkerError(
    `the worker could not be started: ${why || 'the browser refused it'}. Where a content security policy forbids blob: ` +
      'workers, pass the option worker: () => new Worker(…) of a file that imports wasmgrad/worker.',
    { code: 'WORKER_BLOCKED', op: 'train', argument: 'worker' },
  );
}
