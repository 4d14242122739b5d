// The known training in a page: the title tells its end.
import { trainKnown } from './known-training.js';

const memory = globalThis.crossOriginIsolated ? 'shared' : 'unshared';
// For a policy that forbids blobs: a worker of the page's own, which imports wasmgrad/worker.
const own = () => new Worker('own-worker.js', { type: 'module' });
const worker = new URLSearchParams(location.search).has('own-worker') ? own : undefined;
// Two threads are asked for everywhere, and got where memory can be shared.
document.title = await trainKnown({ threads: 2, worker }).then(
  (hash) => `${memory} ${hash}`,
  (error) => `${error.name} ${error.code} ${error.message}`,
);
