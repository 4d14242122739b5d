import { expect, it } from 'vitest';
import { compile, matmul, rand, type Tensor } from 'wasmgrad';

it('says what is missing where the core with relaxed SIMD was not imported', () => {
  const step = compile((x: Tensor) => matmul(x, x), { fast: true });
  expect(() => step(rand([4, 4]))).toThrow(
    expect.objectContaining({ code: 'CORE_NOT_LOADED', op: 'compile', argument: 'fast' }),
  );
});
