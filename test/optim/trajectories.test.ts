import 'wasmgrad/f64';
import { describe, it } from 'vitest';
import { compile, nn, optim, type Real, type Tensor, tensor, valueAndGrad } from 'wasmgrad';
import oracle from '../oracle/optim.json';
import { decode, expectClose, expectSameBits, type Plain } from '../reference';

type Options = Record<string, never>;
type Kind = 'SGD' | 'Adam' | 'AdamW' | 'NAdam' | 'RAdam' | 'Adamax' | 'RMSprop' | 'Rprop' | 'Adagrad' | 'Adadelta';
interface Trajectory {
  optimizer: Kind;
  options: Options;
  groups?: Record<'p' | 'q', Options>;
  schedule?: { name: keyof typeof SCHEDULES; options: Options };
  after: { step: number; p: number[]; q: number[] }[];
}
const trajectories = oracle.trajectories as unknown as Trajectory[];

const SCHEDULES = { StepLR: optim.lr.step, CosineAnnealingLR: optim.lr.cosine };

const initial = oracle.initial as unknown as Record<'p' | 'q', Plain>;
const start = (real: Real) => [initial.p, initial.q].map((value) => new nn.Parameter(decode(value, real)));
const title = ({ optimizer, options, groups, schedule }: Trajectory) =>
  `${optimizer} ${JSON.stringify(options)}${groups ? ` ${JSON.stringify(groups)}` : ''}${schedule ? ` ${schedule.name}` : ''}`;

/** The parameters after each step, by a function that takes gradients and the time. */
function follow({ optimizer, options, groups, schedule }: Trajectory, real: Real, compiled: boolean) {
  const parameters = start(real);
  const params = groups
    ? (['p', 'q'] as const).map((name, i) => ({ params: [parameters[i]!], ...groups[name] }))
    : parameters;
  const own = new optim[optimizer](params, options);
  const rate = schedule && SCHEDULES[schedule.name](schedule.options as never);
  const update = (p: Tensor, q: Tensor, t: Tensor) => own.step([p, q], rate ? { lr: (base) => rate(base, t) } : {});
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
});

it.each(oracle.searches.map((one) => [JSON.stringify(one.options), one] as const))(
  'LBFGS %s finds PyTorch’s way',
  (_, { options, after }) => {
    const [p, q] = start('f64') as [nn.Parameter, nn.Parameter];
    const optimizer = new optim.LBFGS([p, q], options as never);
    // A valley of five numbers and a bowl of a matrix: test/oracle/torch_optim.py.
    const loss = () => {
      const [a, b] = [p.slice(':-1'), p.slice('1:')];
      const valley = b.sub(a.square()).square().mul(10).add(a.neg().add(1).square()).sum();
      return valley.add(q.matmul(q.transpose()).square().sum()).sub(q.sum()).add(q.exp().mean());
    };
    const closure = compile(() => valueAndGrad(loss, { wrt: [p, q] })());
    for (const wanted of after) {
      const value = optimizer.step(closure);
      expectClose(tensor([value], { dtype: 'f64' }), { shape: [1], data: [wanted.value] }, `step ${wanted.step}`);
      expectClose(p, { ...initial.p, data: wanted.p }, `p after step ${wanted.step}`);
      expectClose(q, { ...initial.q, data: wanted.q }, `q after step ${wanted.step}`);
    }
  },
);
