import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { parseCsv, readCsv } from '../../src/data/readers/csv';
import { tableToXY } from '../../src/data/table';

const rows = (text: string, options = {}) => {
  const table = parseCsv(text, options);
  return Array.from({ length: table.length }, (_, index) => table.row(index));
};

describe('parseCsv', () => {
  it.each([
    [
      'LF',
      '1,2\n3,4\n',
      [
        ['1', '2'],
        ['3', '4'],
      ],
    ],
    [
      'CRLF',
      '1,2\r\n3,4\r\n',
      [
        ['1', '2'],
        ['3', '4'],
      ],
    ],
    [
      'no line end at the end',
      '1,2\n3,4',
      [
        ['1', '2'],
        ['3', '4'],
      ],
    ],
    ['a byte-order mark', '\ufeff1,2\n', [['1', '2']]],
    [
      'empty lines',
      '\n1,2\n\r\n\n3,4\n\n',
      [
        ['1', '2'],
        ['3', '4'],
      ],
    ],
    [
      'empty cells',
      '1,\n,2\n',
      [
        ['1', ''],
        ['', '2'],
      ],
    ],
    [
      'quoted cells',
      '1,"a,b"\r\n2,"say ""hi"""\r\n3,""\n',
      [
        ['1', 'a,b'],
        ['2', 'say "hi"'],
        ['3', ''],
      ],
    ],
    [
      'a line end in a cell',
      '1,"a\r\nb"\n"c\n\nd",2',
      [
        ['1', 'a\r\nb'],
        ['c\n\nd', '2'],
      ],
    ],
    ['a quote inside an unquoted cell', '1,5" pipe,"x"\r\n', [['1', '5" pipe', 'x']]],
    ['semicolons', '1;2,5;3\n', [['1', '2,5', '3']]],
    ['tabs', '1\t2\n', [['1', '2']]],
    ['one column', '1\n2\n', [['1'], ['2']]],
  ])('reads %s', (_, text, expected) => {
    expect(rows(text)).toEqual(expected);
  });

  it('knows a header by its words', () => {
    expect(parseCsv('a,b\n1,2\n')).toMatchObject({ columns: ['a', 'b'], length: 1 });
    expect(parseCsv('a,1\n1,2\n')).toMatchObject({ columns: ['0', '1'], length: 2 });
    expect(parseCsv('a,b\nc,d\n', { header: false })).toMatchObject({ columns: ['0', '1'], length: 2 });
    expect(parseCsv('1,2\n3,4\n', { header: true })).toMatchObject({ columns: ['1', '2'], length: 1 });
  });

  it('skips lines and takes a delimiter', () => {
    expect(rows('a comment\n1|2,3\n', { skipRows: 1, delimiter: '|' })).toEqual([['1', '2,3']]);
    expect(() => parseCsv('1', { delimiter: '"' })).toThrow(
      expect.objectContaining({ argument: 'delimiter', got: '"' }),
    );
  });

  it.each([
    ['a ragged row', '1,2\n\n"3\n3",4\n5,6,7\n', 'x.csv, line 5: this row has 3 cells, the rows before it have 2.'],
    ['an open quote', '1,2\n3,"4\n', 'x.csv, line 2: a quote is opened and never closed.'],
    ['text behind a quote', '1,2\n"3"x,4\n', 'x.csv, line 2: a closing quote is followed by "x", not by a delimiter.'],
    ['no text', '', 'x.csv: there are no rows.'],
    ['empty lines only', '\n\r\n', 'x.csv: there are no rows.'],
    ['a header only', 'a,b\n', 'x.csv: there is a header, and no row below it.'],
    ['nothing behind the skipped lines', '1,2\n', 'x.csv: there are no rows.', 1],
  ])('refuses %s', (_, text, message, skipRows = 0) => {
    expect(() => parseCsv(text, { name: 'x.csv', skipRows })).toThrow(
      expect.objectContaining({ code: 'BAD_DATA', file: 'x.csv', message }),
    );
  });
});

describe('readCsv', () => {
  const bytes = new TextEncoder().encode('a,b\n1,2\n');
  it.each([
    ['text', 'a,b\n1,2\n'],
    ['bytes', bytes],
    ["a part of Node's pooled Buffer", Buffer.from(bytes)],
    ['an ArrayBuffer', bytes.buffer],
    ['a Blob', new Blob([bytes])],
    ['a stream', new Blob([bytes]).stream()],
    ['gzip', gzipSync(bytes)],
  ])('reads %s', async (_, source) => {
    const table = await readCsv(source);
    expect([table.columns, table.row(0)]).toEqual([
      ['a', 'b'],
      ['1', '2'],
    ]);
  });

  it('names a File in its errors', async () => {
    await expect(readCsv(new File(['1,2\n3\n'], 'mine.csv'))).rejects.toThrow('mine.csv, line 2: this row has 1 cells');
  });

  it('refuses damaged gzip and text that is not UTF-8', async () => {
    const packed = gzipSync(bytes);
    await expect(readCsv(packed.subarray(0, packed.length - 9), { name: 'a.gz' })).rejects.toMatchObject({
      code: 'BAD_FORMAT',
      file: 'a.gz',
    });
    await expect(readCsv(Uint8Array.of(0x31, 0xff, 0xfe), { name: 'a.csv' })).rejects.toMatchObject({
      code: 'BAD_DATA',
      message: 'a.csv: the text is not in UTF-8.',
    });
  });
});

