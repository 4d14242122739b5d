/**
 * The limit that kernels are measured against: a WebAssembly module, assembled here, whose loop does nothing but
 *
 *   acc = acc · x + y     in 12 independent chains of f32x4, all in registers
 *
 * Twelve hide a multiplication and an addition of three cycles each, two of either a cycle (AMD Zen); 13 spill in Node 20.
 * x and y are arguments because V8 makes constants anew in every turn. Products of two of them would be no honest work:
 * V8 computes those once, before the loop.
 */
const CHAINS = 12;
const LANES = 4;

/** Floating-point operations of `turns` turns. */
export const peakFlop = (turns: number) => 2 * LANES * CHAINS * turns;

/** Returns the loop; every call runs `turns` turns. */
export function instantiatePeak(): (turns: number, x: number, y: number) => number {
  const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
  const get = (local: number) => [0x20, local];
  const set = (local: number) => [0x21, local];
  const simd = (opcode: number) => [0xfd, ...unsigned(opcode)];
  const [splat, mul, add, extractLane0] = [simd(0x13), simd(0xe6), simd(0xe4), [...simd(0x1f), 0]];
  const [turns, x, y, vx, vy, first] = [0, 1, 2, 3, 4, 5];
  const chains = Array.from({ length: CHAINS }, (_, i) => first + i);
  const body = [
    ...vector([[CHAINS + 2, V128]]),
    ...[...get(x), ...splat, ...set(vx), ...get(y), ...splat, ...set(vy)],
    ...[0x03, 0x40], // loop
    ...chains.flatMap((acc) => [...get(acc), ...get(vx), ...mul, ...get(vy), ...add, ...set(acc)]),
    ...[...get(turns), 0x41, 0x01, 0x6b, 0x22, turns, 0x0d, 0x00, 0x0b], // br_if (turns -= 1); end
    ...get(first),
    ...chains.slice(1).flatMap((acc) => [...get(acc), ...add]),
    ...[...extractLane0, 0x0b],
  ];
  const module = new WebAssembly.Module(
    Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // \0asm, version 1
      ...section(1, vector([[0x60, ...vector([[I32], [F32], [F32]]), ...vector([[F32]])]])), // types
      ...section(3, vector([[0]])), // functions
      ...section(7, vector([[...vector([[0x70]]), 0x00, 0]])), // exports: 'p'
      ...section(10, vector([[...unsigned(body.length), ...body]])), // code
    ]),
  );
  return new WebAssembly.Instance(module).exports.p as ReturnType<typeof instantiatePeak>;
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function vector(items: number[][]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function section(id: number, content: number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}
