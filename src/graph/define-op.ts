import { Cell } from '../cell';
import { DtypeError } from '../errors';
import { checkNumber, full, type Operand, Tensor } from '../tensor';
import type { Emitter, View } from './emitter';
import { runEager } from './execute';
import type { Aval, Options } from './graph';
import { activeTrace, leaked } from './trace';

/** What a gradient rule may use: the op's own inputs, outputs (saved residuals among them) and options. */
export interface Residuals<O> {
  inputs: Tensor[];
  outputs: Tensor[];
  options: O;
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
  /** Whether `emit` can write results with any strides: where only a permutation of one is used, it is written permuted. */
  anyLayout?: boolean;
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

/** Every op by name: for serialised graphs and the generated table. */
export const ops = new Map<string, Op>();

export function defineOp<O extends object = Options>(definition: OpDefinition<O>): Op<O> {
  const op = ((inputs: Operand[], options: O = {} as O) =>
    apply(op as unknown as Op, inputs, options as Options)) as unknown as Op<O>;
  // Not Object.assign: a function's own name cannot be assigned, only defined.
  for (const [key, value] of Object.entries(definition)) Object.defineProperty(op, key, { value });
  ops.set(definition.name, op as unknown as Op);
  return op;
}

/** The dtype that plain numbers take here: that of the first tensor beside them that is not a mere condition. */
function weakDtype(inputs: Operand[]): Tensor['dtype'] {
  const tensors = inputs.filter((input) => input instanceof Tensor);
  return (tensors.find(({ dtype }) => dtype !== 'bool') ?? tensors[0])?.dtype ?? 'f32';
}

function apply(op: Op, inputs: Operand[], options: Options): Tensor[] {
  const weak = weakDtype(inputs);
  const avals = inputs.map((input): Aval => {
    if (typeof input !== 'number') {
      if (input instanceof Tensor) return input;
      throw new DtypeError(`an input must be a tensor or a number; got ${input === null ? 'null' : typeof input}.`, {
        op: op.name,
        argument: 'input',
        got: String(input),
      });
    }
    checkNumber(op.name, input, weak);
    return { shape: [], dtype: weak };
  });
  if (!op.emit && !op.view) return compose(op, inputs, avals, options);
  const outputs = op.shape!(avals, options);
  const trace = activeTrace();
  const symbolic = inputs.some(
    (input) => input instanceof Cell || (input instanceof Tensor && 'traced' in input.source),
  );
  if (trace && (symbolic || op.impure)) return trace.append(op, inputs, avals, options, outputs);
  if (inputs.some((input) => input instanceof Tensor && 'traced' in input.source)) throw leaked(op.name);
  return runEager(op, inputs, avals, options, outputs);
}

/**
 * An op without a kernel is its meaning. With a gradient of its own it is, in a trace, also a node around that meaning: its
 * inputs, then the meaning's results, which it passes on.
 */
function compose(op: Op, inputs: Operand[], avals: Aval[], options: Options): Tensor[] {
  const tensors = inputs.map((input, i) => (typeof input === 'number' ? full([], input, avals[i]!) : input));
  const results = op.meaning!(tensors, options);
  const trace = activeTrace();
  if (!trace || !op.vjp || !results.some((result) => 'traced' in result.source)) return results;
  const around = [...tensors, ...results];
  return trace.append(op, around, around, options, results);
}
