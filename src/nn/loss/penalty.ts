import { isReal } from '../../dtype';
import { DtypeError, ValueError } from '../../errors';
import { abs, add, mul, square } from '../../ops/elementwise';
import { sum } from '../../ops/reduce';
import { checkOption, Tensor } from '../../tensor';

// What large weights cost: one number of rank 0, to be added to a loss, by which it gets its part of the gradient. In `train` the loss
// is a function that knows the model, and what validation reports then has the penalty in it:
//
//     loss: (prediction, target) => crossEntropy(prediction, target).add(l1Penalty(model.parameters(), 1e-4))

function penalty(
  op: string,
  parameters: readonly Tensor[],
  weight: number,
  cost: (x: Tensor) => Tensor,
  factor: number,
): Tensor {
  checkOption(op, 'weight', weight, Number.isFinite(weight), 'a finite number');
  if (!Array.isArray(parameters) || parameters.length === 0) {
    throw new ValueError('there are no parameters; pass a list, such as model.parameters().', {
      op,
      argument: 'parameters',
      got: parameters,
    });
  }
  const costs = parameters.map((x, i) => {
    if (!(x instanceof Tensor && isReal(x.dtype))) {
      const got = x instanceof Tensor ? x.dtype : typeof x;
      throw new DtypeError(`parameter ${i} must be a tensor of dtype f32 or f64; got ${got}.`, {
        op,
        argument: 'parameters',
        got,
        expected: 'f32, f64',
      });
    }
    return sum(cost(x));
  });
  return mul(
    costs.reduce((total, one) => add(total, one)),
    weight * factor,
  );
}

/**
 * weight · Σ |w| over all elements of the parameters, which drives those that matter little to 0 (Tibshirani 1996): any shapes -> []. The
 * slope at 0 is 0. Throws a ValueError without parameters and unless the weight is finite, a DtypeError unless they are real.
 */
export function l1Penalty(parameters: readonly Tensor[], weight: number): Tensor {
  return penalty('l1Penalty', parameters, weight, abs, 1);
}

/**
 * weight · ½ Σ w² over all elements of the parameters (Krogh & Hertz 1991): any shapes -> []. Its gradient is weight · w, that of an
 * optimizer's `weightDecay`, which costs nothing to compute; here it can be for some parameters, and is part of the loss. Throws a
 * ValueError without parameters and unless the weight is finite, a DtypeError unless they are real.
 */
export function l2Penalty(parameters: readonly Tensor[], weight: number): Tensor {
  return penalty('l2Penalty', parameters, weight, square, 0.5);
}
