import 'wasmgrad/f64';
import { describe, expect, it } from 'vitest';
import {
  Cell,
  clipGradNorm,
  clipGradValue,
  compile,
  mseLoss,
  nn,
  optim,
  type Real,
  type Tensor,
  tensor,
  valueAndGrad,
} from 'wasmgrad';
import oracle from '../oracle/optim.json';
import { decode, expectClose, expectSameBits, type Plain } from '../reference';

const initial = oracle.initial as unknown as Record<'p' | 'q', Plain>;

/** One step of an optimizer in plain loops: new values in place of `w`, [rows, columns], from gradients and its own state. */
type Reference = (w: number[], g: number[], t: number, state: Record<string, number[]>, shape: number[]) => void;

const zeros = (n: number) => new Array<number>(n).fill(0);
const rms = (x: number[]) => Math.sqrt(x.reduce((total, one) => total + one * one, 0) / x.length);

/** Chen et al. 2023, algorithm 2. */
const lion =
  (lr: number, [b1, b2]: [number, number], decay: number, sign: 1 | -1 = 1): Reference =>
  (w, g, _, state) => {
    state.m ??= zeros(w.length);
    w.forEach((one, i) => {
      const [m, slope] = [state.m![i]!, sign * g[i]!];
      w[i] = one - lr * (Math.sign(b1 * m + (1 - b1) * slope) + decay * one);
      state.m![i] = b2 * m + (1 - b2) * slope;
    });
  };

/** Shazeer & Stern 2018, algorithms 4 and 5, in the form of torch.optim.Adafactor of PyTorch 2.5. */
const adafactor =
  (lr: number, power: number, [eps1, eps2]: [number, number], d: number, decay: number): Reference =>
  (w, g, t, state, shape) => {
    const [rows, columns] = shape.length > 1 ? (shape as [number, number]) : [1, w.length];
    const share = t ** power;
    const lerp = (name: string, news: number[]) => {
      const old = state[name] ?? zeros(news.length);
      state[name] = old.map((one, i) => one + share * (news[i]! - one));
      return state[name];
    };
    const squares = g.map((one) => one * one);
    let v: number[];
    if (shape.length > 1) {
      const at = (i: number, j: number) => squares[i * columns + j]!;
      const sum = (n: number, f: (i: number) => number) => zeros(n).reduce((total, _, i) => total + f(i), 0);
      const r = lerp(
        'r',
        zeros(rows).map((_, i) => sum(columns, (j) => at(i, j)) / columns),
      );
      const c = lerp(
        'c',
        zeros(columns).map((_, j) => sum(rows, (i) => at(i, j)) / rows),
      );
      const mean = Math.max(sum(rows, (i) => r[i]!) / rows, eps1);
      v = squares.map((_, at) => (r[Math.floor(at / columns)]! * c[at % columns]!) / mean);
    } else v = lerp('v', squares);
    const u = g.map((one, i) => one / Math.sqrt(Math.max(v[i]!, eps1 * eps1)));
    const rate = Math.max(eps2, rms(w)) * Math.min(lr, 1 / Math.sqrt(t));
    const clip = Math.max(1, rms(u) / d);
    w.forEach((one, i) => {
      w[i] = one * (1 - lr * decay) - (rate / clip) * u[i]!;
    });
  };

type Matrix = number[][];
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((total, one, k) => total + one * b[k]![j]!, 0)));
const turned = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!));
const combined = (x: number, a: Matrix, y: number, b: Matrix): Matrix =>
  a.map((row, i) => row.map((one, j) => x * one + y * b[i]![j]!));

