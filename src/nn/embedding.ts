import type { Real } from '../dtype';
import { ShapeError } from '../errors';
import { add, cast, cos, div, eq, mul, pow, sin, sub, where } from '../ops/elementwise';
import { embedding } from '../ops/gather';
import { detach, reshape, stack, unbind, unsqueeze } from '../ops/movement';
import { show } from '../shape';
import { arange, checkCounts, checkOption, checkReal, full, type Operand, type Tensor } from '../tensor';
import { type Initializer, normal } from './init';
import { Module, Parameter } from './module';

export interface EmbeddingOptions {
  /** A row that stays as it is, 0 at first: for what only fills up. Counted from the end where negative. */
  paddingIdx?: number;
  /** Of the weight; N(0, 1) unless given. */
  init?: Initializer;
  dtype?: Real;
}

/**
 * Row index[…] of the weight: a vector for each word, or, of `arange(T)`, for each position.
 *
 * - index [...], i32, from 0 to `numEmbeddings` - 1 -> y [..., `embeddingDim`]
 * - `weight` [numEmbeddings, embeddingDim], N(0, 1)
 */
export class Embedding extends Module {
  readonly weight: Parameter;
  readonly paddingIdx: number | null;

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    { paddingIdx, init = normal(), dtype = 'f32' }: EmbeddingOptions = {},
  ) {
    super();
    const op = 'nn.Embedding';
    checkCounts(op, { numEmbeddings, embeddingDim });
    const isRow =
      paddingIdx === undefined || (Number.isInteger(paddingIdx) && Math.abs(paddingIdx + 0.5) < numEmbeddings + 0.5);
    checkOption(op, 'paddingIdx', paddingIdx, isRow, `a row, ${-numEmbeddings} to ${numEmbeddings - 1}`);
    this.paddingIdx = paddingIdx === undefined ? null : paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    const weight = init([numEmbeddings, embeddingDim], { dtype });
    const rows = unsqueeze(arange(numEmbeddings), 1);
    this.weight = new Parameter(this.paddingIdx === null ? weight : where(eq(rows, this.paddingIdx), 0, weight));
  }

  override forward(index: Tensor): Tensor {
    const y = embedding(index, this.weight);
    return this.paddingIdx === null ? y : where(unsqueeze(eq(index, this.paddingIdx), index.rank), detach(y), y);
  }
}

/** base^(-2i / dim) for each pair i: how fast it turns. */
const frequencies = (dim: number, base: number, dtype: Real): Tensor =>
  pow(full([], base, { dtype }), div(arange(0, dim, 2, { dtype }), -dim));

/** Throws unless a row can be cut into pairs. */
function checkPairs(op: string, argument: string, dim: number): void {
  checkOption(op, argument, dim, Number.isInteger(dim) && dim > 0 && dim % 2 === 0, 'an even number from 2 on');
}

/**
 * [length, dim], to be added to what stands at each position: sin(p / 10000^(2i/dim)) in column 2i, the cosine in column 2i + 1 (Vaswani et
 * al. 2017, §3.5). Throws a ValueError for a length below 1 and an odd dim.
 */
export function sinusoidalEncoding(length: number, dim: number, { dtype = 'f32' }: { dtype?: Real } = {}): Tensor {
  const op = 'sinusoidalEncoding';
  checkCounts(op, { length });
  checkPairs(op, 'dim', dim);
  const angles = mul(arange(0, length, 1, { dtype }).reshape([length, 1]), frequencies(dim, 1e4, dtype));
  return reshape(stack([sin(angles), cos(angles)], { axis: 2 }), [length, dim]);
}

export interface RotaryOptions {
  /** The position of the first row; may be a traced i32 tensor of one element, as while a text is continued word by word. */
  offset?: Operand;
  base?: number;
}

/**
 * Turns each pair of neighbours in the row of position p, (x[2i], x[2i + 1]), by the angle p / base^(2i/E), so that the product of two rows knows how
 * far apart they are (Su et al. 2021, §3.2.2): queries and keys [..., T, E] -> [..., T, E], before attention. Row t is at position offset + t.
 * Throws a DtypeError unless x is real, a ShapeError below rank 2, a ValueError for an odd E and a base not above 0.
 */
export function rotaryEmbedding(x: Tensor, { offset = 0, base = 1e4 }: RotaryOptions = {}): Tensor {
  const op = 'rotaryEmbedding';
  checkReal(op, { x });
  if (x.rank < 2) {
    throw new ShapeError(`x must be [..., T, E]; got shape ${show(x.shape)}.`, { op, argument: 'x', got: x.shape });
  }
  const [t, e] = x.shape.slice(-2) as [number, number];
  checkPairs(op, 'E', e);
  checkOption(op, 'base', base, Number.isFinite(base) && base > 0, 'above 0');
  const dtype = x.dtype as Real;
  const positions = cast(add(arange(t), offset), dtype);
  const angles = mul(positions.reshape([t, 1]), frequencies(e, base, dtype));
  const [even, odd] = unbind(reshape(x, [...x.shape.slice(0, -1), e / 2, 2]), { axis: -1 }) as [Tensor, Tensor];
  const [c, s] = [cos(angles), sin(angles)];
  const turned = stack([sub(mul(even, c), mul(odd, s)), add(mul(even, s), mul(odd, c))], { axis: -1 });
  return reshape(turned, x.shape);
}
