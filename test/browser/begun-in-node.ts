// Begins the known training in Node, for browsers to go on with.
import type { TestProject } from 'vitest/node';
import { Checkpoints } from 'wasmgrad';
import { startKnown } from '../package/app/known-training.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A checkpoint: its name, and its bytes in base64. */
    begun: { name: string; bytes: string };
  }
}

export default async function begin({ provide }: TestProject): Promise<void> {
  const files = new Map<string, Uint8Array>();
  const to = new Checkpoints({
    list: async () => [...files.keys()],
    read: async (name) => files.get(name)!,
    write: async (name, bytes) => void files.set(name, bytes),
    remove: async (name) => void files.delete(name),
  });
  await startKnown({ checkpoint: { to, every: '10 steps' }, maxSteps: 25 }).run.done;
  const [name, bytes] = [...files].at(-1)!;
  provide('begun', { name, bytes: Buffer.from(bytes).toString('base64') });
}
