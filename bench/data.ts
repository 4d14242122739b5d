/** The numbers that every contender computes with: bench/peers/peer.py makes the same bits. */

export const BATCHES = 16;

/** `size` numbers in [0, 1), another sequence for each `stream`: MurmurHash3's last mixing of a counter. */
export function uniform(size: number, stream: number): Float32Array<ArrayBuffer> {
  const start = Math.imul(stream, 0x9e3779b1);
  return Float32Array.from({ length: size }, (_, i) => {
    let h = (i + start) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
  });
}

/** Numbers around 0. */
export function centred(size: number, stream: number): Float32Array<ArrayBuffer> {
  return uniform(size, stream).map((value) => value - 0.5);
}
