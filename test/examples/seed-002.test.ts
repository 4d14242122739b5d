import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { drawAsSvg, drawInTerminal, learnRegion, region } from '../../examples/seed-002';
import { runProgram } from './run-program';

const folder = mkdtempSync(join(tmpdir(), 'wasmgrad-seed-002-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { model, cost } = learnRegion({ steps: 200_000 });

test('200,000 steps put every point into the region of its kind', () => {
  expect(cost).toBeLessThan(1e-3);
  expect(model.parameters().reduce((total, { size }) => total + size, 0)).toBe(23);
  // Pixels of a tenth: each of the points lies on a corner of four, inside one kind's region.
  const pixels = region(model, 10, 10);
  const at = (x: number, y: number) => pixels[Math.round(10 * (1 - y))]![Math.round(10 * x)];
  expect([at(0.1, 0.1), at(0.3, 0.4), at(0.1, 0.5), at(0.6, 0.9), at(0.4, 0.2)]).toEqual(Array(5).fill(true));
  expect([at(0.6, 0.3), at(0.5, 0.6), at(0.9, 0.2), at(0.4, 0.4), at(0.7, 0.6)]).toEqual(Array(5).fill(false));
});

test('the terminal shows five points of each kind', () => {
  const drawing = drawInTerminal(model, 40, 20);
  expect(drawing.split('\n').map((line) => line.length)).toEqual(Array(22).fill(42));
  expect([drawing.match(/o/g), drawing.match(/x/g)].map((found) => found?.length)).toEqual([5, 5]);
  expect(drawing).toMatch(/█/);
});

test('so does the picture', () => {
  const svg = drawAsSvg(model, 50);
  expect(svg.match(/<circle/g)).toHaveLength(5);
  expect(svg.match(/l8 8m0 -8l-8 8/g)).toHaveLength(5);
  expect(svg).not.toMatch(/NaN|h-?0v/);
});

test('as a program it draws the region, and writes a picture where it is told to', async () => {
  const file = join(folder, 'region.svg');
  const lines = await runProgram('examples/seed-002.ts', file);
  expect(lines.filter((line) => /^step +\d+ {3}cost \d\.\d{3}e-\d/.test(line))).toHaveLength(10);
  expect(lines.filter((line) => /^│[ ▄▀█ox]{60}│$/.test(line))).toHaveLength(30);
  expect(lines.at(-1)).toMatch(/^1000000 steps in \d+\.\d s, cost \d\.\d{3}e-5;/);
  expect(readFileSync(file, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
});
