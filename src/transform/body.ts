import { Cell } from '../cell';
import { reachable, type Value } from '../graph/graph';
import { symbol, Trace } from '../graph/trace';
import type { Aval } from '../shape';
import type { Operand, Tensor } from '../tensor';

let counted = 0;

/** A graph as an option of an op: in the op's identity a number stands for it. */
export class Numbered {
  private readonly id = ++counted;

  toJSON(): number {
    return this.id;
  }
}

/** A function as a graph of its own, which depends on nothing but its arguments. */
export interface Body {
  /** Those that were asked for. */
  given: Value[];
  outputs: Value[];
  /** Cells that it changes, with the values that it begins and ends with: the position of a generator, say. */
  changes: { cell: Cell; before: Value; after: Value }[];
  /** What it uses besides, values of the trace around it, and what stands for them in here. */
  constants: { value: Value; outer: Tensor }[];
}

/** A trace in a trace: what comes from outside is an argument, the same one however often it is used. */
class Inner extends Trace {
  readonly captured = new Map<Value, Tensor>();

  constructor(private readonly outer: Trace) {
    super();
  }

  override valueOf(tensor: Tensor, op: string): Value {
    const { source } = tensor;
    const isOwn = 'traced' in source && this.nodes[(source as Value).node.id] === (source as Value).node;
    // Cells are read by the trace itself, which knows what has been written.
    if (isOwn || tensor instanceof Cell) return super.valueOf(tensor, op);
    const outer = this.outer.valueOf(tensor, op);
    const known = this.captured.get(outer) ?? this.argument(outer);
    this.captured.set(outer, known);
    return known.source as Value;
  }

  override observe(...mode: Parameters<Trace['observe']>): void {
    this.outer.observe(...mode);
  }
}

/** Traces `f` of tensors of these kinds into a graph of its own. */
export function traceBody(outer: Trace, avals: readonly Aval[], f: (given: Tensor[]) => readonly Tensor[]): Body {
  // Generators move their positions at the end of a trace: draws in here come behind those that there were.
  outer.record(() => {
    for (const close of outer.closing.splice(0)) close();
  });
  const inner = new Inner(outer);
  const given = avals.map((aval) => inner.argument(aval));
  const graph = inner.close(inner.record(() => [...f(given)]));
  const read = new Map<Cell, Value>();
  for (const node of inner.nodes) {
    if (node.origin.kind !== 'cell') continue;
    read.set(node.origin.cell, node.outputs[0]!);
    node.origin = { kind: 'argument' };
  }
  const constant = [...read].filter(([cell]) => !graph.updates.has(cell));
  return {
    given: given.map(({ source }) => source as Value),
    outputs: graph.outputs,
    changes: [...graph.updates].map(([cell, after]) => ({ cell, before: read.get(cell)!, after })),
    constants: [
      ...[...inner.captured].map(([outer, { source }]) => ({ value: source as Value, outer: symbol(outer) })),
      ...constant.map(([cell, value]) => ({ value, outer: symbol(outer.read(cell)) })),
    ],
  };
}

/** Appends to a trace what makes `results`, with tensors in the place of the arguments. */
export function replay(trace: Trace, results: readonly Value[], given: ReadonlyMap<Value, Tensor>): Tensor[] {
  const known = new Map<Value, Operand>(given);
  for (const { origin, outputs } of reachable([...results])) {
    if (origin.kind === 'number') known.set(outputs[0]!, origin.value);
    if (origin.kind !== 'op') continue;
    const { op, inputs, options } = origin;
    const operands = inputs.map((input) => known.get(input)!);
    const made = trace.append(op, operands, inputs, { ...options }, outputs);
    outputs.forEach((output, i) => {
      known.set(output, made[i]!);
    });
  }
  return results.map((result) => known.get(result) as Tensor);
}
