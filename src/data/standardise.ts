import { allocate, dtypeOf, isReal } from '../dtype';
import { DataError, ShapeError } from '../errors';
import { show, sizeOf } from '../shape';
import type { NdArray } from './dataset';

/** Mean and standard deviation (over n, not n - 1) of each feature. */
export interface Statistics {
  readonly mean: Float64Array;
  readonly std: Float64Array;
}

export interface Standardised extends Statistics {
  readonly x: NdArray<Float32Array | Float64Array>;
}

/**
 * (x - mean) / std for each feature of [n, ...features]. Statistics come from `x` itself, or are given: those of the
 * training data, for all data that the model sees later. A feature that never varies has std 1, and so becomes 0.
 */
export function standardise(x: NdArray, statistics: Statistics = statisticsOf(x)): Standardised {
  const { mean, std } = statistics;
  const features = sizeOf(x.shape.slice(1));
  if (mean.length !== features || std.length !== features) {
    throw new ShapeError(
      `x has ${features} features per example, the statistics have ${mean.length}: x is ${show(x.shape)}.`,
      { op: 'standardise', argument: 'statistics', got: mean.length, expected: features },
    );
  }
  const dtype = dtypeOf(x.data);
  const data = allocate(isReal(dtype) ? dtype : 'f32', x.data.length) as Float32Array | Float64Array;
  for (let row = 0; row < data.length; row += features) {
    for (let feature = 0; feature < features; feature++) {
      data[row + feature] = (x.data[row + feature]! - mean[feature]!) / std[feature]!;
    }
  }
  return { x: { shape: x.shape, data }, mean, std };
}

function statisticsOf({ shape, data }: NdArray): Statistics {
  const n = shape[0] ?? 0;
  if (n === 0) {
    throw new DataError(`x has no examples to take statistics of: shape ${show(shape)}.`, {
      op: 'standardise',
      argument: 'x',
      got: shape,
    });
  }
  const features = sizeOf(shape.slice(1));
  const mean = new Float64Array(features);
  const std = new Float64Array(features);
  // Sums of differences from the first example: a constant feature gives exactly 0, where a rounded mean would leave
  // a tiny spread, and dividing by that would blow it up.
  for (let row = 0; row < data.length; row += features) {
    for (let feature = 0; feature < features; feature++) mean[feature]! += data[row + feature]! - data[feature]!;
  }
  for (let feature = 0; feature < features; feature++) mean[feature]! /= n;
  for (let row = 0; row < data.length; row += features) {
    for (let feature = 0; feature < features; feature++) {
      const difference = data[row + feature]! - data[feature]! - mean[feature]!;
      std[feature]! += difference * difference;
    }
  }
  for (let feature = 0; feature < features; feature++) {
    mean[feature]! += data[feature]!;
    std[feature] = Math.sqrt(std[feature]! / n) || 1;
  }
  return { mean, std };
}
