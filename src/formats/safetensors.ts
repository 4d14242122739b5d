import { bytesOf, type DType, dtypeOf, type TypedArray, viewOf } from '../dtype';
import { DtypeError, FormatError, ShapeError, ValueError } from '../errors';
import { show, sizeOf } from '../shape';
import { Tensor } from '../tensor';

/**
 * Tensors in a file, as https://huggingface.co/docs/safetensors specifies; all numbers little-endian:
 *
 *   ┌─────────┬───────────────────────────────────────────────────────────┬────────────────────┐
 *   │ u64 = N │ N bytes of JSON, filled up with spaces to a multiple of 8  │ the tensors' bytes │
 *   └─────────┴───────────────────────────────────────────────────────────┴────────────────────┘
 *   JSON: { "__metadata__": { name: string, … }, name: { "dtype": "F32", "shape": […], "data_offsets": [begin, end] }, … }
 *
 * Offsets count from the end of the header. Together the tensors cover every byte behind it once.
 */
const LENGTH_BYTES = 8;
const MAX_HEADER_BYTES = 100_000_000;
const TWO_32 = 4294967296;
const METADATA = '__metadata__';

export interface StoredTensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: TypedArray;
}

const NAMES: Record<DType, string> = { f32: 'F32', f64: 'F64', i32: 'I32', u8: 'U8', bool: 'BOOL' };

/** What can be read: bytes of an element in the file, the dtype it becomes, and how, where the bits do not stay. */
const TYPES: Record<string, { bytes: number; dtype: DType; convert?: (bytes: Uint8Array, fail: Fail) => TypedArray }> =
  {
    F64: { bytes: 8, dtype: 'f64' },
    F32: { bytes: 4, dtype: 'f32' },
    F16: { bytes: 2, dtype: 'f32', convert: fromF16 },
    BF16: { bytes: 2, dtype: 'f32', convert: fromBF16 },
    I64: { bytes: 8, dtype: 'i32', convert: fromI64 },
    I32: { bytes: 4, dtype: 'i32' },
    U8: { bytes: 1, dtype: 'u8' },
    BOOL: { bytes: 1, dtype: 'bool', convert: fromBool },
  };

type Fail = (
  message: string,
  details?: { argument?: string; offset?: number; got?: unknown; expected?: unknown },
) => never;

/** The bytes of a file with these tensors, such as `model.stateDict()`; the header names them in the order given. */
export function writeSafetensors(
  tensors: Readonly<Record<string, Tensor | StoredTensor>>,
  { metadata = {} }: { metadata?: Readonly<Record<string, string>> } = {},
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(tensors).map(([name, one]): [string, StoredTensor] => [
    name,
    one instanceof Tensor ? { shape: one.shape, dtype: one.dtype, data: one.data() } : one,
  ]);
  for (const [name, tensor] of entries) checkStorable(name, tensor);
  checkMetadata(metadata, (message, details) => {
    throw new ValueError(message, { op: 'writeSafetensors', ...details });
  });

  // Wide elements first: then each tensor starts at a multiple of its element's size, as readers that map files need.
  const begins = new Map<string, number>();
  let size = 0;
  for (const [name, { data }] of entries.toSorted(([, a], [, b]) => bytesOf(b.dtype) - bytesOf(a.dtype))) {
    begins.set(name, size);
    size += data.byteLength;
  }
  const header = Object.fromEntries<unknown>(
    entries.map(([name, { dtype, shape, data }]) => {
      const begin = begins.get(name)!;
      return [name, { dtype: NAMES[dtype], shape, data_offsets: [begin, begin + data.byteLength] }];
    }),
  );
  const json = new TextEncoder().encode(
    JSON.stringify(Object.keys(metadata).length ? { [METADATA]: metadata, ...header } : header),
  );

  const start = LENGTH_BYTES + Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(start + size);
  new DataView(file.buffer).setUint32(0, start - LENGTH_BYTES, true);
  file.fill(0x20, LENGTH_BYTES, start);
  file.set(json, LENGTH_BYTES);
  for (const [name, { data }] of entries) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start + begins.get(name)!);
  }
  return file;
}

