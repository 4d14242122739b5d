import type { NestedNumbers } from './metrics';
import type { Rows } from './protocol';

export const countRows = (rows: Rows): number => rows[0]!.shape[0]!;

/** Row-major values as nested arrays of a shape of rank 1 or more. */
export function nested(values: ArrayLike<number>, shape: readonly number[]): NestedNumbers {
  const [n, ...rest] = shape as [number, ...number[]];
  const width = values.length / n;
  return Array.from({ length: n }, (_, i) =>
    rest.length === 0
      ? values[i]!
      : nested(
          Array.from({ length: width }, (_, j) => values[i * width + j]!),
          rest,
        ),
  );
}
