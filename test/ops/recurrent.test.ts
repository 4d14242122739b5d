import 'wasmgrad/f64';
import { describe, expect, it } from 'vitest';
import { compile, full, gru, lstm, type Operand, type Real, rnn, Tensor, tensor, vjp } from 'wasmgrad';
import { ops } from '../../src/graph/define-op';
import { decode, expectSameBits, integers, numbers } from '../reference';

// The kernels do what loops of ops do: to the last bit, where a product's sum is a single block.

const PARTS = { tanh: 1, relu: 1, lstm: 4, gru: 3 } as const;
const sizes = [
  [1, 1, 1],
  [3, 2, 5],
  [2, 9, 8],
  [4, 20, 13],
  [2, 3, 128],
] as const;

describe.each(['f64', 'f32'] as Real[])('in %s', (real) => {
  let seed = 0;
  const make = (...shape: number[]) => decode(numbers(shape, ++seed, -1, 1), real);

  it.each(Object.keys(PARTS) as (keyof typeof PARTS)[])('%s is its meaning, and so is its gradient', (cell) => {
    const [forward, backward] = [ops.get('recurrent')!, ops.get('recurrentBackward')!];
    const wide = PARTS[cell];
    for (const [t, n, h] of sizes) {
      for (const at of Array(8).keys()) {
        const [reverse, varies, starts] = [at % 2 > 0, at % 4 > 1, at > 3];
        const options = { cell, reverse, varies };
        const title = `${JSON.stringify(options)} of ${[t, n, h]}, from ${starts ? 'a state' : 'nothing'}`;
        // The plain number 0 is what stands for no state.
        const state = () => (starts ? make(n, h) : 0);
        const inputs: Operand[] = [make(t, n, wide * h), make(wide * h, h), state()];
        if (cell === 'lstm') inputs.push(state());
        if (cell === 'gru') inputs.push(make(h));
        if (varies) inputs.push(decode(integers([n], ++seed, 0, t + 1)));
        const made = forward(inputs, options);
        const tensors = (all: Operand[]) =>
          all.map((one) => (one instanceof Tensor ? one : full([], 0, { dtype: real })));
        const meant = forward.meaning!(tensors(inputs), options);
        expect(meant).toHaveLength(made.length);
        meant.forEach((one, i) => {
          expectSameBits(made[i]!, one, `result ${i} of ${title}`);
        });
        const cotangents = [make(t + 1, n, h), make(t + 1, n, h)];
        for (const count of cell === 'lstm' ? [1, 2] : [1]) {
          const all = [...inputs, ...made, ...cotangents.slice(0, count)];
          const back = backward(all, options);
          backward.meaning!(tensors(all), options).forEach((one, i) => {
            expectSameBits(back[i]!, one, `cotangent ${i} of ${title}`);
          });
        }
      }
    }
  });

  it('gives the same bits compiled, on any number of threads', () => {
    const [t, n, h] = [12, 37, 40];
    const x = make(t, n, 6);
    const lengths = tensor(Int32Array.from({ length: n }, (_, i) => (i * 5) % (t + 1)));
    for (const [f, count] of [
      [rnn, 1],
      [lstm, 4],
      [gru, 3],
    ] as const) {
      const weights = [make(count * h, 6), make(count * h, h), make(count * h), make(count * h)] as const;
      const g = make(t, n, h);
      const all = (own: Tensor, at: Tensor) => {
        const call = (...[a, ...others]: Tensor[]) => {
          const [wIh, wHh, bIh, bHh] = others as [Tensor, Tensor, Tensor, Tensor];
          return f(a!, wIh, wHh, bIh, bHh, { lengths }).output;
        };
        const { value, pullback } = vjp(call)(own, ...weights);
        return [value, ...(pullback(at) as Tensor[])];
      };
      const eager = all(x, g);
      for (const threads of [1, 2, 3]) {
        const results = compile(all, { threads })(x, g);
        results.forEach((one, i) => {
          expectSameBits(one, eager[i]!, `result ${i} of ${f.name} on ${threads}`);
        });
      }
    }
  });

  it('passes a batch of nothing', () => {
    const { output, state } = lstm(make(3, 0, 2), make(8, 2), make(8, 2));
    expect([output.shape, ...state.map(({ shape }) => shape)]).toEqual([
      [3, 0, 2],
      [0, 2],
      [0, 2],
    ]);
  });
});
