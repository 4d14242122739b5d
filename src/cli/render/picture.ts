import { plain, type Style } from './text';

export interface Picture {
  height: number;
  width: number;
  /** Row-major, 0 (black) … 1 (white). */
  pixels: ArrayLike<number>;
}

const SHADES = [' ', '░', '▒', '▓', '█'];
/** A picture smaller than this is enlarged. */
const COMFORTABLE = 16;

/**
 * A greyscale picture. A character is one column wide and two pixels high: with colours an upper half block, whose
 * foreground is the upper pixel and whose background the lower one; without them the shade of their mean.
 */
export function renderPicture({ height, width, pixels }: Picture, style: Style = plain): string[] {
  const scale = Math.max(1, Math.floor(COMFORTABLE / Math.max(width, height)));
  const at = (y: number, x: number) => {
    const row = Math.floor(y / scale);
    return row < height ? Math.min(1, Math.max(0, pixels[row * width + Math.floor(x / scale)]!)) : 0;
  };
  const lines: string[] = [];
  for (let y = 0; y < height * scale; y += 2) {
    let line = '';
    for (let x = 0; x < width * scale; x++) {
      const [upper, lower] = [at(y, x), at(y + 1, x)];
      line += style.colour
        ? style.grey('▀', upper, lower)
        : SHADES[Math.round(((upper + lower) / 2) * (SHADES.length - 1))];
    }
    lines.push(line);
  }
  return lines;
}
