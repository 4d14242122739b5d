import { describe, expect, it } from 'vitest';
import { WasmgradError } from '../../src/errors';
import { readSafetensors, type StoredTensor, writeSafetensors } from '../../src/formats/safetensors';

/** A file put together by hand, as the specification has it. */
function file(header: unknown, data: number[] | Uint8Array = []): Uint8Array {
  const json = typeof header === 'string' ? header : JSON.stringify(header);
  const bytes = new TextEncoder().encode(json);
  const out = new Uint8Array(8 + bytes.length + data.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(bytes.length), true);
  out.set(bytes, 8);
  out.set(data, 8 + bytes.length);
  return out;
}

const tensor = (dtype: string, shape: unknown, begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const bytesOf = (data: ArrayBufferView) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const SAMPLES: Record<string, StoredTensor> = {
  flags: { shape: [3], dtype: 'bool', data: Uint8Array.of(1, 0, 1) },
  'fc.weight': { shape: [2, 3], dtype: 'f32', data: Float32Array.of(1, -2, 0.5, Number.NaN, Infinity, -0) },
  scale: { shape: [], dtype: 'f64', data: Float64Array.of(0.1) },
  'a "name" — ü': { shape: [2], dtype: 'i32', data: Int32Array.of(-2147483648, 7) },
  none: { shape: [0, 4], dtype: 'f32', data: new Float32Array(0) },
  bytes: { shape: [1, 2], dtype: 'u8', data: Uint8Array.of(254, 255) },
};

describe('writeSafetensors', () => {
  it('reads back the same, in the same order', () => {
    const metadata = { format: 'pt', 'wasmgrad.epoch': '3' };
    const back = readSafetensors(writeSafetensors(SAMPLES, { metadata }));
    expect(back).toEqual({ tensors: SAMPLES, metadata });
    expect(Object.keys(back.tensors)).toEqual(Object.keys(SAMPLES));
    expect(readSafetensors(writeSafetensors({}))).toEqual({ tensors: {}, metadata: {} });
  });

  it('writes the bytes of the specification', () => {
    const written = writeSafetensors({ a: { shape: [1], dtype: 'f32', data: Float32Array.of(1) } });
    const json = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ';
    expect(json.length % 8).toBe(0);
    expect(written).toEqual(file(json, [0, 0, 0x80, 0x3f]));
  });

  it('aligns each tensor to its elements', () => {
    const written = writeSafetensors(SAMPLES);
    const length = Number(new DataView(written.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(written.subarray(8, 8 + length)));
    expect(length % 8).toBe(0);
    for (const [name, { data }] of Object.entries(SAMPLES)) {
      expect(header[name].data_offsets[0] % data.BYTES_PER_ELEMENT).toBe(0);
    }
  });

  it('writes one tensor under two names, views, and names that JavaScript gives a meaning', () => {
    const shared: StoredTensor = { shape: [1], dtype: 'f32', data: new Float32Array([1, 2, 3]).subarray(1, 2) };
    const tensors = Object.fromEntries([
      ['a', shared],
      ['b', shared],
      ['__proto__', shared],
      ['constructor', shared],
    ]);
    const back = readSafetensors(writeSafetensors(tensors)).tensors;
    expect(Object.keys(back)).toEqual(['a', 'b', '__proto__', 'constructor']);
    expect(Object.values(back).map(({ data }) => data[0])).toEqual([2, 2, 2, 2]);
  });

  it('refuses a wrong shape, dtype, name and metadata', () => {
    const data = Float32Array.of(1, 2);
    const write = (name: string, stored: unknown) => writeSafetensors({ [name]: stored as StoredTensor });
    expect(() => write('w', { shape: [3], dtype: 'f32', data })).toThrow(
      'writeSafetensors: tensor "w" has 2 elements, which do not fill its shape [3].',
    );
    expect(() => write('w', { shape: [2], dtype: 'f64', data })).toThrow(
      'writeSafetensors: tensor "w" has dtype f64 and its data is a Float32Array.',
    );
    expect(() => write('w', { shape: [2], dtype: 'f16', data })).toThrow(
      expect.objectContaining({ code: 'DTYPE_MISMATCH' }),
    );
    expect(() => write('__metadata__', { shape: [2], dtype: 'f32', data })).toThrow(
      'no tensor may be called __metadata__',
    );
    expect(() => writeSafetensors({}, { metadata: { epoch: 3 as never } })).toThrow(
      'writeSafetensors: __metadata__ holds text only; "epoch" is 3.',
    );
  });
});

describe('readSafetensors', () => {
  it('reads offsets in any order, unaligned, from a part of a buffer', () => {
    const data = [9, ...bytesOf(Float64Array.of(2.5)), ...bytesOf(Int32Array.of(-3))];
    const bytes = file({ i: tensor('I32', [1], 9, 13), u: tensor('U8', [1], 0, 1), d: tensor('F64', [], 1, 9) }, data);
    const expected = {
      i: { shape: [1], dtype: 'i32', data: Int32Array.of(-3) },
      u: { shape: [1], dtype: 'u8', data: Uint8Array.of(9) },
      d: { shape: [], dtype: 'f64', data: Float64Array.of(2.5) },
    };
    expect(readSafetensors(bytes).tensors).toEqual(expected);
    const shifted = Buffer.concat([Uint8Array.of(1, 2, 3), bytes]).subarray(3);
    expect(readSafetensors(shifted).tensors).toEqual(expected);
  });

  it('gives copies', () => {
    const bytes = Buffer.from(file({ u: tensor('U8', [2], 0, 2) }, [1, 2]));
    const { tensors } = readSafetensors(bytes);
    bytes.fill(0);
    expect([...tensors.u!.data]).toEqual([1, 2]);
  });

  it('reads F16 as f32, every one of its values', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
    const { data, dtype } = readSafetensors(file({ h: tensor('F16', [65536], 0, 131072) }, bytesOf(halves))).tensors.h!;
    expect(dtype).toBe('f32');
    const wrong = halves.findIndex((bits) => {
      const [sign, exponent, mantissa] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
      const magnitude =
        exponent === 31
          ? mantissa
            ? Number.NaN
            : Infinity
          : exponent
            ? (1 + mantissa / 1024) * 2 ** (exponent - 15)
            : mantissa * 2 ** -24;
      return !Object.is(data[bits], sign * magnitude);
    });
    expect(wrong).toBe(-1);
  });

  it('reads BF16 as f32', () => {
    const values = Float32Array.of(1, -2.5, 2 ** -130, Infinity, -0);
    const halves = Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16);
    expect(readSafetensors(file({ h: tensor('BF16', [5], 0, 10) }, bytesOf(halves))).tensors.h!.data).toEqual(values);
  });

  it('reads I64 as i32 where it fits', () => {
    const read = (...values: bigint[]) =>
      readSafetensors(
        file({ n: tensor('I64', [values.length], 0, 8 * values.length) }, bytesOf(BigInt64Array.from(values))),
      );
    expect(read(0n, -1n, 2147483647n, -2147483648n).tensors.n).toEqual({
      shape: [4],
      dtype: 'i32',
      data: Int32Array.of(0, -1, 2147483647, -2147483648),
    });
    for (const value of [2147483648n, -2147483649n, 1n << 40n]) {
      expect(() => read(1n, value)).toThrow(
        `safetensors: tensor "n" holds I64 numbers, which are read as i32, and element 1 (${value}) does not fit.`,
      );
    }
  });

  const ok = file({ a: tensor('F32', [1], 0, 4) }, [0, 0, 0, 0]);
  const a = (entry: unknown, data = [0, 0, 0, 0]) => file({ a: entry }, data);
  const two = (begin: number, end: number, bytes: number) =>
    file({ a: tensor('U8', [4], 0, 4), b: tensor('U8', [end - begin], begin, end) }, new Uint8Array(bytes));
  const lengthOf = (length: bigint) => {
    const bytes = ok.slice();
    new DataView(bytes.buffer).setBigUint64(0, length, true);
    return bytes;
  };
  it.each([
    ['no bytes', new Uint8Array(0), "this is no safetensors file: it has 0 bytes, and the header's length takes 8."],
    ['a header beyond the file', lengthOf(4000n), 'the header claims 4000 bytes, and 58 follow: the file is cut off.'],
    ['a header beyond the limit', lengthOf(100_000_001n), 'the header claims 100000001 bytes; 100000000 are allowed.'],
    ['a header of 2^64 - 1 bytes', lengthOf(2n ** 64n - 1n), 'the header claims 18446744073709552000 bytes'],
    ['no header', file(''), 'the header is not JSON'],
    ['a header that is not UTF-8', lengthOf(8n).fill(0xff, 8, 16), 'the header is not UTF-8.'],
    ['a header that is not JSON', file('{"a":'), 'the header is not JSON'],
    ['space before the header', file(' {}'), 'the header is JSON, but does not begin with {.'],
    ['a list', file('[]'), 'the header is JSON, but does not begin with {.'],
    ['null', file('null'), 'the header is JSON, but does not begin with {.'],
    ['a key twice', file('{"a\\"b":{},"a\\u0022b" : {}}'), 'the header has the key "a\\u0022b" twice.'],
    ['a field twice', file('{"a":{"dtype":"U8","shape":[],"dtype":"U8"}}'), 'the header has the key "dtype" twice.'],
    ['an entry that is no object', a(7), 'tensor "a" must be an object; got 7.'],
    ['an entry that is null', a(null), 'tensor "a" must be an object; got null.'],
    ['an unknown dtype', a(tensor('F8_E4M3', [4], 0, 4)), 'tensor "a" has the unknown dtype "F8_E4M3"; F64, F32,'],
    ['a dtype from the prototype', a(tensor('toString', [1], 0, 4)), 'tensor "a" has the unknown dtype "toString"'],
    ['no dtype', a({ shape: [1], data_offsets: [0, 4] }), 'tensor "a" has the unknown dtype undefined'],
    [
      'a negative shape',
      a(tensor('F32', [-1], 0, 4)),
      'tensor "a" must have a shape of whole numbers that are not negative; got [-1].',
    ],
    [
      'a broken shape',
      a(tensor('F32', [0.5, 2], 0, 4)),
      'tensor "a" must have a shape of whole numbers that are not negative; got [0.5,2].',
    ],
    [
      'a shape of text',
      a(tensor('F32', '1', 0, 4)),
      'tensor "a" must have a shape of whole numbers that are not negative; got "1".',
    ],
    [
      'one offset',
      a({ dtype: 'F32', shape: [1], data_offsets: [4] }),
      'tensor "a" must have two rising data_offsets; got [4].',
    ],
    ['falling offsets', a(tensor('F32', [1], 4, 0)), 'tensor "a" must have two rising data_offsets; got [4,0].'],
    ['negative offsets', a(tensor('F32', [1], -4, 0)), 'tensor "a" must have two rising data_offsets; got [-4,0].'],
    [
      'too few bytes',
      a(tensor('F32', [2], 0, 4)),
      'tensor "a" takes 8 bytes, as F32 of shape [2]; its offsets hold 4.',
    ],
    [
      'a shape too big to count',
      a(tensor('F32', [2 ** 52, 2 ** 52], 0, 4)),
      'tensor "a" takes 8.112963841460668e+31 bytes',
    ],
    [
      'an overlap',
      two(3, 7, 7),
      'tensor "b" overlaps the tensor before it: it begins at offset 3, and 4 is where the last one ends.',
    ],
    ['the same bytes twice', two(0, 4, 4), 'tensor "b" overlaps the tensor before it'],
    [
      'a hole',
      two(5, 9, 9),
      'tensor "b" leaves a hole before it: it begins at offset 5, and 4 is where the last one ends.',
    ],
    [
      'a hole at the start',
      a(tensor('F32', [1], 4, 8), [0, 0, 0, 0, 0, 0, 0, 0]),
      'tensor "a" leaves a hole before it',
    ],
    ['offsets beyond the file', two(4, 12, 8), 'the file is cut off: its tensors end at byte 126, and there are 122.'],
    [
      'trailing bytes',
      new Uint8Array([...ok, 0]),
      'the file is too long: its tensors end at byte 66, and there are 67.',
    ],
    ['data without tensors', file('{}', [1]), 'the file is too long: its tensors end at byte 10, and there are 11.'],
    ['metadata that is no object', file({ __metadata__: 'x' }), '__metadata__ must be an object; got "x".'],
    ['metadata that is not text', file({ __metadata__: { a: 1 } }), '__metadata__ holds text only; "a" is 1.'],
    [
      'a bool of 2',
      file({ a: tensor('BOOL', [2], 0, 2) }, [1, 2]),
      'tensor "a" is BOOL, and its byte 1 is 2, neither 0 nor 1.',
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes, { name: 'm.safetensors' })).toThrow(
      expect.objectContaining({
        code: 'BAD_FORMAT',
        file: 'm.safetensors',
        message: expect.stringContaining(`m.safetensors: ${message}`),
      }),
    );
  });

  const sample = writeSafetensors(SAMPLES, { metadata: { a: 'b' } });
  it('refuses every truncation', () => {
    for (let length = 0; length < sample.length; length++) {
      expect(() => readSafetensors(sample.subarray(0, length))).toThrow(WasmgradError);
    }
  });

  it('survives flipped bits: it reads the file or refuses it by name', () => {
    const headerEnd = 8 + new DataView(sample.buffer).getUint32(0, true);
    let refused = 0;
    for (let at = 0; at < headerEnd; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = sample.with(at, sample[at]! ^ (1 << bit));
        try {
          readSafetensors(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(WasmgradError);
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(headerEnd * 4);
  });
});
