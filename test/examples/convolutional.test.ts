import { expect, test } from 'vitest';
import { manualSeed, tensor } from 'wasmgrad';
import { learn, mirrorAndMove, readFashion, readSample } from '../../examples/fashion-mnist';
import { lenet } from '../../examples/lenet';
import { residualNetwork } from '../../examples/residual-network';

/** A smaller budget than the programs': the 1,200 pictures that come with the project, a few epochs. Guessing gives 10 %. */
test('two convolutions learn to tell clothes apart', async () => {
  const parts = await readSample();
  expect([parts.training.x.shape, parts.test.x.shape]).toEqual([
    [800, 1, 28, 28],
    [400, 1, 28, 28],
  ]);
  const model = lenet();
  expect(model.parameters().reduce((total, { size }) => total + size, 0)).toBe(215_370);
  const lines: string[] = [];
  const print = (line: string) => lines.push(line);
  const share = await learn(model, parts, { epochs: 6, maxLr: 3e-3, batchSize: 32, print });
  expect(share).toBeGreaterThan(0.7);
  expect(lines).toHaveLength(6);
  expect(lines[5]).toMatch(/^epoch +6 {3}loss 0\.\d{3} {3}\d\d\.\d % right {3}\d+ s$/);
});

test('so do residual blocks with batch normalisation', async () => {
  const model = residualNetwork();
  const { training, test: held } = await readSample();
  const few = {
    x: { shape: [256, 1, 28, 28], data: training.x.data.slice(0, 256 * 784) },
    y: { shape: [256], data: training.y.data.slice(0, 256) },
  };
  const share = await learn(model, { training: few, test: held }, { epochs: 8, maxLr: 1e-2, batchSize: 32 });
  expect(share).toBeGreaterThan(0.5);
  // Running statistics have followed the batches, and are back on the page.
  const statistics = Object.entries(model.stateDict()).filter(([name]) => name.endsWith('runningMean'));
  expect(statistics).toHaveLength(9);
  for (const [, mean] of statistics) expect(mean.data().some((value) => Math.abs(value) > 1e-3)).toBe(true);
});

test('pictures are mirrored and moved as wholes', () => {
  manualSeed(0);
  const picture = Array.from({ length: 36 }, (_, i) => i + 1);
  const x = tensor([...picture, ...picture, ...picture, ...picture], { shape: [4, 1, 6, 6] });
  const y = tensor(Int32Array.of(3, 1, 4, 1));
  const [varied, labels] = mirrorAndMove(x, y);
  expect(labels).toBe(y);
  expect(varied.shape).toEqual([4, 1, 6, 6]);
  for (const [rows] of varied.toArray() as number[][][][]) {
    // The middle of each is a part of the picture, or of its mirror image, that lies in one piece.
    const [first, next, below] = [rows![2]![2]!, rows![2]![3]!, rows![3]![2]!];
    expect(Math.abs(next - first)).toBe(1);
    expect(below - first).toBe(6);
    expect(picture).toContain(first);
  }
});

test('without the package of Debian the sample is read', async () => {
  const { training } = await readFashion('/nowhere');
  expect(training.y.shape).toEqual([800]);
});
