import type { Node, Value } from './graph';

/**
 * Common subexpressions: a node that computes what an earlier one does (same op, options and inputs) is dropped, and
 * `resolve` leads from its values to the earlier ones. Draws differ in their index, so that no two of them are one.
 */
export function shareCommon(nodes: Node[]): { nodes: Node[]; resolve: (value: Value) => Value } {
  const known = new Map<string, Node>();
  const shared = new Map<Node, Node>();
  const resolve = (value: Value) => shared.get(value.node)?.outputs[value.index] ?? value;
  const left = nodes.filter((node) => {
    const key = identity(node, resolve);
    const earlier = key === null ? undefined : known.get(key);
    if (earlier) shared.set(node, earlier);
    else if (key !== null) known.set(key, node);
    return !earlier;
  });
  return { nodes: left, resolve };
}

function identity({ origin, outputs }: Node, resolve: (value: Value) => Value): string | null {
  const [{ dtype }] = outputs as [Value];
  if (origin.kind === 'number') return `${Object.is(origin.value, -0) ? '-0' : origin.value} ${dtype}`;
  if (origin.kind !== 'op') return null;
  const inputs = origin.inputs.map(resolve).map((value) => `${value.node.id}.${value.index}`);
  return `${origin.op.name}(${inputs})${writeOptions(origin.options)}`;
}

/** Options as text that tells any two apart, where JSON would write NaN, the infinities and -0 alike. */
export function writeOptions(options: object): string {
  return JSON.stringify(options, (_, value) =>
    typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
      ? `#${Object.is(value, -0) ? '-0' : value}`
      : value,
  );
}
