import { Cell } from '../cell';
import type { Real } from '../dtype';
import { DtypeError, ShapeError } from '../errors';
import { activeTrace, assign } from '../graph/trace';
import { scaledDotProductAttention } from '../ops/attention';
import { dynamicUpdateSlice } from '../ops/dynamic-slice';
import { add, ge, where } from '../ops/elementwise';
import { linear } from '../ops/matmul';
import { permute, reshape, splitWithSizes, unsqueeze } from '../ops/movement';
import { checkProbability } from '../ops/random';
import { show } from '../shape';
import { arange, checkCounts, checkOption, checkReal, full, type Tensor, tensor, zeros } from '../tensor';
import { glorotUniform } from './init';
import { Linear } from './linear';
import { Module, Parameter } from './module';

/** Modules whose state has PyTorch's names: the field `inProjWeight` is `in_proj_weight` there. */
export abstract class TorchNamed extends Module {
  protected override fields(): [string, unknown][] {
    return super
      .fields()
      .map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]);
  }
}

/**
 * Keys and values of the positions so far, for a text that is continued piece by piece: what is new attends to them without computing them again.
 * Of fixed capacity, with the position in a cell, so that a compiled step of one position is traced once. In a trace nobody counts: what comes behind
 * the last place is written over what stands there.
 */
export class KeyValueCache {
  /** [N, heads, capacity, E / heads] */
  readonly keys: Cell;
  readonly values: Cell;
  /** How many positions are there, i32 []. */
  readonly position: Cell;

  constructor(shape: readonly [batch: number, heads: number, capacity: number, width: number], dtype: Real) {
    this.keys = new Cell(zeros(shape, { dtype }));
    this.values = new Cell(zeros(shape, { dtype }));
    this.position = new Cell(tensor(new Int32Array(1), { shape: [] }));
  }

  get capacity(): number {
    return this.keys.shape[2]!;
  }

  /** Forgets everything. */
  reset(): void {
    assign(this.position, tensor(new Int32Array(1), { shape: [] }));
  }

  /** Writes keys and values [N, heads, T, E / heads] behind the others; all there are now, and which of them [T, capacity] may be seen. @internal */
  extend(keys: Tensor, values: Tensor): { keys: Tensor; values: Tensor; visible: Tensor } {
    const { capacity, position } = this;
    const length = keys.shape[2]!;
    const start = activeTrace() ? 0 : position.item();
    if (start + length > capacity) {
      throw new ShapeError(`a cache for ${capacity} positions has ${start}; ${length} more do not fit.`, {
        ...{ op: 'nn.MultiheadAttention', argument: 'cache', got: start + length, expected: capacity },
      });
    }
    const written = (cell: Cell, x: Tensor) => {
      const all = dynamicUpdateSlice(cell, x, [0, 0, position, 0]);
      assign(cell, all);
      return all;
    };
    const visible = ge(add(unsqueeze(arange(length), 1), position), arange(capacity));
    const all = { keys: written(this.keys, keys), values: written(this.values, values), visible };
    assign(position, add(position, length));
    return all;
  }
}

export interface MultiheadAttentionOptions {
  /** Of attention weights, in training: they are then held, [N, heads, T, S]. */
  dropout?: number;
  bias?: boolean;
  /** Width of keys and of values, where it is not `embedDim`. */
  kdim?: number;
  vdim?: number;
  /** Whether inputs are [N, T, E] rather than [T, N, E]. */
  batchFirst?: boolean;
  dtype?: Real;
}

export interface AttendOptions {
  /** [T, S] or [N · heads, T, S]: bool, true where a query may NOT attend, as in PyTorch's layer; or real, added to the scores. */
  attnMask?: Tensor | undefined;
  /** [N, S] ([S] without a batch): bool, true for keys that nobody may attend to; or real, added to the scores. */
  keyPaddingMask?: Tensor | undefined;
  /** Query t attends to keys 0 … t only. */
  isCausal?: boolean | undefined;
  /** Keys and values go there, and queries attend to all that are there, each up to its own position. */
  cache?: KeyValueCache | undefined;
}

