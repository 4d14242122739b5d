import { allocate, bytesOf, type DType, type TypedArray, viewOf } from '../dtype';
import type { Memory } from './memory';

/**
 * A cell's value: in an array of the host's, which nobody writes into any more and many may share, or in linear memory while a
 * loaded program uses it. Programs count themselves in and out, so that memory holds what is in use and nothing has to be freed by hand.
 */
export class Storage {
  private home: { memory: Memory; address: number; users: number } | null = null;

  constructor(
    readonly dtype: DType,
    readonly size: number,
    private values: TypedArray | null,
  ) {}

  /** Moves the value into linear memory, if it is not there already, and returns its address. */
  bind(memory: Memory): number {
    if (this.home === null) {
      const address = memory.allocate(this.size * bytesOf(this.dtype), 'parameters');
      this.home = { memory, address, users: 0 };
      this.place().set(this.values!);
      this.values = null;
    }
    this.home.users++;
    return this.home.address;
  }

  unbind(): void {
    const home = this.home!;
    if (--home.users > 0) return;
    this.values = this.read();
    this.home = null;
    home.memory.release(home.address);
  }

  /** The value, which does not change with the storage: not to be written into. */
  read(): TypedArray {
    return this.home ? this.copyOf(this.place()) : this.values!;
  }

  write(values: ArrayLike<number>): void {
    if (this.home) this.place().set(values);
    else this.values = this.copyOf(values);
  }

  private place(): TypedArray {
    const { memory, address } = this.home!;
    return viewOf(this.dtype, memory.buffer, address, this.size);
  }

  private copyOf(values: ArrayLike<number>): TypedArray {
    const copy = allocate(this.dtype, this.size);
    copy.set(values);
    return copy;
  }
}
