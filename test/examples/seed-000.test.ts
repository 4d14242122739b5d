import { expect, test } from 'vitest';
import { learnLayer } from '../../examples/seed-000';
import { runProgram } from './run-program';

test.each(Array.from({ length: 20 }, (_, seed) => seed))('seed %i finds the real weights', (seed) => {
  const { loss, maxDw, maxDb } = learnLayer({ seed });
  expect(loss).toBeLessThan(5e-4);
  expect(maxDw).toBeLessThan(0.03);
  expect(maxDb).toBeLessThan(0.15);
});

test('the loss is told every 100 steps, before the update', () => {
  const told: number[] = [];
  const { loss } = learnLayer({ steps: 201, onLoss: (step, value) => told.push(step, value) });
  expect(told.filter((_, i) => i % 2 === 0)).toEqual([0, 100, 200]);
  expect(told.at(-1)).toBe(loss);
  expect(told[1]).toBeGreaterThan(loss);
});

test('as a program it prints learned and real weights and their differences', async () => {
  const lines = await runProgram('examples/seed-000.ts');
  expect(lines.filter((line) => /^step +\d+ {3}loss \d\.\d{3}e[+-]\d/.test(line))).toHaveLength(101);
  expect(lines).toEqual(expect.arrayContaining(['w, learned', 'w, real', 'w, difference', 'b, learned', 'b, real']));
  expect(lines.at(-1)).toMatch(/^largest difference: 0\.0\d{3} in w, 0\.\d{4} in b$/);
});
