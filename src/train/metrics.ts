import { DtypeError, ShapeError } from '../errors';
import { crossEntropy } from '../nn/loss/classes';
import {
  abs,
  add,
  cast,
  clamp,
  div,
  eq,
  floor,
  gt,
  lt,
  maximum,
  mul,
  sigmoid,
  sqrt,
  square,
  sub,
  where,
} from '../ops/elementwise';
import { gather, oneHot } from '../ops/gather';
import { indexAdd } from '../ops/indexing';
import { matmul } from '../ops/matmul';
import { reshape, transpose, unsqueeze } from '../ops/movement';
import { argmax, cumsum, mean, sum } from '../ops/reduce';
import { sameShape, show } from '../shape';
import { checkCounts, checkOption, eye, full, type Tensor, zeros } from '../tensor';

/** A traced function of predictions and targets of a batch: a real number of rank 0, averaged over the examples. */
export type MeanMetric<P = Tensor, T = Tensor> = (prediction: P, target: T) => Tensor;

/** Numbers in nested arrays. */
export type NestedNumbers = readonly (number | NestedNumbers)[];

/**
 * What cannot be averaged: traced functions that keep a state from batch to batch, and make of it what is told of an epoch. The state is cells, which
 * a checkpoint holds with all others.
 */
// biome-ignore lint/suspicious/noExplicitAny: a state may be any tree of tensors
export interface StatefulMetric<S = any, V extends number | NestedNumbers = number, P = Tensor, T = Tensor> {
  /** Before any example. Of predictions and targets it may look at shapes and dtypes, not at numbers. */
  init(prediction: P, target: T): S;
  update(state: S, prediction: P, target: T): S;
  /** A real number of rank 0, or more of them. */
  compute(state: S): Tensor;
  /** Only for the types: what `compute` comes to. */
  readonly value?: V;
}

export type Metric<P = Tensor, T = Tensor> =
  | MeanMetric<P, T>
  // biome-ignore lint/suspicious/noExplicitAny: of any state
  | StatefulMetric<any, number | NestedNumbers, P, T>;

/** The share of rows whose largest logit is at the target's class: logits [..., C], i32 classes [...]. */
export function accuracy(prediction: Tensor, target: Tensor): Tensor {
  checkTargets('accuracy', prediction, target);
  const classes = argmax(prediction, { axis: -1 });
  return mean(cast(eq(classes, target), prediction.dtype));
}

/** The share of rows whose target's class is among the k largest logits: logits [..., C], i32 classes [...]. Equal ones count for it. */
export function topKAccuracy(k: number): MeanMetric {
  checkCounts('topKAccuracy', { k });
  return (prediction, target) => {
    checkTargets('topKAccuracy', prediction, target);
    const own = gather(prediction, unsqueeze(target, -1), { axis: -1 });
    const above = sum(cast(gt(prediction, own), prediction.dtype), { axis: -1 });
    return mean(cast(lt(above, k), prediction.dtype));
  };
}

/** The mean of |prediction - target| over all elements. */
export function meanAbsoluteError(prediction: Tensor, target: Tensor): Tensor {
  return mean(abs(sub(prediction, alike('meanAbsoluteError', prediction, target))));
}

/** How many elements there were, and the mean of something over them. */
interface Mean {
  count: Tensor;
  mean: Tensor;
}

/** The mean over what was there and what is new: no sum grows beyond what its precision can hold. */
function blend({ count, mean: before }: Mean, newest: Tensor, n: number): Mean {
  const all = add(count, n);
  return { count: all, mean: add(before, mul(sub(newest, before), div(full([], n, count), all))) };
}

const nothing = (like: Tensor, shape: readonly number[] = []): Mean => ({
  count: zeros([], like),
  mean: zeros(shape, like),
});

/** The root of the mean of (prediction - target)² over all elements. */
export const rootMeanSquaredError: StatefulMetric<Mean> = {
  init: (prediction) => nothing(prediction),
  update: (state, prediction, target) =>
    blend(state, mean(square(sub(prediction, alike('rootMeanSquaredError', prediction, target)))), prediction.size),
  compute: ({ mean: all }) => sqrt(all),
};

/**
 * e to the mean cross-entropy: how many classes a prediction wavers between. Logits [..., C], i32 classes [...], of a language model say.
 */