/** Jordan et al. 2024: momentum, then five steps of Newton and Schulz; in the form of torch.optim.Muon of PyTorch 2.9. */
const muon =
  (
    lr: number,
    momentum: number,
    decay: number,
    nesterov: boolean,
    factor: (rows: number, columns: number) => number,
  ): Reference =>
  (w, g, _, state, [rows, columns]) => {
    const [a, b, c] = [3.4445, -4.775, 2.0315];
    state.m = (state.m ?? zeros(w.length)).map((m, i) => m + (1 - momentum) * (g[i]! - m));
    const direction = nesterov ? g.map((one, i) => one + momentum * (state.m![i]! - one)) : state.m;
    let x: Matrix = Array.from({ length: rows! }, (_, i) => direction.slice(i * columns!, (i + 1) * columns!));
    const tall = rows! > columns!;
    if (tall) x = turned(x);
    const size = Math.max(1e-7, Math.sqrt(x.flat().reduce((total, one) => total + one * one, 0)));
    x = x.map((row) => row.map((one) => one / size));
    for (let step = 0; step < 5; step++) {
      const gram = times(x, turned(x));
      x = combined(a, x, 1, times(combined(b, gram, c, times(gram, gram)), x));
    }
    const flat = (tall ? turned(x) : x).flat();
    w.forEach((one, i) => {
      w[i] = one * (1 - lr * decay) - lr * factor(rows!, columns!) * flat[i]!;
    });
  };

const original = (rows: number, columns: number) => Math.sqrt(Math.max(1, rows / columns));
const asAdamW = (rows: number, columns: number) => 0.2 * Math.sqrt(Math.max(rows, columns));
const EPS = { f64: 2 ** -52, f32: 2 ** -23 };

type Make = (params: nn.Parameter[]) => optim.Optimizer<never>;
const make = (f: (params: nn.Parameter[]) => unknown) => f as Make;
const formulas: [string, Make, (real: Real) => Reference, boolean][] = [
  ['Lion', make((p) => new optim.Lion(p, { lr: 0.01 })), () => lion(0.01, [0.9, 0.99], 0), false],
  [
    'Lion with decay',
    make((p) => new optim.Lion(p, { lr: 0.02, betas: [0.5, 0.8], weightDecay: 0.3 })),
    () => lion(0.02, [0.5, 0.8], 0.3),
    false,
  ],
  ['Lion climbing', make((p) => new optim.Lion(p, { maximize: true })), () => lion(1e-4, [0.9, 0.99], 0, -1), false],
  ['Adafactor', make((p) => new optim.Adafactor(p)), (real) => adafactor(1e-2, -0.8, [EPS[real], 1e-3], 1, 0), false],
  [
    'Adafactor with all options',
    make((p) => new optim.Adafactor(p, { lr: 0.5, beta2Decay: -0.5, eps: [1e-3, 0.1], d: 2, weightDecay: 0.1 })),
    () => adafactor(0.5, -0.5, [1e-3, 0.1], 2, 0.1),
    false,
  ],
  ['Muon', make((p) => new optim.Muon(p, { lr: 0.05 })), () => muon(0.05, 0.95, 0.1, true, original), true],
  [
    'Muon without Nesterov',
    make((p) => new optim.Muon(p, { momentum: 0.5, nesterov: false, weightDecay: 0, adjustLrFn: 'matchRmsAdamw' })),
    () => muon(1e-3, 0.5, 0, false, asAdamW),
    true,
  ],
];

describe.each(['f64', 'f32'] as Real[])('what PyTorch 1.13 lacks, in %s', (real) => {
  it.each(formulas)('%s follows its paper for 50 steps', (_, create, reference, matrices) => {
    // A wide matrix and a tall one with the same numbers, and a vector.
    const tall = { ...initial.q, shape: [3, 2] };
    const starts = matrices ? [initial.q, tall] : [initial.p, initial.q, tall];
    const follow = (compiled: boolean) => {
      const parameters = starts.map((one) => new nn.Parameter(decode(one, real)));
      const optimizer = create(parameters);
      const update = (...grads: Tensor[]) => optimizer.step(grads);
      const step = compiled ? compile(update) : update;
      return oracle.gradients.map((gradient) => {
        step(...starts.map((one) => decode({ ...one, data: one === initial.p ? gradient.p : gradient.q }, real)));
        return parameters.map((parameter) => tensor(parameter));
      });
    };
    const eager = follow(false);
    const values = starts.map((one) => one.data.map(Number));
    const state = starts.map((): Record<string, number[]> => ({}));
    oracle.gradients.forEach((gradient, t) => {
      starts.forEach((one, i) => {
        const own = one === initial.p ? gradient.p : gradient.q;
        reference(real)(values[i]!, own, t + 1, state[i]!, one.shape);
        expectClose(eager[t]![i]!, { shape: one.shape, data: values[i]! }, `parameter ${i} after step ${t + 1}`);
      });
    });
    follow(true).forEach((parameters, t) => {
      parameters.forEach((parameter, i) => {
        expectSameBits(parameter, eager[t]![i]!, `compiled, step ${t + 1}`);
      });
    });
  });
});

