import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Checkpoints,
  crossEntropy,
  fileBatches,
  manualSeed,
  type NdArray,
  nn,
  openArray,
  optim,
  parseNpy,
  readNpy,
  resume,
  train,
} from 'wasmgrad';
import { Shelf } from '../train/shelf';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wasmgrad-files-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** As numpy.save writes it. */
function npy(descr: string, shape: number[], elements: ArrayBufferView, fortran = 'False'): Uint8Array<ArrayBuffer> {
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const padded = `${text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11)}\n`;
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(padded.length, 8);
  const body = Buffer.from(elements.buffer, elements.byteOffset, elements.byteLength);
  return new Uint8Array(Buffer.concat([head, Buffer.from(padded), body]));
}

/** As MNIST's: unsigned bytes, big-endian lengths. */
function idx(shape: number[], bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head.set([0, 0, 8, shape.length]);
  for (const [axis, length] of shape.entries()) head.writeUInt32BE(length, 4 + 4 * axis);
  return new Uint8Array(Buffer.concat([head, bytes]));
}

const N = 103;
const xs = Float32Array.from({ length: N * 4 }, (_, i) => i / 8);
const ys = Uint8Array.from({ length: N }, (_, i) => i);

describe('NPY', () => {
  it.each([
    ['<f4', Float32Array.of(1.5, -2, 3, 4, 5, 6), 'f32'],
    ['<f8', Float64Array.of(1.5, -2, 3, 4, 5, 1e300), 'f64'],
    ['<i4', Int32Array.of(1, -2, 3, 4, 5, 6), 'i32'],
    ['|u1', Uint8Array.of(1, 2, 3, 4, 5, 255), 'u8'],
  ] as const)('of %s is read as it is', async (descr, values, dtype) => {
    const file = npy(descr, [2, 3], values);
    expect(parseNpy(file)).toEqual({ shape: [2, 3], data: values });
    expect((await openArray(new Blob([file]))).dtype).toBe(dtype);
    expect(await readNpy(new Uint8Array(gzipSync(file)))).toEqual({ shape: [2, 3], data: values });
  });

  it('of int64 is read where it fits', () => {
    expect(parseNpy(npy('<i8', [3], BigInt64Array.of(1n, -2n, 3n))).data).toEqual(Int32Array.of(1, -2, 3));
    expect(() => parseNpy(npy('<i8', [1], BigInt64Array.of(1n << 40n)))).toThrow(
      expect.objectContaining({ name: 'FormatError', message: expect.stringContaining('does not fit into i32') }),
    );
  });

  it.each([
    ['something else', new TextEncoder().encode('this is no such file'), 'no NPY file'],
    ['another dtype', npy('>f4', [1], Float32Array.of(1)), 'the dtype >f4 cannot be read'],
    ['columns first', npy('<f4', [2, 2], new Float32Array(4), 'True'), 'column by column'],
    ['cut off', npy('<f4', [5], Float32Array.of(1)), 'cut off'],
    ['too long', npy('<f4', [1], Float32Array.of(1, 2)), 'too long'],
  ])('refuses %s', (_, file, message) => {
    expect(() => parseNpy(file, { name: 'x.npy' })).toThrow(
      expect.objectContaining({ name: 'FormatError', file: 'x.npy', message: expect.stringContaining(message) }),
    );
  });
});

const sources: [string, () => Promise<{ x: Blob | string; y: Blob | string }>][] = [
  ['blobs', async () => ({ x: new Blob([npy('<f4', [N, 4], xs)]), y: new Blob([idx([N], ys)]) })],
  [
    'paths',
    async () => {
      const [x, y] = [join(folder, 'x.npy'), join(folder, 'y.idx')];
      writeFileSync(x, npy('<f4', [N, 4], xs));
      writeFileSync(y, idx([N], ys));
      return { x, y };
    },
  ],
];

