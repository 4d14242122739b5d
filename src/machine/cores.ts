import type { Real } from '../dtype';
import { DtypeError, ValueError } from '../errors';

/** A build of the core: for a precision, or for f32 with relaxed SIMD, which is faster and gives other bits on other machines. */
export type Build = Real | 'fast';

/** The wasm of a build: the core, and the extension, with kernels that only some programs need, where an op of theirs is there. */
export interface Binaries {
  core: Uint8Array<ArrayBuffer>;
  extension: Uint8Array<ArrayBuffer> | null;
}

const known = new Map<Build, Partial<Binaries>>();
const modules = new Map<string, WebAssembly.Module>();

/** Makes a part of a build known, from the text that is embedded. */
export function registerText(build: Build, part: keyof Binaries, text: string): void {
  if (!known.get(build)?.[part]) registerBinary(build, part, decode(text));
}

function registerBinary(build: Build, part: keyof Binaries, wasm: Uint8Array<ArrayBuffer>): void {
  known.set(build, { [part]: wasm, ...known.get(build) });
}

/** The bytes of a text that tools/virtual-modules.mjs made, which says how. */
export function decode(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[][] = [];
  for (let byte = 0; byte < 256; byte++) {
    const own = bytes[text.charCodeAt(byte)];
    if (own) own.push(byte);
    else bytes[text.charCodeAt(byte)] = [byte];
  }
  const ranks: number[] = [];
  Object.keys(bytes).forEach((code, i) => {
    ranks[Number(code)] = i;
  });
  const wasm = new Uint8Array(text.length);
  let size = 0;
  for (let i = 256; i < text.length; i++) {
    const own = bytes[text.charCodeAt(i)]!;
    wasm[size++] = own[own.length > 1 ? ranks[text.charCodeAt(++i)]! : 0]!;
  }
  return wasm.slice(0, size);
}

/** What is known of a build, to hand to a worker. Throws where its core is not loaded. */
export function binariesOf(build: Build): Binaries {
  const { core, extension = null } = known.get(build) ?? {};
  if (core) return { core, extension };
  if (build === 'fast') {
    throw new ValueError("fast: true needs its own core; add import 'wasmgrad/fast' once, before the first call.", {
      code: 'CORE_NOT_LOADED',
      op: 'compile',
      argument: 'fast',
    });
  }
  throw new DtypeError("float64 needs its own core; add import 'wasmgrad/f64' once, before the first f64 tensor.", {
    code: 'DTYPE_NOT_LOADED',
    op: 'tensor',
    argument: 'dtype',
    got: build,
    expected: 'f32',
  });
}

/** Makes known what a worker was handed. */
export function registerBinaries(build: Build, { core, extension }: Binaries): void {
  registerBinary(build, 'core', core);
  if (extension) registerBinary(build, 'extension', extension);
}

/** Whether this engine has what the relaxed build is made of. */
export function canRelax(): boolean {
  return WebAssembly.validate(binariesOf('fast').core);
}

/** A part of a build as a module whose memory import is shared or not: the same code, one flag apart. */
function moduleOf(build: Build, part: keyof Binaries, shared: boolean): WebAssembly.Module {
  const key = `${build} ${part} ${shared}`;
  let module = modules.get(key);
  if (!module) {
    const bytes = binariesOf(build)[part]!;
    module = new WebAssembly.Module(shared ? bytes : unshare(bytes));
    modules.set(key, module);
  }
  return module;
}

/** The exports of a core; see assembly/run.ts. */
export interface Core {
  run(program: number, threads: number, extended: boolean): number;
  step(record: number): void;
  execute(record: number, chunk: number, scratch: number): void;
  serve(thread: number, extended: boolean): void;
}

/** A core on a memory, `extended` by the kernels of its extension or without them. */
export function instantiate(
  build: Build,
  memory: WebAssembly.Memory,
  { shared, extended }: { shared: boolean; extended: boolean },
): Core {
  // Each runs what the other has: a LOOP, which only the extension knows, holds records of all kinds.
  const execute: Core['execute'] = (...chunk) => core.execute(...chunk);
  const start = (part: keyof Binaries, extension: Core['execute'] = () => {}) =>
    new WebAssembly.Instance(moduleOf(build, part, shared), { env: { memory, execute, extension } })
      .exports as unknown as Core;
  const core = start('core', extended ? start('extension').execute : undefined);
  return core;
}

/** A copy of a wasm whose memory import lost its shared bit: flags 3 (maximum, shared) become 1 (maximum). */
function unshare(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const marker = '\x03env\x06memory\x02\x03';
  // A character a byte.
  const at = new TextDecoder('latin1').decode(bytes).indexOf(marker);
  if (at < 0) throw new Error('the core imports no shared memory');
  const copy = bytes.slice();
  copy[at + marker.length - 1] = 1;
  return copy;
}
