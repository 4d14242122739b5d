// What an application that trains an MLP in a worker weighs, worker and core included: bundled, minified, gzip -9.

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { corePath } from './core.mjs';
import { root } from './stamp.mjs';
import { workerSource } from './virtual-modules.mjs';

const budget = 60_000;

const application = `
  import { crossEntropy, nn, optim, randn, tensor, train } from 'wasmgrad';
  const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
  const data = { x: randn([64, 784]), y: tensor(new Int32Array(64)) };
  for await (const event of train({ model, loss: crossEntropy, optimizer, data, epochs: 5 })) console.log(event);
`;

const { outputFiles } = await build({
  stdin: { contents: application, resolveDir: root },
  alias: { wasmgrad: './dist/index.js' },
  absWorkingDir: root,
  bundle: true,
  write: false,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
});

const weigh = (content) => gzipSync(content, { level: 9 }).length;
const show = (name, bytes) => console.log(`${name.padEnd(28)}${(bytes / 1000).toFixed(1).padStart(6)} kB`);

const total = weigh(outputFiles[0].contents);
const core = weigh(readFileSync(corePath('f32'), 'base64'));
const worker = weigh(await workerSource());
show('core, f32, base64', core);
show('worker', worker);
show('library and application', total - core - worker);
show('all, gzip -9', total);
if (total > budget) {
  console.error(`over the budget of ${budget / 1000} kB`);
  process.exitCode = 1;
}
