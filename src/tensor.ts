import { allocate, type DType, dtypeOf, isReal, type TypedArray } from './dtype';
import { DataError, DtypeError, ShapeError, TraceError, ValueError } from './errors';
import { binariesOf } from './machine/cores';
import { checkShape, type Shape, sameShape, show, sizeOf } from './shape';

/** What stands in for values while a function is traced; graph/graph.ts has the one implementation. */
export interface Traced {
  readonly traced: true;
}

/** Numbers, nested to any depth: how tensors are written down and printed. */
export type Nested = number | boolean | readonly Nested[];

/** A number takes the dtype of the tensor that it meets. */
export type Operand = Tensor | number;

/**
 * An n-dimensional array of numbers that never changes. It owns an ordinary array, which the collector frees, or it is the
 * symbol of a value inside a trace (`compile`, `grad`, `train`), where it has a shape and a dtype but no numbers yet.
 */
export class Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
  /** @internal */
  readonly source: TypedArray | Traced;

  constructor(shape: Shape, dtype: DType, source: TypedArray | Traced) {
    this.shape = shape;
    this.dtype = dtype;
    this.source = source;
  }

  /** How many elements there are: 1 for rank 0. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** The number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** The elements themselves, row-major: for reading only. @internal */
  values(op = 'data'): TypedArray {
    const { source } = this;
    if ('traced' in source) {
      throw new TraceError(
        `a tensor of shape ${show(this.shape)} has no values while it is traced; return it from the function, or use ` +
          'where() in place of a branch on its value.',
        { op },
      );
    }
    return source;
  }

  /** A copy of the elements, row-major. Throws TRACED_VALUE inside a trace. */
  data(): TypedArray {
    return this.values('data').slice();
  }

  /** The one element as a number. Throws a ShapeError unless there is exactly one. */
  item(): number {
    const values = this.values('item');
    if (values.length !== 1) {
      throw new ShapeError(`only a tensor of one element has an item; this one has shape ${show(this.shape)}.`, {
        op: 'item',
        got: this.shape,
      });
    }
    return values[0]!;
  }

  /** The elements as nested arrays (a number for rank 0; booleans for bool). */
  toArray(): Nested {
    const values = this.values('toArray');
    let at = 0;
    const nest = (axis: number): Nested => {
      if (axis < this.shape.length) return Array.from({ length: this.shape[axis]! }, () => nest(axis + 1));
      const value = values[at++]!;
      return this.dtype === 'bool' ? value !== 0 : value;
    };
    return nest(0);
  }

  toString(): string {
    const head = `Tensor ${this.dtype}${show(this.shape)}`;
    return 'traced' in this.source ? `${head} (traced)` : `${head} ${JSON.stringify(this.toArray())}`;
  }
}

export interface TensorOptions {
  shape?: Shape;
  dtype?: DType;
}

/**
 * A tensor from nested numbers, or from a typed array with `shape` (one axis without it). The dtype is the array's own,
 * else 'f32' ('bool' for booleans). Throws a DataError for ragged nesting, a ShapeError where `shape` does not hold the
 * data, a DtypeError for values that the dtype cannot hold.
 */
export function tensor(data: Nested | ArrayBufferView | Tensor, options: TensorOptions = {}): Tensor {
  if (data instanceof Tensor) return tensor(data.data(), { shape: data.shape, dtype: data.dtype, ...options });
  const flat: (number | boolean)[] = [];
  let shape: number[];
  let source: ArrayLike<number | boolean> = flat;
  if (ArrayBuffer.isView(data)) {
    source = data as unknown as ArrayLike<number>;
    shape = [source.length];
    options = { dtype: dtypeOf(data), ...options };
  } else {
    shape = flatten(data, flat);
  }
  if (options.shape) {
    const wanted = checkShape('tensor', options.shape);
    if (sizeOf(wanted) !== source.length) {
      throw new ShapeError(`shape ${show(wanted)} holds ${sizeOf(wanted)} elements; data has ${source.length}.`, {
        op: 'tensor',
        argument: 'shape',
        got: wanted,
        expected: shape,
      });
    }
    shape = wanted;
  }
  const booleans = flat.length > 0 && flat.every((value) => typeof value === 'boolean');
  return create(shape, options.dtype ?? (booleans ? 'bool' : 'f32'), source);
}

