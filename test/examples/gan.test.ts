import { expect, test } from 'vitest';
import { judge, learn } from '../../examples/gan';

test('made points come to lie where real ones do, in all heaps, with a smaller budget', async () => {
  const lines: string[] = [];
  const model = await learn({ epochs: 2, hidden: 64, print: (line) => lines.push(line) });
  const { inHeaps, evenness } = judge(model, 2000);
  // Points all over the ring, or the plane, would be in heaps for a fifth, or less.
  expect(inHeaps).toBeGreaterThan(0.5);
  expect(evenness).toBeGreaterThan(0.2);
  expect(lines).toHaveLength(2);
});