describe.each(sources)('batches from %s', (_, files) => {
  const open = async () => {
    const { x, y } = await files();
    return { x: await openArray(x), y: await openArray(y) };
  };
  const all = async (batches: AsyncIterable<{ x: NdArray; y: NdArray }>) => {
    const list: { x: NdArray; y: NdArray }[] = [];
    for await (const batch of batches) list.push(batch);
    return list;
  };
  const rowsOf = (list: { y: NdArray }[]) => list.flatMap(({ y }) => [...y.data]);

  it('are all rows, in order or not, each with its target', async () => {
    const arrays = await open();
    expect([arrays.x.shape, arrays.x.dtype, arrays.y.shape, arrays.y.dtype]).toEqual([[N, 4], 'f32', [N], 'u8']);
    for (const [blockRows, batchSize] of [
      [10, 7],
      [7, 10],
      [200, 16],
      [1, 1],
      [16, 16],
    ] as const) {
      const list = await all(fileBatches(arrays, { batchSize, blockRows, shuffle: false }));
      expect(rowsOf(list)).toEqual([...ys]);
      expect(list.map(({ x }) => x.shape[0])).toEqual(
        Array.from({ length: Math.ceil(N / batchSize) }, (_, i) => Math.min(batchSize, N - i * batchSize)),
      );
      const shuffled = await all(fileBatches(arrays, { batchSize, blockRows, seed: 3 }));
      expect(rowsOf(shuffled)).not.toEqual([...ys]);
      expect(rowsOf(shuffled).sort((a, b) => a - b)).toEqual([...ys]);
      for (const { x, y } of shuffled)
        expect(Array.from(y.data, (_, i) => x.data[4 * i])).toEqual(Array.from(y.data, (row) => row / 2));
    }
  });

  it('of every epoch are in an order of its own, the same again for the same seed', async () => {
    const arrays = await open();
    const orders = async (seed: number) => {
      const batches = fileBatches(arrays, { batchSize: 8, blockRows: 20, seed });
      return [rowsOf(await all(batches)), rowsOf(await all(batches))];
    };
    const [first, second] = await orders(1);
    expect(first).not.toEqual(second);
    expect(await orders(1)).toEqual([first, second]);
    expect((await orders(2))[0]).not.toEqual(first);
  });

  it('are read on from any of them', async () => {
    const batches = fileBatches(await open(), { batchSize: 8, blockRows: 20, seed: 1 });
    await all(batches);
    const second = await all(batches);
    for (const batch of [0, 1, 5, 12])
      expect(await all(batches.seek({ epoch: 1, batch }))).toEqual(second.slice(batch));
    expect(await all(batches.seek({ epoch: 1, batch: 13 }))).toEqual([]);
  });

  it('are trained on, and gone on with to the same bits', async () => {
    const arrays = await open();
    const data = () =>
      fileBatches(arrays, {
        ...{ batchSize: 8, blockRows: 20 },
        map: ({ x, y }) => ({ x, y: { shape: y.shape, data: Int32Array.from(y.data, (row) => Number(row > 50)) } }),
      });
    const build = () => {
      manualSeed(4);
      return new nn.Linear(4, 2);
    };
    const weights = (model: nn.Module) => Object.values(model.stateDict()).flatMap((one) => [...one.data()]);
    const start = (options = {}) => {
      const model = build();
      const optimizer = new optim.Adam(model.parameters());
      return { model, run: train({ model, loss: crossEntropy, optimizer, data: data(), epochs: 3, ...options }) };
    };
    const whole = start();
    const { steps } = await whole.run.done;
    expect(steps).toBe(39);
    const to = new Checkpoints(new Shelf());
    await start({ checkpoint: { to, every: '5 steps' }, maxSteps: 18 }).run.done;
    const model = build();
    await (await resume(to, { model, data: data() })).done;
    expect(weights(model)).toEqual(weights(whole.model));
  });
});

describe('what is wrong with a file', () => {
  it('is said', async () => {
    const blob = (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes]);
    const good = npy('<f4', [N, 4], xs);
    await expect(openArray(blob(good.slice(0, -1)))).rejects.toMatchObject({
      name: 'FormatError',
      got: good.length - 1,
      expected: good.length,
    });
    await expect(openArray(blob(new Uint8Array(gzipSync(good))))).rejects.toMatchObject({
      name: 'FormatError',
      message: expect.stringContaining('gzip'),
    });
    await expect(openArray(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'ENOENT' });
    const [x, y] = [await openArray(blob(good)), await openArray(blob(idx([N - 1], ys.slice(1))))];
    expect(() => fileBatches({ x, y }, { batchSize: 8 })).toThrow(
      expect.objectContaining({ name: 'DataError', op: 'fileBatches' }),
    );
    const same = { x, y: await openArray(blob(idx([N], ys))) };
    for (const options of [{ batchSize: 0 }, { batchSize: 8, blockRows: 1.5 }]) {
      expect(() => fileBatches(same, options)).toThrow(expect.objectContaining({ name: 'ValueError' }));
    }
  });

  it('is said of a number that does not fit, too', async () => {
    const x = await openArray(new Blob([npy('<i8', [2], BigInt64Array.of(1n, 1n << 40n))]));
    expect(await x.rows(0, 1)).toEqual(Int32Array.of(1));
    await expect(x.rows(0, 2)).rejects.toMatchObject({
      name: 'FormatError',
      message: expect.stringContaining('does not fit'),
    });
  });

  it('is told by the run that meets it, whose weights are those from before', async () => {
    const path = join(folder, 'shrinks.npy');
    writeFileSync(path, npy('<f4', [N, 4], xs));
    const y = await openArray(new Blob([idx([N], ys)]));
    const data = fileBatches({ x: await openArray(path), y }, { batchSize: 8, blockRows: 8, shuffle: false });
    truncateSync(path, 1200);
    const model = new nn.Linear(4, 1);
    const optimizer = new optim.SGD(model.parameters(), { lr: 1e-6 });
    const run = train({ model, loss: (p) => p.square().mean(), optimizer, data });
    await expect(run.done).rejects.toMatchObject({
      name: 'FormatError',
      file: path,
      message: expect.stringContaining('shorter'),
    });
    expect(run.history.length).toBeGreaterThan(3);
  });
});