/** Collects nested numbers row-major and returns their shape. */
function flatten(data: Nested, into: (number | boolean)[]): number[] {
  if (typeof data === 'number' || typeof data === 'boolean') {
    into.push(data);
    return [];
  }
  if (!Array.isArray(data)) {
    throw new DataError(`data must be numbers, nested arrays of numbers or a typed array; got ${typeof data}.`, {
      op: 'tensor',
      argument: 'data',
      got: String(data),
    });
  }
  let shape: number[] | null = null;
  data.forEach((part: Nested, i: number) => {
    const inner = flatten(part, into);
    if (shape === null) shape = inner;
    else if (!sameShape(shape, inner)) {
      throw new DataError(
        `data is ragged: entry ${i} has shape ${show(inner)}, the entries before it ${show(shape)}.`,
        {
          op: 'tensor',
          argument: 'data',
          got: inner,
          expected: shape,
        },
      );
    }
  });
  return [data.length, ...(shape ?? [])];
}

const RANGES: Partial<Record<DType, [number, number]>> = { i32: [-(2 ** 31), 2 ** 31 - 1], u8: [0, 255], bool: [0, 1] };

/** Throws unless every value can be held by a whole dtype exactly. */
function checkWhole(op: string, values: ArrayLike<number | boolean>, dtype: DType): void {
  const range = RANGES[dtype];
  if (!range) return;
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    if (!Number.isInteger(value) || value < range[0] || value > range[1]) {
      throw new DtypeError(`${value} is no ${dtype}; allowed are whole numbers from ${range[0]} to ${range[1]}.`, {
        op,
        argument: 'data',
        got: value,
        expected: `${range[0]} to ${range[1]}`,
      });
    }
  }
}

/** Throws a DtypeError unless arguments, by name, are tensors of one dtype that is allowed. */
function checkTensors(op: string, tensors: Record<string, Tensor>, allowed: readonly DType[]): void {
  const [first] = Object.keys(tensors);
  for (const [argument, x] of Object.entries(tensors)) {
    const dtype = x instanceof Tensor ? x.dtype : x === null ? 'null' : typeof x;
    if (!(x instanceof Tensor && allowed.includes(x.dtype))) {
      const got = x instanceof Tensor ? `${dtype}${show(x.shape)}` : dtype;
      throw new DtypeError(`${argument} must be a tensor of dtype ${allowed.join(' or ')}; got ${got}.`, {
        op,
        argument,
        got: dtype,
        expected: allowed.join(', '),
      });
    }
    const expected = tensors[first!]!.dtype;
    if (dtype !== expected) {
      throw new DtypeError(`${argument} of dtype ${dtype} does not match ${first} of dtype ${expected}; cast one.`, {
        op,
        argument,
        got: dtype,
        expected,
      });
    }
  }
}

/** Throws a DtypeError unless an argument is a tensor, of any dtype. */
export function checkTensor(op: string, argument: string, x: Tensor): void {
  checkTensors(op, { [argument]: x }, ['f32', 'f64', 'i32', 'u8', 'bool']);
}

/** Throws a DtypeError unless arguments, by name, are tensors of one real dtype. */
export function checkReal(op: string, tensors: Record<string, Tensor>): void {
  checkTensors(op, tensors, ['f32', 'f64']);
}

/** Throws a DtypeError unless arguments, by name, are tensors of one dtype that can be reckoned with. */
export function checkNumeric(op: string, tensors: Record<string, Tensor>): void {
  checkTensors(op, tensors, ['f32', 'f64', 'i32']);
}

/** Throws a ValueError unless an option is what it is allowed to be. */
export function checkOption(op: string, argument: string, got: unknown, holds: boolean, allowed: string): void {
  if (holds) return;
  throw new ValueError(`${argument} must be ${allowed}; got ${got}.`, { op, argument, got, expected: allowed });
}

/** Throws a ValueError unless options are whole numbers from 1 on. */
export function checkCounts(op: string, options: Record<string, number>): void {
  for (const [argument, value] of Object.entries(options)) {
    checkOption(op, argument, value, Number.isInteger(value) && value >= 1, 'a whole number from 1 on');
  }
}

