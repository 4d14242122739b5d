import type { Real } from '../dtype';
import { gelu } from '../ops/activation';
import { add, relu } from '../ops/elementwise';
import { checkCounts, checkOption, type Tensor } from '../tensor';
import { type AttendOptions, type KeyValueCache, MultiheadAttention, TorchNamed } from './attention';
import { Dropout } from './dropout';
import { Linear } from './linear';
import type { Module } from './module';
import { LayerNorm } from './norm';

export interface TransformerLayerOptions {
  /** Width between the two dense layers. */
  dimFeedforward?: number;
  /** Of attention weights, between the dense layers, and of what is added to x. */
  dropout?: number;
  activation?: 'relu' | 'gelu';
  /** Is added to variances. */
  layerNormEps?: number;
  /** Whether inputs are [N, T, E] rather than [T, N, E]. */
  batchFirst?: boolean;
  /** Whether each part is normalised first, x + f(norm(x)) (Xiong et al. 2020), rather than last, norm(x + f(x)). */
  normFirst?: boolean;
  dtype?: Real;
}

/** What both kinds of layer share. */
abstract class TransformerLayer extends TorchNamed {
  readonly selfAttn: MultiheadAttention;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;
  readonly normFirst: boolean;
  readonly activation: 'relu' | 'gelu';

  constructor(
    op: string,
    dModel: number,
    nhead: number,
    {
      dimFeedforward = 2048,
      dropout = 0.1,
      activation = 'relu',
      layerNormEps: eps = 1e-5,
      batchFirst = false,
      normFirst = false,
      dtype = 'f32',
    }: TransformerLayerOptions,
  ) {
    super();
    checkCounts(op, { dModel, nhead, dimFeedforward });
    checkOption(op, 'activation', activation, activation === 'relu' || activation === 'gelu', 'relu or gelu');
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout, batchFirst, dtype });
    this.linear1 = new Linear(dModel, dimFeedforward, { dtype });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, { dtype });
    this.norm1 = new LayerNorm(dModel, { eps, dtype });
    this.norm2 = new LayerNorm(dModel, { eps, dtype });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.normFirst = normFirst;
    this.activation = activation;
  }

  /** x and what f makes of it, added and normalised. */
  protected residual(x: Tensor, norm: LayerNorm, dropout: Dropout, f: (x: Tensor) => Tensor): Tensor {
    if (this.normFirst) return add(x, dropout.forward(f(norm.forward(x))));
    return norm.forward(add(x, dropout.forward(f(x))));
  }

  protected feedForward(x: Tensor): Tensor {
    const inner = this.linear1.forward(x);
    return this.linear2.forward(this.dropout.forward(this.activation === 'relu' ? relu(inner) : gelu(inner)));
  }
}

export interface EncodeOptions {
  /** As `attnMask`, `keyPaddingMask` and `isCausal` of `MultiheadAttention`. */
  srcMask?: Tensor;
  srcKeyPaddingMask?: Tensor;
  isCausal?: boolean;
  /** Of `selfAttn`: x is the next positions of a text, which attend to those before. */
  cache?: KeyValueCache;
}

/**
 * A block of an encoder, or, with `isCausal`, of a GPT (Vaswani et al. 2017, §3.1): self-attention, then two dense layers, each with what it was given added
 * to it, and normalised. torch.nn.TransformerEncoderLayer's names and defaults, so that its state loads as it is.
 *
 * - x [T, N, E], or [N, T, E] with `batchFirst` -> y of x's shape, E = dModel
 * - `self_attn` (see MultiheadAttention), `linear1`, `linear2`, `norm1`, `norm2`
 */
export class TransformerEncoderLayer extends TransformerLayer {
  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super('nn.TransformerEncoderLayer', dModel, nhead, options);
  }

  override forward(x: Tensor, { srcMask, srcKeyPaddingMask, isCausal, cache }: EncodeOptions = {}): Tensor {
    const options: AttendOptions = { attnMask: srcMask, keyPaddingMask: srcKeyPaddingMask, isCausal, cache };
    const y = this.residual(x, this.norm1, this.dropout1, (at) => this.selfAttn.forward(at, at, at, options));
    return this.residual(y, this.norm2, this.dropout2, (at) => this.feedForward(at));
  }
}

export interface DecodeOptions {
  /** Of self-attention, and of attention to the memory. */
  tgtMask?: Tensor;
  memoryMask?: Tensor;
  tgtKeyPaddingMask?: Tensor;
  memoryKeyPaddingMask?: Tensor;
  tgtIsCausal?: boolean;
  memoryIsCausal?: boolean;
  /** Of `selfAttn`. */
  cache?: KeyValueCache;
}

