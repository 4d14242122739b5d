import { ShapeError } from '../errors';
import { cast, eq } from '../ops/elementwise';
import { argmax, mean } from '../ops/reduce';
import { sameShape, show } from '../shape';
import type { Tensor } from '../tensor';

/** A traced function of predictions and targets of a batch: a real number of rank 0, averaged over the examples. */
export type Metric = (prediction: Tensor, target: Tensor) => Tensor;

/** The share of rows whose largest logit is at the target's class: logits [N, C], i32 classes [N]. */
export function accuracy(prediction: Tensor, target: Tensor): Tensor {
  const classes = argmax(prediction, { axis: -1 });
  if (!sameShape(classes.shape, target.shape)) {
    throw new ShapeError(
      `targets of shape ${show(target.shape)} do not match predictions of shape ${show(prediction.shape)}.`,
      { op: 'accuracy', argument: 'target', got: target.shape, expected: classes.shape },
    );
  }
  return mean(cast(eq(classes, target), prediction.dtype));
}
