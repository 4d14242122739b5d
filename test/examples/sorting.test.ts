import { expect, test } from 'vitest';
import { learn } from '../../examples/sorting';

test('a transformer learns to sort, with a smaller budget', () => {
  const { steps, share, example } = learn({ length: 5, width: 16, heads: 2, lr: 1e-2, enough: 0.95, most: 3000 });
  expect(share).toBeGreaterThanOrEqual(0.95);
  expect(steps).toBeLessThanOrEqual(3000);
  const [digits] = example;
  expect(digits).toHaveLength(5);
});
