import {
  Chain,
  Fn,
  FOLD_ELEMENTS,
  Gemm,
  MAP_MAX_SLOTS,
  MAP_TILE,
  Map as MapField,
  Op,
  REDUCE_BLOCK,
  Record as RecordField,
  Reduce,
  Slot,
  Type,
} from '../../assembly/isa';
import { bytesOf } from '../dtype';
import { type Buffer, cut, type Draft, double, type MapSlot, type MapStep, type Pointer, type View } from './emitter';
import { inPlacePairs } from './plan';

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
    host.map.steps.push({ ...step, slots: step.slots.map((slot) => merged.at[slot]!) });
  }
  host.name = namesOf(host.map.steps);
  for (const [buffer, view] of draft.writes) host.writes.set(buffer, view);
  for (const buffer of draft.reads) if (!host.writes.has(buffer)) host.reads.add(buffer);
  host.flop += draft.flop;
  host.infinite ||= draft.infinite;
  return host;
}

/**
 * Lets products end with what follows them: sums with a bias or with another matrix, and a relu, go into the GEMM (a relu into
 * the CONVOLUTION), if nobody else reads what was there in between (`kept`: what the program itself still needs). What remains of the
 * elementwise record may then join another.
 */
export function absorb(drafts: Draft[], kept: ReadonlySet<Buffer>): Draft[] {
  const at = new Map(drafts.map((draft, i) => [draft, i]));
  const readers = new Map<Buffer, Set<Draft>>();
  const writers = new Map<Buffer, Draft>();
  for (const draft of drafts) {
    for (const buffer of draft.reads) readers.set(buffer, (readers.get(buffer) ?? new Set()).add(draft));
    for (const buffer of draft.writes.keys()) writers.set(buffer, draft);
  }
  /** Whether nobody but `draft` looks at a product before its last step. */
  const isPrivate = (buffer: Buffer, draft: Draft) =>
    !kept.has(buffer) && readers.get(buffer)?.size === 1 && readers.get(buffer)!.has(draft);
  const isReady = (buffer: Buffer, host: Draft) =>
    !writers.has(buffer) || at.get(writers.get(buffer)!)! < at.get(host)!;
  const left = drafts.filter((draft) => {
    const host = draft.map && [...draft.reads].map((buffer) => writers.get(buffer)).find((one) => one?.product);
    if (!host) return true;
    while (draft.map!.steps.length > 0) {
      const made = host.product!.view.buffer;
      if (!isPrivate(made, draft) || !absorbStep(host, draft, (buffer) => isReady(buffer, host))) break;
      const { buffer } = host.product!.view;
      writers.set(buffer, host);
      readers.delete(made);
      readers.set(buffer, new Set([...(readers.get(buffer) ?? []), ...(draft.reads.has(buffer) ? [draft] : [])]));
    }
    return draft.map!.steps.length > 0;
  });
  return fuse(left);
}

/** Shorter rows are done faster elementwise, whole tiles at a time. */
const LEAST_COLUMNS = 16;

/** Moves a record's first step into the product that it works on, if the product can do it. */
function absorbStep(host: Draft, draft: Draft, isReady: (buffer: Buffer) => boolean): boolean {
  const { view, rows, columns, flipped, relu, adds } = host.product!;
  const { size, slots, steps } = draft.map!;
  const { fn, name, slots: at } = steps[0]!;
  const isMade = (slot: number) => slots[slot]!.view?.buffer === view.buffer;
  const inner = at.findIndex((slot, i) => i > 0 && isMade(slot));
  if (columns < LEAST_COLUMNS) return false;
  if (inner < 0 || slots[at[inner]!]!.kind !== Slot.DIRECT || size !== rows * columns || host.words[relu]) return false;
  if (steps.slice(1).some((step) => step.slots.some(isMade))) return false;
  if (fn === Fn.RELU) host.words[relu] = 1;
  else if (fn === Fn.ADD && adds) {
    const other = slots[at[3 - inner]!]!;
    const strides = addendStrides(other, rows, columns);
    const count = host.words[Gemm.ADDENDS] as number;
    if (!strides || count === 2 || isMade(at[3 - inner]!) || !isReady(other.view!.buffer)) return false;
    const { buffer, offset, dtype } = other.view!;
    const first = Gemm.FIRST_ADDEND + count * Gemm.ADDEND_WORDS;
    host.words[first] = { buffer, bytes: offset * bytesOf(dtype), writes: false };
    host.words[first + 1] = strides[flipped ? 1 : 0];
    host.words[first + 2] = strides[flipped ? 0 : 1];
    host.words[Gemm.ADDENDS] = count + 1;
    host.reads.add(buffer);
  } else return false;
  host.name += `+${name}`;
  host.flop += size;
  writeInstead(host, slots[at[0]!]!.view!);
  steps.shift();
  tidy(draft);
  return true;
}

