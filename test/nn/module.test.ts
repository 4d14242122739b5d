import 'wasmgrad/f64';
import { describe, expect, it } from 'vitest';
import { assign, Cell, full, manualSeed, mul, nn, relu, type Tensor, tensor, zeros } from 'wasmgrad';
import { expectSameBits } from '../reference';

class Block extends nn.Module {
  fc = new nn.Linear(3, 3);
  scale = new nn.Parameter(tensor([1, 1, 1]));
  running = new Cell(zeros([3]));
  drop = new nn.Dropout(0.1);
  override forward(x: Tensor) {
    return mul(this.drop.forward(this.fc.forward(x)), this.scale);
  }
}

class Net extends nn.Module {
  blocks = [new Block(), new Block()];
  head = new nn.Sequential(new nn.Linear(3, 2, { bias: false }), new nn.ReLU());
  tied = this.blocks[0]!.scale;
  label = 'not a member';
  override forward(x: Tensor) {
    return this.head.forward(this.blocks.reduce((value, block) => relu(block.forward(value)), x));
  }
}

const PARAMETERS = [
  'blocks.0.fc.weight',
  'blocks.0.fc.bias',
  'blocks.0.scale',
  'blocks.1.fc.weight',
  'blocks.1.fc.bias',
  'blocks.1.scale',
  'head.0.weight',
];

describe('Module', () => {
  it('names parameters and buffers by their fields, as PyTorch does', () => {
    const net = new Net();
    expect(net.namedParameters().map(([name]) => name)).toEqual(PARAMETERS);
    expect(net.parameters()).toHaveLength(7);
    expect(Object.keys(net.stateDict())).toEqual([
      'blocks.0.fc.weight',
      'blocks.0.fc.bias',
      'blocks.0.scale',
      'blocks.0.running',
      'blocks.1.fc.weight',
      'blocks.1.fc.bias',
      'blocks.1.scale',
      'blocks.1.running',
      'head.0.weight',
      'tied',
    ]);
    expect(net.namedChildren().map(([name]) => name)).toEqual(['blocks.0', 'blocks.1', 'head']);
    expect(
      new nn.Sequential(new nn.Linear(1, 1), new nn.Tanh(), new nn.Linear(1, 1))
        .namedParameters()
        .map(([name]) => name),
    ).toEqual(['0.weight', '0.bias', '2.weight', '2.bias']);
  });

  it('switches mode with all that is in it', () => {
    const net = new Net();
    const modes = () => [net.training, net.blocks[1]!.drop.training, net.head.layers[1]!.training];
    expect(modes()).toEqual([true, true, true]);
    expect(net.eval()).toBe(net);
    expect(modes()).toEqual([false, false, false]);
    net.train();
    net.blocks[1]!.eval();
    expect(modes()).toEqual([true, false, true]);
  });

  it('gives copies as its state, and takes them back', () => {
    const [net, other] = [new Net(), new Net()];
    const state = net.stateDict();
    const x = tensor([[0.1, -2, 3]]);
    net.eval();
    const before = net.forward(x);
    assign(net.parameters()[0]!, zeros([3, 3]));
    expect(state['blocks.0.fc.weight']!.toArray()).not.toEqual(zeros([3, 3]).toArray());
    other.eval().loadStateDict(state);
    expectSameBits(other.forward(x), before);
    net.loadStateDict(state);
    expectSameBits(net.forward(x), before);
  });

  it('loads all of a dictionary or nothing', () => {
    const net = new nn.Linear(2, 1);
    const before = net.stateDict();
    const unchanged = () => {
      for (const [name, value] of Object.entries(net.stateDict())) expectSameBits(value, before[name]!);
    };
    const refused = (state: Record<string, Tensor>, code: string, ...says: (string | RegExp)[]) => {
      expect(() => net.loadStateDict(state)).toThrow(expect.objectContaining({ code, op: 'loadStateDict' }));
      for (const part of says) expect(() => net.loadStateDict(state)).toThrow(part);
      unchanged();
    };
    refused({ weight: zeros([1, 2]) }, 'BAD_VALUE', 'lacks bias');
    refused({ weight: zeros([1, 2]), bias: zeros([1]), extra: zeros([1]) }, 'BAD_VALUE', 'has no extra');
    refused({ weight: zeros([1, 2]), bias: zeros([2]) }, 'SHAPE_MISMATCH', /bias.*f32\[1\].*f32\[2\]/);
    refused({ weight: zeros([1, 2]), bias: zeros([1], { dtype: 'f64' }) }, 'SHAPE_MISMATCH', /f32\[1\].*f64\[1\]/);
    net.loadStateDict({ bias: full([1], 7), extra: zeros([1]) }, { strict: false });
    expect(net.bias!.toArray()).toEqual([7]);
    expectSameBits(tensor(net.weight), before.weight!);
    net.loadStateDict(
      { 'module.weight': full([1, 2], 3), 'module.bias': full([1], 4) },
      { rename: (name) => name.replace('module.', '') },
    );
    expect([net.weight.toArray(), net.bias!.toArray()]).toEqual([[[3, 3]], [4]]);
  });

  it('summarises its layers: Σ nₗ(nₗ₋₁ + 1) parameters', () => {
    const sizes = [2, 2, 3, 2];
    const layers = sizes.slice(1).flatMap((n, l) => [new nn.Linear(sizes[l]!, n), new nn.Sigmoid()]);
    const lines = new nn.Sequential(...layers).summary([10, 2]).split('\n');
    expect(lines.at(-1)).toMatch(/^total\s+23$/);
    expect(lines.find((line) => line.startsWith('2 Linear'))).toMatch(/\[10, 3\]\s+9$/);
    expect(lines.find((line) => line.startsWith('5 Sigmoid'))).toMatch(/\[10, 2\]\s+0$/);
    const net = new Net();
    expect(net.summary([1, 3])).toMatch(/blocks\.1\.fc Linear\s+\[1, 3\]\s+12/);
    expect(Object.hasOwn(net.blocks[0]!, 'forward')).toBe(false);
    expect(() => net.summary([1, 4])).toThrow(/\[1, 4\].*\[3, 3\]/);
    expect(Object.hasOwn(net.blocks[0]!, 'forward')).toBe(false);
  });
});

