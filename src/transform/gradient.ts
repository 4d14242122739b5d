import { isReal } from '../dtype';
import { TraceError } from '../errors';
import type { Node, Value } from '../graph/graph';
import { symbol, type Trace } from '../graph/trace';
import { add } from '../ops/elementwise';
import { aliasOp } from '../ops/movement';
import { unbroadcast } from '../ops/reduce';
import { full, type Tensor } from '../tensor';

/**
 * Reverse mode: the cotangents of `wrt` from those of `outputs`, as further nodes of the trace. Nodes are visited in reverse
 * trace order, so that where a value is used twice its cotangents add in that order. Zeros where nothing leads.
 */
export function backward(trace: Trace, outputs: Value[], cotangents: (Tensor | null)[], wrt: Value[]): Tensor[] {
  const dependent = dependents(trace, wrt);
  const arrived = new Map<Value, Tensor>();
  const accumulate = (value: Value, cotangent: Tensor) => {
    if (!dependent.has(value.node) || !isReal(value.dtype)) return;
    const own = unbroadcast(cotangent, value.shape);
    const earlier = arrived.get(value);
    arrived.set(value, earlier ? add(earlier, own) : own);
  };
  outputs.forEach((output, i) => {
    if (cotangents[i]) accumulate(output, cotangents[i]);
  });
  const last = Math.max(-1, ...outputs.map((output) => output.node.id));
  const first = Math.min(...wrt.map((value) => value.node.id));
  for (let id = last; id > first; id--) {
    const node = trace.nodes[id]!;
    if (!dependent.has(node) || node.origin.kind !== 'op') continue;
    const g = node.outputs.map((output) => arrived.get(output) ?? null);
    if (g.every((one) => one === null)) continue;
    const back = pullback(trace, node, g);
    node.origin.inputs.forEach((input, i) => {
      if (back[i]) accumulate(input, back[i]);
    });
  }
  return wrt.map((value) => arrived.get(value) ?? full(value.shape, 0, value));
}

/** Nodes whose values depend on any of `values`. */
function dependents(trace: Trace, values: Value[]): Set<Node> {
  const found = new Set(values.map((value) => value.node));
  for (const node of trace.nodes) {
    if (node.origin.kind === 'op' && node.origin.inputs.some((input) => found.has(input.node))) found.add(node);
  }
  return found;
}

/** Cotangents of one node's inputs: by its rule, or by differentiating its meaning. */
function pullback(trace: Trace, node: Node, cotangents: (Tensor | null)[]): (Tensor | null)[] {
  if (node.origin.kind !== 'op') return [];
  const { op, options } = node.origin;
  // A composed op carries its meaning's results behind its own inputs.
  const own = op.emit || op.view ? node.origin.inputs : node.origin.inputs.slice(0, -node.outputs.length);
  const inputs = own.map(symbol);
  if (op.vjp) return op.vjp(cotangents, { inputs, outputs: node.outputs.map(symbol), options });
  if (!op.meaning) return inputs.map(() => null);
  const names = inputs.map((input) => aliasOp([input])[0]!);
  const outputs = op.meaning(names, options).map((output) => trace.valueOf(output, op.name));
  const values = names.map((name) => trace.valueOf(name, op.name));
  return backward(trace, outputs, cotangents, values);
}

/** The gradient of a scalar output. */
export function gradientOf(trace: Trace, output: Value, wrt: Value[]): Tensor[] {
  if (output.shape.length > 0 || !isReal(output.dtype)) {
    throw new TraceError(
      `only a real tensor of rank 0 has a gradient; the function returned ${output.dtype} of shape ` +
        `[${output.shape.join(', ')}]. Reduce it with mean() or sum(), or use vjp.`,
      { op: 'grad', code: 'NOT_DIFFERENTIABLE', got: output.shape },
    );
  }
  return backward(trace, [output], [full([], 1, output)], wrt);
}
