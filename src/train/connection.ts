import { type Remote, releaseProxy, wrap } from 'comlink';
import type { WorkerError } from '../errors';
import { spawn } from '../machine/spawn';
import type { WorkerApi } from './protocol';

/** A worker of one's own, for one piece of work. */
export interface Connection {
  worker: Remote<WorkerApi>;
  /** `call`, or the worker's death, whichever comes first: no call ever hangs. */
  race<T>(call: Promise<T>): Promise<T>;
  close(): void;
}

export function connect(create?: () => Worker): Connection {
  const handle = spawn(create);
  const worker = wrap<WorkerApi>(handle.endpoint);
  const death = new Promise<never>((_, reject) => {
    handle.onDeath((error: WorkerError) => reject(error));
  });
  // Heard by `race`; a death between two calls is no unhandled rejection.
  death.catch(() => {});
  return {
    worker,
    race: (call) => Promise.race([call, death]),
    close() {
      worker[releaseProxy]();
      handle.terminate();
    },
  };
}
