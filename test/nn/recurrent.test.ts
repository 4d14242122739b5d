import 'wasmgrad/f64';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  compile,
  concat,
  detach,
  grad,
  gru,
  lstm,
  manualSeed,
  mseLoss,
  nn,
  optim,
  type Real,
  randn,
  rnn,
  slice,
  type Tensor,
  tensor,
  train,
  vjp,
  zeros,
} from 'wasmgrad';
import oracle from '../oracle/recurrent_layers.json';
import { decode, expectClose, expectSameBits, type Plain } from '../reference';

beforeEach(() => manualSeed(3));

interface LayerCase {
  layer: 'RNN' | 'LSTM' | 'GRU' | 'RNNCell' | 'LSTMCell' | 'GRUCell';
  options: object;
  lengths: number[] | null;
  parameters: Record<string, Plain>;
  /** x, then states. */
  inputs: Plain[];
  /** The output, unless it is a cell's, then states. */
  outputs: Plain[];
  cotangents: Plain[];
  /** Of the inputs, then of the parameters in their order. */
  slopes: Plain[];
}

const cases = (oracle.cases as unknown as LayerCase[]).map((one) => {
  const what = [
    JSON.stringify(one.options),
    one.lengths ? `lengths ${one.lengths}` : '',
    `of [${one.inputs[0]!.shape}]`,
  ];
  return {
    ...one,
    title: `${one.layer} ${what.filter(Boolean).join(' ')}${one.inputs.length > 1 ? ', states given' : ''}`,
  };
});

/** All results, in the order of the oracle. */
function call(module: nn.Module, { layer, lengths }: LayerCase, [x, ...states]: Tensor[]): Tensor[] {
  const state = states.length === 0 ? undefined : layer.startsWith('LSTM') ? states : states[0];
  if (layer.endsWith('Cell')) return [module.forward(x, state)].flat() as Tensor[];
  const { output, state: last } = module.forward(x, state, lengths ? { lengths } : undefined);
  return [output, last].flat();
}

describe.each(['f64', 'f32'] as Real[])('in %s', (dtype) => {
  it.each(cases)('$title has PyTorch’s numbers, and takes its state dictionary', (one) => {
    const hidden = one.parameters[Object.keys(one.parameters).find((name) => name.startsWith('weight_hh'))!]!.shape[1]!;
    const inputs = one.inputs[0]!.shape.at(-1)!;
    const module = new nn[one.layer](inputs, hidden, { ...one.options, dtype });
    const state = Object.entries(one.parameters).map(([name, value]) => [name, decode(value, dtype)]);
    expect(Object.keys(module.stateDict())).toEqual(Object.keys(one.parameters));
    module.loadStateDict(Object.fromEntries(state));
    const own = one.inputs.map((input) => decode(input, dtype));
    const cotangents = one.cotangents.map((cotangent) => decode(cotangent, dtype));
    for (const run of [(f: () => Tensor[][]) => f(), (f: () => Tensor[][]) => compile(f)()]) {
      const [outputs, slopes] = run(() => {
        const f = (...operands: Tensor[]) => call(module, one, operands.slice(0, own.length));
        const wrt = [...own.map((_, i) => i)];
        const total = (...operands: Tensor[]) =>
          f(...operands)
            .map((output, i) => output.mul(cotangents[i]!).sum())
            .reduce((a, b) => a.add(b));
        const found = [grad(total, { wrt })(...own), grad(() => total(...own), { wrt: module.parameters() })()];
        return [f(...own), found.flat() as Tensor[]];
      }) as [Tensor[], Tensor[]];
      expect(outputs).toHaveLength(one.outputs.length);
      expect(slopes).toHaveLength(one.slopes.length);
      one.outputs.forEach((wanted, i) => {
        expectClose(outputs[i]!, wanted, `result ${i} of ${one.title}`);
      });
      one.slopes.forEach((wanted, i) => {
        expectClose(slopes[i]!, wanted, `gradient ${i} of ${one.title}`);
      });
    }
  });
});

