/**
 * A recurrent network that learns to write like the King James Bible: what came before is in the state of one GRU (Cho et al. 2014) of 256 units.
 *
 *     node tools/run.mjs examples/character-gru.ts
 */
import { fileURLToPath } from 'node:url';
import { assign, Cell, nn, type Tensor, zeros } from 'wasmgrad';
import { program, Writer } from './king-james';

export class CharacterGRU extends Writer {
  readonly characters: nn.Embedding;
  readonly layer: nn.GRU;
  readonly out: nn.Linear;

  constructor(vocabSize: number, { hidden }: { hidden: number }) {
    super();
    this.characters = new nn.Embedding(vocabSize, hidden / 4);
    this.layer = new nn.GRU(hidden / 4, hidden, { batchFirst: true });
    this.out = new nn.Linear(hidden, vocabSize);
  }

  override forward(characters: Tensor): Tensor {
    return this.out.forward(this.layer.forward(this.characters.forward(characters)).output);
  }

  /** Its memory is its state, however long the text is. */
  override reader(): (character: Tensor) => Tensor {
    const memory = new Cell(zeros([1, 1, this.layer.hiddenSize]));
    return (character) => {
      const { output, state } = this.layer.forward(this.characters.forward(character), memory);
      assign(memory, state);
      return this.out.forward(output);
    };
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await program((vocabSize) => new CharacterGRU(vocabSize, { hidden: 256 }), {
    steps: 2000,
    batchSize: 32,
    length: 128,
    maxLr: 5e-3,
  });
}
