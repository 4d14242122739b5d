import type { Real } from '../dtype';
import { DtypeError } from '../errors';

const cores = new Map<Real, Uint8Array<ArrayBuffer>>();
const modules = new Map<string, WebAssembly.Module>();

/** Makes a build of the core known: its bytes, or their hexadecimal digits. */
export function registerCore(real: Real, core: string | Uint8Array<ArrayBuffer>): void {
  if (!cores.has(real)) cores.set(real, typeof core === 'string' ? decode(core) : core);
}

function decode(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** The bytes of a build, to hand to a worker. */
export function coreBytes(real: Real): Uint8Array<ArrayBuffer> {
  const bytes = cores.get(real);
  if (bytes) return bytes;
  throw new DtypeError("float64 needs its own core; add import 'wasmgrad/f64' once, before the first f64 tensor.", {
    code: 'DTYPE_NOT_LOADED',
    op: 'tensor',
    argument: 'dtype',
    got: real,
    expected: 'f32',
  });
}

/** A build as a module whose memory import is shared or not: the same code, one flag apart. */
export function coreModule(real: Real, shared: boolean): WebAssembly.Module {
  const key = `${real} ${shared}`;
  let module = modules.get(key);
  if (!module) {
    const bytes = coreBytes(real);
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
