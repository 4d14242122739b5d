import type { Real } from '../dtype';
import { DtypeError, ValueError } from '../errors';

/** A build of the core: for a precision, or for f32 with relaxed SIMD, which is faster and gives other bits on other machines. */
export type Build = Real | 'fast';

const cores = new Map<Build, Uint8Array<ArrayBuffer>>();
const modules = new Map<string, WebAssembly.Module>();

/** Makes a build of the core known: its bytes, or their hexadecimal digits. */
export function registerCore(build: Build, core: string | Uint8Array<ArrayBuffer>): void {
  if (!cores.has(build)) cores.set(build, typeof core === 'string' ? decode(core) : core);
}

function decode(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** The bytes of a build, to hand to a worker. */
export function coreBytes(build: Build): Uint8Array<ArrayBuffer> {
  const bytes = cores.get(build);
  if (bytes) return bytes;
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

/** Whether this engine has what the relaxed build is made of. */
export function canRelax(): boolean {
  return WebAssembly.validate(coreBytes('fast'));
}

/** A build as a module whose memory import is shared or not: the same code, one flag apart. */
export function coreModule(build: Build, shared: boolean): WebAssembly.Module {
  const key = `${build} ${shared}`;
  let module = modules.get(key);
  if (!module) {
    const bytes = coreBytes(build);
    module = new WebAssembly.Module(shared ? bytes : unshare(bytes));
    modules.set(key, module);
  }
  return module;
}

/** A copy of the core whose memory import lost its shared bit: flags 3 (maximum, shared) become 1 (maximum). */
function unshare(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice();
  const name = [3, ...'env'].map((c) => (typeof c === 'number' ? c : c.charCodeAt(0)));
  const marker = [...name, 6, ...[...'memory'].map((c) => c.charCodeAt(0)), 2, 3];
  for (let at = 8; at + marker.length <= copy.length; at++) {
    if (marker.every((byte, i) => copy[at + i] === byte)) {
      copy[at + marker.length - 1] = 1;
      return copy;
    }
  }
  throw new Error('the core imports no shared memory');
}
