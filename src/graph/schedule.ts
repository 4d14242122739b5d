import { MAX_CHUNKS, Op, Record as RecordField } from '../../assembly/isa';
import type { Buffer, Draft, Lanes } from './emitter';

/**
 * Records that one thread runs one after another for the same chunk, so that what one leaves the next finds in the cache, and
 * nobody waits in between. Either each is a single chunk, or they are cut at the same places: see `Lanes`.
 */
export interface Chain {
  drafts: Draft[];
  chunks: number;
  /** How all members are cut, where they may have several chunks. */
  lanes: Lanes | null;
}

/** A single-chunk record of no more than so much work joins a chain although another thread could do it meanwhile: some 2 µs. */
const SMALL_FLOP = 80_000;

/** Which records run as one: chains, and groups of chains that need nothing of each other, between which all threads meet. */
export function schedule(drafts: Draft[]): Chain[][] {
  return group(chain(drafts));
}

/** A record joins the latest chain that it depends on, if that can be: all chains behind that are none of its business. */
function chain(drafts: Draft[]): Chain[] {
  const chains: Chain[] = [];
  /** The last chains that wrote and that read a buffer, and that committed. */
  const writers = new Map<Buffer, number>();
  const readers = new Map<Buffer, number>();
  let committed = -1;
  for (const draft of drafts) {
    const needed = [
      ...[...touched(draft)].map((buffer) => writers.get(buffer) ?? -1),
      ...[...draft.writes.keys()].map((buffer) => readers.get(buffer) ?? -1),
    ];
    let at = Math.max(committed, ...needed);
    if (draft.op === Op.COMMIT || at < 0 || !join(chains[at]!, draft)) {
      at = chains.push({ drafts: [draft], chunks: draft.chunks, lanes: draft.lanes }) - 1;
    }
    if (draft.op === Op.COMMIT) committed = at;
    for (const buffer of draft.writes.keys()) writers.set(buffer, at);
    for (const buffer of draft.reads) readers.set(buffer, Math.max(at, readers.get(buffer) ?? -1));
  }
  return chains;
}

function join(host: Chain, draft: Draft): boolean {
  if (host.drafts[0]!.op === Op.COMMIT) return false;
  const lanes = commonLanes(host, draft);
  if (lanes) host.lanes = lanes;
  else if (host.chunks > 1 || draft.chunks > 1 || draft.flop > SMALL_FLOP) return false;
  else host.lanes = null;
  host.drafts.push(draft);
  host.chunks = draft.chunks;
  return true;
}

/** Cuts a record as a chain is cut, if each of its chunks needs only what the chain's chunk of that number made. */
function commonLanes(host: Chain, draft: Draft): Lanes | null {
  const own = draft.lanes;
  const { lanes } = host;
  if (!own || !lanes) return null;
  const met = [...touched(draft)].filter((buffer) =>
    host.drafts.some((other) => (draft.writes.has(buffer) ? touches(other, buffer) : other.writes.has(buffer))),
  );
  // So many lanes of the chain as one of the record, or the other way round.
  let [wider, narrower] = [0, 0];
  for (const buffer of met) {
    const [theirs, mine] = [lanes.each.get(buffer), own.each.get(buffer)];
    if (!theirs || !mine || lanes.count * theirs !== own.count * mine) return null;
    const ratio = [Math.max(1, mine / theirs), Math.max(1, theirs / mine)] as const;
    if (wider && (wider !== ratio[0] || narrower !== ratio[1])) return null;
    [wider, narrower] = ratio;
  }
  if (!Number.isInteger(wider) || !Number.isInteger(narrower) || !wider) return null;
  const per = Math.ceil(lanes.per / wider) * wider;
  const perOf = (member: Draft) => (per * member.lanes!.count) / lanes.count;
  const members = [...host.drafts, draft];
  if (members.some((member) => !Number.isInteger(perOf(member)))) return null;
  if (per !== lanes.per && host.drafts.some(({ lanes }) => lanes!.field === null)) return null;
  if (own.field === null && own.per !== perOf(draft)) return null;
  // A record of many chunks must not become one of few.
  if (Math.ceil(lanes.count / per) * 4 < draft.chunks) return null;
  const each = new Map(lanes.each);
  for (const [buffer, elements] of own.each) {
    if (!host.drafts.some((other) => touches(other, buffer))) each.set(buffer, (elements / wider) * narrower);
  }
  // A buffer that one member reads otherwise than lane by lane must not be written by a later one.
  for (const buffer of touched(draft)) if (!own.each.has(buffer)) each.delete(buffer);
  for (const member of members) recut(member, perOf(member));
  return { count: lanes.count, per, field: null, each };
}

function recut(draft: Draft, per: number): void {
  const { lanes } = draft;
  if (!lanes || lanes.field === null || lanes.per === per) return;
  lanes.per = per;
  draft.words[lanes.field] = per;
  draft.chunks = Math.ceil(lanes.count / per);
  draft.words[RecordField.CHUNKS] = draft.chunks;
}

/**
 * Chains that follow each other and need nothing of each other are one group: between groups every thread waits for the last
 * chunk, within one none does. A commit stands alone, since it may end the program.
 */
function group(chains: Chain[]): Chain[][] {
  const groups: Chain[][] = [];
  for (const one of chains) {
    const last = groups.at(-1);
    const apart = last?.every((other) => independent(other.drafts, one.drafts));
    if (apart && chunksOf(last!) + one.chunks <= MAX_CHUNKS) last!.push(one);
    else groups.push([one]);
  }
  return groups;
}

/**
 * Operations of a product that must be there for each further thread, some 25 µs. The core's other kernels take ten times as long, roughly; most of
 * the extension's are made of products.
 */
const THREAD_FLOP = 1e6;
const workOf = ({ op, flop }: Draft) => (op === Op.GEMM || op >= Op.EXTENSION ? flop : 10 * flop);

/** How many threads a program gains from: as many as one of its groups has chunks, and work. */
export function threadsFor(groups: Chain[][]): number {
  let most = 1;
  for (const group of groups) {
    const work = group.flatMap(({ drafts }) => drafts).reduce((total, draft) => total + workOf(draft), 0);
    most = Math.max(most, Math.min(chunksOf(group), 1 + Math.floor(work / THREAD_FLOP)));
  }
  return most;
}

/** The chunks of all chains of a group. */
export function chunksOf(group: Chain[]): number {
  return group.reduce((total, { chunks }) => total + chunks, 0);
}

function touched(draft: Draft): Set<Buffer> {
  return new Set([...draft.reads, ...draft.writes.keys()]);
}

export function touches(draft: Draft, buffer: Buffer): boolean {
  return draft.reads.has(buffer) || draft.writes.has(buffer);
}

function independent(earlier: Draft[], later: Draft[]): boolean {
  return earlier.every((one) => later.every((other) => areIndependent(one, other)));
}

function areIndependent(earlier: Draft, later: Draft): boolean {
  if (earlier.op === Op.COMMIT || later.op === Op.COMMIT) return false;
  for (const buffer of earlier.writes.keys()) if (touches(later, buffer)) return false;
  for (const buffer of later.writes.keys()) if (earlier.reads.has(buffer)) return false;
  return true;
}