describe('layers', () => {
  it('start from U(-1/√H, 1/√H), and have PyTorch’s names in its order', () => {
    const layer = new nn.LSTM(5, 64, { numLayers: 2, bidirectional: true });
    expect(layer.namedParameters().map(([name]) => name)).toEqual(
      ['l0', 'l0_reverse', 'l1', 'l1_reverse'].flatMap((suffix) =>
        ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'].map((name) => `${name}_${suffix}`),
      ),
    );
    for (const parameter of layer.parameters()) {
      const values = [...parameter.data()].map(Math.abs);
      expect(Math.max(...values)).toBeLessThanOrEqual(1 / 8);
      expect(Math.max(...values)).toBeGreaterThan(0.97 / 8);
    }
    expect(
      new nn.GRU(5, 4, { numLayers: 2, bias: false, dtype: 'f64' }).parameters().map(({ dtype }) => dtype),
    ).toEqual(new Array(4).fill('f64'));
    expect(new nn.RNN(5, 4, { numLayers: 2, bidirectional: true }).stateDict().weight_ih_l1!.shape).toEqual([4, 8]);
  });

  it('give what the functions of their names give', () => {
    const x = randn([6, 2, 3]);
    for (const [layer, f] of [
      [new nn.RNN(3, 4), rnn],
      [new nn.LSTM(3, 4), lstm],
      [new nn.GRU(3, 4), gru],
    ] as const) {
      const [wIh, wHh, bIh, bHh] = layer.parameters();
      expectSameBits(layer.forward(x).output, f(x, wIh!, wHh!, bIh, bHh).output, f.name);
    }
  });

  it('carry a state from part to part: the same as the whole, and when detached with gradients of the last part alone', () => {
    for (const layer of [new nn.RNN(3, 8), new nn.LSTM(3, 8), new nn.GRU(3, 8)]) {
      const x = randn([10, 2, 3]);
      const parts = [slice(x, ':6'), slice(x, '6:')] as const;
      const run = (from: Tensor, state?: unknown) => layer.forward(from, state as never);
      const first = run(parts[0]);
      const second = run(parts[1], first.state);
      expectSameBits(concat([first.output, second.output]), run(x).output, layer.constructor.name);

      const truncated = grad((from: Tensor) => {
        const { state } = run(slice(from, ':6'));
        const kept = Array.isArray(state) ? state.map(detach) : detach(state as Tensor);
        return run(slice(from, '6:'), kept).output.square().sum();
      })(x);
      expect([...slice(truncated, ':6').data()]).toEqual(new Array(36).fill(0));
      const own = grad((from: Tensor) => run(from, first.state).output.square().sum())(parts[1]);
      expectSameBits(slice(truncated, '6:'), own, layer.constructor.name);
    }
  });

  it('drop what goes from layer to layer in training, and nothing in evaluation', () => {
    const layer = new nn.GRU(3, 16, { numLayers: 2, dropout: 0.5 });
    const x = randn([4, 2, 3]);
    const forward = compile((from: Tensor) => layer.forward(from).output);
    const drawn = [forward(x), forward(x)];
    expect([...drawn[0]!.data()]).not.toEqual([...drawn[1]!.data()]);
    layer.eval();
    expectSameBits(forward(x), forward(x));
    const plain = new nn.GRU(3, 16, { numLayers: 2 });
    plain.loadStateDict(layer.stateDict());
    expectSameBits(forward(x), plain.forward(x).output);
    layer.train();
    const all = new nn.GRU(3, 16, { numLayers: 2, dropout: 1 });
    all.loadStateDict(layer.stateDict());
    const [wIh, wHh, bIh, bHh] = all.parameters().slice(4);
    expectSameBits(all.forward(x).output, gru(zeros([4, 2, 16]), wIh!, wHh!, bIh, bHh).output);
  });

  it('take lengths that a program is given, and go by them each time', () => {
    const layer = new nn.LSTM(2, 5, { bidirectional: true, batchFirst: true });
    const x = randn([3, 6, 2]);
    const forward = compile((from: Tensor, lengths: Tensor) => layer.forward(from, null, { lengths }));
    for (const lengths of [
      [6, 6, 6],
      [1, 0, 4],
      [5, 2, 6],
    ]) {
      const { output, state } = forward(x, tensor(Int32Array.from(lengths)));
      const own = layer.forward(x, null, { lengths });
      expectSameBits(output, own.output);
      state.forEach((one, i) => {
        expectSameBits(one, own.state[i]!);
      });
      lengths.forEach((length, row) => {
        expect(
          slice(output, `${row}, ${length}:`)
            .data()
            .every((one) => one === 0),
        ).toBe(true);
        if (length === 0) return;
        // A sequence alone, as long as it is.
        const alone = layer.forward(slice(x, `${row}:${row + 1}, :${length}`));
        expectSameBits(slice(output, `${row}:${row + 1}, :${length}`), alone.output, `row ${row}`);
      });
    }
  });

  it('learn in a worker', async () => {
    class Counter extends nn.Module {
      layer = new nn.GRU(1, 12, { batchFirst: true });
      out = new nn.Linear(12, 1);
      forward(x: Tensor) {
        return this.out.forward(slice(this.layer.forward(x).state, '0'));
      }
    }
    const model = new Counter();
    const x = randn([64, 7, 1]);
    const data = { x, y: x.mean({ axis: 1 }) };
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
    const { done } = train({ model, data, loss: mseLoss, optimizer, epochs: 60, batchSize: 16 });
    await done;
    expect(mseLoss(model.forward(x), data.y).item()).toBeLessThan(0.01);
  });

  it('stand in a summary with their parameters', () => {
    class OfLast extends nn.Module {
      lstm = new nn.LSTM(3, 4);
      out = new nn.Linear(4, 2);
      forward(x: Tensor) {
        return this.out.forward(slice(this.lstm.forward(x).output, '-1'));
      }
    }
    expect(new OfLast().summary([5, 2, 3])).toMatch(/lstm LSTM +144\n.*out Linear +\[2, 2\] +10/);
  });
});

describe('cells', () => {
  it('step by step do what the layers do', () => {
    const x = randn([5, 3, 2]);
    for (const [layer, cell] of [
      [new nn.RNN(2, 4, { nonlinearity: 'relu' }), new nn.RNNCell(2, 4, { nonlinearity: 'relu' })],
      [new nn.LSTM(2, 4), new nn.LSTMCell(2, 4)],
      [new nn.GRU(2, 4), new nn.GRUCell(2, 4)],
    ] as const) {
      cell.loadStateDict(layer.stateDict(), { rename: (name) => name.replace('_l0', '') });
      let state: unknown;
      for (let t = 0; t < 5; t++)
        state = (cell.forward as (x: Tensor, state: unknown) => unknown)(slice(x, `${t}`), state);
      const h = (Array.isArray(state) ? state[0] : state) as Tensor;
      expectSameBits(h, slice(layer.forward(x).output, '-1'), cell.constructor.name);
    }
  });

  it('are differentiated as the layers are', () => {
    const cell = new nn.LSTMCell(2, 3, { dtype: 'f64' });
    const x = randn([2, 2], { dtype: 'f64' });
    const { pullback } = vjp((at: Tensor) => cell.forward(at)[1])(x);
    expect((pullback(randn([2, 3], { dtype: 'f64' })) as Tensor).data().every((one) => one !== 0)).toBe(true);
  });
});
