import { ShapeError } from '../errors';
import { crossEntropy } from '../nn/loss/classes';
import { cast, eq, exp } from '../ops/elementwise';
import { reshape } from '../ops/movement';
import { argmax, mean } from '../ops/reduce';
import { sameShape, show } from '../shape';
import type { Tensor } from '../tensor';

/** A traced function of predictions and targets of a batch: a real number of rank 0, averaged over the examples. */
export type Metric = (prediction: Tensor, target: Tensor) => Tensor;

/** The share of rows whose largest logit is at the target's class: logits [N, C], i32 classes [N]. */
export function accuracy(prediction: Tensor, target: Tensor): Tensor {
  checkTargets('accuracy', prediction, target);
  const classes = argmax(prediction, { axis: -1 });
  return mean(cast(eq(classes, target), prediction.dtype));
}

/**
 * e to the mean cross-entropy of a batch: how many classes a prediction wavers between. Logits [..., C], i32 classes [...], of a language model
 * say. Of several batches the perplexities are averaged, as all metrics are; e to the loss that `evaluate` gives is that of all together.
 */
export function perplexity(prediction: Tensor, target: Tensor): Tensor {
  checkTargets('perplexity', prediction, target);
  return exp(crossEntropy(reshape(prediction, [-1, prediction.shape.at(-1)!]), reshape(target, [-1])));
}

/** Throws unless there is a class for each row of logits. */
function checkTargets(op: string, prediction: Tensor, target: Tensor): void {
  const expected = prediction.shape.slice(0, -1);
  if (prediction.rank > 0 && sameShape(expected, target.shape)) return;
  throw new ShapeError(
    `targets of shape ${show(target.shape)} do not match predictions of shape ${show(prediction.shape)}.`,
    { op, argument: 'target', got: target.shape, expected },
  );
}
