import { expect, it } from 'vitest';
import { ops } from '../../src/graph/define-op';
import { Trace } from '../../src/graph/trace';
import { backward } from '../../src/transform/gradient';
import { cases } from './cases';
import { draws } from './draws';
import { publicFunctions } from './public-functions';

/** Ops that only these tests, test/optim and test/transform reach. */
const OPS_ELSEWHERE = ['random', 'sgd', 'adam', 'transform.barrier', 'transform.checkpoint', 'transform.scan'];

it('every public function of src/ops, and every loss, has twenty rows in the table', async () => {
  const names = await publicFunctions();
  expect(names.length).toBeGreaterThan(110);
  // Where results follow from a seed, random.test.ts says what they must be like.
  const count = (name: string) => draws[name]?.length ?? cases.filter(({ op }) => op === name).length;
  const few = names.filter((name) => count(name) < 20 && name !== 'manualSeed');
  expect(few.map((name) => `${name}: ${count(name)}`)).toEqual([]);
});

it('every registered op is reached by the table, or by gradients of it', () => {
  const reached = new Set(OPS_ELSEWHERE);
  for (const one of cases.filter(({ eagerOnly }) => !eagerOnly)) {
    const trace = new Trace();
    const inputs = one.inputs.map(({ shape, dtype }) => trace.argument({ shape, dtype }));
    trace.record(() => {
      const output = trace.valueOf(one.call('f64', inputs), 'return');
      const wrt = inputs.map((input) => trace.valueOf(input, 'grad'));
      if (output.dtype === 'f64') backward(trace, [output], [trace.argument(output)], wrt);
    });
    for (const { origin } of trace.nodes) if (origin.kind === 'op') reached.add(origin.op.name);
  }
  // Public `grad` renames its arguments by this one.
  reached.add('alias');
  expect([...ops.keys()].filter((name) => !reached.has(name))).toEqual([]);
});
