import { expect, test } from 'vitest';
import { diagnose } from '../../examples/seed-001';
import { runProgram } from './run-program';

test('training stops at the epoch that meets the criterion', async () => {
  const losses: number[] = [];
  const { epochs, training, test, probabilities, benign } = await diagnose({
    enough: 0.08,
    onEpoch: ({ loss }) => losses.push(loss),
  });
  expect(losses).toHaveLength(epochs);
  expect(losses.findIndex((loss) => loss < 0.08)).toBe(epochs - 1);
  expect(training.accuracy).toBeGreaterThan(0.95);
  expect(test.accuracy).toBeGreaterThan(0.9);
  expect(probabilities.shape).toEqual([114, 1]);
  const right = probabilities.data().filter((p, i) => p > 0.5 === (benign.data()[i] === 1)).length;
  expect(right / 114).toBeCloseTo(test.accuracy!, 6);
});

test('at most so many epochs', async () => {
  expect((await diagnose({ enough: 0, epochs: 3 })).epochs).toBe(3);
});

test('as a program it prints the accuracy on unseen inputs', async () => {
  const lines = await runProgram('examples/seed-001.ts');
  expect(lines.join('\n')).toMatch(/^total +641$/m);
  const accuracy = /^unseen inputs: loss 0\.\d{4}, accuracy (\d+\.\d) %$/.exec(lines.at(-1)!)?.[1];
  expect(Number(accuracy)).toBeGreaterThanOrEqual(95);
});