describe('layers', () => {
  it('Linear is x·Wᵀ + b, starts within 1/√in, and may lack a bias', () => {
    manualSeed(0);
    const layer = new nn.Linear(100, 50);
    for (const parameter of [layer.weight, layer.bias!]) {
      const values = [...parameter.values()].map(Math.abs);
      expect(Math.max(...values)).toBeLessThanOrEqual(0.1);
      expect(Math.max(...values)).toBeGreaterThan(0.09);
    }
    const small = new nn.Linear(2, 1, { init: nn.init.constant(3), biasInit: nn.init.zeros(), dtype: 'f64' });
    expect(small.forward(tensor([[[1, 2]]], { dtype: 'f64' })).toArray()).toEqual([[[9]]]);
    expect(new nn.Linear(2, 1, { bias: false }).bias).toBeNull();
    expect(() => small.forward(zeros([1, 3], { dtype: 'f64' }))).toThrow(/\[1, 3\].*\[1, 2\]/);
    expect(() => small.forward(zeros([1, 2]))).toThrow(/f32|f64/);
  });

  it('activations, Flatten and Dropout pass their options on', () => {
    const x = tensor([[-2, 0, 3]]);
    expect(new nn.ReLU().forward(x).toArray()).toEqual([[0, 0, 3]]);
    expect(new nn.LeakyReLU({ negativeSlope: 0.5 }).forward(x).toArray()).toEqual([[-1, 0, 3]]);
    expectSameBits(new nn.Sigmoid().forward(x), x.sigmoid());
    expectSameBits(new nn.Tanh().forward(x), x.tanh());
    expectSameBits(new nn.Softmax({ axis: 0 }).forward(x), tensor([[1, 1, 1]]));
    expect(new nn.Flatten().forward(zeros([2, 3, 4])).shape).toEqual([2, 12]);
    expect(new nn.Flatten({ endAxis: 1 }).forward(zeros([2, 3, 4])).shape).toEqual([6, 4]);
    expect(new nn.Dropout(0.5).eval().forward(x)).toBe(x);
  });
});
