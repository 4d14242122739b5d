// Runs a TypeScript program of this project in Node: `node tools/run.mjs examples/seed-000.ts --its --arguments`.
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { cache } from './stamp.mjs';
import { sources, virtualModules } from './virtual-modules.mjs';

/** In a bundle all files would have the same address: each keeps its own, so that it finds what lies beside it and knows whether it was called. */
const ownAddresses = {
  name: 'own-addresses',
  setup({ onLoad }) {
    onLoad({ filter: /\.(ts|mjs)$/ }, async ({ path }) => {
      const address = JSON.stringify(pathToFileURL(path).href);
      return { contents: (await readFile(path, 'utf8')).replaceAll('import.meta.url', address), loader: 'ts' };
    });
  },
};

const [program] = process.argv.splice(2, 1);
const outfile = join(cache, 'run', `${basename(program, '.ts')}.mjs`);
await build({
  entryPoints: [program],
  outfile,
  alias: sources,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  platform: 'node',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'warning',
  plugins: [virtualModules(), ownAddresses],
});
process.argv[1] = resolve(program);
await import(pathToFileURL(outfile).href);
