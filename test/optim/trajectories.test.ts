import 'wasmgrad/f64';
import { describe, expect, it } from 'vitest';
import { clipGradNorm, compile, nn, optim, type Real, type Tensor, tensor } from 'wasmgrad';
import oracle from '../oracle/optim.json';
import { decode, expectClose, expectSameBits, type Plain } from '../reference';

type Options = Record<string, never>;
interface Trajectory {
  optimizer: 'SGD' | 'Adam' | 'AdamW';
  options: Options;
  schedule?: { name: string; options: Options };
  after: { step: number; p: number[]; q: number[] }[];
}
const trajectories = oracle.trajectories as unknown as Trajectory[];

const SCHEDULES: Record<string, (options: never) => optim.lr.Schedule> = {
  ConstantLR: optim.lr.constant,
  StepLR: optim.lr.step,
  CosineAnnealingLR: optim.lr.cosine,
};

const initial = oracle.initial as unknown as Record<'p' | 'q', Plain>;
const title = ({ optimizer, options, schedule }: Trajectory) =>
  `${optimizer} ${JSON.stringify(options)}${schedule ? ` ${schedule.name}` : ''}`;

/** The parameters after each step, by a function that takes gradients and the time. */
function follow({ optimizer, options, schedule }: Trajectory, real: Real, compiled: boolean) {
  const parameters = [initial.p, initial.q].map((value) => new nn.Parameter(decode(value, real)));
  const own = new optim[optimizer](parameters, options);
  const rate = schedule && SCHEDULES[schedule.name]!(schedule.options as never);
  const update = (p: Tensor, q: Tensor, t: Tensor) => own.step([p, q], rate ? { lr: rate(own.lrCell, t) } : {});
  const step = compiled ? compile(update) : update;
  return oracle.gradients.map(({ p, q }, t) => {
    step(
      decode({ ...initial.p, data: p }, real),
      decode({ ...initial.q, data: q }, real),
      tensor([t], { dtype: real, shape: [] }),
    );
    return parameters.map((parameter) => tensor(parameter));
  });
}

describe.each(['f64', 'f32'] as Real[])('in %s', (real) => {
  it.each(trajectories.map((one) => [title(one), one] as const))('%s goes PyTorch’s way', (_, one) => {
    const eager = follow(one, real, false);
    for (const { step, ...wanted } of one.after) {
      expectClose(eager[step - 1]![0]!, { ...initial.p, data: wanted.p }, `p after step ${step}`);
      expectClose(eager[step - 1]![1]!, { ...initial.q, data: wanted.q }, `q after step ${step}`);
    }
    follow(one, real, true).forEach((parameters, t) => {
      parameters.forEach((parameter, i) => {
        expectSameBits(parameter, eager[t]![i]!, `compiled, step ${t + 1}`);
      });
    });
  });

  it.each(oracle.schedules.map((one) => [one.schedule, one] as const))('%s gives PyTorch’s rates', (name, one) => {
    const schedule = SCHEDULES[name]!(one.options as never);
    const base = tensor([one.lr], { dtype: real, shape: [] });
    const times = tensor(
      one.values.map((_, t) => t),
      { dtype: real },
    );
    const rate = compile((t: Tensor) => schedule(base, t));
    expectClose(rate(times), { shape: [100], data: one.values }, JSON.stringify(one.options));
    expectSameBits(schedule(base, times), rate(times));
    expect(schedule.unit).toBe('epoch');
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
