import { DataError, FormatError, IndexError } from '../errors';
import { checkOption } from '../tensor';

/** Text as whole numbers from 0 to vocabSize - 1, and back. */
export interface Tokenizer {
  readonly vocabSize: number;
  encode(text: string): Int32Array;
  decode(ids: ArrayLike<number>): string;
  /** Plain data that the class's `fromJSON` takes. */
  toJSON(): object;
}

function checkId(op: string, id: number, limit: number): void {
  if (Number.isInteger(id) && id >= 0 && id < limit) return;
  throw new IndexError(`id ${id} is out of range; allowed are 0 to ${limit - 1}.`, {
    op,
    argument: 'ids',
    value: id,
    limit,
  });
}

function checkFormat(op: string, holds: boolean, needed: string): void {
  if (!holds) throw new FormatError(`the data is not what toJSON made: it needs ${needed}.`, { op, argument: 'data' });
}

/** A number for each character (code point) that there is. */
export class CharacterTokenizer implements Tokenizer {
  private readonly ids: ReadonlyMap<string, number>;

  /** The characters by number. Throws a DataError for one that comes twice. */
  constructor(readonly characters: readonly string[]) {
    this.ids = new Map(characters.map((character, id) => [character, id]));
    const twice = characters.find((character, id) => this.ids.get(character) !== id);
    if (twice === undefined) return;
    throw new DataError(`the character ${JSON.stringify(twice)} comes twice.`, {
      op: 'CharacterTokenizer',
      argument: 'characters',
      got: twice,
    });
  }

  /** All characters of a text, in the order of their code points. */
  static train(text: string): CharacterTokenizer {
    const characters = [...new Set(text)];
    return new CharacterTokenizer(characters.sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!));
  }

  /** Throws a FormatError for anything that `toJSON` did not make. */
  static fromJSON(data: unknown): CharacterTokenizer {
    const { kind, characters } = (data ?? {}) as { kind?: unknown; characters?: unknown };
    checkFormat('CharacterTokenizer', kind === 'character' && typeof characters === 'string', 'kind and characters');
    return new CharacterTokenizer([...(characters as string)]);
  }

  get vocabSize(): number {
    return this.characters.length;
  }

  /** Throws a DataError for a character that is not among them. */
  encode(text: string): Int32Array {
    return Int32Array.from([...text], (character, at) => {
      const id = this.ids.get(character);
      if (id !== undefined) return id;
      throw new DataError(
        `character ${at}, ${JSON.stringify(character)}, is none of the ${this.vocabSize} known ones.`,
        {
          op: 'CharacterTokenizer',
          argument: 'text',
          got: character,
          expected: this.characters.join(''),
        },
      );
    });
  }

  /** Throws an IndexError for a number that has no character. */
  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) => {
      checkId('CharacterTokenizer', id, this.vocabSize);
      return this.characters[id]!;
    }).join('');
  }

  toJSON(): object {
    return { kind: 'character', characters: this.characters.join('') };
  }
}

const textOf = (bytes: readonly number[]) =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));

/** The bytes of a text in UTF-8: it knows every text, and has nothing to learn. */
export class ByteTokenizer implements Tokenizer {
  readonly vocabSize = 256;

  /** Throws a FormatError for anything that `toJSON` did not make. */
  static fromJSON(data: unknown): ByteTokenizer {
    checkFormat('ByteTokenizer', (data as { kind?: unknown } | null)?.kind === 'byte', 'kind');
    return new ByteTokenizer();
  }

  encode(text: string): Int32Array {
    return Int32Array.from(new TextEncoder().encode(text));
  }

  /** Bytes that are no UTF-8 become U+FFFD. Throws an IndexError for a number that is no byte. */
  decode(ids: ArrayLike<number>): string {
    const bytes = Array.from(ids);
    for (const id of bytes) checkId('ByteTokenizer', id, 256);
    return textOf(bytes);
  }

  toJSON(): object {
    return { kind: 'byte' };
  }
}

/** Words, numbers and what is neither, each with the space before it; more spaces by themselves. Together they are the text. */
const PIECES = / ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+/gu;

/** A pair of ids as one number. */
const SHIFT = 2 ** 20;
const keyOf = (left: number, right: number) => left * SHIFT + right;

/** ids with each pair (left, right), from the left, replaced by one id. */
function merged(ids: readonly number[], left: number, right: number, id: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    const isPair = ids[i] === left && ids[i + 1] === right;
    result.push(isPair ? id : ids[i]!);
    if (isPair) i++;
  }
  return result;
}

/**
 * Byte pair encoding (Sennrich et al. 2016, section 3.2) on the bytes of UTF-8, so that it knows every text: ids 0 to 255 are bytes,
 * and each further one stands for a pair of earlier ones. Pairs are merged inside of words, numbers and punctuation, to which the space
 * before them belongs, in the order in which they were learnt.
 */
export class BytePairTokenizer implements Tokenizer {
  private readonly ranks: ReadonlyMap<number, number>;
  private readonly bytes: (readonly number[])[];

