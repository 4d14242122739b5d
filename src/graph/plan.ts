import { ALIGNMENT, MAX_CHUNKS, Op, SLACK, Slot } from '../../assembly/isa';
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
export function plan(groups: Draft[][], inputs: Buffer[], kept: ReadonlySet<Buffer>): number {
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
  // The records of a group run at one time: none may write over what another reads.
  groups.forEach((group, at) => {
    for (const draft of group) for (const buffer of [...draft.reads, ...draft.writes.keys()]) touch(buffer, at);
  });
  for (const buffer of kept) touch(buffer, groups.length);
  groups.forEach((group, at) => {
    for (const draft of group) {
      for (const [to, from] of inPlacePairs(draft)) {
        const target = lives.get(to);
        const source = lives.get(from);
        if (!target || !source || target === source || target.first !== at || source.last !== at) continue;
        if (target.bytes !== source.bytes) continue;
        if (group.some((other) => other !== draft && source.buffers.some((buffer) => touches(other, buffer)))) continue;
        source.last = target.last;
        source.buffers.push(...target.buffers);
        for (const buffer of target.buffers) lives.set(buffer, source);
      }
    }
  });
  return place([...new Set(lives.values())]);
}

function touches(draft: Draft, buffer: Buffer): boolean {
  return draft.reads.has(buffer) || draft.writes.has(buffer);
}

/**
 * Puts records that follow each other and need nothing of each other into one group: between groups every thread waits for
 * the last chunk, within one none does. A commit stands alone, since it may end the program.
 */
export function group(drafts: Draft[]): Draft[][] {
  const groups: Draft[][] = [];
  for (const draft of drafts) {
    const last = groups.at(-1);
    if (last?.every((other) => independent(other, draft)) && chunksOf(last) + draft.chunks <= MAX_CHUNKS) {
      last.push(draft);
    } else groups.push([draft]);
  }
  return groups;
}

function independent(earlier: Draft, later: Draft): boolean {
  if (earlier.op === Op.COMMIT || later.op === Op.COMMIT) return false;
  for (const buffer of earlier.writes.keys()) if (touches(later, buffer)) return false;
  for (const buffer of later.writes.keys()) if (earlier.reads.has(buffer)) return false;
  return true;
}

/** The chunks of all records of a group. */
export function chunksOf(group: Draft[]): number {
  return group.reduce((total, { chunks }) => total + chunks, 0);
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
