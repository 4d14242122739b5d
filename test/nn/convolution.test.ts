import 'wasmgrad/f64';
import { describe, expect, it } from 'vitest';
import {
  compile,
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
  manualSeed,
  nn,
  relu,
  type Tensor,
  ValueError,
  vjp,
  zeros,
} from 'wasmgrad';
import { decode, expectSameBits, numbers } from '../reference';

const x1 = decode(numbers([2, 4, 7], 1), 'f32');
const x2 = decode(numbers([2, 4, 7, 6], 2), 'f32');
const options = { stride: 2, padding: 1, dilation: 1, groups: 2 };

describe('layers of convolution', () => {
  it('call the functions of their names', () => {
    const layers = [
      [new nn.Conv1d(4, 6, 3, options), conv1d, x1, [6, 2, 3]],
      [new nn.Conv2d(4, 6, [3, 2], options), conv2d, x2, [6, 2, 3, 2]],
      [new nn.ConvTranspose1d(4, 6, 3, { ...options, outputPadding: 1 }), convTranspose1d, x1, [4, 3, 3]],
      [new nn.ConvTranspose2d(4, 6, [3, 2], { ...options, outputPadding: 1 }), convTranspose2d, x2, [4, 3, 3, 2]],
    ] as const;
    for (const [layer, f, x, shape] of layers) {
      const own = f.name.includes('Transpose') ? { ...options, outputPadding: 1 } : options;
      expect(layer.weight.shape).toEqual(shape);
      expect(layer.bias!.shape).toEqual([6]);
      expectSameBits(layer.forward(x), f(x, layer.weight, layer.bias!, own), f.name);
      expect(Object.keys(layer.stateDict())).toEqual(['weight', 'bias']);
    }
  });

  it('have PyTorch’s initialisation, or another, or no bias', () => {
    manualSeed(1);
    const layer = new nn.Conv2d(8, 512, 5, { groups: 2 });
    const bound = 1 / Math.sqrt(4 * 25);
    for (const parameter of layer.parameters()) {
      const values = [...parameter.data()].map(Math.abs);
      expect(Math.max(...values)).toBeLessThanOrEqual(bound);
      expect(Math.max(...values)).toBeGreaterThan(0.99 * bound);
    }
    const transposed = new nn.ConvTranspose2d(512, 4, 5);
    expect(Math.max(...[...transposed.weight.data()].map(Math.abs))).toBeCloseTo(bound, 3);
    const other = new nn.Conv1d(3, 2, 3, { bias: false, dtype: 'f64', init: nn.init.ones() });
    expect(other.bias).toBeNull();
    expect(other.weight.dtype).toBe('f64');
    expect(new Set(other.weight.data())).toEqual(new Set([1]));
    expect(new nn.Conv1d(3, 2, 3, { biasInit: nn.init.zeros() }).bias!.data()).toEqual(new Float32Array(2));
  });

  it('stand in a summary with the shapes that they make', () => {
    const net = new nn.Sequential(
      new nn.Conv2d(1, 8, 5, { padding: 'same' }),
      new nn.ReLU(),
      new nn.ConvTranspose2d(8, 2, 2, { stride: 2 }),
    );
    const summary = net.summary([3, 1, 14, 14]);
    expect(summary).toMatch(/0 Conv2d +\[3, 8, 14, 14\] +208/);
    expect(summary).toMatch(/2 ConvTranspose2d +\[3, 2, 28, 28\] +66/);
  });

  it('give the same bits eager or compiled, on any number of threads, with relu in their records or behind them', () => {
    const x = decode(numbers([8, 3, 40, 40], 3), 'f32');
    const layer = new nn.Conv2d(3, 20, 5, { padding: 2 });
    const f = () => {
      const { value, pullback } = vjp((a: Tensor, w: Tensor) => relu(conv2d(a, w, layer.bias!, { padding: 2 })))(
        x,
        layer.weight,
      );
      return [value, ...(pullback(value) as Tensor[])];
    };
    const eager = f();
    for (const threads of [1, 2, 3]) {
      const compiled = compile(f, { threads });
      for (const [i, one] of compiled().entries()) expectSameBits(one, eager[i]!, `${threads} threads, result ${i}`);
      expect(compiled.disassemble()).toMatch(/convolution\+relu/);
    }
  });

  it('refuse what they cannot be', () => {
    expect(() => new nn.Conv2d(3, 4, 0)).toThrow(ValueError);
    expect(() => new nn.Conv2d(3, 4, [3, 3, 3])).toThrow(/kernelSize .*3, 3, 3/);
    expect(() => new nn.Conv1d(3, 4, 3, { groups: 2 })).toThrow(/groups .*inChannels, 3, and outChannels, 4; got 2/);
    expect(() => new nn.ConvTranspose1d(4, 3, 3, { groups: 2 })).toThrow(/groups/);
    expect(() => new nn.Conv1d(0, 4, 3)).toThrow(/inChannels .*0/);
    expect(() => new nn.Conv2d(3, 4, 3, { paddingMode: 'reflect' as never })).toThrow(/paddingMode .*'zeros'/);
    expect(() => new nn.Conv2d(3, 4, 3, { stride: 0 }).forward(zeros([1, 3, 5, 5]))).toThrow(/conv2d: stride/);
  });
});
