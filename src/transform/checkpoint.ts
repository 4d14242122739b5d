import { isReal } from '../dtype';
import { defineOp } from '../graph/define-op';
import type { Op } from '../graph/op';
import { activeTrace, assign, symbol } from '../graph/trace';
import { copyMoved } from '../ops/dynamic-slice';
import { defineExtensionOp } from '../ops/extension';
import { aliasOp } from '../ops/movement';
import type { Tensor } from '../tensor';
import { type Body, Numbered, replay, traceBody } from './body';
import { backward } from './gradient';
import { flattenTree } from './tree';

/**
 * x, but not before the other inputs are there: what is computed of the result is neither one with what was computed of x, nor done
 * as early. x lies where it lay, if nobody else needs it.
 */
const barrierOp = /* @__PURE__ */ defineExtensionOp({
  name: 'transform.barrier',
  version: 1,
  shape: ([x]) => [x!],
  emit: (program, [out], [x, after]) => {
    program.name = 'checkpoint';
    copyMoved(program, out!, program.contiguous(x!), null, after);
  },
  vjp: ([g]) => [g!],
});

class Inside extends Numbered {
  constructor(readonly body: Body) {
    super();
  }
}

/** Around what a body is replayed to; the gradient replays it once more. */
const checkpointOp: Op<{ inside: Inside }> = /* @__PURE__ */ defineOp<{ inside: Inside }>({
  name: 'transform.checkpoint',
  version: 1,
  meaning: (inputs, { inside: { body } }) => replay(activeTrace()!, resultsOf(body), bind(body, inputs)),
  vjp: (cotangents, { inputs, options: { inside } }) => {
    const { body } = inside;
    const trace = activeTrace()!;
    const after = cotangents.find((g) => g !== null)!;
    // Constants are held back only where nothing else tells the two computations apart. All get new names, since what is given may depend
    // on a constant as well.
    const held = body.given.length || inputs.length;
    const own = inputs.map((x, i) => (i < held ? barrierOp([x, after]) : aliasOp([x]))[0]!);
    const outputs = replay(trace, resultsOf(body), bind(body, own)).map((y) => trace.valueOf(y, 'checkpoint'));
    const wrt = own.filter(({ dtype }) => isReal(dtype));
    const grads = backward(
      trace,
      outputs,
      cotangents,
      wrt.map((x) => trace.valueOf(x, 'checkpoint')),
    );
    return own.map((x) => (isReal(x.dtype) ? grads[wrt.indexOf(x)]! : null));
  },
});

const resultsOf = ({ outputs, changes }: Body) => [...outputs, ...changes.map(({ after }) => after)];

/** Inputs of the op by what stands for them in the body: given, cells that change, constants. */
function bind({ given, changes, constants }: Body, inputs: readonly Tensor[]) {
  const values = [...given, ...changes.map(({ before }) => before), ...constants.map(({ value }) => value)];
  return new Map(values.map((value, i) => [value, inputs[i]!]));
}

// biome-ignore lint/suspicious/noExplicitAny: any function of trees of tensors
type AnyFunction = (...args: any[]) => any;

/**
 * f, whose gradient computes f's inside again in place of keeping it (jax.checkpoint; Chen et al. 2016, section 3): of a chain of such
 * functions what lies between them is kept, and the inside of one at a time. Values, gradients and random draws are the same to the last
 * bit. Arguments and results are trees of tensors; what f takes from outside, parameters say, is kept anyway.
 */
export function checkpoint<F extends AnyFunction>(f: F): (...args: Parameters<F>) => ReturnType<F> {
  return (...args) => {
    const trace = activeTrace();
    if (!trace) return f(...args);
    const { leaves, rebuild } = flattenTree(args);
    let result: ReturnType<typeof flattenTree<ReturnType<F>>> | null = null;
    const body = traceBody(trace, leaves, (given) => {
      result = flattenTree(f(...(rebuild(given) as Parameters<F>)));
      return result.leaves;
    });
    const { changes, constants } = body;
    const inputs = [
      ...leaves,
      ...changes.map(({ cell }) => symbol(trace.read(cell))),
      ...constants.map(({ outer }) => outer),
    ];
    const outputs = checkpointOp(inputs, { inside: new Inside(body) });
    changes.forEach(({ cell }, i) => {
      assign(cell, outputs[result!.leaves.length + i]!);
    });
    return result!.rebuild(outputs);
  };
}
