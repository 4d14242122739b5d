import { allocate, bytesOf, type DType, type TypedArray, viewOf } from '../dtype';
import type { Memory } from './memory';

/**
 * A cell's value: in an array of the host's, or in linear memory while a loaded program uses it. Programs count
 * themselves in and out, so that memory holds what is in use and nothing has to be freed by hand.
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
      viewOf(this.dtype, memory.buffer, address, this.size).set(this.values!);
      this.home = { memory, address, users: 0 };
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

  /** A copy of the value. */
  read(): TypedArray {
    const copy = allocate(this.dtype, this.size);
    copy.set(this.view());
    return copy;
  }

  write(values: ArrayLike<number>): void {
    this.view().set(values);
  }

  private view(): TypedArray {
    const home = this.home;
    return home ? viewOf(this.dtype, home.memory.buffer, home.address, this.size) : this.values!;
  }
}
