import 'wasmgrad/f64';
import { describe, expect, it } from 'vitest';
import {
  broadcastTo,
  compile,
  Generator,
  manualSeed,
  type Real,
  randn,
  type SampleOptions,
  sample,
  tensor,
  zeros,
} from 'wasmgrad';
import { expectSameBits } from '../reference';

const logits = [2, -1, 0.5, 1.9, -3, 0.5, 1, -0.2];
const DRAWS = 20_000;

/** What each class must come to: those that stay, by their softmax. */
function expected({ temperature = 1, topK = 8, topP = 1 }: SampleOptions): number[] {
  const order = logits.map((_, i) => i).sort((a, b) => logits[b]! - logits[a]! || a - b);
  const weight = (i: number) => Math.exp(logits[i]! / temperature);
  let stay = order.slice(0, topK);
  const total = stay.reduce((sum, i) => sum + weight(i), 0);
  let before = 0;
  stay = stay.filter((i) => {
    const own = before < topP;
    before += weight(i) / total;
    return own;
  });
  const rest = stay.reduce((sum, i) => sum + weight(i), 0);
  return logits.map((_, i) => (stay.includes(i) ? weight(i) / rest : 0));
}

describe.each(['f32', 'f64'] as Real[])('in %s', (dtype) => {
  it.each<SampleOptions>([
    {},
    { temperature: 0.3 },
    { temperature: 4 },
    { topK: 1 },
    { topK: 3 },
    { topK: 100 },
    { topP: 0.6 },
    { topP: 0.05 },
    { topP: 1 },
    { topK: 5, topP: 0.8, temperature: 2 },
  ])('draws each class as often as %o says', (options) => {
    const rows = broadcastTo(tensor(logits, { dtype }), [DRAWS, 8]);
    const drawn = sample(rows, { ...options, generator: new Generator(7) });
    expect([drawn.dtype, drawn.shape]).toEqual(['i32', [DRAWS]]);
    const counts = new Array<number>(8).fill(0);
    for (const one of drawn.data()) counts[one]!++;
    expected(options).forEach((p, i) => {
      const sigma = Math.sqrt(DRAWS * p * (1 - p));
      expect(Math.abs(counts[i]! - DRAWS * p), `class ${i}: ${counts[i]} of ${DRAWS * p}`).toBeLessThanOrEqual(
        4 * sigma,
      );
    });
  });
});

it('takes the most likely at temperature 0, and draws nothing for it', () => {
  const generator = new Generator(1);
  expect(sample(tensor([logits, logits.toReversed()]), { temperature: 0, generator }).toArray()).toEqual([0, 7]);
  expect([...generator.cell.data()]).toEqual([1, 0, 0, 0]);
});

it('draws the same eager and compiled, and goes on from draw to draw', () => {
  const x = randn([3, 5, 20]);
  const f = (y: typeof x) => [sample(y), sample(y, { topK: 5, topP: 0.9 })];
  const step = compile(f, { threads: 2 });
  const runs = [f, step].map((g) => {
    manualSeed(11);
    return [...g(x), ...g(x)];
  });
  runs[0]!.forEach((one, i) => {
    expect(one.shape).toEqual([3, 5]);
    expectSameBits(runs[1]![i]!, one);
  });
  expect(runs[0]![2]!.toArray()).not.toEqual(runs[0]![0]!.toArray());
});

it('takes one row, and one class', () => {
  expect(sample(tensor([0, 1e4, 0])).toArray()).toBe(1);
  expect(sample(tensor([0, Number.NEGATIVE_INFINITY])).toArray()).toBe(0);
  expect(sample(zeros([4, 1]), { topP: 0.5 }).toArray()).toEqual([0, 0, 0, 0]);
});

it.each([
  [() => sample(zeros([2]), { temperature: -1 }), 'BAD_VALUE', 'temperature'],
  [() => sample(zeros([2]), { temperature: Number.NaN }), 'BAD_VALUE', 'temperature'],
  [() => sample(zeros([2]), { temperature: Infinity }), 'BAD_VALUE', 'temperature'],
  [() => sample(zeros([2]), { topK: 0 }), 'BAD_VALUE', 'topK'],
  [() => sample(zeros([2]), { topK: 1.5 }), 'BAD_VALUE', 'topK'],
  [() => sample(zeros([2]), { topP: 0 }), 'BAD_VALUE', 'topP'],
  [() => sample(zeros([2]), { topP: 1.1 }), 'BAD_VALUE', 'topP'],
  [() => sample(zeros([])), 'SHAPE_MISMATCH', '[]'],
  [() => sample(zeros([2, 0])), 'SHAPE_MISMATCH', '[2, 0]'],
  [() => sample(zeros([2], { dtype: 'i32' })), 'DTYPE_MISMATCH', 'i32'],
  [() => sample(1 as never), 'DTYPE_MISMATCH', 'number'],
] as [() => unknown, string, string][])('refuses %s', (f, code, says) => {
  expect(f).toThrow(expect.objectContaining({ code, op: 'sample', message: expect.stringContaining(says) }));
});