/** A number for all axes, or one each. */
export type PerAxis = number | readonly number[];

/** An option for each of `axes` axes. Throws a ValueError unless its numbers are whole and at least `least`. */
export function checkAxes(op: string, argument: string, value: unknown, axes: number, least: number): number[] {
  const each: unknown[] = Array.isArray(value) ? value : new Array(axes).fill(value);
  const holds = each.length === axes && each.every((one) => Number.isInteger(one) && (one as number) >= least);
  const allowed = `a whole number from ${least} on${axes > 1 ? `, or ${axes} of them` : ''}`;
  const got = Array.isArray(value) ? show(value) : typeof value === 'string' ? `'${value}'` : value;
  checkOption(op, argument, got, holds, allowed);
  return each as number[];
}

/** A plain number as an operand of a given dtype, checked. */
export function checkNumber(op: string, value: number, dtype: DType): number {
  if (!isReal(dtype)) checkWhole(op, [value], dtype);
  return value;
}

/** Throws a DtypeError for an unknown dtype, or for f64 without its core. */
export function checkDtype(op: string, dtype: DType): DType {
  if (!['f32', 'f64', 'i32', 'u8', 'bool'].includes(dtype)) {
    throw new DtypeError(`dtype ${JSON.stringify(dtype)} is unknown; allowed are f32, f64, i32, u8 and bool.`, {
      op,
      argument: 'dtype',
      got: dtype,
      expected: 'f32, f64, i32, u8, bool',
    });
  }
  if (dtype === 'f64') binariesOf('f64');
  return dtype;
}

function create(shape: Shape, dtype: DType, source: ArrayLike<number | boolean>): Tensor {
  checkDtype('tensor', dtype);
  const own = ArrayBuffer.isView(source) && dtypeOf(source) === dtype;
  if (!own) checkWhole('tensor', source, dtype);
  const values = allocate(dtype, source.length);
  values.set(source as ArrayLike<number>);
  return new Tensor(shape, dtype, values);
}

/** Every element the same. */
export function full(shape: Shape, value: number, { dtype = 'f32' }: { dtype?: DType } = {}): Tensor {
  const checked = checkShape('full', shape);
  checkNumber('full', value, checkDtype('full', dtype));
  const values = allocate(dtype, sizeOf(checked));
  // Memory that nobody has written into yet is zero, and the system need not find it before it is used.
  return new Tensor(checked, dtype, Object.is(value, 0) ? values : values.fill(value));
}

export function zeros(shape: Shape, options?: { dtype?: DType }): Tensor {
  return full(shape, 0, options);
}

export function ones(shape: Shape, options?: { dtype?: DType }): Tensor {
  return full(shape, 1, options);
}

export function zerosLike(x: Tensor): Tensor {
  return full(x.shape, 0, x);
}

export function onesLike(x: Tensor): Tensor {
  return full(x.shape, 1, x);
}

/** The n × m matrix (m = n where it is left out) with ones on its diagonal. */
export function eye(n: number, m = n, options?: { dtype?: DType }): Tensor {
  const matrix = full([n, m], 0, options);
  const values = matrix.values();
  for (let i = 0; i < Math.min(n, m); i++) values[i * m + i] = 1;
  return matrix;
}

/** start, start + step, … up to, but without, end: `arange(3)` is 0, 1, 2. The dtype is i32 unless told otherwise. */
export function arange(start: number, end?: number, step = 1, { dtype = 'i32' }: { dtype?: DType } = {}): Tensor {
  const [from, to] = end === undefined ? [0, start] : [start, end];
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!Number.isFinite(count)) {
    throw new ValueError(`start ${from}, end ${to} and step ${step} give no finite sequence.`, {
      op: 'arange',
      argument: 'step',
      got: step,
    });
  }
  return tensor(
    Array.from({ length: count }, (_, i) => from + i * step),
    { shape: [count], dtype },
  );
}

/** `count` numbers from start to end, both included, evenly spaced. */
export function linspace(start: number, end: number, count: number, { dtype = 'f32' }: { dtype?: DType } = {}): Tensor {
  const gap = count > 1 ? (end - start) / (count - 1) : 0;
  return tensor(
    Array.from({ length: count }, (_, i) => start + i * gap),
    { shape: [count], dtype },
  );
}
