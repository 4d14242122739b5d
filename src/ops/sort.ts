import { Argsort, Op } from '../../assembly/isa';
import { ValueError } from '../errors';
import { cut } from '../graph/emitter';
import { normalizeAxis, sizeOf } from '../shape';
import { checkTensor, type Tensor } from '../tensor';
import { defineExtensionOp } from './extension';
import { gatherFor } from './gather';
import { reshape, slice, transpose } from './movement';

interface Order {
  descending: boolean;
}

const argsortOp = /* @__PURE__ */ defineExtensionOp<Order>({
  name: 'argsort',
  version: 1,
  // [..., N] -> i32 [..., N], and as many to work with
  shape: ([x]) => [
    { shape: x!.shape, dtype: 'i32' },
    { shape: x!.shape, dtype: 'i32' },
  ],
  emit: (program, [out, spare], [x], { descending }) => {
    const source = program.contiguous(x!);
    const n = x!.shape.at(-1)!;
    const rows = sizeOf(x!.shape.slice(0, -1));
    const { per, chunks } = cut(rows, Math.ceil(1024 / Math.max(1, n)));
    program.record(
      Op.ARGSORT,
      Argsort.WORDS,
      {
        [Argsort.TYPE]: program.type(x!.dtype),
        [Argsort.ROWS]: rows,
        [Argsort.N]: n,
        [Argsort.CHUNK]: per,
        [Argsort.DESCENDING]: Number(descending),
        [Argsort.SOURCE]: program.read(source),
        [Argsort.DESTINATION]: program.write(out!),
        [Argsort.SPARE]: program.write(spare!),
      },
      [out!, spare!],
      { chunks: n === 0 ? 0 : chunks, flop: rows * n * Math.ceil(Math.log2(Math.max(2, n))) },
    );
  },
});

export interface SortOptions {
  /** The last unless told otherwise. */
  axis?: number;
  /** The largest first. */
  descending?: boolean;
}

/** What sort and topk find: the elements, and where in x they stood (i32). */
export interface Sorted {
  values: Tensor;
  indices: Tensor;
}

/**
 * The i32 indices that sort x along an axis: [...] -> [...]. Equal elements stay in their order, NaN is above all else
 * (torch.argsort with stable=True).
 */
export function argsort(x: Tensor, options: SortOptions = {}): Tensor {
  return argsortFor('argsort', x, options);
}

/** argsort on behalf of another function, which errors then name. @internal */
export function argsortFor(op: string, x: Tensor, { axis = -1, descending = false }: SortOptions): Tensor {
  checkTensor(op, 'x', x);
  if (x.rank === 0) return reshape(argsortFor(op, reshape(x, [1]), { axis, descending }), []);
  const at = normalizeAxis(op, axis, x.shape);
  if (at === x.rank - 1) return argsortOp([x], { descending })[0]!;
  return transpose(argsortOp([transpose(x, at, -1)], { descending })[0]!, at, -1);
}

function pick(op: string, x: Tensor, indices: Tensor, axis: number): Tensor {
  return x.rank === 0 ? x : gatherFor(op, x, indices, axis);
}

/** x's elements in rising order along an axis, as torch.sort with stable=True; gradients go back to where they came from. */
export function sort(x: Tensor, options: SortOptions = {}): Sorted {
  const indices = argsortFor('sort', x, options);
  return { values: pick('sort', x, indices, options.axis ?? -1), indices };
}

/**
 * The k largest elements along an axis, the largest first (`largest: false`: the smallest, rising), as torch.topk. Throws a
 * ValueError unless k is a whole number from 0 to the axis's length.
 */
export function topk(
  x: Tensor,
  k: number,
  { axis = -1, largest = true }: { axis?: number; largest?: boolean } = {},
): Sorted {
  checkTensor('topk', 'x', x);
  const at = x.rank === 0 ? 0 : normalizeAxis('topk', axis, x.shape);
  const length = x.shape[at] ?? 1;
  if (!Number.isInteger(k) || k < 0 || k > length) {
    throw new ValueError(`k must be a whole number from 0 to the axis's length, ${length}; got ${k}.`, {
      op: 'topk',
      argument: 'k',
      got: k,
      expected: `0 … ${length}`,
    });
  }
  if (x.rank === 0) {
    const { values, indices } = topk(reshape(x, [1]), k, { largest });
    return k === 1 ? { values: reshape(values, []), indices: reshape(indices, []) } : { values, indices };
  }
  const order = argsortFor('topk', x, { axis: at, descending: largest });
  const indices = slice(order, x.shape.map((_, one) => (one === at ? `:${k}` : ':')).join(', '));
  return { values: gatherFor('topk', x, indices, at), indices };
}
