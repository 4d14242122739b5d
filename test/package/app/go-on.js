// The known training with checkpoints in a folder: `begin` stops in the middle of an epoch, without it the run goes on and prints its hash.
import { directory } from 'wasmgrad';
import { resumeKnown, startKnown } from './known-training.js';

const [folder, begin] = process.argv.slice(2);
const to = directory(folder);
if (begin) await startKnown({ checkpoint: { to, every: '10 steps' }, maxSteps: 25 }).run.done;
else console.log(await resumeKnown(to, { threads: 2 }));
