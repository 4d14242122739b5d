import { Copy, Fill, type Fn, MAX_CHUNKS, Op, Slot, Type } from '../../assembly/isa';
import { allocate, bytesOf, type DType, type Real, type TypedArray } from '../dtype';
import { type Aval, type Shape, sizeOf, stridesOf } from '../shape';

/** Elements of a chunk of simple work: enough to be worth claiming, small enough to share out. */
const CHUNK_ELEMENTS = 8192;

/** Cuts `total` units of work into chunks of `grain` (more where there would be too many): shapes alone decide. */
export function cut(total: number, grain = CHUNK_ELEMENTS): { per: number; chunks: number } {
  const per = Math.max(1, grain, Math.ceil(total / MAX_CHUNKS));
  return { per, chunks: Math.ceil(total / per) };
}

/** Memory that a program will have: where, is decided when all records are known. */
export interface Buffer {
  kind: 'arena' | 'constant' | 'cell' | 'number';
  bytes: number;
  /** Bytes from the start of its segment; -1 until it is placed. */
  offset: number;
  /** Of a constant. */
  data?: TypedArray;
  /** Of a cell: its number in the program. */
  cell?: number;
  /** Of a number, which has no memory at all. */
  value?: number;
}

/** How a value lies in a buffer: element (i, j, …) at offset + i·strides[0] + j·strides[1] + …, counted in elements. */
export interface View {
  buffer: Buffer;
  dtype: DType;
  shape: Shape;
  strides: readonly number[];
  offset: number;
}

/** A pointer operand of a record. */
export interface Pointer {
  buffer: Buffer;
  /** Bytes from the buffer's start. */
  bytes: number;
  writes: boolean;
}

export interface MapSlot {
  kind: Slot;
  type: Type;
  view: View | null;
  value: number;
  /** Of a STRIDED slot: (size, stride) per axis. */
  dims: [number, number][];
}

export interface MapStep {
  fn: Fn;
  /** The op that it is for. */
  name: string;
  /** Slots: the destination and up to three operands. */
  slots: number[];
}

/**
 * How a record is cut: chunk c does lanes c·per … (c + 1)·per - 1, and touches of the buffers in `each` only the elements of
 * those lanes, which lie one behind the other, so many a lane.
 */
export interface Lanes {
  count: number;
  per: number;
  /** The word that holds `per`; null where it cannot be changed. */
  field: number | null;
  each: Map<Buffer, number>;
}

/** What a GEMM without batches, or a CONVOLUTION, writes: [rows, columns] of `view`, in order without gaps. `flipped`: to the record, columns are rows. */
export interface Product {
  view: View;
  rows: number;
  columns: number;
  flipped: boolean;
  /** The word that is 1 where a relu follows. */
  relu: number;
  /** Whether it can add something to what it makes. */
  adds: boolean;
}

/** A record before addresses are known. */
export interface Draft {
  op: Op;
  /** The op that it is for. */
  name: string;
  chunks: number;
  words: (number | Pointer)[];
  /** Of a MAP, whose words follow from these. */
  map: { size: number; slots: MapSlot[]; steps: MapStep[] } | null;
  reads: Set<Buffer>;
  writes: Map<Buffer, View>;
  /** Pairs (destination, source) that may be one buffer. */
  inPlace: [Buffer, Buffer][];
  lanes: Lanes | null;
  /** Whether it writes an infinity or a NaN as a number. */
  infinite: boolean;
  /** Of a record that may end in elementwise work: see `absorb`. */
  product: Product | null;
  flop: number;
  text: string;
}

export interface RecordOptions {
  chunks: number;
  /** Words behind the named fields. */
  tail?: number[];
  inPlace?: [View, View][];
  /** As in `Lanes`; views that do not start where their buffer does are left out. */
  lanes?: { count: number; per: number; field: number | null; each: [View, number][] };
  product?: Product | null;
  flop?: number;
  text?: string;
}

export function isContiguous(view: View): boolean {
  if (sizeOf(view.shape) === 0) return true;
  const natural = stridesOf(view.shape);
  return view.shape.every((length, axis) => length === 1 || view.strides[axis] === natural[axis]);
}

/** All of a buffer, its elements in row-major order without gaps. */
export function whole({ shape, dtype }: Aval, buffer: Buffer): View {
  return { buffer, dtype, shape, strides: stridesOf(shape), offset: 0 };
}

