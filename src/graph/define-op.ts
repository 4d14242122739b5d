import { Cell } from '../cell';
import { DtypeError, ValueError } from '../errors';
import type { Aval } from '../shape';
import { checkNumber, full, type Operand, Tensor } from '../tensor';
import { runEager } from './execute';
import type { Op, OpDefinition, Options } from './op';
import { activeTrace, leaked } from './trace';

/** Every op by name: for serialised graphs and the generated table. */
export const ops = new Map<string, Op>();

/**
 * An op from its definition, see `OpDefinition`: called with a list of tensors (and plain numbers, which take the dtype of what they
 * meet) and its options, it returns the list of its results, at once or as nodes of a trace. From outside the package an op is made of others:
 * its `meaning`, and where the gradient of that is not what is wanted a `vjp`; a prefix such as 'mine.' keeps its name apart. Throws a ValueError
 * for a definition that does not say what the op is.
 */
export function defineOp<O extends object = Options>(definition: OpDefinition<O>): Op<O> {
  const { name, ...rest } = definition;
  if (!(rest.emit ?? rest.view ?? rest.meaning)) {
    throw new ValueError('an op needs its meaning.', { op: name, argument: 'meaning' });
  }
  const op = ((inputs: Operand[], options: O = {} as O) =>
    apply(op as unknown as Op, inputs, options as Options)) as unknown as Op<O>;
  // A function's own name cannot be assigned, only defined.
  Object.defineProperty(Object.assign(op, rest), 'name', { value: name });
  ops.set(name, op as unknown as Op);
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
