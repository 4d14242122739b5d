import { ALIGNMENT, SLACK, Slot } from '../../assembly/isa';
import type { Buffer, Draft } from './emitter';
import { type Chain, touches } from './schedule';

interface Lifetime {
  first: number;
  last: number;
  bytes: number;
  buffers: Buffer[];
}

/**
 * Gives every arena buffer its offset and returns the arena's size. Buffers whose lives do not meet share memory; a result
 * takes the place of an operand that dies with it where its record allows. `inputs` live from the start, `kept` to the end.
 * Placed by falling size, each at the lowest offset that is free for its whole life (Pisarchyk & Lee 2020, greedy by size).
 */
export function plan(groups: Chain[][], inputs: Buffer[], kept: ReadonlySet<Buffer>): number {
  const lives = new Map<Buffer, Lifetime>();
  const touch = (buffer: Buffer, at: number) => {
    if (buffer.kind !== 'arena') return;
    let life = lives.get(buffer);
    if (!life) {
      life = { first: at, last: at, bytes: buffer.bytes, buffers: [buffer] };
      lives.set(buffer, life);
    }
    life.last = Math.max(life.last, at);
  };
  for (const buffer of inputs) touch(buffer, -1);
  const moments = momentsOf(groups);
  // The records of a moment run at one time: none may write over what another reads.
  moments.forEach((moment, at) => {
    for (const { drafts } of moment) {
      for (const draft of drafts) for (const buffer of [...draft.reads, ...draft.writes.keys()]) touch(buffer, at);
    }
  });
  for (const buffer of kept) touch(buffer, moments.length);
  moments.forEach((moment, at) => {
    for (const chain of moment) {
      for (const draft of chain.drafts) {
        for (const [to, from] of inPlacePairs(draft)) {
          const target = lives.get(to);
          const source = lives.get(from);
          if (!target || !source || target === source || target.first !== at || source.last !== at) continue;
          // Taken already: what it lies over now was made in this moment too, and is not this operand.
          if (target.buffers.length > 1) continue;
          if (
            target.bytes !== source.bytes ||
            !source.buffers.every((buffer) => isFree(buffer, draft, chain, moment))
          ) {
            continue;
          }
          source.last = target.last;
          source.buffers.push(...target.buffers);
          for (const buffer of target.buffers) lives.set(buffer, source);
        }
      }
    }
  });
  return place([...new Set(lives.values())]);
}

/** The chains that run at one time, in order. A chain that is alone and one chunk runs record by record. */
function momentsOf(groups: Chain[][]): Chain[][] {
  return groups.flatMap((group) => {
    const [only] = group as [Chain];
    return group.length > 1 || only.chunks > 1 ? [group] : only.drafts.map((draft) => [{ ...only, drafts: [draft] }]);
  });
}

/** Whether nobody else looks at a buffer once `draft` writes over it: in its own chain, earlier records have done with this chunk's part. */
function isFree(buffer: Buffer, draft: Draft, chain: Chain, moment: Chain[]): boolean {
  const behind = chain.drafts.slice(chain.drafts.indexOf(draft) + 1);
  const before = chain.drafts.slice(0, chain.drafts.indexOf(draft));
  if (chain.chunks > 1 && before.some((other) => touches(other, buffer)) && !chain.lanes?.each.has(buffer))
    return false;
  if (behind.some((other) => touches(other, buffer))) return false;
  return moment.every((other) => other === chain || !other.drafts.some((one) => touches(one, buffer)));
}

/** Whether a record may write `to` over its operand `from`: nothing of `from` may be read after that place was written. */
export function mayOverwrite(draft: Draft, to: Buffer, from: Buffer): boolean {
  if (!draft.reads.has(from)) return true;
  if (!draft.map) return draft.inPlace.some(([target, source]) => target === to && source === from);
  const { slots, steps } = draft.map;
  const of = (buffer: Buffer) => slots.map((slot, i) => (slot.view?.buffer === buffer ? i : -1)).filter((i) => i >= 0);
  const [target] = of(to);
  const sources = of(from);
  if (target === undefined || sources.length !== 1) return false;
  const source = slots[sources[0]!]!;
  // Of one type and in one order, so that a tile's reads end where its writes begin.
  if (source.kind !== Slot.DIRECT || source.type !== slots[target]!.type || source.view!.offset !== 0) return false;
  const written = steps.findIndex((step) => step.slots[0] === target);
  return steps.findLastIndex((step) => step.slots.indexOf(sources[0]!, 1) > 0) <= written;
}

/** Pairs (destination, operand) of a record that may be one place. */
export function inPlacePairs(draft: Draft): [Buffer, Buffer][] {
  if (!draft.map) return draft.inPlace;
  const sources = [...draft.reads];
  return [...draft.writes.keys()].flatMap((to) =>
    sources.filter((from) => mayOverwrite(draft, to, from)).map((from): [Buffer, Buffer] => [to, from]),
  );
}

function place(lives: Lifetime[]): number {
  const placed: { life: Lifetime; offset: number; end: number }[] = [];
  let arena = 0;
  for (const life of lives.sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    const size = Math.ceil((life.bytes + SLACK) / ALIGNMENT) * ALIGNMENT;
    let offset = 0;
    for (const other of placed) {
      const apart = other.life.last < life.first || other.life.first > life.last;
      if (apart || offset + size <= other.offset || other.end <= offset) continue;
      offset = other.end;
    }
    placed.push({ life, offset, end: offset + size });
    placed.sort((a, b) => a.offset - b.offset);
    for (const buffer of life.buffers) buffer.offset = offset;
    arena = Math.max(arena, offset + size);
  }
  return arena;
}
