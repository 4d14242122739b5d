import 'wasmgrad/f64';
import { describe, expect, it } from 'vitest';
import { add, compile, mul, nn, optim, type Real, reciprocal, type Tensor, tensor } from 'wasmgrad';
import oracle from '../oracle/lr.json';
import { expectClose, expectSameBits } from '../reference';

const { lr } = optim;

interface Part {
  schedule: string;
  options: Record<string, never>;
}
interface Case extends Part {
  lr: number;
  parts?: Part[];
  values: number[];
}

const SCHEDULES: Record<string, (options: never) => optim.lr.Schedule> = {
  ConstantLR: lr.constant,
  LinearLR: lr.linear,
  StepLR: lr.step,
  MultiStepLR: lr.multiStep,
  ExponentialLR: lr.exponential,
  PolynomialLR: lr.polynomial,
  CosineAnnealingLR: lr.cosine,
  CosineAnnealingWarmRestarts: lr.cosineWarmRestarts,
  OneCycleLR: lr.oneCycle,
  LambdaLR: () => lr.lambda((t) => reciprocal(add(mul(t, 0.1), 1))),
};

function scheduleOf({ schedule, parts, options }: Case): optim.lr.Schedule {
  if (!parts) return SCHEDULES[schedule]!(options as never);
  const own = parts.map((one) => SCHEDULES[one.schedule]!(one.options as never));
  return schedule === 'ChainedScheduler' ? lr.chained(own) : lr.sequential(own, options as never);
}

const cases = oracle.schedules as unknown as Case[];
const title = ({ schedule, options, parts = [] }: Case) =>
  [schedule, JSON.stringify(options), ...parts.map((one) => one.schedule)].join(' ');

describe.each(['f64', 'f32'] as Real[])('in %s', (real) => {
  it.each(cases.map((one) => [title(one), one] as const))('%s gives PyTorch’s rates', (_, one) => {
    const schedule = scheduleOf(one);
    const base = tensor([one.lr], { dtype: real, shape: [] });
    const times = one.values.map((_, t) => t);
    const all = tensor(times, { dtype: real });
    const rate = compile((t: Tensor) => schedule(base, t));
    expectClose(rate(all), { shape: [100], data: one.values });
    expectSameBits(schedule(base, all), rate(all));
    // As `train` asks: a time after the other.
    const single = times.map((t) => rate(tensor([t], { dtype: real, shape: [] })).item());
    expectSameBits(tensor(single, { dtype: real }), rate(all));
    expect(schedule.unit).toBe(one.schedule === 'OneCycleLR' ? 'step' : 'epoch');
  });

  it.each(oracle.plateaus.map((one) => [JSON.stringify(one.options), one] as const))(
    'ReduceOnPlateau %s lowers the rate where PyTorch does',
    (_, one) => {
      const parameter = new nn.Parameter(tensor([1], { dtype: real }));
      const optimizer = new optim.SGD([parameter], { lr: one.lr });
      const plateau = new lr.ReduceOnPlateau(optimizer, one.options as optim.lr.PlateauOptions);
      const values = one.losses.map((loss) => {
        const before = optimizer.lr;
        plateau.step(loss);
        return before;
      });
      expectClose(tensor(values, { dtype: real }), { shape: [100], data: one.values });
    },
  );
});

it('rates far out stay what they became', () => {
  const at = (schedule: optim.lr.Schedule, t: number) =>
    schedule(tensor([1], { dtype: 'f64', shape: [] }), tensor([t], { dtype: 'f64', shape: [] })).item();
  const cycle = lr.oneCycle({ totalSteps: 100, divFactor: 10, finalDivFactor: 10 });
  expect([at(cycle, 99), at(cycle, 1e6)]).toEqual([0.01, 0.01]);
  expect(at(lr.polynomial({ totalIters: 5, power: 0.5 }), 1e6)).toBe(0);
  expect(at(lr.linear({ totalIters: 5 }), 1e6)).toBe(1);
  // 2³⁰ - 1 has been a restart, as have all 2ⁿ - 1.
  expect(at(lr.cosineWarmRestarts({ t0: 1, tMult: 2 }), 2 ** 30 - 1)).toBe(1);
  expect(at(lr.cosineWarmRestarts({ t0: 1, tMult: 2 }), 2 ** 30 - 2)).toBeLessThan(1e-6);
});

