import { Control, Gemm, Op } from '../../assembly/isa';
import { bytesOf, isReal } from '../dtype';
import { DivergenceError } from '../errors';
import { show, sizeOf } from '../shape';
import type { LoadedProgram } from './machine';
import { type Place, type Program, type RecordNote, Segment } from './program';

/** Bytes of a segment. */
interface Span {
  segment: number;
  from: number;
  to: number;
}

function spanOf({ segment, offset, dtype, shape }: Place): Span {
  return { segment, from: offset, to: offset + Math.max(1, sizeOf(shape)) * bytesOf(dtype) };
}

function holds({ segment, from, to }: Span, at: { segment: number; offset: number }): boolean {
  return segment === at.segment && at.offset >= from && at.offset < to;
}

/**
 * Runs a program again that has just refused to commit, record by record, to find where it went wrong: the record that makes something
 * not finite out of finite operands. Infinities that are meant, such as a mask's, have none; then it is the first NaN. `names` are the cells', as far
 * as they are parameters or buffers of a model.
 */
export function divergence(loaded: LoadedProgram, names: readonly (string | undefined)[] = []): DivergenceError {
  const { records, inputs, extended } = loaded.program;
  const core = loaded.machine.core(loaded.build, extended);
  const isClean = (place: Place) => !isReal(place.dtype) || loaded.view(place).every(Number.isFinite);
  const pointers = (i: number) => pointersOf(loaded.program, i);
  const tainted: Span[] = inputs.filter((place) => !isClean(place)).map(spanOf);

  /** Of a product that went wrong, with what it ends in: the product itself, if it goes wrong without that too. */
  const culprit = ({ op, name, word, writes }: RecordNote): string => {
    if (op !== Op.GEMM) return name;
    const at = loaded.image + word * 4;
    const words = new Int32Array(loaded.machine.memory.buffer as ArrayBuffer, at, Gemm.WORDS);
    const ending = words.slice(Gemm.RELU, Gemm.FIRST_ADDEND);
    words.fill(0, Gemm.RELU, Gemm.FIRST_ADDEND);
    core.step(at);
    words.set(ending, Gemm.RELU);
    const [product, ...others] = name.split('+');
    return writes.every(isClean) ? others.join('+') : product!;
  };

  /** Which cell of the model a record is about: one that it works with, or the one that is changed by what it gives, its gradient. */
  const parameterOf = (at: number, spoiled: Place[]): string | undefined => {
    const named = (i: number, size?: number) =>
      pointers(i)
        .map(({ segment }) => segment - Segment.CELLS)
        .filter((cell) => size === undefined || size === loaded.program.cells[cell]?.size)
        .map((cell) => names[cell])
        .find(Boolean);
    const own = named(at);
    if (own) return own;
    for (const place of spoiled) {
      const span = spanOf(place);
      for (let i = at + 1; i < records.length; i++) {
        const changed = pointers(i).some((to) => holds(span, to)) && named(i, sizeOf(place.shape));
        if (changed) return changed;
      }
    }
    return undefined;
  };

  const diverged = (at: number, op: string, what = 'a NaN or an infinity appeared here'): DivergenceError => {
    const { writes } = records[at]!;
    const parameter = parameterOf(at, writes);
    return new DivergenceError(
      `${what}, in a result of shape ${show(writes[0]?.shape ?? [])}${parameter ? `, of ${parameter}` : ''}; the step was not taken, ` +
        'no weight has changed. A smaller learning rate or clipped gradients usually help.',
      { op, step: 0, ...(parameter && { parameter }) },
    );
  };

  let firstNaN = -1;
  for (const [i, record] of records.entries()) {
    if (record.op === Op.COMMIT) break;
    loaded.machine.control(Control.FLAG)[0] = 0;
    const operands = pointers(i);
    core.step(loaded.image + record.word * 4);
    const spoiled = record.writes.filter((place) => !isClean(place));
    const inherited = record.infinite || operands.some((at) => tainted.some((span) => holds(span, at)));
    if (spoiled.length > 0 && !inherited) return diverged(i, culprit(record));
    if (firstNaN < 0 && spoiled.some((place) => loaded.view(place).some(Number.isNaN))) firstNaN = i;
    // The arena is used again and again: what was written last counts.
    for (const { segment, offset } of record.writes) {
      const at = tainted.findIndex((span) => holds(span, { segment, offset }));
      if (at >= 0) tainted.splice(at, 1);
    }
    tainted.push(...spoiled.map(spanOf));
    if (loaded.machine.control(Control.FLAG)[0] && !operands.some((at) => tainted.some((span) => holds(span, at)))) {
      // Finite itself, but not its square, which the optimizer's state would hold.
      const gives = ({ writes }: RecordNote) => writes.some((place) => holds(spanOf(place), operands[0]!));
      const writer = records.slice(0, i).findLastIndex(gives);
      const at = writer < 0 ? i : writer;
      return diverged(at, records[at]!.name, 'a gradient became too large to be squared here');
    }
  }
  const first = Math.max(0, firstNaN);
  return diverged(first, culprit(records[first]!));
}

/** Where a record's pointers lead. */
function pointersOf(
  { records, relocations, segments, words }: Program,
  i: number,
): { segment: number; offset: number }[] {
  const end = records[i + 1]?.word ?? words.length;
  const found: { segment: number; offset: number }[] = [];
  relocations.forEach((word, j) => {
    if (word >= records[i]!.word && word < end) found.push({ segment: segments[j]!, offset: words[word]! });
  });
  return found;
}