it('Muon’s steps are nearly orthogonal', () => {
  const parameter = new nn.Parameter(
    tensor(
      [
        [0, 0, 0],
        [0, 0, 0],
      ],
      { dtype: 'f64' },
    ),
  );
  new optim.Muon([parameter], { lr: 1, weightDecay: 0 }).step([decode(initial.q)]);
  const gram = parameter.matmul(parameter.transpose()).toArray() as number[][];
  for (const [i, j] of [
    [0, 0],
    [1, 1],
  ] as const)
    expect(gram[i]![j]).toBeGreaterThan(0.4);
  expect(Math.abs(gram[0]![1]!)).toBeLessThan(0.5);
});

const [x, y] = [
  tensor([
    [1, 2],
    [-1, 0.5],
    [0, 1],
  ]),
  tensor([[1], [-2], [0.5]]),
];

/** The loss before and after some steps of a small regression. */
function learn(create: (params: nn.Parameter[]) => optim.Optimizer<never>, steps = 200): [number, number] {
  const model = new nn.Linear(2, 1, { bias: false, init: nn.init.ones() });
  const optimizer = create(model.parameters());
  const step = compile(() => {
    const { value, grads } = valueAndGrad(() => mseLoss(model.forward(x), y), { wrt: model.parameters() })();
    optimizer.step(grads);
    return value;
  });
  const first = step().item();
  for (let i = 1; i < steps; i++) step();
  return [first, step().item()];
}

it.each([
  ...(['SGD', 'Adam', 'AdamW', 'NAdam', 'RAdam', 'Adamax', 'RMSprop', 'Rprop', 'Adagrad', 'Lion'] as const).map(
    (name) => [name, make((p) => new optim[name](p, { lr: 0.05 }))] as const,
  ),
  ['Adadelta', make((p) => new optim.Adadelta(p, { lr: 10 }))] as const,
  ['Adafactor', make((p) => new optim.Adafactor(p, { lr: 0.1 }))] as const,
  ['Muon', make((p) => new optim.Muon(p, { lr: 0.05 }))] as const,
])('%s learns', (_, create) => {
  const [first, last] = learn(create);
  expect(last).toBeLessThan(first / 4);
});

describe('groups of parameters', () => {
  const two = () => [new nn.Parameter(tensor([1, 2])), new nn.Parameter(tensor([[3]]))] as const;

  it('have rates of their own, which a function of the base changes alike', () => {
    const [a, b] = two();
    const optimizer = new optim.SGD([{ params: [a] }, { params: [b], lr: 0.1 }], { lr: 1 });
    expect(optimizer.groups.map(({ lrCell, options }) => [Math.fround(lrCell.item()), options.momentum])).toEqual([
      [1, 0],
      [Math.fround(0.1), 0],
    ]);
    expect(optimizer.namedCells().map(([name]) => name)).toEqual(['lr', 'lr.1', 'step']);
    optimizer.step([tensor([1, 1]), tensor([[1]])], { lr: (base) => base.mul(0.5) });
    expect([a.toArray(), b.item()]).toEqual([[0.5, 1.5], Math.fround(3 - Math.fround(0.05))]);
    optimizer.step([tensor([1, 1]), tensor([[1]])], { lr: tensor(0.25) });
    expect(a.toArray()).toEqual([0.25, 1.25]);
    optimizer.lr = 0.5;
    expect(optimizer.groups.map(({ lrCell }) => lrCell.item())).toEqual([0.5, 0.5]);
    expect(optimizer.parameters).toEqual([a, b]);
  });

  it('do not hide a default behind undefined', () => {
    const [a] = two();
    const optimizer = new optim.Adam([{ params: [a], lr: undefined } as never], { eps: undefined } as never);
    expect(optimizer.groups[0]!.options).toMatchObject({ lr: 1e-3, eps: 1e-8 });
  });
});