/** The two words of an f64. */
export function double(field: number, value: number): Record<number, number> {
  const [low, high] = new Int32Array(new Float64Array([value]).buffer);
  return { [field]: low!, [field + 1]: high! };
}

/** Axes of length 1 dropped and neighbours joined where one stride continues the other, for all stride lists at once. */
export function collapse(shape: Shape, ...strides: (readonly number[])[]): { sizes: number[]; strides: number[][] } {
  const sizes: number[] = [];
  const joined: number[][] = strides.map(() => []);
  shape.forEach((length, axis) => {
    if (length === 1) return;
    const last = sizes.length - 1;
    if (last >= 0 && strides.every((list, i) => joined[i]![last] === list[axis]! * length)) {
      sizes[last]! *= length;
      strides.forEach((list, i) => {
        joined[i]![last] = list[axis]!;
      });
    } else {
      sizes.push(length);
      strides.forEach((list, i) => {
        joined[i]!.push(list[axis]!);
      });
    }
  });
  return { sizes, strides: joined };
}

/** Strides of a view stretched to a shape that it broadcasts to: 0 along stretched axes. */
export function broadcastStrides(view: View, shape: Shape): number[] {
  const lead = shape.length - view.shape.length;
  return shape.map((_, axis) => (axis < lead || view.shape[axis - lead] === 1 ? 0 : view.strides[axis - lead]!));
}

function lanesOf(each: [View, number][]): Map<Buffer, number> {
  return new Map(each.filter(([view]) => view.offset === 0).map(([{ buffer }, elements]) => [buffer, elements]));
}

/** Collects the records of a program, in order. Ops write through it; `lower` turns the drafts into words. */
export class Emitter {
  private drafts: Draft[] = [];
  /** The op that is being emitted, for names in errors and listings. */
  name = '';
  private readonly made = new Map<string, View>();
  private readonly identities = new Map<Buffer, number>();

  constructor(readonly real: Real) {}

  /** The records since the last call. */
  take(): Draft[] {
    const taken = this.drafts;
    this.drafts = [];
    return taken;
  }

  /** A fresh buffer in the arena for a value. */
  temporary(aval: Aval): View {
    return whole(aval, { kind: 'arena', bytes: sizeOf(aval.shape) * bytesOf(aval.dtype), offset: -1 });
  }

  /** A plain number as an operand. */
  number(value: number, dtype: DType): View {
    return whole({ shape: [], dtype }, { kind: 'number', bytes: 0, offset: 0, value });
  }

  read(view: View): Pointer {
    return { buffer: view.buffer, bytes: view.offset * bytesOf(view.dtype), writes: false };
  }

  write(view: View): Pointer {
    return { ...this.read(view), writes: true };
  }

  /** How records name a dtype. */
  type(dtype: DType): Type {
    if (dtype === this.real) return Type.REAL;
    return dtype === 'i32' ? Type.I32 : dtype === 'u8' ? Type.U8 : dtype === 'bool' ? Type.BOOL : Type.OTHER;
  }

  /** Appends a record; `fields` are those of its enum in assembly/isa.ts. */
  record(
    op: Op,
    length: number,
    fields: Record<number, number | Pointer>,
    views: View[],
    options: RecordOptions,
  ): void {
    const words: (number | Pointer)[] = new Array(length).fill(0);
    for (const [field, value] of Object.entries(fields)) words[Number(field)] = value;
    const tail = options.tail ?? [];
    words.push(...tail);
    words[0] = op;
    words[1] = words.length;
    words[2] = options.chunks;
    const draft: Draft = {
      op,
      name: this.name,
      chunks: options.chunks,
      words,
      map: null,
      reads: new Set(),
      writes: new Map(),
      inPlace: (options.inPlace ?? []).map(([to, from]) => [to.buffer, from.buffer]),
      infinite: false,
      product: options.product ?? null,
      lanes: options.lanes ? { ...options.lanes, each: lanesOf(options.lanes.each) } : null,
      flop: options.flop ?? 0,
      text: options.text ?? '',
    };
    for (const word of words) {
      if (typeof word === 'number') continue;
      if (word.writes) draft.writes.set(word.buffer, views.find((view) => view.buffer === word.buffer)!);
      else draft.reads.add(word.buffer);
    }
    if (options.chunks > 0) this.drafts.push(draft);
  }

