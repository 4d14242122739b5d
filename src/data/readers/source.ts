import { allocate, type DType, type TypedArray } from '../../dtype';
import { FormatError } from '../../errors';
import { show, sizeOf } from '../../shape';

/** What a reader reads: bytes, text, a File from a form, a stream from `fetch`. Never a path: the page has none. */
export type Source = string | ArrayBuffer | Uint8Array | Blob | ReadableStream<Uint8Array>;

/** How errors call a source: the name given, a File's own, or what it is expected to be. */
export function nameOf(source: Source, given: string | undefined, fallback: string): string {
  return given ?? (source as Partial<File>).name ?? fallback;
}

/** All bytes of a source; gzip is known by its first two bytes and unpacked. */
export async function readBytes(source: Source, file: string): Promise<Uint8Array> {
  const bytes =
    source instanceof Uint8Array ? source : new Uint8Array(await new Response(source as BodyInit).arrayBuffer());
  if (!isGzip(bytes)) return bytes;
  if (typeof DecompressionStream === 'undefined') {
    throw new FormatError(
      'the file is packed with gzip, which this runtime cannot unpack (it has no DecompressionStream).',
      { file, code: 'UNSUPPORTED' },
    );
  }
  try {
    const unpacked = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(unpacked).arrayBuffer());
  } catch {
    throw new FormatError(`the file is damaged: its ${bytes.length} bytes of gzip do not unpack.`, {
      file,
      got: bytes.length,
    });
  }
}

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** What the header of an array's file says: where elements begin, and how those of a row become numbers. */
export interface ArrayHeader {
  shape: readonly number[];
  dtype: DType;
  /** Bytes of the header, and of an element in the file. */
  start: number;
  bytes: number;
  read(view: DataView, offset: number): number;
}

/** Throws a FormatError unless a file has as many bytes as its header says. */
export function checkSize({ shape, start, bytes }: ArrayHeader, size: number, file: string): void {
  const end = start + sizeOf(shape) * bytes;
  if (size === end) return;
  const what = size < end ? 'cut off' : 'too long';
  throw new FormatError(`the file is ${what}: shape ${show(shape)} ends at byte ${end}, and there are ${size}.`, {
    ...{ file, offset: start, got: size, expected: end },
  });
}

/** `count` elements from a byte on. Throws a FormatError for one that its dtype cannot hold: int64 is read as i32. */
export function elementsOf(
  { dtype, bytes, read }: ArrayHeader,
  { buffer, byteOffset, byteLength }: Uint8Array,
  { at, count, file }: { at: number; count: number; file: string },
): TypedArray {
  const view = new DataView(buffer, byteOffset, byteLength);
  const values = allocate(dtype, count);
  for (let i = 0; i < count; i++) {
    const value = read(view, at + i * bytes);
    values[i] = value;
    if (dtype === 'i32' && values[i] !== value) {
      throw new FormatError(`element ${i}, ${value}, does not fit into i32.`, {
        file,
        offset: at + i * bytes,
        got: value,
      });
    }
  }
  return values;
}
