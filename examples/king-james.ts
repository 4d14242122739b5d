/**
 * What the programs that learn to write share: the wisdom books of the King James Bible, character by character, the training in a worker, and
 * how a text is gone on with.
 */
import { readFile } from 'node:fs/promises';
import {
  CharacterTokenizer,
  compile,
  crossEntropy,
  evaluate,
  manualSeed,
  nn,
  optim,
  randomWindows,
  readKingJames,
  reshape,
  sample,
  type Tensor,
  tensor,
  train,
  windows,
} from 'wasmgrad';

export const readText = async () => readKingJames(await readFile('data/king-james-wisdom.txt.gz'));

export abstract class Writer extends nn.Module {
  /** Characters [N, T] -> of each, the logits of what follows it, [N, T, V]. */
  abstract override forward(characters: Tensor): Tensor;

  /** A reader of one text of at most so many characters, which gets them one at a time, [1, 1] -> [1, 1, V], and remembers. */
  abstract reader(length: number): (character: Tensor) => Tensor;
}

const loss = (logits: Tensor, next: Tensor) =>
  crossEntropy(reshape(logits, [-1, logits.shape.at(-1)!]), reshape(next, [-1]));

export interface Course {
  steps: number;
  batchSize: number;
  /** Characters that are read at a time. */
  length: number;
  /** The learning rate at its highest: it rises over the first tenth and falls along a cosine after. */
  maxLr: number;
  print?: (line: string) => void;
}

export interface Writing<W extends Writer> {
  model: W;
  tokenizer: CharacterTokenizer;
  /** Nats for each character of the tenth that was held out. */
  held: number;
}

/** Trains on random pieces of the text's first nine tenths, and says every tenth of the steps how it goes. */
export async function learn<W extends Writer>(
  text: string,
  build: (vocabSize: number) => W,
  { steps, batchSize, length, maxLr, print = () => {} }: Course,
): Promise<Writing<W>> {
  const tokenizer = CharacterTokenizer.train(text);
  const tokens = tokenizer.encode(text);
  const cut = Math.floor(tokens.length * 0.9);
  manualSeed(0);
  const model = build(tokenizer.vocabSize);
  const held = windows(tokens.subarray(cut), { length });
  const started = performance.now();
  const run = train({
    model,
    loss,
    optimizer: new optim.AdamW(model.parameters(), { betas: [0.9, 0.99], weightDecay: 0.1 }),
    schedule: optim.lr.oneCycle({ totalSteps: steps, maxLr, pctStart: 0.1 }),
    data: randomWindows(tokens.subarray(0, cut), { length, batchSize, steps: steps / 10 }),
    validation: held,
    epochs: 10,
    batchSize,
    clipNorm: 1,
    threads: 2,
  });
  for await (const event of run) {
    if (event.kind !== 'epoch') continue;
    const nats = `${event.loss.toFixed(3)} nats a character, ${event.validation!.loss!.toFixed(3)} of what it does not learn from`;
    print(`step ${String(event.step).padStart(5)}   ${nats}   ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  await run.done;
  const { loss: nats } = await evaluate({ model, data: held, loss, batchSize });
  return { model, tokenizer, held: nats! };
}

/** What is begun, gone on with until there are so many characters: each is a step of one compiled program, whatever came before. */
export function write(
  { model, tokenizer }: Omit<Writing<Writer>, 'held'>,
  begun: string,
  { length, temperature = 0.7 }: { length: number; temperature?: number },
): string {
  model.eval();
  const read = model.reader(length);
  const next = compile((character: Tensor) => sample(read(character), { temperature }));
  const text = [...tokenizer.encode(begun)];
  for (let at = 0; text.length < length; at++) {
    const drawn = next(tensor([[text[at]!]], { dtype: 'i32' }));
    if (at === text.length - 1) text.push(drawn.item());
  }
  return tokenizer.decode(text);
}

/** What each of the programs does. */
export async function program(build: (vocabSize: number) => Writer, course: Course): Promise<void> {
  const text = await readText();
  const writing = await learn(text, build, { ...course, print: console.log });
  console.log(`${writing.held.toFixed(3)} nats a character on the tenth of the text that was held out\n`);
  console.log(write(writing, 'The LORD ', { length: course.length }));
}