/** Tensors and metadata of a file; `model.loadStateDict` takes the tensors as they are. Whatever is wrong with it is a FormatError that says what and where. */
export function readSafetensors(
  bytes: Uint8Array,
  { name: file = 'safetensors' }: { name?: string } = {},
): { tensors: Record<string, StoredTensor>; metadata: Record<string, string> } {
  const fail: Fail = (message, details = {}) => {
    throw new FormatError(message, { file, ...details });
  };
  const { [METADATA]: metadata = {}, ...entries } = readHeader(bytes, fail);
  checkMetadata(metadata, fail);
  const start = LENGTH_BYTES + headerLength(bytes);
  const stored = Object.entries(entries).map(([name, entry]) => ({ name, ...checkEntry(name, entry, fail) }));

  let covered = 0;
  for (const { name, begin, end } of stored.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) {
      const what = begin < covered ? 'overlaps the tensor before it' : 'leaves a hole before it';
      fail(`tensor ${quote(name)} ${what}: it begins at offset ${begin}, and ${covered} is where the last one ends.`, {
        argument: name,
        offset: start + begin,
        got: begin,
        expected: covered,
      });
    }
    covered = end;
  }
  if (start + covered !== bytes.length) {
    const what = start + covered > bytes.length ? 'cut off' : 'too long';
    fail(`the file is ${what}: its tensors end at byte ${start + covered}, and there are ${bytes.length}.`, {
      offset: bytes.length,
      got: bytes.length,
      expected: start + covered,
    });
  }

  const tensors = stored.map(({ name, shape, type: { dtype, convert }, begin, end }): [string, StoredTensor] => {
    // A copy, so that its first byte is aligned. Not by slice: that of Node's Buffer is a view.
    const own = new Uint8Array(bytes.subarray(start + begin, start + end));
    const within: Fail = (message, details) =>
      fail(`tensor ${quote(name)} ${message}`, { argument: name, offset: start + begin, ...details });
    const data = convert?.(own, within) ?? viewOf(dtype, own.buffer, 0, own.length / bytesOf(dtype));
    return [name, { shape, dtype, data }];
  });
  return { tensors: Object.fromEntries(tensors), metadata };
}

/** Bytes of the header; below 2^53 exactly, and beyond any file where it is not. */
function headerLength(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES);
  return view.getUint32(0, true) + view.getUint32(4, true) * TWO_32;
}

function readHeader(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  if (bytes.length < LENGTH_BYTES) {
    fail(`this is no safetensors file: it has ${bytes.length} bytes, and the header's length takes ${LENGTH_BYTES}.`, {
      got: bytes.length,
      expected: LENGTH_BYTES,
    });
  }
  const length = headerLength(bytes);
  if (length > MAX_HEADER_BYTES) {
    fail(`the header claims ${length} bytes; ${MAX_HEADER_BYTES} are allowed.`, {
      offset: 0,
      got: length,
      expected: MAX_HEADER_BYTES,
    });
  }
  if (length > bytes.length - LENGTH_BYTES) {
    fail(`the header claims ${length} bytes, and ${bytes.length - LENGTH_BYTES} follow: the file is cut off.`, {
      offset: 0,
      got: bytes.length - LENGTH_BYTES,
      expected: length,
    });
  }
  let json = '';
  let header: unknown;
  try {
    json = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length),
    );
  } catch {
    fail('the header is not UTF-8.', { offset: LENGTH_BYTES });
  }
  try {
    header = JSON.parse(json);
  } catch (error) {
    fail(`the header is not JSON (${(error as Error).message}).`, { offset: LENGTH_BYTES });
  }
  if (!json.startsWith('{'))
    fail('the header is JSON, but does not begin with {.', { offset: LENGTH_BYTES, got: json[0] });
  const twice = duplicateKey(json);
  if (twice !== undefined) fail(`the header has the key ${twice} twice.`, { offset: LENGTH_BYTES, got: twice });
  return header as Record<string, unknown>;
}

/** The first key, with its quotes, that an object of this (well-formed) JSON has twice: JSON.parse drops one silently. */
function duplicateKey(json: string): string | undefined {
  const scopes: Set<string>[] = [];
  for (let at = 0; at < json.length; at++) {
    if (json[at] === '{') scopes.push(new Set());
    else if (json[at] === '}') scopes.pop();
    else if (json[at] === '"') {
      const start = at;
      for (at++; json[at] !== '"'; at++) if (json[at] === '\\') at++;
      let next = at + 1;
      while (' \t\r\n'.includes(json[next]!)) next++;
      if (json[next] !== ':') continue;
      const key = json.slice(start, at + 1);
      const scope = scopes.at(-1)!;
      if (scope.has(JSON.parse(key))) return key;
      scope.add(JSON.parse(key));
    }
  }
  return undefined;
}

interface Entry {
  shape: number[];
  type: (typeof TYPES)[string];
  begin: number;
  end: number;
}

