import { describe, expect, it } from 'vitest';
import { csvBatches, mseLoss, type NdArray, nn, optim, parseCsv, tableToXY, train } from 'wasmgrad';

/** In chunks that fall anywhere, within characters too. */
const open =
  (text: string, size = 5) =>
  () => {
    const bytes = new TextEncoder().encode(text);
    let at = 0;
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= bytes.length) return controller.close();
        controller.enqueue(bytes.slice(at, at + size));
        at += size;
      },
    });
  };

async function all(batches: AsyncIterable<{ x: NdArray; y: NdArray }>) {
  const list: { x: NdArray; y: NdArray }[] = [];
  for await (const batch of batches) list.push(batch);
  return list;
}

const rows = Array.from({ length: 23 }, (_, i) => `${i},${i % 3 ? '"ü, €"' : 'plain'},${-i / 2}`);
const named = `first,word,last\n${rows.join('\n')}\n`;

describe('csvBatches', () => {
  it.each([
    ['names and a line end', named, true],
    ['names and none', named.trimEnd(), true],
    ['no names', rows.join('\n'), false],
    ['CRLF', named.replaceAll('\n', '\r\n'), true],
  ])('gives what the whole table gives, in pieces: %s', async (_, text, hasNames) => {
    const target = hasNames ? 'word' : 1;
    const classes = ['plain', 'ü, €'];
    const whole = tableToXY(parseCsv(text), { target, classes, task: 'classification' });
    for (const batchSize of [1, 2, 7, 23, 100]) {
      const list = await all(csvBatches(open(text), { batchSize, target, classes }));
      expect(list.flatMap(({ x }) => [...x.data])).toEqual([...whole.x.data]);
      expect(list.flatMap(({ y }) => [...y.data])).toEqual([...whole.y.data]);
      expect(list.map(({ x }) => x.shape)).toEqual(
        Array.from({ length: Math.ceil(23 / batchSize) }, (_, i) => [Math.min(batchSize, 23 - batchSize * i), 2]),
      );
    }
  });

  it('keeps records whole whose cells have line ends', async () => {
    const text = 'a;b\n1;"x\ny"\n2;z\n';
    const list = await all(csvBatches(open(text), { batchSize: 1, target: 'b', classes: ['x\ny', 'z'] }));
    expect(list.map(({ y }) => [...y.data])).toEqual([[0], [1]]);
  });

  it('says in which line of the file something is wrong', async () => {
    const text = `${named}23,plain,oops\n`;
    const batches = csvBatches(open(text), {
      batchSize: 4,
      target: 'word',
      classes: ['plain', 'ü, €'],
      name: 'big.csv',
    });
    await expect(all(batches)).rejects.toMatchObject({ name: 'DataError', file: 'big.csv', line: 25 });
    const unknown = csvBatches(open(named), { batchSize: 4, target: 'word', classes: ['plain'] });
    await expect(all(unknown)).rejects.toMatchObject({ name: 'DataError', line: 3 });
    expect(() => csvBatches(open(named), { batchSize: 0, target: 0 })).toThrow(
      expect.objectContaining({ argument: 'batchSize' }),
    );
  });

  it('is data for train, opened anew for every epoch', async () => {
    let opened = 0;
    const text = Array.from({ length: 40 }, (_, i) => `${i / 40},${i / 20}`).join('\n');
    const count = () => {
      opened++;
      return open(text, 64)();
    };
    const data = csvBatches(count, { batchSize: 8, target: 1 });
    const model = new nn.Linear(1, 1);
    const run = train({
      ...{ model, optimizer: new optim.Adam(model.parameters(), { lr: 0.1 }), data, epochs: 30 },
      loss: (p, t) => mseLoss(p.reshape([-1]), t),
    });
    const { epochs } = await run.done;
    expect([opened, epochs[29]!.loss < 0.01]).toEqual([30, true]);
  });
});
