import { type Endpoint, expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { instantiate, registerBinaries } from '../machine/cores';
import type { ThreadMessage } from '../machine/machine';
import { spawnFromOwnFile } from '../machine/spawn';
import { createSession } from './session';

// The worker's script: a training session, or, if its first message says so, a helper thread of one.

const node = typeof postMessage === 'undefined';
const port = node ? process.getBuiltinModule('node:worker_threads').parentPort! : null;
const endpoint: Endpoint = port ? nodeEndpoint(port) : (globalThis as unknown as Endpoint);

endpoint.addEventListener('message', (event) => {
  const message = (event as MessageEvent<ThreadMessage | undefined>).data;
  if (message?.role !== 'thread') return;
  const { build, binaries, memory, thread } = message;
  registerBinaries(build, binaries);
  // Never returns: the thread sleeps in the core until a program needs it.
  const extended = binaries.extension !== null;
  instantiate(build, memory, { shared: true, extended }).serve(thread, extended);
});
spawnFromOwnFile();
expose(createSession(), endpoint);
