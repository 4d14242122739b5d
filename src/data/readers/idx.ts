import type { DType } from '../../dtype';
import { FormatError } from '../../errors';
import { sizeOf } from '../../shape';
import type { NdArray } from '../dataset';
import { type ArrayHeader, checkSize, elementsOf, isGzip, nameOf, readBytes, type Source } from './source';

/** By the third byte of a file: the size of an element, how to read it, and the dtype that holds it exactly. */
const TYPES: Record<number, { bytes: number; dtype: DType; read(view: DataView, offset: number): number }> = {
  8: { bytes: 1, dtype: 'u8', read: (view, offset) => view.getUint8(offset) },
  9: { bytes: 1, dtype: 'i32', read: (view, offset) => view.getInt8(offset) },
  11: { bytes: 2, dtype: 'i32', read: (view, offset) => view.getInt16(offset) },
  12: { bytes: 4, dtype: 'i32', read: (view, offset) => view.getInt32(offset) },
  13: { bytes: 4, dtype: 'f32', read: (view, offset) => view.getFloat32(offset) },
  14: { bytes: 8, dtype: 'f64', read: (view, offset) => view.getFloat64(offset) },
};

/**
 * An IDX file, the format of MNIST (Y. LeCun's page on it), all numbers big-endian:
 *
 *   ┌───┬───┬──────┬──────┬──────────────────┬──────────────────────┐
 *   │ 0 │ 0 │ type │ rank │ u32 length × rank │ elements, row-major  │
 *   └───┴───┴──────┴──────┴──────────────────┴──────────────────────┘
 */
export function parseIdx(bytes: Uint8Array, { name: file = 'IDX' }: { name?: string } = {}): NdArray {
  const header = headerOf(bytes, file);
  checkSize(header, bytes.length, file);
  const { shape, start: at } = header;
  return { shape, data: elementsOf(header, bytes, { at, count: sizeOf(shape), file }) };
}

/** What its first bytes say. */
export function headerOf(bytes: Uint8Array, file: string): ArrayHeader {
  const fail = (message: string, offset: number, got: unknown, expected?: unknown): never => {
    throw new FormatError(message, { file, offset, got, expected });
  };
  if (isGzip(bytes)) fail('the file is packed with gzip; readIdx unpacks it, parseIdx does not.', 0, 'gzip', 'IDX');
  if (bytes.length < 4)
    fail(`this is no IDX file: it has ${bytes.length} bytes, and the magic number takes 4.`, 0, bytes.length, 4);
  const [zero0, zero1, code, rank] = bytes as unknown as [number, number, number, number];
  if (zero0 !== 0 || zero1 !== 0) {
    fail(
      `this is no IDX file: it begins with the bytes ${zero0}, ${zero1} in place of 0, 0.`,
      0,
      [zero0, zero1],
      [0, 0],
    );
  }
  const type =
    TYPES[code] ?? fail(`the file has the unknown type ${code}; IDX knows 8, 9, 11, 12, 13 and 14.`, 2, code);
  if (rank === 0) fail('the file has rank 0; IDX has at least one axis.', 3, rank);
  const start = 4 + 4 * rank;
  if (bytes.length < start) {
    fail(
      `the file is cut off in its header: rank ${rank} takes ${start} bytes, and there are ${bytes.length}.`,
      4,
      bytes.length,
      start,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { shape: Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis)), start, ...type };
}

/** An IDX file from any source, `.gz` included. */
export async function readIdx(source: Source, { name }: { name?: string } = {}): Promise<NdArray> {
  const file = nameOf(source, name, 'IDX');
  return parseIdx(await readBytes(source, file), { name: file });
}
