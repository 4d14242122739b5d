// The known training outside of browsers: prints its hash, and ends by itself.
import { trainKnown } from './known-training.js';

console.log(await trainKnown({ threads: 2 }));