function checkEntry(name: string, entry: unknown, fail: Fail): Entry {
  const wrong = (message: string, got: unknown, expected?: unknown) =>
    fail(`tensor ${quote(name)} ${message}`, { argument: name, got, expected });
  if (!isRecord(entry)) return wrong(`must be an object; got ${JSON.stringify(entry)}.`, entry);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(TYPES, dtype)) {
    const known = Object.keys(TYPES);
    return wrong(`has the unknown dtype ${JSON.stringify(dtype)}; ${known.join(', ')} can be read.`, dtype, known);
  }
  if (!isWholeNumbers(shape)) {
    return wrong(`must have a shape of whole numbers that are not negative; got ${JSON.stringify(shape)}.`, shape);
  }
  if (!isWholeNumbers(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    return wrong(`must have two rising data_offsets; got ${JSON.stringify(offsets)}.`, offsets);
  }
  const type = TYPES[dtype]!;
  const [begin, end] = offsets as [number, number];
  const size = sizeOf(shape) * type.bytes;
  if (end - begin !== size) {
    return wrong(
      `takes ${size} bytes, as ${dtype} of shape ${show(shape)}; its offsets hold ${end - begin}.`,
      end - begin,
      size,
    );
  }
  return { shape, type, begin, end };
}

function checkMetadata(metadata: unknown, fail: Fail): asserts metadata is Record<string, string> {
  if (!isRecord(metadata)) fail(`${METADATA} must be an object; got ${JSON.stringify(metadata)}.`, { got: metadata });
  for (const [argument, got] of Object.entries(metadata)) {
    if (typeof got !== 'string') {
      fail(`${METADATA} holds text only; ${quote(argument)} is ${JSON.stringify(got)}.`, { argument, got });
    }
  }
}

function checkStorable(argument: string, { shape, dtype, data }: StoredTensor): void {
  const op = 'writeSafetensors';
  if (argument === METADATA) throw new ValueError(`no tensor may be called ${METADATA}.`, { op, argument });
  if (!Object.hasOwn(NAMES, dtype) || dtypeOf(data) !== (dtype === 'bool' ? 'u8' : dtype)) {
    throw new DtypeError(`tensor ${quote(argument)} has dtype ${dtype} and its data is a ${data.constructor.name}.`, {
      op,
      argument,
      got: data.constructor.name,
      expected: dtype,
    });
  }
  if (!isWholeNumbers(shape) || sizeOf(shape) !== data.length) {
    throw new ShapeError(
      `tensor ${quote(argument)} has ${data.length} elements, which do not fill its shape ${show(shape)}.`,
      { op, argument, got: data.length, expected: shape },
    );
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => Number.isSafeInteger(each) && each >= 0);
}

function quote(name: string): string {
  return JSON.stringify(name);
}

/** Sign, 5 bits of exponent, 10 of mantissa; every such number is one of float32. */
function fromF16(bytes: Uint8Array): Float32Array {
  const values = new Float32Array(bytes.length / 2);
  const bits = new Uint32Array(values.buffer);
  new Uint16Array(bytes.buffer).forEach((half, i) => {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 31;
    const mantissa = half & 1023;
    if (exponent === 0) {
      values[i] = mantissa / 16777216; // subnormal, or 0: steps of 2^-24
      bits[i]! |= sign;
    } else {
      bits[i] = sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (mantissa << 13);
    }
  });
  return values;
}

/** The upper half of a float32. */
function fromBF16(bytes: Uint8Array): Float32Array {
  const bits = Uint32Array.from(new Uint16Array(bytes.buffer), (half) => half << 16);
  return new Float32Array(bits.buffer);
}

function fromI64(bytes: Uint8Array, fail: Fail): Int32Array {
  const halves = new Int32Array(bytes.buffer);
  return Int32Array.from({ length: halves.length / 2 }, (_, i) => {
    const low = halves[2 * i]!;
    const high = halves[2 * i + 1]!;
    if (high !== low >> 31) {
      const got = high * TWO_32 + (low >>> 0);
      fail(`holds I64 numbers, which are read as i32, and element ${i} (${got}) does not fit.`, {
        got,
        expected: 'i32',
      });
    }
    return low;
  });
}

function fromBool(bytes: Uint8Array, fail: Fail): Uint8Array {
  const bad = bytes.findIndex((byte) => byte > 1);
  if (bad !== -1)
    fail(`is BOOL, and its byte ${bad} is ${bytes[bad]}, neither 0 nor 1.`, { got: bytes[bad], expected: [0, 1] });
  return bytes;
}
