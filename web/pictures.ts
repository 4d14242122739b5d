// Digits and neurons: pictures of 8 × 8 pixels, scaled by the style sheet.

const SIDE = 8;
const PIXELS = SIDE * SIDE;

/** Paints one picture; `colourOf` gives a value's [red, green, blue, opacity], 0 … 255. */
function paint(canvas: HTMLCanvasElement, values: Float32Array, colourOf: (value: number) => readonly number[]): void {
  const image = new ImageData(SIDE, SIDE);
  values.forEach((value, i) => {
    image.data.set(colourOf(value), i * 4);
  });
  canvas.getContext('2d')!.putImageData(image, 0, 0);
}

function makeCanvas(): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = SIDE;
  canvas.ariaHidden = 'true';
  return canvas;
}

export interface Guesses {
  /** [n, 64], 0 … 1. */
  pixels: Float32Array;
  labels: Int32Array;
  guesses: Int32Array;
  /** [n, 10] */
  odds: Float32Array;
}

/** One list item a digit: its picture, what the network reads, how sure it is, and the truth where it is wrong. */
export function showDigits(list: HTMLElement, { pixels, labels, guesses, odds }: Guesses): void {
  while (list.children.length < labels.length) {
    const item = list.appendChild(document.createElement('li'));
    item.append(makeCanvas(), document.createElement('b'), document.createElement('small'));
    // Ink: black, or, by the style sheet, white. The digits stay; only what the network makes of them changes.
    const i = list.children.length - 1;
    paint(item.querySelector('canvas')!, pixels.subarray(i * PIXELS, (i + 1) * PIXELS), (ink) => [0, 0, 0, ink * 255]);
  }
  labels.forEach((label, i) => {
    const item = list.children[i] as HTMLElement;
    const guess = guesses[i]!;
    item.dataset.right = String(guess === label);
    item.children[1]!.textContent = String(guess);
    item.children[2]!.textContent = guess === label ? `${Math.round(odds[i * 10 + guess]! * 100)} %` : `is a ${label}`;
  });
}

/** One picture a neuron: weights [neurons, 64], blue above zero and orange below, on one scale. */
export function showNeurons(host: HTMLElement, weights: Float32Array): void {
  const neurons = weights.length / PIXELS;
  while (host.children.length < neurons) host.append(makeCanvas());
  const largest = weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
  for (let i = 0; i < neurons; i++) {
    paint(host.children[i] as HTMLCanvasElement, weights.subarray(i * PIXELS, (i + 1) * PIXELS), (weight) => {
      const opacity = (Math.abs(weight) / largest) * 255;
      return weight > 0 ? [86, 92, 240, opacity] : [232, 119, 34, opacity];
    });
  }
}
