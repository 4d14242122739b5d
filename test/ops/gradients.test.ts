import { expect, it } from 'vitest';
import { checkGradients } from 'wasmgrad';
import { cases, ofReals, realInputs } from './cases';

const ops = [...new Set(cases.filter(({ smooth }) => smooth).map(({ op }) => op))];

it.each(ops)('%s: gradients of both orders agree with central differences', (op) => {
  for (const one of cases.filter((each) => each.op === op && each.smooth)) {
    // What PyTorch has no gradient of, such as targets of 1 and -1, may be no continuous input.
    const { f, xs } = ofReals(
      one,
      'f64',
      realInputs(one).filter((at) => one.grads?.[at] !== null),
    );
    // The second order of big tensors says nothing that small ones do not.
    const order = xs.every(({ size }) => size <= 1000) ? 2 : 1;
    const { error, numeric, analytic } = checkGradients(f, xs, { order });
    expect(error, `${one.title}: ${numeric} by differences, ${analytic} by gradients`).toBeLessThan(1e-6);
  }
});
