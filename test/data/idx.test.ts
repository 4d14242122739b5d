import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseIdx, readIdx } from '../../src/data/readers/idx';
import { WasmgradError } from '../../src/errors';

const TYPES = {
  u8: { code: 8, bytes: 1, set: 'setUint8', values: [0, 1, 255], array: Uint8Array },
  i8: { code: 9, bytes: 1, set: 'setInt8', values: [0, -128, 127], array: Int32Array },
  i16: { code: 11, bytes: 2, set: 'setInt16', values: [0, -32768, 258], array: Int32Array },
  i32: { code: 12, bytes: 4, set: 'setInt32', values: [0, -2147483648, 66051], array: Int32Array },
  f32: { code: 13, bytes: 4, set: 'setFloat32', values: [0.5, -1e30, 3], array: Float32Array },
  f64: { code: 14, bytes: 8, set: 'setFloat64', values: [0.1, -1e300, 3], array: Float64Array },
} as const;

function idx(type: keyof typeof TYPES, shape: number[], values: readonly number[]): Uint8Array {
  const { code, bytes, set } = TYPES[type];
  const file = new Uint8Array(4 + 4 * shape.length + values.length * bytes);
  const view = new DataView(file.buffer);
  file.set([0, 0, code, shape.length]);
  shape.forEach((length, axis) => {
    view.setUint32(4 + 4 * axis, length);
  });
  values.forEach((value, i) => {
    view[set](4 + 4 * shape.length + i * bytes, value);
  });
  return file;
}

describe('parseIdx', () => {
  it.each(Object.keys(TYPES) as (keyof typeof TYPES)[])('reads %s', (type) => {
    const { values, array } = TYPES[type];
    expect(parseIdx(idx(type, [3], values))).toEqual({ shape: [3], data: new array(values) });
  });

  it.each([[[6]], [[2, 3]], [[1, 2, 3]], [[3, 1, 2, 1]], [[6, 1, 1, 1, 1]]])('reads the shape %j', (shape) => {
    expect(parseIdx(idx('u8', shape, [1, 2, 3, 4, 5, 6]))).toEqual({ shape, data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
  });

  it('reads an empty axis, and bytes that lie inside a larger buffer', () => {
    expect(parseIdx(idx('i32', [0, 4], []))).toEqual({ shape: [0, 4], data: new Int32Array(0) });
    const padded = new Uint8Array([9, 9, 9, ...idx('i16', [1], [258])]);
    expect(parseIdx(padded.subarray(3)).data[0]).toBe(258);
  });

  const good = idx('i16', [2, 2], [1, 2, 3, 4]);
  const patched = (at: number, value: number) => good.with(at, value);
  it.each([
    ['nothing', new Uint8Array(0), 0, 'x.idx: this is no IDX file: it has 0 bytes, and the magic number takes 4.'],
    [
      'a bad magic number',
      patched(0, 80),
      0,
      'x.idx: this is no IDX file: it begins with the bytes 80, 0 in place of 0, 0.',
    ],
    [
      'an unknown type',
      patched(2, 10),
      2,
      'x.idx: the file has the unknown type 10; IDX knows 8, 9, 11, 12, 13 and 14.',
    ],
    ['rank 0', patched(3, 0), 3, 'x.idx: the file has rank 0; IDX has at least one axis.'],
    [
      'a cut header',
      good.subarray(0, 10),
      4,
      'x.idx: the file is cut off in its header: rank 2 takes 12 bytes, and there are 10.',
    ],
    [
      'cut data',
      good.subarray(0, 19),
      12,
      'x.idx: the file is cut off: shape [2, 2] ends at byte 20, and there are 19.',
    ],
    [
      'trailing bytes',
      new Uint8Array([...good, 0]),
      12,
      'x.idx: the file is too long: shape [2, 2] ends at byte 20, and there are 21.',
    ],
    [
      'a huge axis',
      patched(4, 255),
      12,
      'x.idx: the file is cut off: shape [4278190082, 2] ends at byte 17112760340, and there are 20.',
    ],
    ['gzip', gzipSync(good), 0, 'x.idx: the file is packed with gzip; readIdx unpacks it, parseIdx does not.'],
  ])('refuses %s', (_, bytes, offset, message) => {
    expect(() => parseIdx(bytes, { name: 'x.idx' })).toThrow(
      expect.objectContaining({ code: 'BAD_FORMAT', file: 'x.idx', offset, message }),
    );
  });

  it('refuses every truncation', () => {
    for (let length = 0; length < good.length; length++) {
      expect(() => parseIdx(good.subarray(0, length))).toThrow(WasmgradError);
    }
  });
});

describe('readIdx', () => {
  const file = idx('u8', [2], [7, 8]);
  const expected = { shape: [2], data: Uint8Array.of(7, 8) };
  it.each([
    ['bytes', file],
    ['gzip', gzipSync(file)],
    ['a Blob of gzip', new Blob([gzipSync(file)])],
    ['a stream', new Blob([file as BlobPart]).stream()],
  ])('reads %s', async (_, source) => {
    expect(await readIdx(source)).toEqual(expected);
  });

  it('refuses every truncation of gzip, by name', async () => {
    const packed = gzipSync(file);
    for (let length = 2; length < packed.length; length++) {
      const source = new File([packed.subarray(0, length)], 'labels.gz');
      await expect(readIdx(source)).rejects.toMatchObject({ code: 'BAD_FORMAT', file: 'labels.gz' });
    }
  });
});
