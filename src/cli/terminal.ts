import { ansi, plain, type Style, widthOf } from './render/text';

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
/** Between these a terminal that knows them shows nothing half-drawn; others ignore them. */
const BEGIN_UPDATE = '\x1b[?2026h';
const END_UPDATE = '\x1b[?2026l';

/** Standard output: what it can do, and a region at its end that is redrawn in place. */
export class Terminal {
  /** Whether anything may be redrawn. */
  readonly live: boolean;
  readonly style: Style;
  readonly #stream: NodeJS.WriteStream;
  #drawn: string[] = [];

  constructor(stream: NodeJS.WriteStream = process.stdout, env: NodeJS.ProcessEnv = process.env) {
    this.#stream = stream;
    this.live = stream.isTTY === true && env.TERM !== 'dumb';
    // https://no-color.org: set and not empty.
    this.style = this.live && !env.NO_COLOR ? ansi : plain;
  }

  /** Columns to fill: longer lines are hard to read, shorter ones are no plot. */
  get width(): number {
    return Math.max(40, Math.min(100, this.#stream.columns || 80));
  }

  /** Lines of a plot that leaves room for what stands around it. */
  get plotHeight(): number {
    return Math.max(5, Math.min(12, (this.#stream.rows || 24) - 8));
  }

  print(...lines: string[]): void {
    this.#stream.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** Puts these lines in the place of those drawn last. The cursor stays hidden until `release`. */
  draw(lines: readonly string[]): void {
    const hide = this.#drawn.length === 0 ? HIDE_CURSOR : '';
    const text = lines.map((line) => `${line}\x1b[K\n`).join('');
    this.#stream.write(`${BEGIN_UPDATE}${hide}${this.#toStart()}${text}\x1b[J${END_UPDATE}`);
    this.#drawn = [...lines];
  }

  /** Leaves the drawn lines where they are and shows the cursor again. */
  release(): void {
    if (this.#drawn.length > 0) this.#stream.write(SHOW_CURSOR);
    this.#drawn = [];
  }

  /** Up to the first drawn line. A terminal that was made narrower has broken lines into several rows. */
  #toStart(): string {
    const columns = this.#stream.columns || Number.POSITIVE_INFINITY;
    const rows = this.#drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)), 0);
    return rows > 0 ? `\x1b[${rows}A\r` : '';
  }
}
