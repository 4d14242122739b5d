import { Cell, checkAssignable } from '../cell';
import { TraceError } from '../errors';
import type { Aval } from '../shape';
import { type Operand, Tensor } from '../tensor';
import { type Graph, makeNode, type Node, type Origin, type Value } from './graph';
import type { Op, Options } from './op';

/** The trace being recorded in this realm, if any: traces do not nest, an inner `compile` or `grad` joins the outer one. */
let active: Trace | null = null;

export function activeTrace(): Trace | null {
  return active;
}

/** What has a mode: a module, in training or in evaluation. */
export interface Moded {
  readonly training: boolean;
}

/** The error for a symbolic tensor that was kept beyond its trace. */
export function leaked(op: string): TraceError {
  return new TraceError('a traced tensor was used outside of its function; return it, or pass it in.', {
    op,
    code: 'TRACE_ENDED',
  });
}

/** A tensor for a value of the graph. */
export function symbol(value: Value): Tensor {
  return new Tensor(value.shape, value.dtype, value);
}

/**
 * Records what a function does. Cells map to their newest value, so that reads see earlier writes and only the last
 * write of each leaves the trace.
 */
export class Trace {
  readonly nodes: Node[] = [];
  private readonly arguments: Value[] = [];
  private readonly newest = new Map<Cell, Value>();
  private readonly leaves = new Map<Cell, Value>();
  private readonly captures = new Map<Tensor, Value>();
  /** What waits for the trace's end. */
  readonly closing: (() => void)[] = [];
  private readonly modes = new Map<Moded, boolean>();

  /** Runs `f` with this trace active. */
  record<T>(f: () => T): T {
    const outer = active;
    active = this;
    try {
      return f();
    } finally {
      active = outer;
    }
  }

  argument(aval: Aval): Tensor {
    const value = this.leaf({ kind: 'argument' }, aval);
    this.arguments.push(value);
    return symbol(value);
  }

  append(op: Op, inputs: Operand[], avals: Aval[], options: Options, outputs: Aval[]): Tensor[] {
    const values = inputs.map((input, i) =>
      typeof input === 'number' ? this.leaf({ kind: 'number', value: input }, avals[i]!) : this.valueOf(input, op.name),
    );
    return this.node({ kind: 'op', op, inputs: values, options }, outputs).outputs.map(symbol);
  }

  /** The value that a tensor stands for in this trace. */
  valueOf(tensor: Tensor, op: string): Value {
    if (tensor instanceof Cell) return this.read(tensor);
    if ('traced' in tensor.source) {
      const value = tensor.source as Value;
      if (this.nodes[value.node.id] !== value.node) {
        throw leaked(op);
      }
      return value;
    }
    let value = this.captures.get(tensor);
    if (!value) {
      value = this.leaf({ kind: 'capture', tensor }, tensor);
      this.captures.set(tensor, value);
    }
    return value;
  }

  /** The newest value of a cell. */
  read(cell: Cell): Value {
    const newest = this.newest.get(cell);
    if (newest) return newest;
    const leaf = this.leaf({ kind: 'cell', cell }, cell);
    this.leaves.set(cell, leaf);
    this.newest.set(cell, leaf);
    return leaf;
  }

  /** Sets what reads of a cell see from now on. */
  write(cell: Cell, value: Value): void {
    this.read(cell);
    this.newest.set(cell, value);
  }

  /** Notes that the trace depends on a mode, such as training or evaluation of a module. */
  observe(subject: Moded, mode: boolean): void {
    if (!this.modes.has(subject)) this.modes.set(subject, mode);
  }

  observed(): ReadonlyMap<Moded, boolean> {
    return this.modes;
  }

  /** Has `f` run, inside the trace, when the traced function has returned. */
  onClose(f: () => void): void {
    this.closing.push(f);
  }

  /** Ends the trace: what was meant, with `outputs` as its results. */
  close(outputs: Tensor[]): Graph {
    const values = outputs.map((output) => this.valueOf(output, 'return'));
    this.record(() => {
      for (const f of this.closing) f();
    });
    const updates = new Map([...this.newest].filter(([cell, value]) => this.leaves.get(cell) !== value));
    return { arguments: this.arguments, outputs: values, updates };
  }

  /** Keeps the cells' values of now; the function it returns makes the trace refer to them instead of the cells. */
  snapshot(): () => void {
    const values = [...this.leaves].map(
      ([cell, leaf]) => [leaf, new Tensor(cell.shape, cell.dtype, cell.values())] as const,
    );
    return () => {
      for (const [leaf, tensor] of values) leaf.node.origin = { kind: 'capture', tensor };
    };
  }

  private leaf(origin: Origin, aval: Aval): Value {
    return this.node(origin, [aval]).outputs[0]!;
  }

  private node(origin: Origin, avals: Aval[]): Node {
    const node = makeNode(this.nodes.length, origin, avals);
    this.nodes.push(node);
    return node;
  }
}

/**
 * Replaces a cell's value: at once, or in a trace when its program commits. The only effect there is.
 * Throws a ShapeError or DtypeError where the value does not fit, MODEL_BUSY while a training run owns the cell.
 */
export function assign(cell: Cell, value: Tensor): void {
  checkAssignable(cell, value);
  if (active) active.write(cell, active.valueOf(value, 'assign'));
  else cell.write(value);
}
