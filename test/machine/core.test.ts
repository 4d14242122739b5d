import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { HEAP_BASE } from '../../assembly/isa';
import { theMachine } from '../../src/graph/execute';
import { binariesOf } from '../../src/machine/cores';
import '../../src/ops/sort'; // which has the extension
import 'wasmgrad/f64';
import 'wasmgrad/fast';

/** Unsigned LEB128 at an offset: the value, and where it ends. */
function leb(bytes: Uint8Array, at: number): [value: number, end: number] {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return [value, at];
  }
}

/** The bytes of linear memory that a module writes when it is instantiated. */
function dataSegments(bytes: Uint8Array): [from: number, to: number][] {
  const found: [number, number][] = [];
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at]!;
    const [size, body] = leb(bytes, at + 1);
    at = body + size;
    if (id !== 11) continue;
    let [count, cursor] = leb(bytes, body);
    for (; count > 0; count--) {
      // An active segment of memory 0: flags 0, i32.const offset, end, then its bytes.
      expect([bytes[cursor], bytes[cursor + 1]]).toEqual([0, 0x41]);
      const [from, afterOffset] = leb(bytes, cursor + 2);
      const [length, start] = leb(bytes, afterOffset + 1);
      found.push([from, from + length]);
      cursor = start + length;
    }
  }
  return found;
}

it('keeps the tables of all cores apart, and below all that is allocated', () => {
  theMachine();
  const { targets } = JSON.parse(readFileSync(join(import.meta.dirname, '../../asconfig.json'), 'utf8'));
  const bases = Object.entries<{ memoryBase: number }>(targets).map(([target, { memoryBase }]) => ({
    target,
    memoryBase,
  }));
  bases.sort((a, b) => a.memoryBase - b.memoryBase);
  expect(bases).toHaveLength(6);
  bases.forEach(({ target, memoryBase }, i) => {
    const [part, build] = target.split('-') as ['core' | 'extension', 'f32' | 'f64' | 'fast'];
    for (const [from, to] of dataSegments(binariesOf(build)[part]!)) {
      expect(from).toBeGreaterThanOrEqual(memoryBase);
      expect(to).toBeLessThanOrEqual(bases[i + 1]?.memoryBase ?? HEAP_BASE);
    }
  });
});

it('finds data segments where there are some', () => {
  // (memory 1) (data (i32.const 1024) "abc")
  const module = [0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 0, 1, 11, 10, 1, 0, 0x41, 0x80, 0x08, 0x0b, 3, 97, 98, 99];
  expect(WebAssembly.validate(Uint8Array.from(module))).toBe(true);
  expect(dataSegments(Uint8Array.from(module))).toEqual([[1024, 1027]]);
});
