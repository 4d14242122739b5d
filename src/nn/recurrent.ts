import type { Real } from '../dtype';
import { ShapeError } from '../errors';
import type { Lengths } from '../ops/lengths';
import { concat, reshape, slice, stack, transpose, unsqueeze } from '../ops/movement';
import { dropout } from '../ops/random';
import { checkNonlinearity, gru, type LstmState, lstm, type Recurred, rnn } from '../ops/recurrent';
import { type Shape, sameShape, show } from '../shape';
import { checkCounts, checkOption, type Tensor } from '../tensor';
import { uniform } from './init';
import { Module, Parameter } from './module';

export interface RecurrentLayerOptions {
  /** So many layers, each with the one below as its input. */
  numLayers?: number;
  bias?: boolean;
  /** x and the output are [N, T, …] in place of [T, N, …]; states are not. */
  batchFirst?: boolean;
  /** In training, the probability with which an element of what goes from a layer to the next is 0. */
  dropout?: number;
  /** A second network reads the sequence from its end; outputs of both stand side by side. */
  bidirectional?: boolean;
  dtype?: Real;
}

export interface SequenceOptions {
  /** How many steps each sequence has, from 0 to T; what comes behind is not read, and gives outputs of 0. */
  lengths?: Lengths;
}

/** Weights and biases of one direction of a layer, the latter none or two. */
type Weights = [weightIh: Parameter, weightHh: Parameter, ...biases: Parameter[]];
const NAMES = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'];

/** All from U(-1/√H, 1/√H), as PyTorch's. */
function weightsOf(parts: number, inputs: number, h: number, bias: boolean, dtype: Real): Weights {
  const bound = 1 / Math.sqrt(h);
  const wide = parts * h;
  const shapes = [[wide, inputs], [wide, h], ...(bias ? [[wide], [wide]] : [])];
  return shapes.map((shape) => new Parameter(uniform({ low: -bound, high: bound })(shape, { dtype }))) as Weights;
}

interface DirectionOptions {
  state: Tensor[] | undefined;
  reverse: boolean;
  lengths: Lengths | undefined;
}

/** What the three layers share: `parts` are what a cell makes of x and h, `states` what it hands on. */
abstract class Recurrent extends Module {
  readonly numLayers: number;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  /** Of each layer, and of its directions. */
  readonly #weights: Weights[] = [];
  readonly #name: string;

  constructor(
    name: string,
    parts: number,
    readonly inputSize: number,
    readonly hiddenSize: number,
    {
      numLayers = 1,
      bias = true,
      batchFirst = false,
      dropout = 0,
      bidirectional = false,
      dtype = 'f32',
    }: RecurrentLayerOptions,
  ) {
    super();
    checkCounts(name, { inputSize, hiddenSize, numLayers });
    checkOption(name, 'dropout', dropout, dropout >= 0 && dropout <= 1, 'from 0 to 1');
    this.#name = name;
    this.numLayers = numLayers;
    this.batchFirst = batchFirst;
    this.dropout = dropout;
    this.bidirectional = bidirectional;
    for (let layer = 0; layer < numLayers; layer++) {
      const inputs = layer > 0 ? hiddenSize * this.directions : inputSize;
      for (let i = 0; i < this.directions; i++) this.#weights.push(weightsOf(parts, inputs, hiddenSize, bias, dtype));
    }
  }

  private get directions(): number {
    return this.bidirectional ? 2 : 1;
  }

