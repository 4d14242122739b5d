import { beforeAll, expect, test } from 'vitest';
import { tensor } from 'wasmgrad';
import { CharacterGRU } from '../../examples/character-gru';
import { GPT } from '../../examples/gpt';
import { learn, readText, type Writer, write } from '../../examples/king-james';

let text: string;
beforeAll(async () => {
  text = (await readText()).slice(0, 60_000);
});

const models: [string, (vocabSize: number) => Writer, number][] = [
  ['gpt', (vocabSize) => new GPT(vocabSize, { width: 32, heads: 2, layers: 2, context: 32 }), 5e-3],
  ['gru', (vocabSize) => new CharacterGRU(vocabSize, { hidden: 64 }), 1e-2],
];

/** Who only knows how frequent each character is needs 2.9 nats for one. */
test.each(models)('%s learns to write, with a smaller budget', async (_, build, maxLr) => {
  const lines: string[] = [];
  const course = { steps: 300, batchSize: 16, length: 32, maxLr, print: (line: string) => lines.push(line) };
  const { model, tokenizer, held } = await learn(text, build, course);
  expect(held).toBeLessThan(2.4);
  expect(lines).toHaveLength(10);
  expect(lines[9]).toMatch(
    /^step {3}300 {3}\d\.\d{3} nats a character, \d\.\d{3} of what it does not learn from {3}\d+ s$/,
  );

  // Character by character it computes what it does for the whole text.
  const likeliest = write({ model, tokenizer }, 'The man ', { length: 32, temperature: 0 });
  expect(likeliest).toHaveLength(32);
  expect(likeliest.startsWith('The man ')).toBe(true);
  const ids = tokenizer.encode(likeliest);
  const following = model
    .forward(tensor(ids, { shape: [1, 32] }))
    .argmax({ axis: 2 })
    .data();
  expect(following.slice(7, 31)).toEqual(ids.slice(8));
});
