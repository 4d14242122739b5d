import type { DType } from '../../dtype';
import { FormatError } from '../../errors';
import { sizeOf } from '../../shape';
import type { NdArray } from '../dataset';
import { type ArrayHeader, checkSize, elementsOf, isGzip, nameOf, readBytes, type Source } from './source';

const TYPES: Record<string, { bytes: number; dtype: DType; read(view: DataView, offset: number): number }> = {
  '<f4': { bytes: 4, dtype: 'f32', read: (view, offset) => view.getFloat32(offset, true) },
  '<f8': { bytes: 8, dtype: 'f64', read: (view, offset) => view.getFloat64(offset, true) },
  '<i4': { bytes: 4, dtype: 'i32', read: (view, offset) => view.getInt32(offset, true) },
  '<i8': { bytes: 8, dtype: 'i32', read: (view, offset) => Number(view.getBigInt64(offset, true)) },
  '|u1': { bytes: 1, dtype: 'u8', read: (view, offset) => view.getUint8(offset) },
  '|b1': { bytes: 1, dtype: 'u8', read: (view, offset) => view.getUint8(offset) },
};

/**
 * What an NPY file (numpy.lib.format) begins with; elements are little-endian, row-major:
 *
 *   ┌───────────┬─────────┬──────────────┬───────────────────────────────────────────────────────────────────┬──────────┐
 *   │ 93 NUMPY  │ version │ u16 or u32 N │ N bytes: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} │ elements │
 *   └───────────┴─────────┴──────────────┴───────────────────────────────────────────────────────────────────┴──────────┘
 */
export function npyHeader(head: Uint8Array, file: string): ArrayHeader {
  const fail = (message: string, got: unknown, expected?: unknown): never => {
    throw new FormatError(message, { file, offset: 0, got, expected });
  };
  if (isGzip(head)) fail('the file is packed with gzip; unpack it first.', 'gzip', 'NPY');
  const magic = [...'\x93NUMPY'].map((character) => character.charCodeAt(0));
  if (head.length < 12 || magic.some((byte, i) => head[i] !== byte)) {
    fail('this is no NPY file: it does not begin with \\x93NUMPY.', [...head.subarray(0, 6)], magic);
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const isShort = head[6] === 1;
  const begin = isShort ? 10 : 12;
  const start = begin + (isShort ? view.getUint16(8, true) : view.getUint32(8, true));
  if (start > head.length) fail(`the header claims ${start} bytes, and ${head.length} are there.`, head.length, start);
  const text = new TextDecoder().decode(head.subarray(begin, start));
  const descr = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const sizes = /'shape':\s*\(([\d\s,]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || sizes === undefined) {
    return fail('the header lacks descr, fortran_order or shape.', text);
  }
  const type = TYPES[descr];
  if (!type)
    return fail(`the dtype ${descr} cannot be read; ${Object.keys(TYPES).join(', ')} can.`, descr, Object.keys(TYPES));
  if (order === 'True') fail('the array lies column by column; save it with order C.', 'F', 'C');
  const shape = sizes.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)]));
  return { shape, start, ...type };
}

/** The array in an NPY file: f32, f64, i32 (int64 too, where it fits), u8 and bool. Throws a FormatError that says what is wrong. */
export function parseNpy(bytes: Uint8Array, { name: file = 'NPY' }: { name?: string } = {}): NdArray {
  const header = npyHeader(bytes, file);
  checkSize(header, bytes.length, file);
  const { shape, start: at } = header;
  return { shape, data: elementsOf(header, bytes, { at, count: sizeOf(shape), file }) };
}

/** An NPY file from any source, `.gz` included. */
export async function readNpy(source: Source, { name }: { name?: string } = {}): Promise<NdArray> {
  const file = nameOf(source, name, 'NPY');
  return parseNpy(await readBytes(source, file), { name: file });
}
