import { Record as Layout } from '../../assembly/isa';
import { doubleWords, sequence } from './core';

/** A record for `Core.run` from its fields, as assembly/isa.ts numbers them; those left out are 0. */
export function record(op: number, chunks: number, fields: Record<number, number>, tail: number[] = []): number[] {
  const first = Layout.CHUNKS + 1;
  const operands = Math.max(...Object.keys(fields).map(Number)) + 1 - first;
  return [op, chunks, ...Array.from({ length: operands }, (_, i) => fields[first + i] ?? 0), ...tail];
}

/** A field that is an f64, of two words. */
export function double(field: number, value: number): Record<number, number> {
  const [low, high] = doubleWords(value);
  return { [field]: low, [field + 1]: high };
}

/** `count` numbers from -scale to scale. */
export function numbers(count: number, seed: number, scale = 1): number[] {
  const next = sequence(seed);
  return Array.from({ length: count }, () => (2 * next() - 1) * scale);
}

export const range = (count: number): number[] => [...Array(count).keys()];