/** How far apart an addend's elements are along the rows and columns of a product; null where the kernel cannot read it. */
function addendStrides({ kind, type, view, dims }: MapSlot, rows: number, columns: number): [number, number] | null {
  if (!view || type !== Type.REAL) return null;
  if (kind === Slot.DIRECT) return [columns, 1];
  if (kind !== Slot.STRIDED) return null;
  const [first, second] = dims as [[number, number], [number, number]?];
  let strides: [number, number] | null = null;
  if (dims.length === 2 && first[0] === rows) strides = [first[1], second![1]];
  else if (dims.length === 1) strides = rows === 1 ? [0, first[1]] : [first[1] * columns, first[1]];
  // Along what lies together in the result: one after the other, or the same for all.
  const along = columns > 1 ? strides?.[1] : strides?.[0];
  return along === 0 || along === 1 ? strides : null;
}

/** Makes a product write another buffer. */
function writeInstead(host: Draft, view: View): void {
  const from = host.product!.view.buffer;
  host.words = host.words.map((word) =>
    typeof word !== 'number' && word.buffer === from && word.writes
      ? { buffer: view.buffer, bytes: 0, writes: true }
      : word,
  );
  host.writes = new Map([[view.buffer, view]]);
  const lane = host.lanes?.each.get(from);
  if (lane) host.lanes!.each = new Map([[view.buffer, lane]]);
  host.product = { ...host.product!, view };
}

/** Drops the slots that no step uses any more. */
function tidy(draft: Draft): void {
  const { slots, steps } = draft.map!;
  draft.name = namesOf(steps);
  const used = [...new Set(steps.flatMap((step) => step.slots))];
  draft.map!.slots = used.map((slot) => slots[slot]!);
  for (const step of steps) step.slots = step.slots.map((slot) => used.indexOf(slot));
  const bufferOf = (slot: number) => draft.map!.slots[slot]!.view?.buffer;
  const written = new Set(steps.map(({ slots: [to] }) => bufferOf(to!)));
  draft.writes = new Map([...draft.writes].filter(([buffer]) => written.has(buffer)));
  draft.reads = new Set(
    steps
      .flatMap((step) => step.slots.slice(1).flatMap((slot) => bufferOf(slot) ?? []))
      .filter((buffer) => !written.has(buffer)),
  );
}