  /** PyTorch's names: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l0_reverse, … */
  protected override fields(): [string, unknown][] {
    return this.#weights.flatMap((own, i) => {
      const suffix = `_l${Math.floor(i / this.directions)}${i % this.directions ? '_reverse' : ''}`;
      return own.map((parameter, at): [string, unknown] => [NAMES[at] + suffix, parameter]);
    });
  }

  /** One direction of one layer. */
  protected abstract direction(x: Tensor, weights: Weights, options: DirectionOptions): Recurred<readonly Tensor[]>;

  /** All of them, for x and states as users have them. */
  protected run(
    x: Tensor,
    states: readonly Tensor[] | null | undefined,
    { lengths }: SequenceOptions,
  ): Recurred<Tensor[]> {
    const layout = this.batchFirst ? '[N, T, I]' : '[T, N, I]';
    this.check(
      'x',
      x,
      `${layout} or [T, I], I = ${this.inputSize}`,
      (x.rank === 2 || x.rank === 3) && x.shape.at(-1) === this.inputSize,
    );
    const isSingle = x.rank === 2;
    let y = isSingle ? unsqueeze(x, 1) : this.batchFirst ? transpose(x, 0, 1) : x;
    const kept = [this.#weights.length, ...(isSingle ? [] : [y.shape[1]!]), this.hiddenSize];
    const given = states?.map((state) => {
      this.check('state', state, show(kept), sameShape(state.shape, kept), kept);
      return isSingle ? unsqueeze(state, 1) : state;
    });
    const last: (readonly Tensor[])[] = [];
    // Read in any case: the program depends on it.
    const training = this.training;
    for (let layer = 0; layer < this.numLayers; layer++) {
      if (layer > 0) y = dropout(y, { p: this.dropout, training });
      const outputs: Tensor[] = [];
      for (let at = 0; at < this.directions; at++) {
        const i = last.length;
        const state = given?.map((one) => slice(one, `${i}`));
        const made = this.direction(y, this.#weights[i]!, { state, reverse: at > 0, lengths });
        outputs.push(made.output);
        last.push(made.state);
      }
      y = outputs.length > 1 ? concat(outputs, { axis: 2 }) : outputs[0]!;
    }
    const output = isSingle ? reshape(y, [x.shape[0]!, y.shape[2]!]) : this.batchFirst ? transpose(y, 0, 1) : y;
    return {
      output,
      state: last[0]!.map((_, component) => reshape(stack(last.map((one) => one[component]!)), kept)),
    };
  }

  private check(argument: string, { shape }: Tensor, wanted: string, holds: boolean, expected?: Shape): void {
    if (holds) return;
    const message = `${argument} must be ${wanted}; got ${show(shape)}.`;
    throw new ShapeError(message, { op: this.#name, argument, got: shape, expected });
  }
}

/**
 * Recurrent layers, each a network of Elman (1990) over the sequence that the one below makes: h' = f(x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh) with f
 * tanh, or relu with `nonlinearity`.
 *
 * - x [T, N, inputSize], with `batchFirst` [N, T, inputSize], or [T, inputSize] without a batch
 * - `output`, h of the last layer in each step: [T, N, D·hiddenSize] or as x, where D is 2 with `bidirectional`, else 1
 * - state, given (zeros unless it is) and returned: h of each layer and direction, [numLayers·D, N, hiddenSize], or without a batch [numLayers·D, hiddenSize]
 * - `weight_ih_l0` [hiddenSize, inputSize], of further layers [hiddenSize, D·hiddenSize], `weight_hh_l0` [hiddenSize, hiddenSize],
 *   `bias_ih_l0` and `bias_hh_l0` [hiddenSize], and so on for l1, l2, …, and for the other direction with _reverse behind: all
 *   U(-1/√hiddenSize, 1/√hiddenSize), and named as in torch.nn.RNN, whose state dictionaries they take
 *
 * A sequence too long to remember all of, for its gradient, is taken in parts (truncated backpropagation through time): what the next
 * part starts from is the state, detached.
 *
 *     let state: Tensor | undefined;
 *     for (const part of parts) {
 *       const made = layer.forward(part, state);
 *       state = detach(made.state);
 *     }
 */
export class RNN extends Recurrent {
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(
    inputSize: number,
    hiddenSize: number,
    { nonlinearity = 'tanh', ...options }: RecurrentLayerOptions & { nonlinearity?: 'tanh' | 'relu' } = {},
  ) {
    super('nn.RNN', 1, inputSize, hiddenSize, options);
    checkNonlinearity('nn.RNN', nonlinearity);
    this.nonlinearity = nonlinearity;
  }

  override forward(x: Tensor, state?: Tensor | null, options: SequenceOptions = {}): Recurred<Tensor> {
    const made = this.run(x, state && [state], options);
    return { output: made.output, state: made.state[0]! };
  }

  protected override direction(x: Tensor, [wIh, wHh, bIh, bHh]: Weights, { state, ...options }: DirectionOptions) {
    const { nonlinearity } = this;
    const made = rnn(x, wIh, wHh, bIh, bHh, { ...options, nonlinearity, state: state?.[0] });
    return { output: made.output, state: [made.state] };
  }
}

/**
 * Layers of long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000): see `lstm`. As `RNN`, but the
 * state is a pair [h, c], both [numLayers·D, N, hiddenSize], and weights and biases have 4·hiddenSize rows, for i, f, g, o; named as in
 * torch.nn.LSTM.
 */
export class LSTM extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentLayerOptions = {}) {
    super('nn.LSTM', 4, inputSize, hiddenSize, options);
  }

  override forward(x: Tensor, state?: LstmState | null, options: SequenceOptions = {}): Recurred<LstmState> {
    checkPair('nn.LSTM', state);
    const made = this.run(x, state, options);
    return { output: made.output, state: made.state as [Tensor, Tensor] };
  }

  protected override direction(x: Tensor, [wIh, wHh, bIh, bHh]: Weights, { state, ...options }: DirectionOptions) {
    return lstm(x, wIh, wHh, bIh, bHh, { ...options, state: state as [Tensor, Tensor] | undefined });
  }
}

/**
 * Layers of gated recurrent units (Cho et al. 2014): see `gru`. As `RNN`, but weights and biases have 3·hiddenSize rows, for r, z, n; named
 * as in torch.nn.GRU.
 */
export class GRU extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentLayerOptions = {}) {
    super('nn.GRU', 3, inputSize, hiddenSize, options);
  }

  override forward(x: Tensor, state?: Tensor | null, options: SequenceOptions = {}): Recurred<Tensor> {
    const made = this.run(x, state && [state], options);
    return { output: made.output, state: made.state[0]! };
  }

  protected override direction(x: Tensor, [wIh, wHh, bIh, bHh]: Weights, { state, ...options }: DirectionOptions) {
    const made = gru(x, wIh, wHh, bIh, bHh, { ...options, state: state?.[0] });
    return { output: made.output, state: [made.state] };
  }
}