  /** Appends an elementwise step: out = fn(...ins), operands broadcast to the shape of `out`. */
  map(fn: Fn, out: View, ins: View[]): void {
    const size = sizeOf(out.shape);
    if (size === 0) return;
    const slots = [this.slot(out, out.shape), ...ins.map((view) => this.slot(view, out.shape))];
    this.drafts.push({
      op: Op.MAP,
      name: this.name,
      chunks: 0,
      words: [],
      map: { size, slots, steps: [{ fn, name: this.name, slots: slots.map((_, i) => i) }] },
      reads: new Set(ins.map((view) => view.buffer).filter((buffer) => buffer.kind !== 'number')),
      writes: new Map([[out.buffer, out]]),
      inPlace: [],
      lanes: null,
      infinite: ins.some(({ buffer }) => buffer.kind === 'number' && !Number.isFinite(buffer.value)),
      product: null,
      flop: size,
      text: '',
    });
  }

  private slot(view: View, shape: Shape): MapSlot {
    const type = this.type(view.dtype);
    if (view.buffer.kind === 'number') {
      return { kind: Slot.CONSTANT, type, view: null, value: view.buffer.value!, dims: [] };
    }
    const size = sizeOf(shape);
    if (sizeOf(view.shape) === size && isContiguous(view)) return { kind: Slot.DIRECT, type, view, value: 0, dims: [] };
    const { sizes, strides } = collapse(shape, broadcastStrides(view, shape));
    const dims = sizes.map((length, axis): [number, number] => [length, strides[0]![axis]!]);
    return { kind: Slot.STRIDED, type, view, value: 0, dims: dims.length ? dims : [[1, 0]] };
  }

  /** The value with its elements in row-major order without gaps: itself, or a copy made once. */
  contiguous(view: View): View {
    if (view.buffer.kind !== 'number' && isContiguous(view)) return view;
    return this.once(`copy ${view.shape} ${view.strides}`, view, () => {
      const copy = this.temporary(view);
      this.copy(copy, view);
      return copy;
    });
  }

  /** What `make` makes of a view, made once for each `key`. */
  once(key: string, { buffer, offset, dtype }: View, make: () => View): View {
    const whole = [this.identity(buffer), offset, dtype, key].join('|');
    let made = this.made.get(whole);
    if (!made) {
      made = make();
      this.made.set(whole, made);
    }
    return made;
  }

  /** Copies element by element between two views of one shape; a number fills. */
  copy(to: View, from: View): void {
    if (from.buffer.kind === 'number') {
      this.fill(to, from.buffer.value!);
      return;
    }
    const { sizes, strides } = collapse(to.shape, broadcastStrides(from, to.shape), to.strides);
    const outer = sizes[0] ?? 1;
    const inner = sizeOf(sizes.slice(1));
    const { per, chunks } = cut(outer, Math.ceil(CHUNK_ELEMENTS / Math.max(inner, 1)));
    this.record(
      Op.COPY,
      Copy.FIRST_AXIS,
      {
        [Copy.ELEMENT]: bytesOf(to.dtype),
        [Copy.RANK]: sizes.length,
        [Copy.CHUNK]: per,
        [Copy.SOURCE]: this.read(from),
        [Copy.DESTINATION]: this.write(to),
      },
      [to],
      {
        chunks: sizeOf(to.shape) === 0 ? 0 : chunks,
        tail: sizes.flatMap((size, axis) => [size, strides[0]![axis]!, strides[1]![axis]!]),
      },
    );
  }

  /** One number in every element of a contiguous view. */
  private fill(to: View, value: number): void {
    const bits = new Uint8Array(8);
    bits.set(new Uint8Array(allocate(to.dtype, 1).fill(value).buffer));
    const [low, high] = new Int32Array(bits.buffer);
    const { per, chunks } = cut(sizeOf(to.shape));
    this.record(
      Op.FILL,
      Fill.WORDS,
      {
        [Fill.ELEMENT]: bytesOf(to.dtype),
        [Fill.SIZE]: sizeOf(to.shape),
        [Fill.CHUNK]: per,
        [Fill.LOW]: low!,
        [Fill.HIGH]: high!,
        [Fill.DESTINATION]: this.write(to),
      },
      [to],
      { chunks, lanes: { count: sizeOf(to.shape), per, field: Fill.CHUNK, each: [[to, 1]] } },
    );
  }

  private identity(buffer: Buffer): number {
    let id = this.identities.get(buffer);
    if (id === undefined) {
      id = this.identities.size;
      this.identities.set(buffer, id);
    }
    return id;
  }
}
