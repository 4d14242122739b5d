// A NaN put into the result of every record of a training step in turn: wherever it reaches the loss, a gradient or a buffer, the step is not taken,
// and the error names the op, and the parameter that it works with or whose gradient it is.
import { describe, expect, it } from 'vitest';
import {
  compile,
  crossEntropy,
  manualSeed,
  nn,
  optim,
  randint,
  randn,
  slice,
  type Tensor,
  train,
  valueAndGrad,
} from 'wasmgrad';
import { Control, Op, Status } from '../../assembly/isa';
import { divergence } from '../../src/machine/divergence';
import { LoadedProgram, Machine } from '../../src/machine/machine';
import { type Place, Segment } from '../../src/machine/program';

class OfLast extends nn.Module {
  readonly layer = new nn.LSTM(3, 5);
  readonly out = new nn.Linear(5, 4);
  override forward(x: Tensor): Tensor {
    return this.out.forward(slice(this.layer.forward(x).output, '-1'));
  }
}

const kinds: [string, () => nn.Module, number[], number][] = [
  [
    'a convolutional network',
    () =>
      new nn.Sequential(
        ...[new nn.Conv2d(1, 3, 3), new nn.BatchNorm2d(3), new nn.ReLU(), new nn.MaxPool2d(2)],
        ...[new nn.Conv2d(3, 4, 2), new nn.Sigmoid(), new nn.Flatten(), new nn.Linear(16, 5)],
      ),
    [6, 1, 8, 8],
    6,
  ],
  ['an LSTM', () => new OfLast(), [7, 6, 3], 6],
];

interface Inside {
  image: number;
  view(place: Place): Float32Array;
}

describe.each(kinds)('in %s', (_, build, shape, n) => {
  it('a NaN is found wherever it appears', () => {
    manualSeed(1);
    const model = build();
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    const step = compile((x: Tensor, y: Tensor) => {
      const { value, grads } = valueAndGrad(() => crossEntropy(model.forward(x), y), { wrt: model.parameters() })();
      optimizer.step(grads);
      return value;
    });
    const [x, y] = [randn(shape), randint(0, 4, [n])];
    const cells = [...model.namedCells(), ...optimizer.namedCells()];
    const state = () => cells.map(([, cell]) => [...cell.values()]);
    const { run } = LoadedProgram.prototype;
    const { core } = Machine.prototype;
    let target = -1;
    let program: LoadedProgram | null = null;
    let names: (string | undefined)[] = [];
    LoadedProgram.prototype.run = function (this: LoadedProgram, ...given) {
      program = this;
      // The cells' names, as `train` tells them.
      const own = (this as unknown as { cells: unknown[] }).cells;
      names = own.map((storage) => model.namedCells().find(([, cell]) => cell.storage === storage)?.[0]);
      const [fill, threads] = given;
      return run.call(this, fill, threads, (loaded) => divergence(loaded, names));
    };
    // As the core runs a program, but record by record; the one of this number is spoiled, there and when it is looked for.
    Machine.prototype.core = function (this: Machine, ...given) {
      const real = core.apply(this, given);
      const { image, view } = program as unknown as Inside;
      const { records } = program!.program;
      const one = (at: number) => {
        real.step(at);
        const i = records.findIndex(({ word }) => image + word * 4 === at);
        for (const place of i === target ? records[i]!.writes : []) view.call(program, place)[0] = Number.NaN;
      };
      return {
        ...real,
        step: one,
        run() {
          const flag = () => new Int32Array(machine.memory.buffer as ArrayBuffer, Control.BASE + Control.FLAG, 1);
          const machine = (program as unknown as { machine: Machine }).machine;
          flag()[0] = 0;
          for (const record of records) {
            if (record.op === Op.COMMIT && flag()[0]) return Status.NON_FINITE;
            one(image + record.word * 4);
          }
          return Status.DONE;
        },
      } as unknown as ReturnType<Machine['core']>;
    };
    try {
      step(x, y);
      const { records, cells: kinds } = program!.program;
      const commit = records.findIndex(({ op }) => op === Op.COMMIT);
      const reals = records
        .slice(0, commit)
        .flatMap(({ op, writes }, i) => (op !== Op.CHECK && writes.some(({ dtype }) => dtype === 'f32') ? [i] : []));
      expect(reals.length).toBeGreaterThan(15);
      let found = 0;
      const named = new Set<string>();
      for (target of reals) {
        const before = state();
        let error: { op: string; parameter?: string; name: string } | undefined;
        try {
          step(x, y);
        } catch (thrown) {
          error = thrown as NonNullable<typeof error>;
        }
        // What nobody looks at, the part of a gradient that relu cuts off say, may go unseen: then nothing may be spoiled.
        if (!error) {
          expect(state().flat().every(Number.isFinite)).toBe(true);
          continue;
        }
        found++;
        expect(error.name).toBe('DivergenceError');
        expect(state()).toEqual(before);
        const record = records[target]!;
        expect(
          record.name.split('+').some((part) => error!.op.split('+').includes(part)),
          `${record.name}: ${error.op}`,
        ).toBe(true);
        const { relocations, segments, words } = program!.program;
        const end = records[target + 1]?.word ?? words.length;
        const own = [...relocations.keys()]
          .filter((j) => relocations[j]! >= record.word && relocations[j]! < end)
          .map((j) => names[segments[j]! - Segment.CELLS])
          .filter(Boolean);
        const gradient = kinds.flatMap(({ size }, i) =>
          names[i] && record.writes.some((place) => place.shape.reduce((a, b) => a * b, 1) === size) ? [names[i]] : [],
        );
        if (own.length > 0) expect(own).toContain(error.parameter);
        else if (error.parameter) expect(gradient).toContain(error.parameter);
        if (error.parameter) named.add(error.parameter);
      }
      expect(found).toBeGreaterThan(0.7 * reals.length);
      // Every parameter was to blame at some time; both biases of an LSTM have one gradient.
      const parameters = model.namedParameters().map(([name]) => name);
      for (const name of parameters) if (!name.includes('bias_hh')) expect([...named]).toContain(name);
    } finally {
      LoadedProgram.prototype.run = run;
      Machine.prototype.core = core;
    }
  });
});

it('a run names op, parameter and step, and keeps the weights from before', async () => {
  manualSeed(2);
  const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Linear(4, 2));
  const state = model.stateDict();
  const weight = state['1.weight']!;
  model.loadStateDict({ ...state, '1.weight': weight.mul(0).add(1e38) });
  const run = train({
    ...{ model, loss: (y: Tensor) => y.square().mean(), data: { x: randn([8, 3]).mul(100), y: randn([8]) } },
    optimizer: new optim.SGD(model.parameters()),
  });
  await expect(run.done).rejects.toMatchObject({
    code: 'DIVERGED',
    parameter: '1.weight',
    step: 1,
    message: expect.stringContaining('1.weight'),
  });
  expect(model.stateDict()['0.weight']!.toArray()).toEqual(state['0.weight']!.toArray());
});
