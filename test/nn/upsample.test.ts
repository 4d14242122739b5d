import { describe, expect, it } from 'vitest';
import { compile, grad, mul, nn, randn, sum, type Tensor, tensor } from 'wasmgrad';
import { expectSameBits } from '../reference';

describe('Upsample', () => {
  it('resizes, and has no state', () => {
    const twice = new nn.Upsample({ scaleFactor: 2 });
    expect(twice.forward(tensor([[[1, 2]]])).toArray()).toEqual([[[1, 1, 2, 2]]]);
    expect(twice.stateDict()).toEqual({});
    const between = new nn.Upsample({ size: 3, mode: 'linear', alignCorners: true });
    expect(between.forward(tensor([[[1, 2]]])).toArray()).toEqual([[[1, 1.5, 2]]]);
  });

  it('has gradients inside a compiled step, on two threads, that are the eager ones', () => {
    const x = randn([64, 5, 14, 14]);
    const layer = new nn.Upsample({ size: [28, 31], mode: 'bilinear' });
    const loss = (x: Tensor) => {
      const y = layer.forward(x);
      return sum(mul(y, y));
    };
    expectSameBits(compile((x: Tensor) => grad(loss)(x), { threads: 2 })(x), grad(loss)(x));
  });
});
