// The app's icon as PNG, drawn as web/icon.svg is: browsers ask for bitmaps.
import { crc32, deflateSync } from 'node:zlib';

const GROUND = [0x4a, 0x4f, 0xe0];
const SIZE = 512;
const WIDTH = 44;
/** A loss that falls: M120 136 c 44 220 116 232 272 240. */
const CURVE = [
  [120, 136],
  [164, 356],
  [236, 368],
  [392, 376],
];

const points = Array.from({ length: 400 }, (_, i) => {
  const t = i / 399;
  const weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t ** 2 * (1 - t), t ** 3];
  return [0, 1].map((axis) => CURVE.reduce((sum, point, k) => sum + weights[k] * point[axis], 0));
});

/** The bytes of a square PNG of so many pixels a side. */
export function icon(size) {
  const scale = SIZE / size;
  const rows = Buffer.alloc(size * (1 + 3 * size));
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const at = [(x + 0.5) * scale, (y + 0.5) * scale];
      const distance = Math.min(...points.map(([px, py]) => Math.hypot(px - at[0], py - at[1])));
      // The share of the pixel that the curve covers.
      const ink = Math.min(1, Math.max(0, (WIDTH / 2 - distance) / scale + 0.5));
      GROUND.forEach((value, channel) => {
        rows[y * (1 + 3 * size) + 1 + 3 * x + channel] = Math.round(value + (255 - value) * ink);
      });
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits of red, green and blue
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