function namesOf(steps: MapStep[]): string {
  return [...new Set(steps.map(({ name }) => name))].join('+');
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

/** The buffers of which element i of a chunk only touches element i. */
function directBuffers(slots: MapSlot[]): Map<Buffer, number> {
  const views = (wanted: boolean) =>
    slots.flatMap(({ kind, view }) =>
      view && (kind === Slot.DIRECT && view.offset === 0) === wanted ? [view.buffer] : [],
    );
  const others = new Set(views(false));
  return new Map(views(true).flatMap((buffer) => (others.has(buffer) ? [] : [[buffer, 1] as const])));
}

/**
 * Lets a reduction along contiguous elements follow the elementwise record that makes them, chunk by chunk: what is reduced
 * never leaves L1, if nobody else reads it. Behind `settleMaps`.
 */
export function fold(drafts: Draft[], kept: ReadonlySet<Buffer>): Draft[] {
  const folded = new Map<Draft, Draft>();
  const gone = new Set<Draft>();
  for (const reduce of drafts) {
    if (reduce.op !== Op.REDUCE || reduce.words[Reduce.INNER] !== 1) continue;
    const [source] = [...reduce.reads] as [Buffer];
    const readers = drafts.filter((draft) => draft.reads.has(source));
    const map = drafts.find((draft) => draft.writes.has(source));
    if (!map?.map || gone.has(map) || folded.has(map) || kept.has(source) || readers.length > 1) continue;
    const one = foldInto(map, reduce, source, drafts);
    if (!one) continue;
    folded.set(reduce, one);
    gone.add(map);
  }
  return drafts.filter((draft) => !gone.has(draft)).map((draft) => folded.get(draft) ?? draft);
}

/** The two as one record, in the place of the reduction; null where they cannot be. */
function foldInto(map: Draft, reduce: Draft, source: Buffer, drafts: Draft[]): Draft | null {
  const { slots, size } = map.map!;
  const slot = slots.find(({ view }) => view?.buffer === source)!;
  const [n, blocks, outer] = [Reduce.N, Reduce.BLOCKS, Reduce.OUTER].map((field) => reduce.words[field] as number) as [
    number,
    number,
    number,
  ];
  // Items are alike: blocks of a sum, or whole rows.
  const length = blocks > 1 ? REDUCE_BLOCK : n;
  if (slot.kind !== Slot.DIRECT || slot.view!.offset !== 0 || size !== outer * n || length > FOLD_ELEMENTS) return null;
  if (blocks > 1 && outer > 1 && n % REDUCE_BLOCK !== 0) return null;
  // It moves down to the reduction: nobody may need its results, or change its operands, before.
  const between = drafts.slice(drafts.indexOf(map) + 1, drafts.indexOf(reduce));
  const isTouched = (draft: Draft) =>
    [...draft.writes.keys()].some((buffer) => map.reads.has(buffer)) ||
    [...map.writes.keys()].some((buffer) => draft.reads.has(buffer));
  if (between.some(isTouched)) return null;
  const { per, chunks } = cut(outer * blocks, Math.floor(FOLD_ELEMENTS / length));
  const inPlace = inPlacePairs(map).filter(([to]) => to !== source);
  slot.kind = Slot.PASSED;
  slot.view = null;
  map.writes.delete(source);
  encodeMap(map);
  map.words[MapField.CHUNK] = per * length;
  map.words[RecordField.CHUNKS] = chunks;
  const at = reduce.words.findIndex((word) => typeof word !== 'number' && !word.writes);
  const words = reduce.words.with(at, 0).with(Reduce.ITEMS, per).with(RecordField.CHUNKS, chunks);
  return {
    ...reduce,
    op: Op.CHAIN,
    name: `${map.name}+${reduce.name}`,
    chunks,
    words: [Op.CHAIN, Chain.FIRST + map.words.length + words.length, chunks, ...map.words, ...words],
    reads: map.reads,
    writes: new Map([...map.writes, ...reduce.writes]),
    inPlace,
    lanes: null,
    infinite: map.infinite,
    flop: map.flop + reduce.flop,
    text: `(${map.map!.steps.length} steps)`,
  };
}

function encodeMap(draft: Draft): void {
  const { size, slots, steps } = draft.map!;
  const { per, chunks } = cut(Math.ceil(size / MAP_TILE), 8);
  const words: (number | Pointer)[] = [Op.MAP, 0, chunks, size, per * MAP_TILE, slots.length, steps.length];
  let dimsAt = MapField.FIRST_SLOT + slots.length * MapField.SLOT_WORDS + steps.length * MapField.STEP_WORDS;
  const tail: number[] = [];
  for (const slot of slots) {
    words.push(slot.kind, slot.type);
    if (slot.kind === Slot.CONSTANT) words.push(...Object.values(double(0, slot.value)));
    else if (slot.kind === Slot.TILE || slot.kind === Slot.PASSED) words.push(0, 0);
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
  draft.lanes = { count: size, per: per * MAP_TILE, field: MapField.CHUNK, each: directBuffers(slots) };
}
