// Begins the known training in Node, for browsers to go on with.
import type { TestProject } from 'vitest/node';
import { Checkpoints } from 'wasmgrad';
import { startKnown } from '../package/app/known-training.js';
import { Shelf } from '../train/shelf';

declare module 'vitest' {
  interface ProvidedContext {
    /** A checkpoint: its name, and its bytes in base64. */
    begun: { name: string; bytes: string };
  }
}

export default async function begin({ provide }: TestProject): Promise<void> {
  const shelf = new Shelf();
  const to = new Checkpoints(shelf);
  await startKnown({ checkpoint: { to, every: '10 steps' }, maxSteps: 25 }).run.done;
  const [name, bytes] = [...shelf.files].at(-1)!;
  provide('begun', { name, bytes: Buffer.from(bytes).toString('base64') });
}