/**
 * Attention of several heads (Vaswani et al. 2017, §3.2.2): queries, keys and values are projected, cut into `numHeads` parts of E / numHeads, each part
 * attends by itself (`scaledDotProductAttention`), and their results, side by side, are projected again.
 *
 * - query [T, N, E], key [S, N, kdim], value [S, N, vdim] -> y [T, N, E], E = `embedDim`; with `batchFirst` N comes first; N may be missing
 * - `in_proj_weight` [3E, E] (those of queries, keys, values; glorot uniform), or, where kdim or vdim is not E, `q_proj_weight` [E, E],
 *   `k_proj_weight` [E, kdim] and `v_proj_weight` [E, vdim]
 * - `in_proj_bias` [3E] zeros, `out_proj.weight` [E, E] as Linear's, `out_proj.bias` [E] zeros
 *
 * Masks mean what they mean in torch.nn.MultiheadAttention: true forbids. (In `scaledDotProductAttention`, as in torch's function, true allows.)
 * Unlike in PyTorch, a query that may attend to nothing gets the bias of `out_proj`, not NaN. Attention weights are not returned.
 */
export class MultiheadAttention extends TorchNamed {
  readonly inProjWeight: Parameter | null;
  readonly qProjWeight: Parameter | null;
  readonly kProjWeight: Parameter | null;
  readonly vProjWeight: Parameter | null;
  readonly inProjBias: Parameter | null;
  readonly outProj: Linear;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly #dtype: Real;

  constructor(
    readonly embedDim: number,
    readonly numHeads: number,
    {
      dropout = 0,
      bias = true,
      kdim = embedDim,
      vdim = embedDim,
      batchFirst = false,
      dtype = 'f32',
    }: MultiheadAttentionOptions = {},
  ) {
    super();
    const op = 'nn.MultiheadAttention';
    checkCounts(op, { embedDim, numHeads, kdim, vdim });
    checkOption(op, 'numHeads', numHeads, embedDim % numHeads === 0, `a divisor of embedDim, ${embedDim}`);
    checkProbability(op, dropout);
    const weight = (rows: number, columns: number) => new Parameter(glorotUniform()([rows, columns], { dtype }));
    const isJoint = kdim === embedDim && vdim === embedDim;
    this.inProjWeight = isJoint ? weight(3 * embedDim, embedDim) : null;
    this.qProjWeight = isJoint ? null : weight(embedDim, embedDim);
    this.kProjWeight = isJoint ? null : weight(embedDim, kdim);
    this.vProjWeight = isJoint ? null : weight(embedDim, vdim);
    this.inProjBias = bias ? new Parameter(zeros([3 * embedDim], { dtype })) : null;
    this.outProj = new Linear(embedDim, embedDim, { bias, dtype, biasInit: zeros });
    this.batchFirst = batchFirst;
    this.dropout = dropout;
    this.#dtype = dtype;
  }

