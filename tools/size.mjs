// What an application that trains an MLP in a worker weighs, worker and core included: made from the packed tarball,
// bundled, minified, gzip -9.
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { installPackage } from './pack.mjs';

const budget = 60_000;

// Layers and optimizers from their own entries: esbuild keeps all of a namespace of which one member is used.
const application = `
  import { crossEntropy, randn, tensor, train } from 'wasmgrad';
  import { Linear, ReLU, Sequential } from 'wasmgrad/nn';
  import { Adam } from 'wasmgrad/optim';
  const model = new Sequential(new Linear(784, 128), new ReLU(), new Linear(128, 10));
  const optimizer = new Adam(model.parameters(), { lr: 1e-3 });
  const data = { x: randn([64, 784]), y: tensor(new Int32Array(64)) };
  for await (const event of train({ model, loss: crossEntropy, optimizer, data, epochs: 5 })) console.log(event);
`;

/** The texts that the package's modules embed, by the line that esbuild writes above each. */
const parts = { core: '// wasmgrad:core:f32', worker: '// wasmgrad:worker:source' };

async function bundle(folder, plugins = []) {
  const { outputFiles } = await build({
    stdin: { contents: application, resolveDir: folder },
    absWorkingDir: folder,
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    plugins,
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

/** Empties one of those texts. */
const without = (part) => ({
  name: 'without-a-part',
  setup({ onLoad }) {
    onLoad({ filter: /wasmgrad\/dist\/.*\.js$/ }, async ({ path }) => {
      const [before, after] = (await readFile(path, 'utf8')).split(`${part}\n`);
      return { contents: after ? before + after.replace(/= (["'`]).*\1;/, '= "";') : before };
    });
  },
});

const folder = mkdtempSync(join(tmpdir(), 'wasmgrad-size-'));
try {
  await installPackage(folder);
  const total = await bundle(folder);
  const show = (name, bytes) => console.log(`${name.padEnd(28)}${(bytes / 1000).toFixed(1).padStart(6)} kB`);
  let rest = total;
  for (const [name, part] of Object.entries(parts)) {
    // Weighed by its absence: compressed alone it would weigh more or less than among the others.
    const weight = total - (await bundle(folder, [without(part)]));
    if (weight <= 0) throw new Error(`no module of the package says ${part}`);
    show(name, weight);
    rest -= weight;
  }
  show('library and application', rest);
  show('all, gzip -9', total);
  if (total > budget) {
    console.error(`over the budget of ${budget / 1000} kB`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
