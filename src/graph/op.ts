import type { Cell } from '../cell';
import type { Aval } from '../shape';
import type { Operand, Tensor } from '../tensor';
import type { Emitter, View } from './emitter';
import type { Value } from './graph';

/** Options of an op: plain data, part of the node's identity. */
export type Options = Record<string, unknown>;

/** What a gradient rule may use: the op's own inputs, outputs (saved residuals among them) and options. */
export interface Residuals<O> {
  inputs: Tensor[];
  outputs: Tensor[];
  options: O;
}

/** A change of a part of a cell. */
export interface Patch {
  /** What it is made of, and what a program checks. */
  values: Value[];
  write: (program: Emitter, cell: View, views: View[]) => void;
}

/** One op, whole: its shape rule, how it runs, and its gradient. */
export interface OpDefinition<O extends object> {
  /** torch's name in camelCase. */
  name: string;
  /** Raised when the same inputs give other bits. */
  version: number;
  /**
   * Shapes and dtypes of the outputs, the result first and what the gradient needs behind it. Throws for bad inputs. An op
   * that is only its meaning needs none.
   */
  shape?: (inputs: Aval[], options: O) => Aval[];
  /** Writes the records that compute `outs` from `ins`. */
  emit?: (program: Emitter, outs: View[], ins: View[], options: O) => void;
  /** How a cell is changed where it lies, of which `value`, a result of this op, is the new value; null where it cannot be. */
  patch?: (cell: Cell, value: Value) => Patch | null;
  /** Whether `emit` can write results with any strides: where only a permutation of one is used, it is written permuted. */
  anyLayout?: boolean;
  /** Whether `emit` reads operands with any strides as it reads others: it has no say in how they are laid out. */
  readsAnyLayout?: boolean;
  /** In place of `emit`, for an op that only looks at its input's memory differently; null where that takes a copy. */
  view?: (x: View, out: Aval, options: O) => View | null;
  /**
   * Cotangents of the inputs from those of the outputs (null: none arrived, or none goes back), written in ops, so that
   * gradients have gradients. A cotangent may have the shape that its input was broadcast to: it is summed back.
   */
  vjp?: (cotangents: (Tensor | null)[], residuals: Residuals<O>) => (Tensor | null)[];
  /**
   * The op in terms of other ops: all there is of an op without `emit` or `view`, else what its fused kernel means. Gradients
   * of an op without `vjp` are those of its meaning.
   */
  meaning?: (inputs: Tensor[], options: O) => Tensor[];
  /** Draws random numbers or has an effect: never computed ahead of the trace. */
  impure?: boolean;
}

/** A defined op; called with tensors (and weak numbers) it computes at once, or becomes a node of the trace. */
export interface Op<O extends object = Options> extends OpDefinition<O> {
  (inputs: Operand[], options?: O): Tensor[];
}
