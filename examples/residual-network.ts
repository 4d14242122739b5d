/**
 * A residual network with batch normalisation (He et al. 2016, as for CIFAR-10, one block a stage) that tells clothes apart.
 *
 *     apt-get install dataset-fashion-mnist   # all 70,000 pictures; without, the 1,200 that come along
 *     node tools/run.mjs examples/residual-network.ts
 */
import { fileURLToPath } from 'node:url';
import { manualSeed, nn, type Tensor } from 'wasmgrad';
import { program } from './fashion-mnist';

/** A 3 × 3 convolution, whose bias the normalisation behind it would take out again. */
const convolution = (from: number, to: number, stride: number) =>
  new nn.Sequential(new nn.Conv2d(from, to, 3, { stride, padding: 1, bias: false }), new nn.BatchNorm2d(to));

/** relu(f(x) + x), with two convolutions for f; where the shape changes, x goes through one of 1 × 1. */
class Block extends nn.Module {
  readonly first: nn.Module;
  readonly second: nn.Module;
  readonly shortcut: nn.Module | null;

  constructor(from: number, to: number, stride: number) {
    super();
    this.first = convolution(from, to, stride);
    this.second = convolution(to, to, 1);
    this.shortcut =
      from === to
        ? null
        : new nn.Sequential(new nn.Conv2d(from, to, 1, { stride, bias: false }), new nn.BatchNorm2d(to));
  }

  override forward(x: Tensor): Tensor {
    const inner = this.second.forward((this.first.forward(x) as Tensor).relu()) as Tensor;
    return inner.add((this.shortcut?.forward(x) as Tensor | undefined) ?? x).relu();
  }
}

/** Three stages of 16, 32 and 64 channels. */
export function residualNetwork(seed = 0): nn.Module {
  manualSeed(seed);
  return new nn.Sequential(
    convolution(1, 16, 1),
    new nn.ReLU(),
    new Block(16, 16, 1), // [n, 16, 28, 28]
    new Block(16, 32, 2), // [n, 32, 14, 14]
    new Block(32, 64, 2), // [n, 64, 7, 7]
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(64, 10),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await program(residualNetwork, { epochs: 10, maxLr: 1e-2 });
