// The known training in a page: the title tells its end.
import { trainKnown } from './known-training.js';

const memory = globalThis.crossOriginIsolated ? 'shared' : 'unshared';
// Two threads are asked for everywhere, and got where memory can be shared.
document.title = await trainKnown({ threads: 2 }).then(
  (hash) => `${memory} ${hash}`,
  (error) => `${error.name} ${error.code} ${error.message}`,
);
