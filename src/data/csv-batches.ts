import { DataError } from '../errors';
import { checkCounts } from '../tensor';
import type { NdArray } from './dataset';
import { type CsvOptions, guessDelimiter, parseCsv, readRecord } from './readers/csv';
import { isNumber, tableToXY, type XYOptions } from './table';

export interface CsvBatchesOptions extends XYOptions, Pick<CsvOptions, 'header' | 'delimiter' | 'name'> {
  batchSize: number;
}

interface Batch {
  x: NdArray;
  y: NdArray;
}

/**
 * The rows of a CSV file as data for `train`, a batch at a time, in their order: of a file larger than memory only what is read is held. `open` gives the file anew for
 * each epoch, `() => file.stream()` of a File say. Classes must be told, since nobody has seen the last row when the first is trained on; without them the target is a
 * number. A run that is resumed reads from the beginning, and leaves out what it has seen. Errors as `parseCsv`'s and `tableToXY`'s, their lines those of the file.
 */
export function csvBatches(
  open: () => ReadableStream<Uint8Array>,
  { batchSize, header = 'auto', delimiter = 'auto', name = 'CSV', classes, ...options }: CsvBatchesOptions,
): AsyncIterable<Batch> {
  checkCounts('csvBatches', { batchSize });
  const task = classes ? 'classification' : 'regression';
  return {
    async *[Symbol.asyncIterator]() {
      let head: string | null = null;
      let separator = delimiter;
      let pending = '';
      let count = 1;
      let before = 0;
      const batch = (text: string): Batch => {
        // Later pieces are read as if the names stood above them, too: columns are known by them.
        const table = parseCsv(head + text, { header: head !== '', delimiter: separator, name });
        const offset = before - linesOf(head!);
        before += linesOf(text);
        const { x, y } = tableToXY(
          { ...table, line: (row) => table.line(row) + offset },
          { ...options, task, ...(classes && { classes }) },
        );
        return { x, y };
      };
      for await (const piece of pieces(open(), name, () => count)) {
        if (head === null) {
          if (separator === 'auto') separator = guessDelimiter(piece, 0);
          const { cells } = readRecord(piece, 0, separator, (message) => {
            throw new DataError(message, { file: name, line: 1 });
          });
          const isNamed = header === 'auto' ? !cells.some(isNumber) : header;
          head = isNamed ? piece : '';
          before = linesOf(head);
          if (!isNamed) pending = piece;
        } else {
          yield batch(pending + piece);
          pending = '';
        }
        count = pending ? batchSize - 1 : batchSize;
        if (count === 0) {
          yield batch(pending);
          [pending, count] = ['', batchSize];
        }
      }
      if (pending) yield batch(pending);
    },
  };
}

const linesOf = (text: string) => text.split('\n').length - 1;

/** Pieces of as many records as are asked for when each begins; the last one may have fewer. */
async function* pieces(stream: ReadableStream<Uint8Array>, file: string, count: () => number): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const reader = stream.getReader();
  let text = '';
  let [at, found, quoted] = [0, 0, false];
  try {
    for (let over = false; !over; ) {
      const { value, done } = await reader.read();
      over = done;
      try {
        text += value ? decoder.decode(value, { stream: true }) : decoder.decode();
      } catch {
        throw new DataError('the text is not in UTF-8.', { file, expected: 'UTF-8' });
      }
      for (; at < text.length; at++) {
        if (text[at] === '"') quoted = !quoted;
        else if (text[at] === '\n' && !quoted && ++found >= count()) {
          yield text.slice(0, at + 1);
          [text, at, found] = [text.slice(at + 1), -1, 0];
        }
      }
    }
    if (text.trim() !== '') yield text.endsWith('\n') ? text : `${text}\n`;
  } finally {
    await reader.cancel().catch(() => {});
  }
}
