import { MAP_MAX_SLOTS, MAP_TILE, Map as MapField, Op, Slot } from '../../assembly/isa';
import { bytesOf } from '../dtype';
import { type Buffer, cut, type Draft, double, type MapSlot, type Pointer } from './emitter';

/**
 * Joins chains of elementwise records, so that what lies between two steps stays in a tile in L1. A record joins the
 * latest record that makes one of its operands, if all its other operands exist by then; or else that one moves down to it,
 * if nobody reads its results before. Rounding happens at every step as it did in memory: no bit changes.
 */
export function fuse(drafts: Draft[]): Draft[] {
  const fused: Draft[] = [];
  /** The record of `fused` that writes a buffer. */
  const writers = new Map<Buffer, Draft>();
  for (const draft of drafts) {
    const joined = draft.map ? join(draft, fused, writers) : null;
    if (!joined) fused.push(draft);
    for (const buffer of draft.writes.keys()) writers.set(buffer, joined ?? draft);
  }
  return fused;
}

function join(draft: Draft, fused: Draft[], writers: Map<Buffer, Draft>): Draft | null {
  const { slots, size } = draft.map!;
  let host: Draft | null = null;
  let hostAt = -1;
  let latest = -1;
  for (const buffer of draft.reads) {
    const writer = writers.get(buffer);
    const at = writer ? fused.indexOf(writer) : -1;
    if (at > latest) latest = at;
    if (writer?.map && writer.map.size === size && at > hostAt && isDirect(slots, buffer)) {
      host = writer;
      hostAt = at;
    }
  }
  if (!host?.map) return null;
  // A strided read of what the host writes needs the whole of it, not the tile.
  for (const slot of slots) {
    if (slot.kind === Slot.STRIDED && host.writes.has(slot.view!.buffer)) return null;
  }
  if (latest > hostAt) {
    for (let i = hostAt + 1; i < fused.length; i++) {
      if ([...fused[i]!.reads].some((buffer) => host.writes.has(buffer))) return null;
    }
  }
  const merged = merge(host.map.slots, slots);
  if (merged.slots.length > MAP_MAX_SLOTS) return null;
  if (latest > hostAt) {
    fused.splice(hostAt, 1);
    fused.push(host);
  }
  host.map.slots = merged.slots;
  for (const step of draft.map!.steps) {
    host.map.steps.push({ fn: step.fn, slots: step.slots.map((slot) => merged.at[slot]!) });
  }
  if (!host.name.split('+').includes(draft.name)) host.name += `+${draft.name}`;
  for (const [buffer, view] of draft.writes) host.writes.set(buffer, view);
  for (const buffer of draft.reads) if (!host.writes.has(buffer)) host.reads.add(buffer);
  host.flop += draft.flop;
  return host;
}

function isDirect(slots: MapSlot[], buffer: Buffer): boolean {
  return slots.some((slot) => slot.kind === Slot.DIRECT && slot.view!.buffer === buffer);
}

function sameSlot(a: MapSlot, b: MapSlot): boolean {
  if (a.kind !== b.kind || a.type !== b.type) return false;
  if (a.kind === Slot.CONSTANT) return Object.is(a.value, b.value);
  return (
    a.view!.buffer === b.view!.buffer &&
    a.view!.offset === b.view!.offset &&
    a.dims.length === b.dims.length &&
    a.dims.every((dim, i) => dim[0] === b.dims[i]![0] && dim[1] === b.dims[i]![1])
  );
}

/** The slots of both without repeats, and where each of `more` is now. */
function merge(slots: MapSlot[], more: MapSlot[]): { slots: MapSlot[]; at: number[] } {
  const all = [...slots];
  const at = more.map((slot) => {
    const known = all.findIndex((other) => sameSlot(other, slot));
    return known >= 0 ? known : all.push(slot) - 1;
  });
  return { slots: all, at };
}

/**
 * Settles the words of all MAP records: results that no other record reads and nobody keeps become tiles.
 * `kept` are the buffers that outlive the program's last record.
 */
export function settleMaps(drafts: Draft[], kept: ReadonlySet<Buffer>): void {
  const readers = new Map<Buffer, number>();
  for (const draft of drafts) for (const buffer of draft.reads) readers.set(buffer, (readers.get(buffer) ?? 0) + 1);
  for (const draft of drafts) {
    if (!draft.map) continue;
    for (const slot of draft.map.slots) {
      const buffer = slot.view?.buffer;
      if (slot.kind !== Slot.DIRECT || !buffer || !draft.writes.has(buffer)) continue;
      if (!readers.has(buffer) && !kept.has(buffer)) {
        slot.kind = Slot.TILE;
        slot.view = null;
        draft.writes.delete(buffer);
      }
    }
    encodeMap(draft);
  }
}

function encodeMap(draft: Draft): void {
  const { size, slots, steps } = draft.map!;
  const { per, chunks } = cut(Math.ceil(size / MAP_TILE), 16);
  const words: (number | Pointer)[] = [Op.MAP, 0, chunks, size, per * MAP_TILE, slots.length, steps.length];
  let dimsAt = MapField.FIRST_SLOT + slots.length * MapField.SLOT_WORDS + steps.length * MapField.STEP_WORDS;
  const tail: number[] = [];
  for (const slot of slots) {
    words.push(slot.kind, slot.type);
    if (slot.kind === Slot.CONSTANT) words.push(...Object.values(double(0, slot.value)));
    else if (slot.kind === Slot.TILE) words.push(0, 0);
    else {
      const { buffer, offset } = slot.view!;
      const bytes = offset * bytesOf(slot.view!.dtype);
      words.push({ buffer, bytes, writes: draft.writes.has(buffer) }, slot.kind === Slot.STRIDED ? dimsAt : 0);
      if (slot.kind === Slot.STRIDED) {
        const dims = [slot.dims.length, ...slot.dims.flat()];
        tail.push(...dims);
        dimsAt += dims.length;
      }
    }
  }
  for (const step of steps) words.push(step.fn, ...Array.from({ length: 4 }, (_, i) => step.slots[i] ?? 0));
  words.push(...tail);
  words[1] = words.length;
  draft.words = words;
  draft.chunks = chunks;
}
