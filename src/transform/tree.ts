import { Tensor } from '../tensor';

const identities = new WeakMap<object, number>();
let identified = 0;

/** Tells two static values apart: functions and instances of classes by identity, since their text may be the same. */
function staticKey(value: unknown): string {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
    if (Object.is(value, -0)) return '-0';
    return typeof value === 'string' ? JSON.stringify(value) : `${typeof value} ${String(value)}`;
  }
  if (!identities.has(value)) identities.set(value, ++identified);
  return `#${identities.get(value)}`;
}

/** Tensors in any nesting of arrays and plain objects: what traced functions take and return. */
export type Tree =
  | Tensor
  | null
  | undefined
  | boolean
  | number
  | string
  | readonly Tree[]
  | { readonly [key: string]: Tree };

/** The tensors of a tree, in order, and a function that builds the same tree around others. */
export function flattenTree<T>(tree: T): { leaves: Tensor[]; rebuild: (leaves: readonly Tensor[]) => T; key: string } {
  const leaves: Tensor[] = [];
  const key: string[] = [];
  const walk = (part: unknown): ((from: readonly Tensor[]) => unknown) => {
    if (part instanceof Tensor) {
      const at = leaves.push(part) - 1;
      key.push(`${part.dtype}[${part.shape}]`);
      return (from) => from[at];
    }
    if (Array.isArray(part)) {
      key.push('[');
      const inner = part.map(walk);
      key.push(']');
      return (from) => inner.map((build) => build(from));
    }
    if (part !== null && typeof part === 'object' && Object.getPrototypeOf(part) === Object.prototype) {
      key.push('{');
      const inner = Object.entries(part).map(([name, value]) => {
        key.push(`${JSON.stringify(name)}:`);
        return [name, walk(value)] as const;
      });
      key.push('}');
      return (from) => Object.fromEntries(inner.map(([name, build]) => [name, build(from)]));
    }
    // Anything else is static: part of the key, and the same in every call of one trace.
    key.push(staticKey(part));
    return () => part;
  };
  const build = walk(tree);
  return { leaves, rebuild: (from) => build(from) as T, key: key.join(' ') };
}
