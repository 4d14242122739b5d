import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** A folder of the test's own, with files in it. */
export class Scratch {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'wasmgrad-cli-')));

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** Three kinds of flower: two measurements that tell them apart, one that does not. */
export function flowersCsv(rows = 120, header = true): string {
  const names = ['iris', 'rose', 'tulip'];
  const lines = Array.from({ length: rows }, (_, i) => {
    const wave = (step: number) => ((i * step) % 17) / 17;
    return [2 * (i % 3) + wave(5), 10 - 3 * (i % 3) + wave(7), wave(11), names[i % 3]].join(',');
  });
  return [...(header ? ['height,width,noise,species'] : []), ...lines].join('\n');
}

/** price = 3·area - age, and a little noise. */
export function housesCsv(rows = 120): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const [area, age] = [50 + ((i * 37) % 100), (i * 13) % 40];
    return [area, age, 3 * area - age + ((i * 7) % 5) / 5].join(',');
  });
  return ['area,age,price', ...lines].join('\n');
}

/** The four files of MNIST with pictures of 4 × 4: a bright row, whose place is the class. */
export function writeIdxFolder(scratch: Scratch, { train = 80, test = 20, side = 4 } = {}): void {
  for (const [part, n] of [
    ['train', train],
    ['t10k', test],
  ] as const) {
    const labels = Uint8Array.from({ length: n }, (_, i) => i % side);
    const pixels = Uint8Array.from({ length: n * side * side }, (_, i) => {
      const row = Math.floor(i / side) % side;
      return row === labels[Math.floor(i / (side * side))] ? 200 + (i % 50) : (i * 31) % 60;
    });
    scratch.write(`${part}-images-idx3-ubyte.gz`, gzipSync(idx([n, side, side], pixels)));
    scratch.write(`${part}-labels-idx1-ubyte`, idx([n], labels));
  }
}

function idx(shape: number[], data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0800 + shape.length);
  shape.forEach((length, axis) => {
    view.setUint32(4 + 4 * axis, length);
  });
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}
