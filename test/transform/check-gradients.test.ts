import 'wasmgrad/f64';
import { expect, it } from 'vitest';
import { checkGradients, defineOp, detach, exp, mul, sin, square, sum, type Tensor, tanh, tensor } from 'wasmgrad';

const x = tensor([0.3, -1.2, 2.5, 0.01], { dtype: 'f64' });

/** tanh with a gradient that is `factor` times the right one. */
function planted(factor: number): (x: Tensor) => Tensor {
  const op = defineOp({
    name: `tanhWithSlope${factor}`,
    version: 1,
    shape: ([y]) => [y!],
    // The value comes ready-made; x is there for the gradient alone.
    view: (y) => y,
    vjp: ([g], { inputs: [y] }) => [null, mul(mul(g!, y!.square().neg().add(1)), factor)],
  });
  return (at) => op([tanh(detach(at)), at])[0]!;
}

it('passes right gradients', () => {
  expect(checkGradients(planted(1), [x]).error).toBeLessThan(1e-6);
  expect(checkGradients((t) => sum(exp(sin(t))), [x], { order: 2 }).error).toBeLessThan(1e-6);
  expect(checkGradients((a, b) => mul(a, square(b)), [x, x], { order: 2, seed: 5 }).error).toBeLessThan(1e-6);
});

it('fails a gradient that is wrong by 0.05 %', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const { error, numeric, analytic } = checkGradients(planted(1.0005), [x], { seed });
    expect(error).toBeGreaterThan(1e-4);
    expect(analytic / numeric).toBeCloseTo(1.0005, 6);
  }
});

it('fails a second order that is wrong where the first is right', () => {
  // Its gradient takes y for a constant: the slope is right, the slope's slope is not.
  const f = (t: Tensor) => sum(planted(1)(t));
  expect(checkGradients(f, [x]).error).toBeLessThan(1e-6);
  expect(checkGradients(f, [x], { order: 2 }).error).toBeGreaterThan(1e-3);
});

it('wants float64', () => {
  expect(() => checkGradients(exp, [tensor([1])])).toThrow(/argument 0 has dtype f32.*f64/);
});
