// Checkpoints where pages keep theirs: what was written is there for whoever comes later, and a run goes on from it to the known bits.

import { describe, expect, inject, test } from 'vitest';
import { Checkpoints, directory, indexedDb, opfs } from 'wasmgrad';
import { expected, resumeKnown, startKnown } from '../package/app/known-training.js';

const stores: [string, (name: string) => Checkpoints][] = [
  ['opfs', opfs],
  ['indexedDb', indexedDb],
];

describe.each(stores)('%s', (kind, store) => {
  test('keeps a run, which goes on to the known bits', async () => {
    const name = `run-${kind}`;
    await expect(store(name).load()).rejects.toMatchObject({ code: 'NO_CHECKPOINT' });
    await startKnown({ checkpoint: { to: store(name), every: '4 steps' }, maxSteps: 21 }).run.done;
    const { checkpoint, damaged } = await store(name).load();
    expect([checkpoint.position.step, damaged]).toEqual([21, []]);
    // Another one knows nothing of it.
    await expect(store(`${name}-2`).load()).rejects.toMatchObject({ code: 'NO_CHECKPOINT' });
    expect(await resumeKnown(store(name), {})).toBe(expected);
    // What is finished is finished.
    expect(await resumeKnown(store(name), {})).toBe(expected);
  });
});

test('a run begun in Node goes on here, to the known bits', async () => {
  const { name, bytes } = inject('begun');
  const from = new Checkpoints({
    list: async () => [name],
    read: async () => Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0)),
    write: async () => {},
    remove: async () => {},
  });
  expect((await from.load()).checkpoint.position.step).toBe(25);
  expect(await resumeKnown(from, { threads: 2 })).toBe(expected);
});

test('folders are for others', () => {
  expect(() => directory('run')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED', op: 'directory' }));
});
