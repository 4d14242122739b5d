import type { Cell } from '../cell';
import type { DType } from '../dtype';
import type { Aval, Shape } from '../shape';
import type { Tensor, Traced } from '../tensor';
import type { Op, Options } from './op';

/** Where a node's values come from: an op over other values, or one of the four kinds of leaves. */
export type Origin =
  | { kind: 'op'; op: Op; inputs: Value[]; options: Options }
  | { kind: 'argument' } // fed at every call
  | { kind: 'capture'; tensor: Tensor } // a tensor from outside the trace
  | { kind: 'cell'; cell: Cell } // the cell's value when the program starts
  | { kind: 'number'; value: number };

export interface Node {
  /** Rises in trace order, so that inputs come before what uses them. */
  id: number;
  origin: Origin;
  outputs: Value[];
}

/** One output of a node: what a symbolic tensor holds. */
export class Value implements Traced, Aval {
  readonly traced = true;
  constructor(
    readonly node: Node,
    readonly index: number,
    readonly shape: Shape,
    readonly dtype: DType,
  ) {}
}

export function makeNode(id: number, origin: Origin, avals: Aval[]): Node {
  const node: Node = { id, origin, outputs: [] };
  node.outputs = avals.map((aval, index) => new Value(node, index, aval.shape, aval.dtype));
  return node;
}

/** What was meant: `updates` replace cells once all outputs and all new values are there. */
export interface Graph {
  arguments: Value[];
  outputs: Value[];
  updates: Map<Cell, Value>;
}

/** Every node that results need, in trace order. */
export function reachable(results: Value[]): Node[] {
  const seen = new Set<Node>();
  const stack = results.map((value) => value.node);
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.origin.kind === 'op') stack.push(...node.origin.inputs.map((value) => value.node));
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
