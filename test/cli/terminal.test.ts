import { describe, expect, test } from 'vitest';
import { ansi, plain } from '../../src/cli/render/text';
import { Terminal } from '../../src/cli/terminal';

/** What a terminal of these dimensions is sent, or a pipe where there are none. */
function open(size?: { columns: number; rows: number }, env: NodeJS.ProcessEnv = {}) {
  const written: string[] = [];
  const stream = { isTTY: size !== undefined, ...size, write: (text: string) => written.push(text) };
  return { terminal: new Terminal(stream as unknown as NodeJS.WriteStream, env), written, stream };
}

describe('a terminal', () => {
  test('has colours unless NO_COLOR is set; it and a dumb one are told apart', () => {
    const size = { columns: 80, rows: 24 };
    expect(open(size).terminal).toMatchObject({ live: true, style: ansi });
    expect(open(size, { NO_COLOR: '' }).terminal).toMatchObject({ live: true, style: ansi });
    expect(open(size, { NO_COLOR: '1' }).terminal).toMatchObject({ live: true, style: plain });
    expect(open(size, { TERM: 'dumb' }).terminal).toMatchObject({ live: false, style: plain });
    expect(open().terminal).toMatchObject({ live: false, style: plain, width: 80 });
  });

  test('is filled from 40 up to 100 columns, and the plot leaves room for the rest', () => {
    const widths = [20, 72, 300].map((columns) => open({ columns, rows: 24 }).terminal.width);
    expect(widths).toEqual([40, 72, 100]);
    const heights = [10, 18, 60].map((rows) => open({ columns: 80, rows }).terminal.plotHeight);
    expect(heights).toEqual([5, 10, 12]);
  });

  test('is redrawn in place by one write, with the cursor hidden until the end', () => {
    const { terminal, written } = open({ columns: 80, rows: 24 });
    terminal.draw(['one', 'two']);
    terminal.draw(['three']);
    terminal.release();
    terminal.release();
    expect(written).toEqual([
      '\x1b[?2026h\x1b[?25lone\x1b[K\ntwo\x1b[K\n\x1b[J\x1b[?2026l',
      '\x1b[?2026h\x1b[2A\rthree\x1b[K\n\x1b[J\x1b[?2026l',
      '\x1b[?25h',
    ]);
  });

  test('that was made narrower has broken the lines that it showed', () => {
    const { terminal, written, stream } = open({ columns: 80, rows: 24 });
    terminal.draw(['x'.repeat(60), '']);
    Object.assign(stream, { columns: 40 });
    terminal.draw(['y']);
    expect(written[1]).toContain('\x1b[3A\r');
  });
});
