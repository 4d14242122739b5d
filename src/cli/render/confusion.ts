import { formatPercent } from './numbers';
import { padEnd, padStart, plain, type Style, truncate, widthOf } from './text';

const MAX_LABEL = 16;
const FOUND = 'found';

/**
 * Counts of predicted (columns) against true classes (rows), with the share of each class that was found; undefined where
 * it is wider than `width`. Zeros are dots, so that mistakes stand out.
 */
export function renderConfusion(
  counts: readonly (readonly number[])[],
  classes: readonly string[],
  width: number,
  style: Style = plain,
): string[] | undefined {
  const labels = classes.map((name) => truncate(name, MAX_LABEL));
  const gutter = Math.max('true'.length, ...labels.map(widthOf));
  const cell = 1 + Math.max(3, ...labels.map(widthOf), ...counts.flat().map((count) => String(count).length));
  const total = gutter + 3 + cell * labels.length + 2 + '100.0 %'.length;
  if (total > width) return undefined;

  const rows = counts.map((row, truth) => {
    const cells = row.map((count, predicted) => {
      const text = padStart(count === 0 ? '·' : String(count), cell);
      if (count === 0) return style.dim(text);
      return truth === predicted ? style.bold(style.green(text)) : style.red(text);
    });
    const sum = row.reduce((a, b) => a + b, 0);
    const found = sum === 0 ? '–' : formatPercent(row[truth]! / sum);
    return `${padStart(labels[truth]!, gutter)} ${style.dim('│')} ${cells.join('')}  ${padStart(found, 7)}`;
  });
  const head = labels.map((label) => padStart(label, cell)).join('');
  return [
    `${' '.repeat(gutter)}   ${style.dim(' predicted')}`,
    `${style.dim(padEnd('true', gutter))} ${style.dim('│')} ${head}  ${style.dim(padStart(FOUND, 7))}`,
    style.dim(`${'─'.repeat(gutter + 1)}┼${'─'.repeat(total - gutter - 2)}`),
    ...rows,
  ];
}
