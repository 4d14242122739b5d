import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, permute, type Real, Tensor, vjp } from 'wasmgrad';
import { Control, SCRATCH_BYTES } from '../../assembly/isa';
import { theMachine } from '../../src/graph/execute';
import { type Lowered, lower } from '../../src/graph/lower';
import { Trace } from '../../src/graph/trace';
import { Machine } from '../../src/machine/machine';
import { decode, expectSameBits, numbers } from '../reference';
import { cases, ofReals } from './cases';

// Every case of the table in every mode, to the last bit: eager, compiled, on two threads, on unshared memory, on operands
// with other strides, with its gradients in the same program.

const machines = { shared: new Machine(true), unshared: new Machine(false) };
afterAll(() => {
  for (const machine of Object.values(machines)) machine.close();
});

// A helper thread takes a while to start, and a run does not wait for it. What shows that it takes part is its scratch
// memory, which packs of GEMM fill.
beforeAll(async () => {
  theMachine();
  for (const real of ['f32', 'f64'] as Real[]) {
    const x = decode(numbers([500, 500], 1), real);
    const program = lowered(([a]) => [a!.matmul(a!)], [x]);
    const taken = () =>
      new Uint8Array(machines.shared.memory.buffer, scratchOf(1), SCRATCH_BYTES).some((byte) => byte !== 0);
    do {
      runOn(machines.shared, program, [x], 2);
      await new Promise((resolve) => setTimeout(resolve, 1));
    } while (!taken());
    new Uint8Array(machines.shared.memory.buffer, scratchOf(1), SCRATCH_BYTES).fill(0);
  }
}, 30_000);

const scratchOf = (thread: number) => machines.shared.control(Control.SCRATCH)[0]! + thread * SCRATCH_BYTES;

function runOn(machine: Machine, { program }: Lowered, inputs: Tensor[], threads: number): Tensor[] {
  const loaded = machine.load(program, []);
  try {
    loaded.run(() => {
      inputs.forEach((input, i) => {
        loaded.input(i).set(input.values());
      });
    }, threads);
    return program.outputs.map(({ shape, dtype }, i) => new Tensor(shape, dtype, loaded.output(i)));
  } finally {
    loaded.unload();
  }
}

function lowered(f: (inputs: Tensor[]) => Tensor[], inputs: Tensor[]): Lowered {
  const trace = new Trace();
  const symbols = inputs.map((input) => trace.argument(input));
  return lower(trace.close(trace.record(() => f(symbols))));
}

/** With its axes the other way round: turned twice, an operand is as it was, but lies in memory otherwise. */
const turned = (x: Tensor) =>
  permute(
    x,
    x.shape.map((_, axis) => x.rank - 1 - axis),
  );

const ops = [...new Set(cases.map(({ op }) => op))];

describe.each(['f64', 'f32'] as Real[])('in %s', (real) => {
  it.each(ops)('%s gives the same bits in every mode', (op) => {
    for (const one of cases.filter((each) => each.op === op && !each.eagerOnly)) {
      const inputs = one.inputs.map((input) => decode(input, real));
      const eager = one.call(real, inputs);
      const f = (...xs: Tensor[]) => one.call(real, xs);
      expectSameBits(compile(f)(...inputs), eager, `compiled ${one.title}`);
      const program = lowered((xs) => [f(...xs)], inputs);
      expectSameBits(runOn(machines.shared, program, inputs, 2)[0]!, eager, `two threads, ${one.title}`);
      expectSameBits(runOn(machines.unshared, program, inputs, 1)[0]!, eager, `unshared memory, ${one.title}`);
      if (inputs.every(({ rank }) => rank < 2)) continue;
      const other = lowered((xs) => [f(...xs.map(turned))], inputs.map(turned));
      const strided = runOn(machines.shared, other, inputs.map(turned), 2)[0]!;
      expectSameBits(strided, eager, `strided operands, ${one.title}`);
    }
  });

  it.each(ops.filter((op) => cases.some((one) => one.op === op && (one.grads || one.smooth))))(
    'gradients of %s have the same bits in every mode',
    (op) => {
      for (const one of cases.filter((each) => each.op === op && (each.grads || each.smooth))) {
        const { f, xs } = ofReals(one, real);
        const { value, pullback } = vjp(f)(...xs);
        const cotangent = decode(numbers([...value.shape], 99), value.dtype as Real);
        const eager = [pullback(cotangent)].flat();
        const all = ([g, ...at]: Tensor[]) => {
          const inner = vjp(f)(...at);
          return [inner.value, ...[inner.pullback(g!)].flat()];
        };
        const program = lowered(all, [cotangent, ...xs]);
        for (const [mode, machine, threads] of [
          ['one thread', machines.shared, 1],
          ['two threads', machines.shared, 2],
          ['unshared memory', machines.unshared, 1],
        ] as const) {
          const results = runOn(machine, program, [cotangent, ...xs], threads);
          expect(results).toHaveLength(eager.length + 1);
          [value, ...eager].forEach((wanted, i) => {
            expectSameBits(results[i]!, wanted, `${mode}, result ${i} of the gradient of ${one.title}`);
          });
        }
      }
    },
  );
});
