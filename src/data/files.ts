import { allocate, type DType, type TypedArray } from '../dtype';
import { DataError, FormatError, ValueError } from '../errors';
import { sizeOf } from '../shape';
import { checkCounts } from '../tensor';
import { batches } from './batches';
import { type NdArray, takeRows } from './dataset';
import { permutation, Stream } from './philox';
import { headerOf } from './readers/idx';
import { npyHeader } from './readers/npy';
import { checkSize, elementsOf } from './readers/source';

/** A file of which parts can be read: a Blob or File, as from a form or OPFS; or, in Node, Deno and Bun, a path. */
export type FileSource = Blob | string;

/** An array in a file, larger than memory perhaps: rows are read when they are asked for. */
export interface FileArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Rows from … to - 1 along the first axis. */
  rows(from: number, to: number): Promise<TypedArray>;
}

interface Ranges {
  name: string;
  size: number;
  read(from: number, to: number): Promise<Uint8Array>;
}

async function rangesOf(source: FileSource): Promise<Ranges> {
  if (typeof source !== 'string') {
    const read = async (from: number, to: number) => new Uint8Array(await source.slice(from, to).arrayBuffer());
    return { name: (source as Partial<File>).name ?? 'file', size: source.size, read };
  }
  const fs = globalThis.process?.getBuiltinModule?.('node:fs/promises');
  if (!fs) {
    throw new ValueError('a page has no paths: pass a File or Blob.', {
      op: 'openArray',
      argument: 'source',
      got: source,
    });
  }
  const read = async (from: number, to: number) => {
    // Opened for each read, so that nothing has to be closed by hand.
    const file = await fs.open(source);
    try {
      const bytes = new Uint8Array(to - from);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
      return bytes.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  };
  return { name: source, size: (await fs.stat(source)).size, read };
}

/** No header of an array of sensible rank is longer. */
const HEADER_BYTES = 4096;

/**
 * Opens an array in an IDX or NPY file without reading it: `fileBatches` makes data for `train` of such. Throws a FormatError for other files, packed
 * ones too, and for one whose length is not what its header says.
 */
export async function openArray(source: FileSource): Promise<FileArray> {
  const { name, size, read } = await rangesOf(source);
  const head = await read(0, Math.min(size, HEADER_BYTES));
  const header = head[0] === 0x93 ? npyHeader(head, name) : headerOf(head, name);
  const { shape, dtype, start, bytes } = header;
  checkSize(header, size, name);
  const width = sizeOf(shape.slice(1));
  return {
    ...{ name, shape, dtype },
    async rows(from, to) {
      const [first, last] = [start + from * width * bytes, start + to * width * bytes];
      const part = await read(first, last);
      if (part.length < last - first) {
        throw new FormatError(`the file has become shorter: bytes ${first} to ${last} are not there any more.`, {
          ...{ file: name, offset: first + part.length, got: part.length, expected: last - first },
        });
      }
      return elementsOf(header, part, { at: 0, count: (to - from) * width, file: name });
    },
  };
}

export interface FileBatchesOptions {
  batchSize: number;
  seed?: number;
  shuffle?: boolean;
  /** Rows that are read, and shuffled, together: the blocks come in an order of their own in each epoch, and so do the rows of each block. */
  blockRows?: number;
  /** What becomes of a batch before it is trained on: bytes to numbers from 0 to 1, say. */
  map?: (batch: { x: NdArray; y: NdArray }) => { x: NdArray; y: NdArray };
}

type Batch = { x: NdArray; y: NdArray };

/**
 * Examples in files as data for `train`: of each file one block is in memory, and the next one is read while its batches are trained on. Rows are shuffled by
 * blocks, which is not quite as well as all of them would be. It offers `seek`, so that a resumed run reads on from where it was. Throws a DataError unless x and y
 * have as many rows, and some; a ValueError unless batchSize and blockRows are whole numbers from 1 on.
 */
export function fileBatches(
  { x, y }: { x: FileArray; y: FileArray },
  { batchSize, seed = 0, shuffle = true, blockRows = 8192, map = (batch) => batch }: FileBatchesOptions,
): AsyncIterable<Batch> & { seek(position: { epoch: number; batch: number }): AsyncIterable<Batch> } {
  const n = x.shape[0] ?? 0;
  if (n === 0 || y.shape[0] !== n) {
    throw new DataError(`${x.name} has ${n} rows and ${y.name} has ${y.shape[0] ?? 0}; both need as many, and some.`, {
      ...{ op: 'fileBatches', argument: 'y', got: y.shape, expected: x.shape },
    });
  }
  checkCounts('fileBatches', { batchSize, blockRows });
  const blocks = batches(n, { batchSize: blockRows, shuffle: false });

  const load = async (number: number, epoch: number) => {
    const block = blocks[number]!;
    const [from, to] = [block[0]!, block[0]! + block.length];
    const [xs, ys] = await Promise.all([x.rows(from, to), y.rows(from, to)]);
    const stream = { seed, stream: Stream.BLOCK_ROWS, position: epoch * blocks.length + number };
    const order = shuffle ? permutation(block.length, stream) : block.map((_, i) => i);
    const ordered = (data: TypedArray) =>
      takeRows({ shape: [block.length, data.length / block.length], data }, order).data;
    return { x: ordered(xs), y: ordered(ys), rows: block.length };
  };

  async function* from(epoch: number, first: number): AsyncGenerator<Batch> {
    const order = shuffle
      ? permutation(blocks.length, { seed, stream: Stream.BLOCKS, position: epoch })
      : Int32Array.from(blocks.keys());
    let skip = first * batchSize;
    let next = 0;
    while (next < order.length && skip >= blocks[order[next]!]!.length) skip -= blocks[order[next++]!]!.length;
    const ask = () => {
      const block = next < order.length ? load(order[next++]!, epoch) : null;
      block?.catch(() => {}); // it is told when it is its turn
      return block;
    };
    let pending = ask();
    let parts: { x: TypedArray; y: TypedArray; rows: number }[] = [];
    let gathered = 0;
    while (pending) {
      const block = await pending;
      pending = ask();
      for (let at = skip; at < block.rows; ) {
        const take = Math.min(batchSize - gathered, block.rows - at);
        const cut = (values: TypedArray) => {
          const width = values.length / block.rows;
          return values.subarray(at * width, (at + take) * width) as TypedArray;
        };
        parts.push({ x: cut(block.x), y: cut(block.y), rows: take });
        at += take;
        gathered += take;
        if (gathered < batchSize) break;
        yield map(joined(parts, gathered));
        [parts, gathered] = [[], 0];
      }
      skip = 0;
    }
    if (gathered > 0) yield map(joined(parts, gathered));
  }

  const joined = (parts: { x: TypedArray; y: TypedArray }[], rows: number): Batch => ({
    x: {
      shape: [rows, ...x.shape.slice(1)],
      data: concatenated(
        x.dtype,
        parts.map((part) => part.x),
      ),
    },
    y: {
      shape: [rows, ...y.shape.slice(1)],
      data: concatenated(
        y.dtype,
        parts.map((part) => part.y),
      ),
    },
  });
  let passes = 0;
  return {
    [Symbol.asyncIterator]: () => from(passes++, 0),
    seek: ({ epoch, batch }) => ({ [Symbol.asyncIterator]: () => from(epoch, batch) }),
  };
}

function concatenated(dtype: DType, parts: readonly TypedArray[]): TypedArray {
  const whole = allocate(
    dtype,
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
