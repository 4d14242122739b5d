import { REDUCE_BLOCK } from '../../assembly/isa';
import type { Core } from './core';

/** Rounds to the precision of a build. */
export const rounder = (core: Core) => (core.precision === 'f32' ? Math.fround : (x: number) => x);

/** REDUCE's law (assembly/isa.ts) in plain loops; `round` rounds to the build's precision. */
export function foldBlock(
  x: ArrayLike<number>,
  start: number,
  join: (a: number, b: number) => number,
  round: (x: number) => number,
): number {
  const l: number[] = new Array(8).fill(start);
  for (let i = 0; i < x.length; i++) l[i % 8] = round(join(l[i % 8]!, x[i]!));
  const pair = (a: number, b: number) => round(join(a, b));
  const even = pair(pair(l[0]!, l[4]!), pair(l[2]!, l[6]!));
  const odd = pair(pair(l[1]!, l[5]!), pair(l[3]!, l[7]!));
  return pair(even, odd);
}

export const add = (a: number, b: number) => a + b;
export const multiply = (a: number, b: number) => a * b;

/** The sum over any number of blocks: block sums are summed by the same rule. */
export function sumByLaw(x: number[], round: (x: number) => number): number {
  if (x.length <= REDUCE_BLOCK) return foldBlock(x, 0, add, round);
  const sums: number[] = [];
  for (let i = 0; i < x.length; i += REDUCE_BLOCK) sums.push(foldBlock(x.slice(i, i + REDUCE_BLOCK), 0, add, round));
  return sumByLaw(sums, round);
}