/**
 * A block of a decoder (Vaswani et al. 2017, §3.1): self-attention, attention to what the encoder gave, `memory`, then two dense layers.
 * torch.nn.TransformerDecoderLayer's names and defaults.
 *
 * - x [T, N, E], memory [S, N, E], or [N, T, E] and [N, S, E] with `batchFirst` -> y of x's shape, E = dModel
 * - `self_attn`, `multihead_attn` (see MultiheadAttention), `linear1`, `linear2`, `norm1`, `norm2`, `norm3`
 */
export class TransformerDecoderLayer extends TransformerLayer {
  readonly multiheadAttn: MultiheadAttention;
  readonly norm3: LayerNorm;
  readonly dropout3: Dropout;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super('nn.TransformerDecoderLayer', dModel, nhead, options);
    const { dropout = 0.1, layerNormEps: eps = 1e-5, batchFirst = false, dtype = 'f32' } = options;
    this.multiheadAttn = new MultiheadAttention(dModel, nhead, { dropout, batchFirst, dtype });
    this.norm3 = new LayerNorm(dModel, { eps, dtype });
    this.dropout3 = new Dropout(dropout);
  }

  override forward(x: Tensor, memory: Tensor, options: DecodeOptions = {}): Tensor {
    const own: AttendOptions = {
      attnMask: options.tgtMask,
      keyPaddingMask: options.tgtKeyPaddingMask,
      isCausal: options.tgtIsCausal,
      cache: options.cache,
    };
    const across: AttendOptions = {
      attnMask: options.memoryMask,
      keyPaddingMask: options.memoryKeyPaddingMask,
      isCausal: options.memoryIsCausal,
    };
    const y = this.residual(x, this.norm1, this.dropout1, (at) => this.selfAttn.forward(at, at, at, own));
    const z = this.residual(y, this.norm2, this.dropout2, (at) =>
      this.multiheadAttn.forward(at, memory, memory, across),
    );
    return this.residual(z, this.norm3, this.dropout3, (at) => this.feedForward(at));
  }
}

/** Layers one after another, and perhaps a norm behind them. */
abstract class Stack<L extends Module> extends TorchNamed {
  readonly layers: readonly L[];
  readonly norm: Module | null;

  constructor(op: string, layer: (i: number) => L, numLayers: number, norm: Module | null) {
    super();
    checkCounts(op, { numLayers });
    this.layers = Array.from({ length: numLayers }, (_, i) => layer(i));
    this.norm = norm;
  }

  protected through(x: Tensor, each: (layer: L, x: Tensor, i: number) => Tensor): Tensor {
    const y = this.layers.reduce((at, layer, i) => each(layer, at, i), x);
    return this.norm ? this.norm.forward(y) : y;
  }
}

/**
 * `numLayers` encoder layers, each made by `layer` (PyTorch copies one instead), and perhaps a norm behind them: `layers.0.self_attn.…`, `norm.…`. Caches,
 * where they are given, are one a layer.
 */
export class TransformerEncoder extends Stack<TransformerEncoderLayer> {
  constructor(
    layer: (i: number) => TransformerEncoderLayer,
    numLayers: number,
    { norm = null }: { norm?: Module | null } = {},
  ) {
    super('nn.TransformerEncoder', layer, numLayers, norm);
  }

  override forward(
    x: Tensor,
    { caches, ...options }: Omit<EncodeOptions, 'cache'> & { caches?: readonly KeyValueCache[] } = {},
  ): Tensor {
    return this.through(x, (layer, at, i) => layer.forward(at, { ...options, ...(caches && { cache: caches[i]! }) }));
  }
}

/** Likewise of decoder layers, which all see the same memory. */
export class TransformerDecoder extends Stack<TransformerDecoderLayer> {
  constructor(
    layer: (i: number) => TransformerDecoderLayer,
    numLayers: number,
    { norm = null }: { norm?: Module | null } = {},
  ) {
    super('nn.TransformerDecoder', layer, numLayers, norm);
  }

  override forward(
    x: Tensor,
    memory: Tensor,
    { caches, ...options }: Omit<DecodeOptions, 'cache'> & { caches?: readonly KeyValueCache[] } = {},
  ): Tensor {
    return this.through(x, (layer, at, i) =>
      layer.forward(at, memory, { ...options, ...(caches && { cache: caches[i]! }) }),
    );
  }
}
