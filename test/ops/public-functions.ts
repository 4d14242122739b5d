import { readdirSync } from 'node:fs';
import * as wasmgrad from 'wasmgrad';

/** The names of all public functions of src/ops, and of the losses; classes are none. */
export async function publicFunctions(): Promise<string[]> {
  const files = ['src/ops', 'src/nn/loss'].flatMap((folder) =>
    readdirSync(folder).flatMap((file) => (file === 'methods.ts' ? [] : [`../../${folder}/${file}`])),
  );
  const loaded = await Promise.all(
    files.map((file): Promise<Record<string, unknown>> => import(/* @vite-ignore */ file)),
  );
  const exported = new Set<unknown>(Object.values(wasmgrad));
  return loaded.flatMap((module) =>
    Object.entries(module).flatMap(([name, f]) =>
      typeof f === 'function' && exported.has(f) && /^[a-z]/.test(name) ? [name] : [],
    ),
  );
}
