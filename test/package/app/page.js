// The known training in a page: the title tells its end.
import { Checkpoints } from 'wasmgrad';
import { resumeKnown, trainKnown } from './known-training.js';

const memory = globalThis.crossOriginIsolated ? 'shared' : 'unshared';
// For a policy that forbids blobs: a worker of the page's own, which imports wasmgrad/worker.
const own = () => new Worker('own-worker.js', { type: 'module' });
const query = new URLSearchParams(location.search);
const worker = query.has('own-worker') ? own : undefined;
/** A checkpoint that the server has; those to come are nobody's. */
const served = (name) =>
  new Checkpoints({
    list: async () => [name],
    read: async () => new Uint8Array(await (await fetch(name)).arrayBuffer()),
    write: async () => {},
    remove: async () => {},
  });
const from = query.get('resume');
// Two threads are asked for everywhere, and got where memory can be shared.
const options = { threads: 2, worker };
document.title = await (from ? resumeKnown(served(from), options) : trainKnown(options)).then(
  (hash) => `${memory} ${hash}`,
  (error) => `${error.name} ${error.code} ${error.message}`,
);