describe('a runtime without DecompressionStream', () => {
  it('says so, rather than that the file is damaged', async () => {
    vi.stubGlobal('DecompressionStream', undefined);
    await expect(readCsv(gzipSync('1,2\n'), { name: 'a.gz' })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: 'a.gz: the file is packed with gzip, which this runtime cannot unpack (it has no DecompressionStream).',
    });
    vi.unstubAllGlobals();
  });
});

describe('tableToXY', () => {
  const xy = (text: string, options: Partial<Parameters<typeof tableToXY>[1]> = {}) =>
    tableToXY(parseCsv(text, { name: 'x.csv' }), { target: -1, ...options });

  it('makes words classes, in alphabetical order', () => {
    expect(xy('a,b,kind\n1,2,pear\n3,-4e-1,apple\n5,6,pear\n')).toEqual({
      x: { shape: [3, 2], data: Float32Array.of(1, 2, 3, -0.4, 5, 6) },
      y: { shape: [3], data: Int32Array.of(1, 0, 1) },
      classes: ['apple', 'pear'],
      featureNames: ['a', 'b'],
    });
  });

  it('makes whole numbers 0 … k - 1 classes, and other numbers measurements', () => {
    expect(xy('9,1\n9,0\n9,2.0\n')).toMatchObject({ y: { data: Int32Array.of(1, 0, 2) }, classes: ['0', '1', '2'] });
    const measured = xy('9,1\n9,0\n9,3\n');
    expect(measured.y).toEqual({ shape: [3], data: Float32Array.of(1, 0, 3) });
    expect(measured.classes).toBeUndefined();
  });

  it('does as the task says', () => {
    expect(xy('9,10\n9,2\n', { task: 'classification' })).toMatchObject({
      y: { data: Int32Array.of(1, 0) },
      classes: ['2', '10'],
    });
    expect(xy('9,1\n9,0\n', { task: 'regression', dtype: 'f64' })).toMatchObject({
      x: { data: Float64Array.of(9, 9) },
      y: { data: Float64Array.of(1, 0) },
    });
  });

  it('takes the classes of the training data', () => {
    expect(xy('9,c\n9,a\n', { classes: ['a', 'b', 'c'] }).y.data).toEqual(Int32Array.of(2, 0));
    expect(xy('9,1.0\n', { classes: ['0', '1'] }).y.data).toEqual(Int32Array.of(1));
    expect(() => xy('9,a\n9,d\n', { classes: ['a', 'b'] })).toThrow(
      'x.csv, line 2: the cell of column "1" must be one of "a", "b"; got "d".',
    );
  });

  it('finds the target by name, by number and from the end', () => {
    const text = 'a,b,c\n1,2,3.5\n';
    for (const target of ['b', 1, -2, '1', '-2']) expect(xy(text, { target }).featureNames).toEqual(['a', 'c']);
    expect(xy('1,0\n', { target: '0' }).featureNames).toEqual(['1']);
    expect(xy('1,0\n5,6\n', { target: '0' }).featureNames).toEqual(['1']);
    const years = parseCsv('1990,1\n3,4.5\n', { header: true });
    expect(tableToXY(years, { target: '1' }).featureNames).toEqual(['1990']);
    expect(tableToXY(years, { target: 0 }).featureNames).toEqual(['1']);
    expect(tableToXY(years, { target: '1990' }).featureNames).toEqual(['1']);
    for (const target of ['d', 3, -4, 0.5, '', 'A']) {
      expect(() => xy(text, { target })).toThrow(
        expect.objectContaining({ code: 'BAD_VALUE', argument: 'target', got: target, expected: ['a', 'b', 'c'] }),
      );
    }
    expect(() => xy('a,a,c\n1,2,3\n', { target: 'a' })).toThrow('two columns are called "a"');
    expect(() => xy('a\n1\n', { target: 'a' })).toThrow('x.csv: the target "a" is the only column');
  });

  it.each(['abc', '', ' ', 'NaN', 'inf', '1e99', '1 2', '?'])('refuses the feature %j', (cell) => {
    expect(() => xy(`a,b\n1,0\n${cell},1\n`)).toThrow(
      expect.objectContaining({
        code: 'BAD_DATA',
        line: 3,
        argument: 'a',
        got: cell,
        message: `x.csv, line 3: the cell of column "a" must be a finite number; got ${JSON.stringify(cell)}.`,
      }),
    );
  });

  it('refuses an empty target, and words for a regression', () => {
    expect(() => xy('1,a\n2,\n')).toThrow('x.csv, line 2: the cell of column "1" must not be empty; got "".');
    expect(() => xy('1,2\n2,a\n', { task: 'regression' })).toThrow('must be a finite number; got "a".');
  });
});