  /** The pairs of ids that ids 256, 257 … stand for. Throws a FormatError for a pair of ids that are not there yet. */
  constructor(readonly merges: readonly (readonly [number, number])[]) {
    this.ranks = new Map(merges.map(([left, right], i) => [keyOf(left, right), 256 + i]));
    this.bytes = Array.from({ length: 256 }, (_, byte) => [byte]);
    merges.forEach(([left, right], i) => {
      const known = [left, right].every((id) => Number.isInteger(id) && id >= 0 && id < 256 + i);
      checkFormat('BytePairTokenizer', known, `pairs of earlier ids; number ${i} is [${left}, ${right}]`);
      this.bytes.push([...this.bytes[left]!, ...this.bytes[right]!]);
    });
  }

  /**
   * Learns the pairs of a text: again and again the most frequent one, of equally frequent ones that of the lowest ids, first left then right;
   * until there are `vocabSize` ids, or no pair comes twice. Throws a ValueError unless vocabSize is a whole number from 256 to 2²⁰.
   */
  static train(text: string, { vocabSize }: { vocabSize: number }): BytePairTokenizer {
    const isSize = Number.isInteger(vocabSize) && vocabSize >= 256 && vocabSize <= SHIFT;
    checkOption('BytePairTokenizer', 'vocabSize', vocabSize, isSize, 'a whole number from 256 to 1048576');
    const counts = new Map<string, number>();
    for (const [piece] of text.matchAll(PIECES)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
    const encoder = new TextEncoder();
    const words = [...counts].map(([piece, count]) => ({ ids: [...encoder.encode(piece)], count }));
    /** How often each pair comes, and in which words it may be. */
    const pairs = new Map<number, { count: number; words: Set<(typeof words)[0]> }>();
    const note = (word: (typeof words)[0], sign: 1 | -1) => {
      for (let i = 1; i < word.ids.length; i++) {
        const key = keyOf(word.ids[i - 1]!, word.ids[i]!);
        let pair = pairs.get(key);
        if (!pair) {
          pair = { count: 0, words: new Set() };
          pairs.set(key, pair);
        }
        pair.count += sign * word.count;
        if (sign > 0) pair.words.add(word);
        if (pair.count === 0) pairs.delete(key);
      }
    };
    for (const word of words) note(word, 1);
    const merges: [number, number][] = [];
    while (256 + merges.length < vocabSize) {
      let best = -1;
      let most = 1;
      for (const [key, { count }] of pairs) {
        if (count > most || (count === most && best >= 0 && key < best)) [best, most] = [key, count];
      }
      if (best < 0) break;
      const [left, right] = [Math.floor(best / SHIFT), best % SHIFT];
      for (const word of pairs.get(best)!.words) {
        note(word, -1);
        word.ids = merged(word.ids, left, right, 256 + merges.length);
        note(word, 1);
      }
      merges.push([left, right]);
    }
    return new BytePairTokenizer(merges);
  }

  /** Throws a FormatError for anything that `toJSON` did not make. */
  static fromJSON(data: unknown): BytePairTokenizer {
    const { kind, merges } = (data ?? {}) as { kind?: unknown; merges?: unknown };
    const isList = Array.isArray(merges) && merges.every((pair) => Array.isArray(pair) && pair.length === 2);
    checkFormat('BytePairTokenizer', kind === 'bytePair' && isList, 'kind and merges');
    return new BytePairTokenizer(merges as [number, number][]);
  }

  get vocabSize(): number {
    return 256 + this.merges.length;
  }

  encode(text: string): Int32Array {
    const encoder = new TextEncoder();
    const known = new Map<string, readonly number[]>();
    const all: number[] = [];
    for (const [piece] of text.matchAll(PIECES)) {
      const ids = known.get(piece) ?? this.mergeAll([...encoder.encode(piece)]);
      known.set(piece, ids);
      for (const id of ids) all.push(id);
    }
    return Int32Array.from(all);
  }

  /** Bytes that are no UTF-8, such as a part of a character, become U+FFFD. Throws an IndexError for an unknown id. */
  decode(ids: ArrayLike<number>): string {
    return textOf(
      Array.from(ids, (id) => {
        checkId('BytePairTokenizer', id, this.vocabSize);
        return this.bytes[id]!;
      }).flat(),
    );
  }

  toJSON(): object {
    return { kind: 'bytePair', merges: this.merges };
  }

  /** Merges the pair that was learnt first, until there is none. */
  private mergeAll(ids: number[]): number[] {
    while (true) {
      let id = Number.POSITIVE_INFINITY;
      for (let i = 1; i < ids.length; i++) id = Math.min(id, this.ranks.get(keyOf(ids[i - 1]!, ids[i]!)) ?? id);
      if (id === Number.POSITIVE_INFINITY) return ids;
      ids = merged(ids, ...this.merges[id - 256]!, id);
    }
  }
}