it('counts steps, and names its state', () => {
  const parameter = new nn.Parameter(tensor([1, 2]));
  const optimizer = new optim.Adam([parameter], { lr: 0.5 });
  optimizer.step([tensor([1, 1])]);
  expect(optimizer.namedCells().map(([name]) => name)).toEqual(['lr', 'step', 'state.0.0', 'state.0.1']);
  expect([optimizer.stepCell.item(), optimizer.lr]).toEqual([1, 0.5]);
  expect(new optim.SGD([parameter], { momentum: 0.9 }).namedCells().map(([name]) => name)).toEqual([
    'lr',
    'step',
    'state.0.0',
  ]);
  expect(optim.lr.cosine({ tMax: 3, unit: 'step' }).unit).toBe('step');
});

it('clips gradients by their joint norm, as torch.nn.utils.clip_grad_norm_', () => {
  const gradients = [tensor([3, 0], { dtype: 'f64' }), tensor([[4]], { dtype: 'f64' })];
  const [a, b] = clipGradNorm(gradients, 1);
  expectClose(a!, { shape: [2], data: [3 / (5 + 1e-6), 0] });
  expectClose(b!, { shape: [1, 1], data: [4 / (5 + 1e-6)] });
  clipGradNorm(gradients, 100).forEach((same, i) => {
    expectSameBits(same, gradients[i]!);
  });
});

it('clips gradients by their values, as torch.nn.utils.clip_grad_value_', () => {
  const [a, b] = clipGradValue([tensor([3, -0.5, -7]), tensor([[Number.NaN]])], 2);
  expect([a!.toArray(), b!.toArray()]).toEqual([[2, -0.5, -2], [[Number.NaN]]]);
});

it('accumulates gradients of small batches into that of the large one', () => {
  const model = new nn.Linear(2, 1, { dtype: 'f64' });
  const sums = new optim.GradientAccumulator(model.parameters());
  const gradients = (a: Tensor, b: Tensor) =>
    valueAndGrad(() => mseLoss(model.forward(a), b), { wrt: model.parameters() })().grads;
  const add = compile((a: Tensor, b: Tensor) => sums.add(gradients(a, b)));
  const take = compile(() => sums.take());
  const [inputs, targets] = [x.cast('f64'), y.cast('f64')];
  const whole = gradients(inputs, targets);
  for (let round = 0; round < 2; round++) {
    for (const row of ['0:1', '1:2', '2:3']) add(inputs.slice(row), targets.slice(row));
    expect(sums.countCell.item()).toBe(3);
    take().forEach((mean, i) => {
      expectClose(mean, { shape: [...mean.shape], data: [...whole[i]!.data()] });
    });
  }
  for (const nothing of sums.take()) expect(nothing.abs().max().item()).toBe(0);
  expect(() => sums.add([])).toThrow(/2 parameters need as many gradients; got 0/);
});

it('averages weights, and swaps the mean in', () => {
  const parameter = new nn.Parameter(tensor([1, 2], { dtype: 'f64' }));
  const mean = new optim.ExponentialMovingAverage([parameter], { decay: 0.75 });
  const optimizer = new optim.SGD([parameter], { lr: 1 });
  const step = compile((g: Tensor) => {
    optimizer.step([g]);
    mean.update();
  });
  for (let i = 0; i < 2; i++) step(tensor([1, -1], { dtype: 'f64' }));
  // 1, then 0.75·1 + 0.25·0, then 0.75·0.75 + 0.25·(-1).
  expect(mean.averages[0]!.toArray()).toEqual([0.3125, 2.6875]);
  mean.swap();
  expect([parameter.toArray(), mean.averages[0]!.toArray()]).toEqual([
    [0.3125, 2.6875],
    [-1, 4],
  ]);
  mean.swap();
  expect(parameter.toArray()).toEqual([-1, 4]);
  expect(parameter).toBeInstanceOf(Cell);
});