it('a plateau lowers the rate of every group, between steps of one compiled program', () => {
  const [a, b] = [new nn.Parameter(tensor([0])), new nn.Parameter(tensor([0]))];
  const optimizer = new optim.SGD([
    { params: [a], lr: 1 },
    { params: [b], lr: 0.5 },
  ]);
  const plateau = new lr.ReduceOnPlateau(optimizer, { factor: 0.5, patience: 0 });
  const step = compile((g: Tensor) => optimizer.step([g, g]));
  for (let i = 0; i < 3; i++) {
    plateau.step(1);
    step(tensor([-1]));
  }
  expect([a.item(), b.item()]).toEqual([1.75, 0.875]);
});

it.each([
  ['no period', () => lr.cosine({ tMax: 0 }), 'cosine', ['tMax', 'above 0', '0']],
  ['a negative rate', () => lr.cosine({ tMax: 1, etaMin: -1 }), 'cosine', ['etaMin', '-1']],
  ['a negative factor', () => lr.constant({ factor: -1 }), 'constant', ['factor', '-1']],
  ['a step of less than one', () => lr.step({ stepSize: 0.5 }), 'step', ['stepSize', '0.5']],
  ['no gamma', () => lr.exponential({ gamma: 0 }), 'exponential', ['gamma', '0']],
  ['falling milestones', () => lr.multiStep({ milestones: [3, 2] }), 'multiStep', ['milestones', '3,2', 'rising']],
  ['no milestones', () => lr.multiStep({} as never), 'multiStep', ['milestones']],
  ['no steps', () => lr.linear({ totalIters: 0 }), 'linear', ['totalIters', '0']],
  ['no power', () => lr.polynomial({ power: 0 }), 'polynomial', ['power', '0']],
  ['no first length', () => lr.cosineWarmRestarts({ t0: 0 }), 'cosineWarmRestarts', ['t0', '0']],
  ['ever shorter', () => lr.cosineWarmRestarts({ t0: 5, tMult: 0.5 }), 'cosineWarmRestarts', ['tMult', '0.5']],
  ['one step', () => lr.oneCycle({ totalSteps: 1 }), 'oneCycle', ['totalSteps', '1']],
  ['no rise', () => lr.oneCycle({ totalSteps: 10, pctStart: 0.1 }), 'oneCycle', ['pctStart', '0.1']],
  ['no fall', () => lr.oneCycle({ totalSteps: 10, pctStart: 0.6, threePhase: true }), 'oneCycle', ['pctStart', '0.6']],
  [
    'another way down',
    () => lr.oneCycle({ totalSteps: 9, annealStrategy: 'x' as never }),
    'oneCycle',
    ['cos or linear'],
  ],
  ['no schedules', () => lr.chained([]), 'chained', ['at least one']],
  ['two units', () => lr.chained([lr.constant(), lr.constant({ unit: 'step' })]), 'chained', ['unit', 'step', 'epoch']],
  [
    'a milestone too few',
    () => lr.sequential([lr.constant(), lr.constant()], { milestones: [] }),
    'sequential',
    ['milestones', '1 times'],
  ],
  ['a factor that raises', () => plateau({ factor: 1 }), 'ReduceOnPlateau', ['factor', '1']],
  ['another mode', () => plateau({ mode: 'best' as never }), 'ReduceOnPlateau', ['mode', 'min or max', 'best']],
  ['another threshold', () => plateau({ thresholdMode: 'x' as never }), 'ReduceOnPlateau', ['thresholdMode', 'rel']],
  ['no patience', () => plateau({ patience: -1 }), 'ReduceOnPlateau', ['patience', '-1']],
] as [string, () => unknown, string, string[]][])('refuse %s', (_, f, op, says) => {
  expect(f).toThrow(expect.objectContaining({ code: 'BAD_VALUE', op: `optim.lr.${op}` }));
  for (const part of says) expect(f).toThrow(part);
});

function plateau(options: optim.lr.PlateauOptions) {
  return new lr.ReduceOnPlateau(new optim.SGD([new nn.Parameter(tensor([1]))]), options);
}
