import { DtypeError } from './errors';

/** The element types of a tensor. f32 and f64 are the real ones; u8 stores bytes, bool one byte of 0 or 1. */
export type DType = 'f32' | 'f64' | 'i32' | 'u8' | 'bool';
export type Real = 'f32' | 'f64';
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

const ARRAYS = { f32: Float32Array, f64: Float64Array, i32: Int32Array, u8: Uint8Array, bool: Uint8Array };

export function isReal(dtype: DType): dtype is Real {
  return dtype === 'f32' || dtype === 'f64';
}

/** Bytes of one element. */
export function bytesOf(dtype: DType): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}

export function allocate(dtype: DType, size: number): TypedArray {
  return new ARRAYS[dtype](size);
}

/** A typed view of `size` elements at a byte offset. */
export function viewOf(dtype: DType, buffer: ArrayBufferLike, offset: number, size: number): TypedArray {
  return new ARRAYS[dtype](buffer as ArrayBuffer, offset, size);
}

/** The dtype that a typed array holds; bool arrays are told apart from u8 only by their tensor. */
export function dtypeOf(array: ArrayBufferView): DType {
  if (array instanceof Float32Array) return 'f32';
  if (array instanceof Float64Array) return 'f64';
  if (array instanceof Int32Array) return 'i32';
  if (array instanceof Uint8Array) return 'u8';
  throw new DtypeError(
    `${array.constructor.name} has no dtype; use Float32Array, Float64Array, Int32Array or Uint8Array.`,
    { op: 'tensor', argument: 'data', got: array.constructor.name },
  );
}

/** Throws unless a dtype is one that the op takes. */
export function checkDtypes(
  op: string,
  inputs: readonly { dtype: DType }[],
  allowed: (dtype: DType) => boolean,
  names: string,
): void {
  inputs.forEach(({ dtype }, i) => {
    if (allowed(dtype)) return;
    throw new DtypeError(`operand ${i + 1} has dtype ${dtype}; allowed are ${names}. Cast it first.`, {
      op,
      argument: `operand ${i + 1}`,
      got: dtype,
      expected: names,
    });
  });
}

/** Throws unless all dtypes are real. */
export function checkReals(op: string, inputs: readonly { dtype: DType }[]): void {
  checkDtypes(op, inputs, isReal, 'f32 and f64');
}

/** Throws unless all dtypes are one, and returns it. */
export function checkSame(op: string, inputs: readonly { dtype: DType }[]): DType {
  const { dtype } = inputs[0]!;
  for (const other of inputs) {
    if (other.dtype !== dtype) {
      throw new DtypeError(`operands have dtypes ${dtype} and ${other.dtype}; cast one of them.`, {
        op,
        got: other.dtype,
        expected: dtype,
      });
    }
  }
  return dtype;
}
