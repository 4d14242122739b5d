// Runs a TypeScript program of this project in Node: `node tools/run.mjs examples/seed-000.ts --its --arguments`.
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { cache } from './stamp.mjs';
import { sources, virtualModules } from './virtual-modules.mjs';

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
  // Files that it opens relative to itself stay where they are.
  define: { 'import.meta.url': JSON.stringify(pathToFileURL(resolve(program)).href) },
  logLevel: 'warning',
  plugins: [virtualModules()],
});
process.argv[1] = resolve(program);
await import(pathToFileURL(outfile).href);
