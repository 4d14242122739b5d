import { DataError, ValueError } from '../../errors';
import { isNumber, type Table } from '../table';
import { nameOf, readBytes, type Source } from './source';

export interface CsvOptions {
  /** Whether the first row names the columns; 'auto': it does unless one of its cells is a number. */
  header?: boolean | 'auto';
  /** One character; 'auto': the one of , ; tab | that the first line has most of. */
  delimiter?: string | 'auto';
  /** Lines to leave out at the top. */
  skipRows?: number;
  /** How errors call the data. */
  name?: string;
}

/**
 * CSV as in RFC 4180: quoted cells may hold delimiters, line ends and doubled quotes; lines end in LF or CRLF. Empty lines
 * are skipped. A row of another length than those before it, or no row at all, is a DataError.
 */
export function parseCsv(
  text: string,
  { header = 'auto', delimiter = 'auto', skipRows = 0, name = 'CSV' }: CsvOptions = {},
): Table {
  let next = text.startsWith('\ufeff') ? 1 : 0;
  for (let skipped = 0; skipped < skipRows; skipped++) next = lineEnd(text, next) + 1;
  const separator = delimiter === 'auto' ? guessDelimiter(text, next) : checkDelimiter(delimiter);

  const lineOf = (start: number) => {
    let line = 1;
    for (let at = text.indexOf('\n'); at !== -1 && at < start; at = text.indexOf('\n', at + 1)) line++;
    return line;
  };
  const read = (start: number) =>
    readRecord(text, start, separator, (message) => {
      throw new DataError(message, { file: name, line: lineOf(start) });
    });

  const starts: number[] = [];
  let width = 0;
  while (next < text.length) {
    const start = next;
    const record = read(start);
    next = record.end;
    if (record.cells.length === 1 && record.cells[0] === '') continue;
    width ||= record.cells.length;
    if (record.cells.length !== width) {
      throw new DataError(`this row has ${record.cells.length} cells, the rows before it have ${width}.`, {
        file: name,
        line: lineOf(start),
        got: record.cells.length,
        expected: width,
      });
    }
    starts.push(start);
  }

  const first = starts.length ? read(starts[0]!).cells : [];
  const named = header === 'auto' ? !first.some(isNumber) : header;
  if (starts.length === 0 || (named && starts.length === 1)) {
    throw new DataError(named && starts.length ? 'there is a header, and no row below it.' : 'there are no rows.', {
      file: name,
      got: 0,
    });
  }
  if (named) starts.shift();
  return {
    name,
    columns: named ? first : first.map((_, column) => String(column)),
    length: starts.length,
    row: (index) => read(starts[index]!).cells,
    line: (index) => lineOf(starts[index]!),
  };
}

/** A CSV file in UTF-8 from any source, `.gz` included. */
export async function readCsv(source: Source, options: CsvOptions = {}): Promise<Table> {
  const name = nameOf(source, options.name, 'CSV');
  const bytes = await readBytes(source, name);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new DataError('the text is not in UTF-8.', { file: name, expected: 'UTF-8' });
  }
  return parseCsv(text, { ...options, name });
}

function lineEnd(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end === -1 ? text.length : end;
}

/** The cells of the record at `start`, and where the next one begins. */
export function readRecord(
  text: string,
  start: number,
  delimiter: string,
  fail: (message: string) => never,
): { cells: string[]; end: number } {
  const newline = lineEnd(text, start);
  const line = text.slice(start, text[newline - 1] === '\r' && newline > start ? newline - 1 : newline);
  if (!line.includes('"')) return { cells: line.split(delimiter), end: newline + 1 };

  const cells: string[] = [];
  for (let at = start; ; at++) {
    if (text[at] === '"') {
      let close = text.indexOf('"', at + 1);
      while (close !== -1 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
      if (close === -1) fail('a quote is opened and never closed.');
      cells.push(text.slice(at + 1, close).replaceAll('""', '"'));
      at = close + 1;
    } else {
      const opened = at;
      while (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text.slice(at, at + 2) !== '\r\n') at++;
      cells.push(text.slice(opened, at));
    }
    if (text[at] === '\r' && text[at + 1] === '\n') at++;
    if (at >= text.length || text[at] === '\n') return { cells, end: at + 1 };
    if (text[at] !== delimiter) fail(`a closing quote is followed by ${JSON.stringify(text[at])}, not by a delimiter.`);
  }
}

export function guessDelimiter(text: string, start: number): string {
  const line = text.slice(start, lineEnd(text, start)).replace(/"[^"]*"/g, '');
  const count = (delimiter: string) => line.split(delimiter).length;
  return [',', ';', '\t', '|'].reduce((best, each) => (count(each) > count(best) ? each : best));
}

function checkDelimiter(delimiter: string): string {
  if (delimiter.length === 1 && !'"\r\n'.includes(delimiter)) return delimiter;
  throw new ValueError(`delimiter must be one character, no quote and no line end; got ${JSON.stringify(delimiter)}.`, {
    op: 'parseCsv',
    argument: 'delimiter',
    got: delimiter,
  });
}
