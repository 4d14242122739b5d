import { expect, test } from 'vitest';
import { manualSeed } from 'wasmgrad';
import { learn, sequences } from '../../examples/adding-problem';

/** A smaller budget than the program's 100 steps and 64 units. Who guesses the mean is off by 1/24, about 0.04. */
test.each(['lstm', 'gru'] as const)('%s learns to add what it heard many steps ago', (kind) => {
  const lines: string[] = [];
  const { steps, error } = learn(kind, { t: 30, hidden: 32, lr: 5e-3, print: (line) => lines.push(line) });
  expect(error).toBeLessThan(1e-3);
  expect(steps).toBeLessThanOrEqual(1500);
  expect(lines[0]).toMatch(/^step +100 {3}error 0\.\d{5} {3}\d+\.\d s$/);
});

test('two numbers of each sequence are marked, and add up', () => {
  manualSeed(1);
  const { x, lengths, y } = sequences(40, 20);
  expect([x.shape, y.shape]).toEqual([
    [22, 40, 2],
    [40, 1],
  ]);
  const pairs = x.toArray() as [number, number][][];
  (lengths.toArray() as number[]).forEach((length, n) => {
    const own = pairs.map((step) => step[n]!);
    expect(length).toBeGreaterThanOrEqual(20);
    expect(
      own
        .slice(length)
        .flat()
        .every((value) => value === 0),
    ).toBe(true);
    expect([own[0]![1], own[length - 1]![1]]).toEqual([-1, -1]);
    const marked = own.filter(([, mark]) => mark === 1);
    // An end is not marked, even if it is one of the two.
    expect(marked.length === 2 || marked.length === 1).toBe(true);
    expect(own.findLastIndex(([, mark]) => mark === 1)).toBeLessThan(10);
    const total = marked.reduce((sum, [value]) => sum + value, 0);
    expect(y.data()[n]).toBeCloseTo(0.5 + total / 4, 6);
  });
});