export const perplexity: StatefulMetric<Mean> = {
  init(prediction, target) {
    checkTargets('perplexity', prediction, target);
    return nothing(prediction);
  },
  update: (state, prediction, target) =>
    blend(state, crossEntropy(reshape(prediction, [-1, prediction.shape.at(-1)!]), reshape(target, [-1])), target.size),
  compute: ({ mean: all }) => all.exp(),
};

interface Spread extends Mean {
  /** Σ (target - mean)², and Σ (target - prediction)², a number a column. */
  total: Tensor;
  residual: Tensor;
}

/**
 * The share of the targets' variance that is predicted, 1 - Σ(y - ŷ)² / Σ(y - ȳ)², of each column, and the mean over the columns: [N, …]. Of targets that
 * are all the same it is 1 where all are predicted and else 0, as in scikit-learn. The sums of batches are joined as in Chan et al. 1979.
 */
export const r2Score: StatefulMetric<Spread> = {
  init(prediction) {
    const columns = [prediction.size / prediction.shape[0]!];
    const none = () => zeros(columns, prediction);
    return { ...nothing(prediction, columns), total: none(), residual: none() };
  },
  update({ count, mean: before, total, residual }, prediction, target) {
    const n = prediction.shape[0]!;
    const y = reshape(alike('r2Score', prediction, target), [n, -1]);
    const own = mean(y, { axis: 0 });
    const apart = sub(own, before);
    const state = blend({ count, mean: before }, own, n);
    const between = mul(square(apart), div(mul(count, n), state.count));
    return {
      ...state,
      total: add(add(total, sum(square(sub(y, own)), { axis: 0 })), between),
      residual: add(residual, sum(square(sub(reshape(prediction, [n, -1]), y)), { axis: 0 })),
    };
  },
  compute({ total, residual }) {
    const isFlat = eq(total, 0);
    const flat = cast(eq(residual, 0), residual.dtype);
    return mean(where(isFlat, flat, sub(1, div(residual, where(isFlat, 1, total)))));
  },
};

/**
 * How often each class (rows) was taken for each (columns): [C, C]. Logits [..., C] with i32 classes [...]; or, of two classes, one real number each,
 * as for `binaryCrossEntropyWithLogits`: above 0 it says class 1.
 */
export const confusionMatrix: StatefulMetric<Tensor, NestedNumbers> = {
  init: (prediction, target) => counts('confusionMatrix', 0).init(prediction, target),
  update: (state, prediction, target) => counts('confusionMatrix', 0).update(state, prediction, target),
  compute: (state) => state,
};

export interface ClassificationOptions {
  /**
   * `macro`: the mean over the classes that there are, in targets or predictions. `micro`: of all classes together. `binary`: of class 1 alone, the default
   * where predictions are single numbers. `none`: of each class.
   */
  average?: 'macro' | 'micro' | 'binary' | 'none';
  /** Single numbers above it are class 1. */
  threshold?: number;
}

type Score = StatefulMetric<Tensor, number>;
type Scores = StatefulMetric<Tensor, NestedNumbers>;

/** Of the examples that were taken for a class, the share that are of it; 0 where there are none. Predictions as `confusionMatrix`'s. */
export function precision(options: ClassificationOptions & { average: 'none' }): Scores;
export function precision(options?: ClassificationOptions): Score;
export function precision(options: ClassificationOptions = {}): StatefulMetric<Tensor, number | NestedNumbers> {
  return score('precision', options, (right, taken) => ratio(right, taken));
}

/** Of the examples of a class, the share that were taken for it; 0 where there are none. */
export function recall(options: ClassificationOptions & { average: 'none' }): Scores;
export function recall(options?: ClassificationOptions): Score;
export function recall(options: ClassificationOptions = {}): StatefulMetric<Tensor, number | NestedNumbers> {
  return score('recall', options, (right, _, own) => ratio(right, own));
}

/** 2 · precision · recall / (precision + recall), as 2 · right / (taken + own); 0 where there are none. */
export function f1Score(options: ClassificationOptions & { average: 'none' }): Scores;
export function f1Score(options?: ClassificationOptions): Score;
export function f1Score(options: ClassificationOptions = {}): StatefulMetric<Tensor, number | NestedNumbers> {
  return score('f1Score', options, (right, taken, own) => ratio(mul(right, 2), add(taken, own)));
}

const ratio = (part: Tensor, all: Tensor) => div(part, maximum(all, 1));