  /** An empty cache for so many sequences of at most `capacity` positions. */
  cache(batch: number, capacity: number): KeyValueCache {
    checkCounts('nn.MultiheadAttention', { batch, capacity });
    return new KeyValueCache([batch, this.numHeads, capacity, this.embedDim / this.numHeads], this.#dtype);
  }

  override forward(query: Tensor, key = query, value = key, options: AttendOptions = {}): Tensor {
    const op = 'nn.MultiheadAttention';
    checkReal(op, { query, key, value });
    const { embedDim, batchFirst } = this;
    const layout = batchFirst ? '[N, T, E]' : '[T, N, E]';
    if ([query, key, value].some(({ rank }) => rank !== query.rank) || (query.rank !== 2 && query.rank !== 3)) {
      const shapes = [query, key, value].map(({ shape }) => show(shape)).join(', ');
      throw new ShapeError(`query, key and value must be ${layout} or [T, E]; got ${shapes}.`, {
        ...{ op, argument: 'query', got: query.shape, expected: layout },
      });
    }
    const batchAxis = batchFirst ? 0 : 1;
    const batched = (x: Tensor) => (query.rank === 3 ? x : unsqueeze(x, batchAxis));
    const [q, k, v] = this.#project(batched(query), batched(key), batched(value)) as [Tensor, Tensor, Tensor];
    const { keys, values, visible } = options.cache?.extend(k, v) ?? { keys: k, values: v, visible: undefined };
    const mask = this.#maskOf(options, q, keys, visible);
    const y = scaledDotProductAttention(q, keys, values, {
      ...(mask && { attnMask: mask }),
      isCausal: (options.isCausal ?? false) && !visible,
      dropoutP: this.dropout > 0 && this.training ? this.dropout : 0,
    });
    // [N, heads, T, E / heads] -> the inputs' layout
    const rows = permute(y, batchFirst ? [0, 2, 1, 3] : [2, 0, 1, 3]);
    return this.outProj.forward(reshape(rows, [...query.shape.slice(0, -1), embedDim])) as Tensor;
  }

  /** Queries, keys and values, [N, heads, T or S, E / heads]: permuted views, which nobody copies. */
  #project(...inputs: Tensor[]): Tensor[] {
    const { embedDim, numHeads, batchFirst } = this;
    const weights = this.inProjWeight
      ? splitWithSizes(this.inProjWeight, embedDim)
      : [this.qProjWeight!, this.kProjWeight!, this.vProjWeight!];
    const biases = this.inProjBias ? splitWithSizes(this.inProjBias, embedDim) : [];
    return inputs.map((x, i) => {
      const rows = linear(x, weights[i]!, biases[i]);
      const heads = reshape(rows, [...x.shape.slice(0, 2), numHeads, embedDim / numHeads]);
      return permute(heads, batchFirst ? [0, 2, 1, 3] : [1, 2, 0, 3]);
    });
  }

  /** All masks as one, added to the scores [N, heads, T, S]. */
  #maskOf(
    { attnMask, keyPaddingMask }: AttendOptions,
    q: Tensor,
    k: Tensor,
    visible: Tensor | undefined,
  ): Tensor | undefined {
    const [n, heads, t] = q.shape as [number, number, number];
    const s = k.shape[2]!;
    const parts: Tensor[] = [];
    const take = (argument: string, mask: Tensor, shapes: number[][], seen: number[]) => {
      const bias = biasOf(argument, mask, q.dtype as Real, true);
      if (!shapes.some((shape) => String(shape) === String(mask.shape))) {
        const expected = shapes.map(show).join(' or ');
        throw new ShapeError(`${argument} must be ${expected}; got ${show(mask.shape)}.`, {
          ...{ op: 'nn.MultiheadAttention', argument, got: mask.shape, expected },
        });
      }
      parts.push(reshape(bias, seen));
    };
    if (visible) parts.push(biasOf('cache', visible, q.dtype as Real, false));
    if (attnMask) {
      take(
        'attnMask',
        attnMask,
        [
          [t, s],
          [n * heads, t, s],
        ],
        attnMask.rank === 3 ? [n, heads, t, s] : [t, s],
      );
    }
    if (keyPaddingMask) {
      take('keyPaddingMask', keyPaddingMask, n === 1 ? [[n, s], [s]] : [[n, s]], [n, 1, 1, s]);
    }
    return parts.reduce<Tensor | undefined>((sum, part) => (sum ? add(sum, part) : part), undefined);
  }
}

/** What is added to scores: -∞ where a bool mask is true, or where it is false. */
function biasOf(argument: string, mask: Tensor, dtype: Real, forbids: boolean): Tensor {
  if (mask.dtype === dtype) return mask;
  if (mask.dtype !== 'bool') {
    throw new DtypeError(`${argument} must be of dtype bool or ${dtype}, as query is; got ${mask.dtype}.`, {
      ...{ op: 'nn.MultiheadAttention', argument, got: mask.dtype, expected: `bool, ${dtype}` },
    });
  }
  const none = full([], 0, { dtype });
  return forbids ? where(mask, Number.NEGATIVE_INFINITY, none) : where(mask, none, Number.NEGATIVE_INFINITY);
}