describe('refuse', () => {
  const p = [new nn.Parameter(tensor([1, 2]))];
  it.each([
    [
      'a parameter that is there twice',
      () => new optim.SGD([p[0]!, p[0]!]),
      'optim.SGD',
      ['parameter 1', '[2]', 'twice'],
    ],
    ['a group of none', () => new optim.SGD([{ params: p }, { params: [] }]), 'optim.SGD', ['no parameters']],
    ['a negative rate of a group', () => new optim.Adam([{ params: p, lr: -1 }]), 'optim.Adam', ['lr', '-1']],
    ['a rate that is NaN', () => new optim.NAdam(p, { lr: Number.NaN }), 'optim.NAdam', ['lr', 'NaN']],
    ['a momentum that grows', () => new optim.NAdam(p, { momentumDecay: -1 }), 'optim.NAdam', ['momentumDecay', '-1']],
    ['a beta of 1', () => new optim.RAdam(p, { betas: [0.9, 1] }), 'optim.RAdam', ['beta2', '1']],
    ['a negative beta', () => new optim.Adamax(p, { betas: [-0.1, 0.9] }), 'optim.Adamax', ['beta1', '-0.1']],
    ['a negative eps', () => new optim.Adam(p, { eps: -1, amsgrad: true }), 'optim.Adam', ['eps', '-1']],
    ['an alpha of 1', () => new optim.RMSprop(p, { alpha: 1 }), 'optim.RMSprop', ['alpha', '1']],
    ['a negative momentum', () => new optim.RMSprop(p, { momentum: -1 }), 'optim.RMSprop', ['momentum', '-1']],
    ['a step that shrinks by growing', () => new optim.Rprop(p, { etas: [1, 2] }), 'optim.Rprop', ['etas[0]', '1']],
    [
      'a step that grows by shrinking',
      () => new optim.Rprop(p, { etas: [0.5, 0.9] }),
      'optim.Rprop',
      ['etas[1]', '0.9'],
    ],
    [
      'steps the wrong way round',
      () => new optim.Rprop(p, { stepSizes: [2, 1] }),
      'optim.Rprop',
      ['stepSizes[1]', '2', '1'],
    ],
    ['a negative sum', () => new optim.Adagrad(p, { initialAccumulatorValue: -1 }), 'optim.Adagrad', ['-1']],
    ['a rho of 1', () => new optim.Adadelta(p, { rho: 1 }), 'optim.Adadelta', ['rho', '1']],
    ['a negative decay', () => new optim.Lion(p, { weightDecay: -1 }), 'optim.Lion', ['weightDecay', '-1']],
    ['a share that grows', () => new optim.Adafactor(p, { beta2Decay: 0.5 }), 'optim.Adafactor', ['beta2Decay', '0.5']],
    ['a clip below 1', () => new optim.Adafactor(p, { d: 0.5 }), 'optim.Adafactor', ['d must', '0.5']],
    ['a vector for Muon', () => new optim.Muon(p), 'optim.Muon', ['matrices', '[2]']],
    ['a momentum of 1', () => new optim.Muon(p, { momentum: 1 }), 'optim.Muon', ['momentum', '1']],
    ['half a step', () => new optim.Muon(p, { nsSteps: 0.5 }), 'optim.Muon', ['nsSteps', '0.5']],
    [
      'an unknown factor',
      () => new optim.Muon(p, { adjustLrFn: 'no' as never }),
      'optim.Muon',
      ['adjustLrFn', 'original'],
    ],
    ['no parameters', () => new optim.LBFGS([]), 'optim.LBFGS', ['parameters']],
    ['no directions', () => new optim.LBFGS(p, { maxIter: 0 }), 'optim.LBFGS', ['maxIter', '0']],
    ['no memory', () => new optim.LBFGS(p, { historySize: 0 }), 'optim.LBFGS', ['historySize', '0']],
    [
      'an unknown search',
      () => new optim.LBFGS(p, { lineSearchFn: 'x' as never }),
      'optim.LBFGS',
      ['lineSearchFn', 'strongWolfe'],
    ],
    [
      'gradients that do not fit',
      () => new optim.LBFGS(p).step(() => ({ value: tensor(1), grads: [tensor(1)] })),
      'optim.LBFGS',
      ['[2]', '[]'],
    ],
    [
      'a mean that does not forget',
      () => new optim.ExponentialMovingAverage(p, { decay: 1 }),
      'optim.ExponentialMovingAverage',
      ['decay', '1'],
    ],
    ['a negative bound', () => clipGradValue([], -1), 'optim.clipGradValue', ['clipValue', '-1']],
  ] as [string, () => unknown, string, string[]][])('%s', (_, f, op, says) => {
    expect(f).toThrow(expect.objectContaining({ op }));
    for (const part of says) expect(f).toThrow(part);
  });
});
