import 'wasmgrad/f64';
import 'wasmgrad/fast';
import { expect, it } from 'vitest';
import { compile, exp, matmul, rand, type Tensor, transpose } from 'wasmgrad';
import { canRelax } from '../../src/machine/cores';

// Node 20 has no relaxed SIMD; Chromium has, and on x86 and ARM of today it rounds once where the default rounds twice.
const bits = (x: Tensor) => [...new Uint32Array((x.data() as Float32Array<ArrayBuffer>).buffer)];

it('is as accurate with relaxed SIMD, and rounds otherwise where the engine has it; the default stays as it is', () => {
  const f = (x: Tensor, y: Tensor) => exp(matmul(x, y).mul(0.01));
  const [usual, fast] = [compile(f), compile(f, { fast: true })];
  // Rows and columns around the tiles of both builds.
  for (const [m, n, k] of [
    [1, 1, 700],
    [5, 9, 40],
    [13, 30, 300],
    [37, 3, 90],
    [300, 70, 600],
  ] as const) {
    const [x, y] = [rand([m, k]), rand([k, n])];
    const [one, other] = [usual(x, y), fast(x, y)];
    const [expected, got] = [one.data(), other.data()];
    for (let i = 0; i < expected.length; i++) {
      expect(Math.abs(got[i]! - expected[i]!)).toBeLessThan(1e-5 * Math.abs(expected[i]!));
    }
    expect(bits(usual(x, y))).toEqual(bits(one));
    if (m > 100) expect(String(bits(one)) === String(bits(other))).toBe(!canRelax());
  }
});

// Its panels of six rows do not divide a line of the cache, which the default's, of four and eight, do.
it('packs whatever lies beside each other, in every layout', () => {
  const layouts = [
    (x: Tensor, y: Tensor) => matmul(x, y),
    (x: Tensor, y: Tensor) => matmul(transpose(x), y),
    (x: Tensor, y: Tensor) => matmul(x, transpose(y)),
    (x: Tensor, y: Tensor) => matmul(transpose(x), transpose(y)),
  ];
  for (const size of [6, 11, 16, 17, 23, 24, 31, 48, 50, 97]) {
    const [x, y] = [rand([size, size]), rand([size, size])];
    for (const f of layouts) {
      const [expected, got] = [compile(f)(x, y).data(), compile(f, { fast: true })(x, y).data()];
      for (let i = 0; i < expected.length; i++) expect(Math.abs(got[i]! - expected[i]!)).toBeLessThan(1e-4);
    }
  }
});

it('leaves f64 as it is', () => {
  const x = rand([20, 20], { dtype: 'f64' });
  const f = (x: Tensor) => matmul(x, x);
  expect(compile(f, { fast: true })(x).data()).toEqual(compile(f)(x).data());
});
