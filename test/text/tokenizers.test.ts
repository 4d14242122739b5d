import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { BytePairTokenizer, ByteTokenizer, CharacterTokenizer, readKingJames, type Tokenizer } from 'wasmgrad';
import { sequence } from '../kernels/core';

const text = await readKingJames(await readFile(new URL('../../data/king-james-wisdom.txt.gz', import.meta.url)));

const TEXTS = [
  ...[
    '',
    ' ',
    'a',
    '  a  b ',
    '\n\n\t x',
    'don’t 12,345.67 é e\u0301',
    '日本語 emoji 👩‍👩‍👧 𝒳',
    '\ufeffmark',
    'a\u00a0b',
  ],
  text.slice(0, 3000),
];

it('reads the text: verses of five books', () => {
  expect(text.length).toBe(439_988);
  expect(text.split('\n').slice(0, 2)[1]).toBe('And there were born unto him seven sons and three daughters.');
});

/** Byte pair encoding as in the paper's listing: all pairs counted anew for every merge. */
function referenceMerges(pieces: string[], count: number): [number, number][] {
  let words = pieces.map((piece) => [...new TextEncoder().encode(piece)]);
  return Array.from({ length: count }, (_, i) => {
    const counts = new Map<string, number>();
    for (const ids of words) {
      ids.slice(1).forEach((right, at) => {
        const key = `${ids[at]} ${right}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      });
    }
    const pairs = [...counts].map(([key, n]) => [...key.split(' ').map(Number), n] as [number, number, number]);
    const [[left, right]] = pairs.sort((a, b) => b[2] - a[2] || a[0] - b[0] || a[1] - b[1]) as [
      [number, number, number],
    ];
    words = words.map((ids) => {
      const out: number[] = [];
      for (let at = 0; at < ids.length; at++) {
        if (ids[at] === left && ids[at + 1] === right) {
          out.push(256 + i);
          at++;
        } else out.push(ids[at]!);
      }
      return out;
    });
    return [left, right];
  });
}

describe('BytePairTokenizer', () => {
  it('learns the pairs that counting all of them anew finds', () => {
    for (const part of [text.slice(0, 4000), 'aaaa aaaa abab abab abab cdcd cdcd', 'ééé ééé ñññ ñññ']) {
      const pieces = part.match(/ ?[^\s,.:;'’?!()-]+| ?[,.:;'’?!()-]+|\s+(?!\S)|\s+/g)!;
      const tokenizer = BytePairTokenizer.train(part, { vocabSize: 256 + 120 });
      expect(tokenizer.merges).toEqual(referenceMerges(pieces, tokenizer.merges.length));
    }
    expect(BytePairTokenizer.train(text.slice(0, 4000), { vocabSize: 376 }).vocabSize).toBe(376);
  });

  it('of equally frequent pairs takes that of the lowest bytes', () => {
    expect(BytePairTokenizer.train('zx zx ba ba', { vocabSize: 258 }).merges[0]).toEqual([32, 98]);
    expect(BytePairTokenizer.train('zx.zx.ba.ba', { vocabSize: 257 }).merges).toEqual([[98, 97]]);
  });

  it('stops where no pair comes twice', () => {
    expect(BytePairTokenizer.train('abcdefg', { vocabSize: 1000 }).vocabSize).toBe(256);
    expect(BytePairTokenizer.train('', { vocabSize: 1000 }).vocabSize).toBe(256);
  });

  it('makes the text that it learnt from shorter, the more so the more it learnt', () => {
    const lengths = [256, 300, 500, 1000].map(
      (vocabSize) => BytePairTokenizer.train(text, { vocabSize }).encode(text).length,
    );
    expect(lengths[0]).toBe(text.length);
    for (const i of [1, 2, 3]) expect(lengths[i]!).toBeLessThan(0.9 * lengths[i - 1]!);
    expect(lengths[3]!).toBeLessThan(text.length / 2.5);
  });

  it('merges in the order of learning, whatever stands where', () => {
    const tokenizer = new BytePairTokenizer([
      [98, 99],
      [97, 98],
      [97, 256],
      [258, 258],
    ]);
    expect([...tokenizer.encode('abc')]).toEqual([258]);
    expect([...tokenizer.encode('ab')]).toEqual([257]);
    expect([...tokenizer.encode('abcabcabc')]).toEqual([259, 258]);
    expect(tokenizer.decode([259, 258])).toBe('abcabcabc');
  });

  it.each([
    ['of a later id', [[97, 256]]],
    ['of half an id', [[0.5, 97]]],
    ['of an id below 0', [[-1, 97]]],
  ] as [string, [number, number][]][])('refuses a pair %s', (_, merges) => {
    expect(() => new BytePairTokenizer(merges)).toThrow(expect.objectContaining({ code: 'BAD_FORMAT' }));
  });

  it.each([255, 256.5, Number.NaN, 2 ** 21])('refuses to learn %s ids', (vocabSize) => {
    expect(() => BytePairTokenizer.train('a', { vocabSize })).toThrow(expect.objectContaining({ code: 'BAD_VALUE' }));
  });
});

describe.each<[string, Tokenizer, (data: unknown) => Tokenizer]>([
  ['CharacterTokenizer', CharacterTokenizer.train(TEXTS.join('')), CharacterTokenizer.fromJSON],
  ['ByteTokenizer', new ByteTokenizer(), ByteTokenizer.fromJSON],
  ['BytePairTokenizer', BytePairTokenizer.train(TEXTS.join(''), { vocabSize: 400 }), BytePairTokenizer.fromJSON],
])('%s', (op, tokenizer, fromJSON) => {
  it('gives every text back', () => {
    for (const one of TEXTS) {
      const ids = tokenizer.encode(one);
      expect(tokenizer.decode(ids)).toBe(one);
      for (const id of ids) expect(id).toBeLessThan(tokenizer.vocabSize);
    }
  });

  it('is the same again from its JSON', () => {
    const again = fromJSON(JSON.parse(JSON.stringify(tokenizer)));
    expect(again.vocabSize).toBe(tokenizer.vocabSize);
    for (const one of TEXTS) expect(again.encode(one)).toEqual(tokenizer.encode(one));
  });

  it('refuses other JSON', () => {
    for (const data of [null, undefined, {}, [], 1, 'x', { kind: 'other' }, { kind: 'bytePair', merges: [[1]] }]) {
      expect(() => fromJSON(data)).toThrow(expect.objectContaining({ code: 'BAD_FORMAT', op }));
    }
  });

  it.each([-1, 0.5, Number.NaN, 1e6])('refuses the id %s', (id) => {
    expect(() => tokenizer.decode([0, id])).toThrow(
      expect.objectContaining({ code: 'INDEX_OUT_OF_RANGE', op, limit: tokenizer.vocabSize }),
    );
  });
});

it('byte tokenizers know every text, and what is no text', () => {
  const next = sequence(1);
  const random = Array.from({ length: 500 }, () => String.fromCodePoint(Math.floor(next() * 0xd800))).join('');
  for (const tokenizer of [new ByteTokenizer(), BytePairTokenizer.train(text.slice(0, 2000), { vocabSize: 300 })]) {
    expect(tokenizer.decode(tokenizer.encode(random))).toBe(random);
    expect(tokenizer.decode([0xe6, 97])).toBe('\ufffda');
  }
});

it('characters are numbered by code point; others are named, and none comes twice', () => {
  const tokenizer = CharacterTokenizer.train('b𝒳a b');
  expect(tokenizer.characters).toEqual([' ', 'a', 'b', '𝒳']);
  expect([...tokenizer.encode('a𝒳')]).toEqual([1, 3]);
  expect(() => tokenizer.encode('abc')).toThrow(
    expect.objectContaining({ code: 'BAD_DATA', got: 'c', message: expect.stringContaining('character 2') }),
  );
  expect(() => new CharacterTokenizer(['a', 'b', 'a'])).toThrow(
    expect.objectContaining({ code: 'BAD_DATA', got: 'a' }),
  );
});