function checkPair(op: string, state: LstmState | null | undefined): void {
  checkOption(op, 'state', state, state == null || (Array.isArray(state) && state.length === 2), 'a pair [h, c]');
}

export interface RecurrentCellOptions {
  bias?: boolean;
  dtype?: Real;
}

/** What the three cells share. */
abstract class RecurrentCell extends Module {
  protected readonly weights: Weights;
  readonly #name: string;

  constructor(
    name: string,
    parts: number,
    readonly inputSize: number,
    readonly hiddenSize: number,
    { bias = true, dtype = 'f32' }: RecurrentCellOptions,
  ) {
    super();
    checkCounts(name, { inputSize, hiddenSize });
    this.#name = name;
    this.weights = weightsOf(parts, inputSize, hiddenSize, bias, dtype);
  }

  protected override fields(): [string, unknown][] {
    return this.weights.map((parameter, at) => [NAMES[at]!, parameter]);
  }

  /** A sequence of one step: x [N, I] or [I] as [1, N, I], and states [N, H] or [H] as [N, H]. */
  protected step(
    x: Tensor,
    states: readonly Tensor[] | null | undefined,
    run: (x: Tensor, states: readonly Tensor[] | undefined) => readonly Tensor[],
  ): Tensor[] {
    if ((x.rank !== 1 && x.rank !== 2) || x.shape.at(-1) !== this.inputSize) {
      throw new ShapeError(`x must be [N, I] or [I], I = ${this.inputSize}; got ${show(x.shape)}.`, {
        op: this.#name,
        argument: 'x',
        got: x.shape,
      });
    }
    const isSingle = x.rank === 1;
    const own = states?.map((state) => (isSingle ? unsqueeze(state, 0) : state));
    const made = run(reshape(x, [1, ...(isSingle ? [1] : []), ...x.shape]), own);
    return made.map((state) => (isSingle ? reshape(state, [this.hiddenSize]) : state));
  }
}

/**
 * One step of `RNN`: x [N, inputSize] and h [N, hiddenSize], zeros unless given, -> h'; without a batch, [inputSize] and [hiddenSize]. Parameters are
 * `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`, as in torch.nn.RNNCell.
 */
export class RNNCell extends RecurrentCell {
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(
    inputSize: number,
    hiddenSize: number,
    { nonlinearity = 'tanh', ...options }: RecurrentCellOptions & { nonlinearity?: 'tanh' | 'relu' } = {},
  ) {
    super('nn.RNNCell', 1, inputSize, hiddenSize, options);
    checkNonlinearity('nn.RNNCell', nonlinearity);
    this.nonlinearity = nonlinearity;
  }

  override forward(x: Tensor, state?: Tensor | null): Tensor {
    const [wIh, wHh, bIh, bHh] = this.weights;
    const { nonlinearity } = this;
    const run = (at: Tensor, own?: readonly Tensor[]) => [
      rnn(at, wIh, wHh, bIh, bHh, { nonlinearity, state: own?.[0] }).state,
    ];
    return this.step(x, state && [state], run)[0]!;
  }
}

/** One step of `LSTM`, with states [h, c] given and returned; otherwise as `RNNCell`. */
export class LSTMCell extends RecurrentCell {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    super('nn.LSTMCell', 4, inputSize, hiddenSize, options);
  }

  override forward(x: Tensor, state?: LstmState | null): LstmState {
    checkPair('nn.LSTMCell', state);
    const [wIh, wHh, bIh, bHh] = this.weights;
    const run = (at: Tensor, own?: readonly Tensor[]) =>
      lstm(at, wIh, wHh, bIh, bHh, { state: own as LstmState | undefined }).state;
    return this.step(x, state, run) as [Tensor, Tensor];
  }
}

/** One step of `GRU`; otherwise as `RNNCell`. */
export class GRUCell extends RecurrentCell {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    super('nn.GRUCell', 3, inputSize, hiddenSize, options);
  }

  override forward(x: Tensor, state?: Tensor | null): Tensor {
    const [wIh, wHh, bIh, bHh] = this.weights;
    const run = (at: Tensor, own?: readonly Tensor[]) => [gru(at, wIh, wHh, bIh, bHh, { state: own?.[0] }).state];
    return this.step(x, state && [state], run)[0]!;
  }
}
