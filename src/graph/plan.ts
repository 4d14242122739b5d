import { ALIGNMENT, SLACK, Slot } from '../../assembly/isa';
import type { Buffer, Draft } from './emitter';

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
export function plan(drafts: Draft[], inputs: Buffer[], kept: ReadonlySet<Buffer>): number {
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
  drafts.forEach((draft, at) => {
    for (const buffer of [...draft.reads, ...draft.writes.keys()]) touch(buffer, at);
  });
  for (const buffer of kept) touch(buffer, drafts.length);
  drafts.forEach((draft, at) => {
    for (const [to, from] of inPlacePairs(draft)) {
      const target = lives.get(to);
      const source = lives.get(from);
      if (!target || !source || target === source || target.first !== at || source.last !== at) continue;
      if (target.bytes !== source.bytes) continue;
      source.last = target.last;
      source.buffers.push(...target.buffers);
      for (const buffer of target.buffers) lives.set(buffer, source);
    }
  });
  return place([...new Set(lives.values())]);
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
function inPlacePairs(draft: Draft): [Buffer, Buffer][] {
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
