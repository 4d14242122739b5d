import { ALIGNMENT, HEAP_BASE, SLACK } from '../../assembly/isa';
import { OutOfMemoryError } from '../errors';

const PAGE = 65536;
/** 4 GiB: all that 32-bit addresses reach. */
const MAX_PAGES = 65536;
const INITIAL_PAGES = 2;

/** Whether this realm can share memory between threads: probed by use, since a page may claim isolation and lack it. */
export function canShare(): boolean {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}

function reserve(shared: boolean): { memory: WebAssembly.Memory; pages: number } {
  // The core's import asks for at most MAX_PAGES; a device may grant less, so the reservation halves until it is granted.
  for (let pages = MAX_PAGES; ; pages /= 2) {
    try {
      return { memory: new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: pages, shared }), pages };
    } catch (error) {
      if (pages / 2 < INITIAL_PAGES) throw error;
    }
  }
}

/**
 * One linear memory and its allocator. Blocks are aligned and followed by SLACK bytes, since kernels read whole vectors:
 *
 *   0        HEAP_BASE
 *   ┌────────┬──────────────┬───────┬──────┬───────┬───────┬───────────
 *   │ tables │ block        │ slack │ free │ block │ slack │ free …
 *   └────────┴──────────────┴───────┴──────┴───────┴───────┴───────────
 *             ^ multiple of ALIGNMENT        ^
 *
 * Best fit over an address-ordered list of free spans, which join again when freed.
 */
export class Memory {
  wasm: WebAssembly.Memory;
  shared = false;
  /** Bytes that may ever be had. */
  readonly limit: number;
  /** Bytes allocated now, and the most there ever were. */
  live = 0;
  peak = 0;
  private readonly free: { at: number; bytes: number }[] = [];
  private readonly blocks = new Map<number, number>();
  private end = HEAP_BASE;

  constructor() {
    const { memory, pages } = reserve(false);
    this.wasm = memory;
    this.limit = pages * PAGE;
  }

  /**
   * Moves everything, address for address, into a memory that threads can share; returns whether that could be had. Not from
   * the start: engines copy into shared memory word by word, six times as slowly.
   */
  share(): boolean {
    if (this.shared) return true;
    try {
      const { memory, pages } = reserve(true);
      if (pages * PAGE < this.limit) return false;
      const missing = this.buffer.byteLength - memory.buffer.byteLength;
      if (missing > 0) memory.grow(missing / PAGE);
      new Uint8Array(memory.buffer).set(new Uint8Array(this.buffer));
      this.wasm = memory;
    } catch {
      return false; // what is here stays, and works on one thread
    }
    this.shared = true;
    return true;
  }

  get buffer(): ArrayBufferLike {
    return this.wasm.buffer;
  }

  /** An address for `bytes` bytes, its contents undefined. Throws an OutOfMemoryError and leaves all as it was. */
  allocate(bytes: number, op = 'memory'): number {
    const whole = Math.ceil((bytes + SLACK) / ALIGNMENT) * ALIGNMENT;
    let best = -1;
    for (let i = 0; i < this.free.length; i++) {
      const span = this.free[i]!;
      if (span.bytes >= whole && (best < 0 || span.bytes < this.free[best]!.bytes)) best = i;
    }
    let at: number;
    if (best >= 0) {
      const span = this.free[best]!;
      at = span.at;
      span.at += whole;
      span.bytes -= whole;
      if (span.bytes === 0) this.free.splice(best, 1);
    } else {
      at = this.end;
      this.grow(at + whole, whole, op);
      this.end = at + whole;
    }
    this.blocks.set(at, whole);
    this.live += whole;
    this.peak = Math.max(this.peak, this.live);
    return at;
  }

  release(at: number): void {
    const bytes = this.blocks.get(at)!;
    this.blocks.delete(at);
    this.live -= bytes;
    let i = this.free.findIndex((span) => span.at > at);
    if (i < 0) i = this.free.length;
    this.free.splice(i, 0, { at, bytes });
    this.join(i);
    this.join(i - 1);
    const last = this.free.at(-1);
    if (last && last.at + last.bytes === this.end) {
      this.end = last.at;
      this.free.pop();
    }
  }

  private join(i: number): void {
    const span = this.free[i];
    const next = this.free[i + 1];
    if (span && next && span.at + span.bytes === next.at) {
      span.bytes += next.bytes;
      this.free.splice(i + 1, 1);
    }
  }

  private grow(bytes: number, asked: number, op: string): void {
    const missing = bytes - this.buffer.byteLength;
    if (missing <= 0) return;
    const pages = Math.ceil(missing / PAGE);
    // A quarter more than needed where it can be had, so that growing is rare.
    for (const ask of [Math.max(pages, this.buffer.byteLength / PAGE / 4), pages]) {
      try {
        this.wasm.grow(Math.ceil(ask));
        return;
      } catch {
        // Refused; the smaller ask, then the error below.
      }
    }
    throw new OutOfMemoryError(
      `${asked} bytes more do not fit: ${this.live} bytes are live and the limit is ${this.limit}.`,
      { op, asked, live: this.live, limit: this.limit },
    );
  }
}
