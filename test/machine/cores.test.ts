import { describe, expect, it } from 'vitest';
import { decode } from '../../src/machine/cores';
import { textOf } from '../../tools/virtual-modules.mjs';

const texts: [string, Uint8Array][] = [
  ['nothing', new Uint8Array(0)],
  ['every byte', Uint8Array.from({ length: 256 }, (_, i) => 255 - i)],
  ['few bytes, often', Uint8Array.from({ length: 1000 }, (_, i) => (i * i) % 7)],
  [
    'all bytes, unevenly',
    Uint8Array.from({ length: 5000 }, (_, i) => (Math.floor((i * i) / 3) % 256) & (i % 3 ? 255 : 15)),
  ],
];

describe('a binary as text', () => {
  it.each(texts)('comes back: %s', (_, bytes) => {
    expect(decode(textOf(bytes))).toEqual(bytes);
  });

  it('needs no escape in any string of JavaScript, nor in a page', () => {
    for (const [, bytes] of texts) expect(textOf(bytes)).toMatch(/^[ -~]*$/);
    for (const [, bytes] of texts) expect(textOf(bytes)).not.toMatch(/["'`\\$<]/);
  });
});
