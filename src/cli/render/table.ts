import { padEnd, padStart, plain, type Style, widthOf } from './text';

export interface TableOptions {
  /** By column; left unless said otherwise. */
  align?: readonly ('left' | 'right')[];
  style?: Style;
}

/** A head, a rule and aligned rows. */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { align = [], style = plain }: TableOptions = {},
): string[] {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => widthOf(row[column] ?? ''))));
  const line = (cells: readonly string[]) =>
    widths
      .map((width, column) => (align[column] === 'right' ? padStart : padEnd)(cells[column] ?? '', width))
      .join('  ')
      .trimEnd();
  const rule = '─'.repeat(widths.reduce((sum, width) => sum + width, 2 * (widths.length - 1)));
  return [style.bold(line(head)), style.dim(rule), ...rows.map(line)];
}
