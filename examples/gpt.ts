/**
 * A small GPT (Radford et al. 2019) that learns to write like the King James Bible: 4 blocks of width 128, 0.8 million parameters.
 *
 *     node tools/run.mjs examples/gpt.ts
 */
import { fileURLToPath } from 'node:url';
import { add, arange, nn, type Tensor } from 'wasmgrad';
import { program, Writer } from './king-james';

export interface GPTOptions {
  width: number;
  heads: number;
  layers: number;
  /** The most characters that it sees at a time. */
  context: number;
  dropout?: number;
}

export class GPT extends Writer {
  readonly characters: nn.Embedding;
  readonly positions: nn.Embedding;
  readonly dropout: nn.Dropout;
  readonly blocks: nn.TransformerEncoder;
  readonly out: nn.Linear;

  constructor(vocabSize: number, { width, heads, layers, context, dropout = 0 }: GPTOptions) {
    super();
    const init = nn.init.normal({ std: 0.02 });
    this.characters = new nn.Embedding(vocabSize, width, { init });
    this.positions = new nn.Embedding(context, width, { init });
    this.dropout = new nn.Dropout(dropout);
    const block = () =>
      new nn.TransformerEncoderLayer(width, heads, {
        dimFeedforward: 4 * width,
        dropout,
        activation: 'gelu',
        normFirst: true,
        batchFirst: true,
      });
    this.blocks = new nn.TransformerEncoder(block, layers, { norm: new nn.LayerNorm(width) });
    this.out = new nn.Linear(width, vocabSize);
  }

  /** With caches the characters are those behind what is in them. */
  override forward(characters: Tensor, caches?: nn.KeyValueCache[]): Tensor {
    const places = add(arange(characters.shape[1]!), caches ? caches[0]!.position : 0);
    const x = add(this.characters.forward(characters), this.positions.forward(places));
    const y = this.blocks.forward(this.dropout.forward(x), caches ? { caches } : { isCausal: true });
    return this.out.forward(y);
  }

  override reader(length: number): (character: Tensor) => Tensor {
    const caches = this.blocks.layers.map(({ selfAttn }) => selfAttn.cache(1, length));
    return (character) => this.forward(character, caches);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = { width: 128, heads: 4, layers: 4, context: 128 };
  await program((vocabSize) => new GPT(vocabSize, options), { steps: 2000, batchSize: 16, length: 128, maxLr: 2e-3 });
}
