import { describe, expect, it } from 'vitest';
import { type Real, vjp } from 'wasmgrad';
import { decode, expectClose } from '../reference';
import { cases, ofReals, realInputs } from './cases';

const ops = [...new Set(cases.map(({ op }) => op))];

describe.each(['f64', 'f32'] as Real[])('in %s', (real) => {
  it.each(ops)('%s gives the reference’s values and dtype', (op) => {
    for (const one of cases.filter((each) => each.op === op)) {
      const result = one.call(
        real,
        one.inputs.map((input) => decode(input, real)),
      );
      expectClose(result, one.output, one.title, real);
      if (!one.anyDtype) expect(result.dtype, one.title).toBe(one.output.dtype === 'f64' ? real : one.output.dtype);
    }
  });

  it.each(ops.filter((op) => cases.some((one) => one.op === op && one.grads)))('%s has PyTorch’s gradients', (op) => {
    for (const one of cases.filter((each) => each.op === op && each.grads)) {
      const { f, xs } = ofReals(one, real);
      const { value, pullback } = vjp(f)(...xs);
      const back = pullback(decode(one.cotangent!, value.dtype as Real));
      const grads = Array.isArray(back) ? back : [back];
      realInputs(one).forEach((at, i) => {
        const { shape } = one.inputs[at]!;
        const wanted = one.grads![at] ?? { shape, data: new Array<number>(grads[i]!.size).fill(0) };
        expectClose(grads[i]!, wanted, `gradient ${at} of ${one.title}`);
      });
    }
  });
});
