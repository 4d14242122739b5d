/** Ways to emphasise text: all of them leave it alone where colours are not wanted. */
export interface Style {
  readonly colour: boolean;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
  /** Text of one grey on another, 0 (black) … 1 (white). */
  grey(text: string, foreground: number, background: number): string;
}

const same = (text: string) => text;

export const plain: Style = {
  colour: false,
  bold: same,
  dim: same,
  red: same,
  green: same,
  yellow: same,
  cyan: same,
  grey: same,
};

const sgr = (on: number | string, off: number) => (text: string) => `\x1b[${on}m${text}\x1b[${off}m`;

/** Of the 256 colours, 232 … 255 are a ramp of greys; 16 and 231 are black and white. */
const greyLevel = (value: number) =>
  [16, ...Array.from({ length: 24 }, (_, i) => 232 + i), 231][Math.round(value * 25)]!;

export const ansi: Style = {
  colour: true,
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  red: sgr(31, 39),
  green: sgr(32, 39),
  yellow: sgr(33, 39),
  cyan: sgr(36, 39),
  grey: (text, foreground, background) =>
    `\x1b[38;5;${greyLevel(foreground)};48;5;${greyLevel(background)}m${text}\x1b[39;49m`,
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is how such codes begin
const ESCAPE_CODES = /\x1b\[[0-9;?]*[A-Za-z]/g;
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Columns that text takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text.replace(ESCAPE_CODES, ''))) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - widthOf(text))) + text;
}

/** Text without escape codes, cut to a width; what is cut off leaves an ellipsis. */
export function truncate(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let cut = '';
  for (const { segment } of graphemes.segment(text)) {
    if (widthOf(cut + segment) >= width) break;
    cut += segment;
  }
  return `${cut}…`;
}

/** Text in lines of at most `width` columns, broken at spaces. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && widthOf(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** As many parts as fit a width; the first always stays. */
export function joinFitting(parts: readonly string[], gap: string, width: number): string {
  let line = '';
  for (const [index, part] of parts.entries()) {
    const longer = index === 0 ? part : line + gap + part;
    if (index > 0 && widthOf(longer) > width) break;
    line = longer;
  }
  return line;
}

const GAP = 3;

/** How many blocks of lines fit beside each other. */
export function columnsOf(blocks: readonly (readonly string[])[], width: number): number {
  return Math.max(1, Math.floor((width + GAP) / (widest(blocks) + GAP)));
}

/** Blocks of lines beside each other, as many to a row as fit; a blank line between rows. */
export function sideBySide(blocks: readonly (readonly string[])[], width: number): string[] {
  const cell = widest(blocks);
  const perRow = columnsOf(blocks, width);
  const lines: string[] = [];
  for (let start = 0; start < blocks.length; start += perRow) {
    const row = blocks.slice(start, start + perRow);
    const height = Math.max(...row.map((block) => block.length));
    if (start > 0) lines.push('');
    for (let line = 0; line < height; line++) {
      const cells = row.map((block) => padEnd(block[line] ?? '', cell));
      lines.push(cells.join(' '.repeat(GAP)).trimEnd());
    }
  }
  return lines;
}

function widest(blocks: readonly (readonly string[])[]): number {
  return Math.max(0, ...blocks.flat().map(widthOf));
}
