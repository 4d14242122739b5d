/**
 * A convolutional network after LeNet-5 (LeCun et al. 1998) that tells clothes apart.
 *
 *     apt-get install dataset-fashion-mnist   # all 70,000 pictures; without, the 1,200 that come along
 *     node tools/run.mjs examples/lenet.ts
 */
import { fileURLToPath } from 'node:url';
import { manualSeed, nn } from 'wasmgrad';
import { program } from './fashion-mnist';

/** Two convolutions of 5 × 5, each with a pooling behind it, and two dense layers: 215,370 parameters. */
export function lenet(seed = 0): nn.Module {
  manualSeed(seed);
  return new nn.Sequential(
    new nn.Conv2d(1, 16, 5, { padding: 2 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2), // [n, 16, 14, 14]
    new nn.Conv2d(16, 32, 5, { padding: 2 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2), // [n, 32, 7, 7]
    new nn.Flatten(),
    new nn.Dropout(0.3),
    new nn.Linear(32 * 7 * 7, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await program(lenet, { epochs: 10, maxLr: 3e-3 });
