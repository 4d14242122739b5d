// The modules that are made, not written, declared in src/virtual.d.ts. One plugin for Vite and Vitest, one for esbuild:
//
//   core:f32, core:f64, core:fast   the compiled core, as text (below)
//   extension:f32, …                its extension, likewise
//   worker:source                   src/train/worker.ts and all it imports as the text of one classic script
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { binaryPath, buildCore } from './core.mjs';
import { root } from './stamp.mjs';

/** The package's own name means its sources, in tests, examples, benchmarks and the web page. */
export const sources = Object.fromEntries(
  // An alias also matches what only begins with it: the longest first.
  Object.entries({
    '/f64': 'f64.ts',
    '/fast': 'fast.ts',
    '/nn': 'nn/index.ts',
    '/optim': 'optim/index.ts',
    '': 'index.ts',
  }).map(([entry, file]) => [`wasmgrad${entry}`, join(root, 'src', file)]),
);

const names = /^((core|extension):(f32|f64|fast)|worker:source)$/;

/**
 * The worker starts helper threads from its own text, which cannot be a constant inside itself: a function's toString()
 * is its source, to the letter.
 */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is a template of the worker's own code
const ownSource = 'export default `(${wasmgradWorker})()`;';

export async function workerSource() {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ['src/train/worker.ts'],
    bundle: true,
    write: false,
    format: 'iife',
    banner: { js: '(function wasmgradWorker(){' },
    footer: { js: '})()' },
    // Applications bundle the text as a string, which their minifiers leave alone.
    minify: true,
    target: 'es2022',
    legalComments: 'none',
    plugins: [virtualModules({ insideWorker: true })],
  });
  return outputFiles[0].text;
}

/** What stands in any string of JavaScript as it is, whatever its quotes, and whatever page it is in. */
const characters = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter(
  (c) => !'"\'`\\$<'.includes(c),
);

/**
 * A binary as text that src/machine/cores.ts decodes. Frequent bytes are one character, the others two: one of the first two characters there
 * are, and which of its bytes it is. The text begins with the first character of each of the 256 bytes' codes:
 *
 *     !# %!&  …    bytes 0, 3 and 6 begin with !, byte 1 is #, …
 *
 * Packed by gzip, which all that is served goes through, it takes no more than the binary packed. gzip finds repetitions only where they
 * start at a whole character: in hexadecimal it would be 1.12 times as much, in base64 1.5 times.
 */
export function textOf(wasm) {
  const [first, second, ...singles] = characters;
  const counts = new Array(256).fill(0);
  for (const byte of wasm) counts[byte]++;
  const bytes = [...counts.keys()];
  const frequent = new Set(bytes.toSorted((a, b) => counts[b] - counts[a] || a - b).slice(0, singles.length));
  const rare = bytes.filter((byte) => !frequent.has(byte));
  const half = Math.ceil(rare.length / 2);
  const codes = [];
  [...frequent]
    .sort((a, b) => a - b)
    .forEach((byte, i) => {
      codes[byte] = singles[i];
    });
  rare.forEach((byte, i) => {
    codes[byte] = (i < half ? first : second) + characters[i % half];
  });
  return codes.map(([character]) => character).join('') + Array.from(wasm, (byte) => codes[byte]).join('');
}

async function contentOf(name) {
  if (name === 'worker:source') return workerSource();
  await buildCore();
  return textOf(await readFile(binaryPath(name.replace(':', '-'))));
}

/** For esbuild. */
export const virtualModules = ({ insideWorker = false } = {}) => ({
  name: 'wasmgrad-virtual-modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: names }, ({ path }) => ({ path, namespace: 'wasmgrad' }));
    onLoad({ filter: names, namespace: 'wasmgrad' }, async ({ path }) =>
      insideWorker && path === 'worker:source'
        ? { contents: ownSource, loader: 'js' }
        : { contents: await contentOf(path), loader: 'text' },
    );
  },
});

/** For Vite and Vitest. */
export const virtualModulesForVite = () => ({
  name: 'wasmgrad-virtual-modules',
  enforce: 'pre',
  resolveId: (id) => (names.test(id) ? `\0${id}` : undefined),
  load: async (id) =>
    names.test(id.slice(1)) ? `export default ${JSON.stringify(await contentOf(id.slice(1)))};` : undefined,
});
