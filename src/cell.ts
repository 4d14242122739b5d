import { bytesOf, type DType, type TypedArray } from './dtype';
import { BusyError, DtypeError, ShapeError } from './errors';
import { Storage } from './machine/storage';
import { sameShape, show } from './shape';
import { Tensor } from './tensor';

/** The value lives in `storage`. */
const EMPTY = new Uint8Array(0);

/**
 * State: a value that `assign` may replace. Parameters, running statistics, optimizer state and generators are cells, and
 * nothing else is. As a tensor a cell stands for its value at the moment of use.
 */
export class Cell extends Tensor {
  /** Where the value is kept. @internal */
  readonly storage: Storage;
  /** The name of the training run that owns the cell; writing it meanwhile throws MODEL_BUSY. @internal */
  owner: string | null = null;

  /** Starts as `value`. */
  constructor(value: Tensor) {
    const values = value.values();
    super(value.shape, value.dtype, EMPTY);
    this.storage = new Storage(value.dtype, values.length, values);
  }

  override values(): TypedArray {
    return this.storage.read();
  }

  /** Bytes of the value. */
  get bytes(): number {
    return this.size * bytesOf(this.dtype);
  }

  /** Replaces the value now. Inside a trace use `assign`. @internal */
  write(value: Tensor): void {
    checkAssignable(this, value);
    this.storage.write(value.values('assign'));
  }
}

/** Throws unless a cell may take a value: nobody else owns it, and shape and dtype are its own. */
export function checkAssignable(cell: Cell, value: { shape: readonly number[]; dtype: DType }): void {
  if (cell.owner) {
    throw new BusyError(`${cell.owner} owns this cell until it is done; wait for its promise, or stop it.`, {
      op: 'assign',
      argument: 'cell',
    });
  }
  if (!sameShape(cell.shape, value.shape)) {
    throw new ShapeError(`a cell of shape ${show(cell.shape)} cannot take a value of shape ${show(value.shape)}.`, {
      op: 'assign',
      argument: 'value',
      got: value.shape,
      expected: cell.shape,
    });
  }
  if (cell.dtype !== value.dtype) {
    throw new DtypeError(`a cell of dtype ${cell.dtype} cannot take a value of dtype ${value.dtype}; cast it first.`, {
      op: 'assign',
      argument: 'value',
      got: value.dtype,
      expected: cell.dtype,
    });
  }
}