function score(
  op: string,
  { average, threshold = 0 }: ClassificationOptions,
  of: (right: Tensor, taken: Tensor, own: Tensor) => Tensor,
): StatefulMetric<Tensor> {
  const kinds = ['macro', 'micro', 'binary', 'none'];
  checkOption(op, 'average', average, average === undefined || kinds.includes(average), kinds.join(', '));
  checkOption(op, 'threshold', threshold, Number.isFinite(threshold), 'a number');
  const state = counts(op, threshold);
  let isBinary = average === 'binary';
  return {
    init(prediction, target) {
      if (average === undefined) isBinary = prediction.rank === target.rank;
      return state.init(prediction, target);
    },
    update: state.update,
    compute(matrix) {
      const classes = matrix.shape[0]!;
      const right = sum(mul(matrix, eye(classes, classes, matrix)), { axis: 0 });
      const [taken, own] = [sum(matrix, { axis: 0 }), sum(matrix, { axis: 1 })];
      if (average === 'micro') return of(sum(right), sum(taken), sum(own));
      const each = of(right, taken, own);
      if (average === 'none') return each;
      if (isBinary) return reshape(each.slice('1:2'), []);
      const isThere = cast(gt(add(taken, own), 0), matrix.dtype);
      return ratio(sum(mul(each, isThere)), sum(isThere));
    },
  };
}

/** The state that all of those share: targets' classes by predictions' classes. */
function counts(op: string, threshold: number): Omit<StatefulMetric<Tensor>, 'compute'> {
  const classesOf = (prediction: Tensor, target: Tensor) =>
    prediction.rank > target.rank ? prediction.shape.at(-1)! : 2;
  return {
    init(prediction, target) {
      if (prediction.rank > target.rank) checkTargets(op, prediction, target);
      else alike(op, prediction, target);
      const classes = classesOf(prediction, target);
      return zeros([classes, classes], prediction);
    },
    update(matrix, prediction, target) {
      const numClasses = classesOf(prediction, target);
      const { dtype } = matrix;
      const guess =
        prediction.rank > target.rank ? argmax(prediction, { axis: -1 }) : cast(gt(prediction, threshold), 'i32');
      const rows = (classes: Tensor) => oneHot(reshape(cast(classes, 'i32'), [-1]), { numClasses, dtype });
      return add(matrix, matmul(transpose(rows(target)), rows(guess)));
    },
  };
}

interface Ranks {
  positive: Tensor;
  negative: Tensor;
}

/**
 * The area under the receiver operating characteristic: how often an example of class 1 has a higher score than one of class 0, equal ones half (Hanley &
 * McNeil 1982). Scores, probabilities or logits, and targets of 0 and 1, of one shape. Scores count as equal where they are in the same of so many
 * `bins` of sigmoid(score), so that the state does not grow with the data. 0.5 where a class is missing.
 */
export function auc({ bins = 8192 }: { bins?: number } = {}): StatefulMetric<Ranks> {
  checkCounts('auc', { bins });
  return {
    init(prediction, target) {
      alike('auc', prediction, target);
      const none = () => zeros([bins], prediction);
      return { positive: none(), negative: none() };
    },
    update({ positive, negative }, prediction, target) {
      const bin = clamp(floor(mul(sigmoid(reshape(prediction, [-1])), bins)), { min: 0, max: bins - 1 });
      const index = cast(bin, 'i32');
      const isPositive = reshape(cast(target, prediction.dtype), [-1]);
      return {
        positive: indexAdd(positive, index, isPositive, { axis: 0 }),
        negative: indexAdd(negative, index, sub(1, isPositive), { axis: 0 }),
      };
    },
    compute({ positive, negative }) {
      const all = mul(sum(positive), sum(negative));
      const below = sub(cumsum(negative, { axis: 0 }), mul(negative, 0.5));
      const area = div(sum(mul(positive, below)), maximum(all, 1));
      return where(gt(all, 0), area, 0.5);
    },
  };
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

/** The target as a number for each prediction; throws unless it is. */
function alike(op: string, prediction: Tensor, target: Tensor): Tensor {
  if (!sameShape(prediction.shape, target.shape)) {
    throw new ShapeError(
      `targets of shape ${show(target.shape)} do not match predictions of shape ${show(prediction.shape)}.`,
      { op, argument: 'target', got: target.shape, expected: prediction.shape },
    );
  }
  if (prediction.dtype !== 'f32' && prediction.dtype !== 'f64') {
    throw new DtypeError(`predictions must be real; got ${prediction.dtype}.`, {
      op,
      argument: 'prediction',
      got: prediction.dtype,
    });
  }
  return cast(target, prediction.dtype);
}
