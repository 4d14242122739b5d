import { afterAll, expect, it } from 'vitest';
import { Control, SCRATCH_BYTES } from '../../assembly/isa';
import { theMachine } from '../../src/graph/execute';
import { type Lowered, lower } from '../../src/graph/lower';
import { Trace } from '../../src/graph/trace';
import { Machine } from '../../src/machine/machine';
import { matmul } from '../../src/ops/matmul';
import { Tensor } from '../../src/tensor';
import { decode, expectSameBits, numbers } from '../reference';

// Nothing above has an op that needs the extension: a machine starts without it, and gets it later.

const machine = new Machine(true);
afterAll(() => machine.close());

const x = decode(numbers([500, 500], 1), 'f32');

function lowered(f: (x: Tensor) => Tensor): Lowered {
  const trace = new Trace();
  const symbol = trace.argument(x);
  return lower(trace.close(trace.record(() => [f(symbol)])));
}

function run({ program }: Lowered, threads: number): Tensor {
  const loaded = machine.load(program, []);
  try {
    loaded.run(() => loaded.input(0).set(x.values()), threads);
    const { shape, dtype } = program.outputs[0]!;
    return new Tensor(shape, dtype, loaded.output(0));
  } finally {
    loaded.unload();
  }
}

/** Runs on two threads until the second one has left something in its scratch memory, as products do; every result. */
async function runUntilShared(program: Lowered): Promise<Tensor[]> {
  const scratch = () =>
    new Uint8Array(
      machine.memory.buffer,
      machine.control(Control.SCRATCH)[0]! + SCRATCH_BYTES,
      SCRATCH_BYTES - 64, // its ticket is behind
    );
  const results: Tensor[] = [];
  if (machine.memory.shared) scratch().fill(0);
  do {
    results.push(run(program, 2));
    await new Promise((resolve) => setTimeout(resolve, 1));
  } while (scratch().every((byte) => byte === 0));
  return results;
}

it('core and threads that started without the extension are followed by some that have it', async () => {
  theMachine();
  const product = lowered((a) => matmul(a, a));
  expect(product.program.extended).toBe(false);
  await runUntilShared(product);
  const before = run(product, 1);

  const { argsort } = await import('../../src/ops/sort');
  const order = lowered((a) => argsort(matmul(a, a), { axis: 0 }));
  expect(order.program.extended).toBe(true);
  const wanted = argsort(before, { axis: 0 });
  for (const result of [run(order, 1), ...(await runUntilShared(order))]) expectSameBits(result, wanted);
  // And programs that do not need it go on as they were.
  for (const result of await runUntilShared(product)) expectSameBits(result, before);
}, 30_000);
