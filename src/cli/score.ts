import type { NdArray } from '../data/dataset';

/** What a classifier made of some examples, n of them and k classes. */
export interface Classified {
  accuracy: number;
  /** counts[truth][predicted]. */
  counts: number[][];
  /** The most convincing mistake first. */
  mistakes: Mistake[];
}

export interface Mistake {
  example: number;
  truth: number;
  predicted: number;
  /** What the model gave for its wrong answer. */
  probability: number;
}

/** logits [n, k] against labels [n]. */
export function scoreClasses({ shape: [n, k], data }: NdArray, labels: ArrayLike<number>): Classified {
  const counts = Array.from({ length: k! }, () => Array<number>(k!).fill(0));
  const mistakes: Mistake[] = [];
  for (let example = 0; example < n!; example++) {
    const probabilities = softmax(data.subarray(example * k!, (example + 1) * k!));
    const predicted = largest(probabilities);
    const truth = labels[example]!;
    counts[truth]![predicted]!++;
    if (predicted !== truth) mistakes.push({ example, truth, predicted, probability: probabilities[predicted]! });
  }
  mistakes.sort((a, b) => b.probability - a.probability);
  return { accuracy: (n! - mistakes.length) / n!, counts, mistakes };
}

/** The root of the mean square of the differences, in the target's own unit: `std` of what the model was trained on. */
export function rootMeanSquare(outputs: ArrayLike<number>, targets: ArrayLike<number>, std: number): number {
  let sum = 0;
  for (let i = 0; i < targets.length; i++) sum += (outputs[i]! - targets[i]!) ** 2;
  return Math.sqrt(sum / targets.length) * std;
}

/** For people's eyes: Math.exp is not the same to the last bit on every engine. */
export function softmax(logits: ArrayLike<number>): number[] {
  const all = Array.from(logits);
  const most = Math.max(...all);
  const powers = all.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** The place of the largest value, the first of several. */
export function largest(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value > values[best]! ? index : best), 0);
}
