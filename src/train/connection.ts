import { type Remote, releaseProxy, wrap } from 'comlink';
import { WorkerError } from '../errors';
import { spawn, type WorkerHandle } from '../machine/spawn';
import type { WorkerApi } from './protocol';

/** A worker of one's own, for one piece of work. */
export interface Connection {
  worker: Remote<WorkerApi>;
  /** `call`, or the worker's death, whichever comes first: no call ever hangs. */
  race<T>(call: Promise<T>): Promise<T>;
  close(): void;
}

/** Who was ended before it held a lock gives no sign at all. */
const START_MS = 10_000;

export function connect(create?: () => Worker): Connection {
  let handle: WorkerHandle;
  try {
    handle = spawn(create);
  } catch (error) {
    throw blocked(String(error));
  }
  const worker = wrap<WorkerApi>(handle.endpoint);
  const closing = new AbortController();
  const death = new Promise<never>((_, reject) => {
    handle.onDeath((why, spoke) => {
      reject(spoke ? died(`the worker stopped: ${why || 'nobody knows why'}.`) : blocked(why));
    });
    // A browser may end a worker without a word; a lock that it holds is then given to whoever waits for it.
    const { locks } = globalThis.navigator ?? {};
    if (!locks) return;
    const slow = setTimeout(() => reject(died('the worker did not start.')), START_MS);
    closing.signal.onabort = () => clearTimeout(slow);
    const name = `wasmgrad ${Math.random()}`;
    const wait = () => {
      clearTimeout(slow);
      return locks.request(name, { signal: closing.signal }, () => reject(died('the worker was ended.')));
    };
    worker
      .hold(name)
      .then(wait)
      .catch(() => {});
  });
  // Heard by `race`; a death between two calls is no unhandled rejection.
  death.catch(() => {});
  return {
    worker,
    race: (call) => Promise.race([call, death]),
    close() {
      closing.abort();
      worker[releaseProxy]();
      handle.terminate();
    },
  };
}

const died = (why: string) => new WorkerError(why, { op: 'train', argument: 'worker' });

function blocked(why: string): WorkerError {
  return new WorkerError(
    `the worker could not be started: ${why || 'the browser refused it'}. Where a content security policy forbids blob: ` +
      'workers, pass the option worker: () => new Worker(…) of a file that imports wasmgrad/worker.',
    { code: 'WORKER_BLOCKED', op: 'train', argument: 'worker' },
  );
}
