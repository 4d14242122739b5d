import { ALIGNMENT, Check, Commit, MAX_PROGRAM_WORDS, Op, Record as RecordField, SLACK } from '../../assembly/isa';
import type { Cell } from '../cell';
import { bytesOf, isReal, type Real } from '../dtype';
import { DtypeError, OutOfMemoryError } from '../errors';
import { type Place, type Program, type RecordNote, Segment } from '../machine/program';
import { sizeOf } from '../shape';
import { type Buffer, cut, type Draft, Emitter, type View, wholeOf } from './emitter';
import { absorb, fold, fuse, readersOf, settleMaps } from './fuse';
import { type Graph, type Node, reachable, type Value } from './graph';
import type { Patch } from './op';
import { shareCommon } from './passes';
import { mayOverwrite, plan } from './plan';
import { type Chain, chunksOf, schedule, threadsFor } from './schedule';

export interface Lowered {
  program: Program;
  /** The cells of `program.cells`, in its order. */
  cells: Cell[];
}

/** A graph as a program: passes, records, fusion, memory plan, words; `describe` gives each record its line of a listing. */
export function lower(graph: Graph, describe: (draft: Draft) => string = () => ''): Lowered {
  const changes = [...graph.updates].map(([cell, value]) => {
    const { origin } = value.node;
    return { cell, values: [value], ...(origin.kind === 'op' && origin.op.patch?.(cell, value)) };
  });
  const results = [...graph.outputs, ...changes.flatMap(({ values }) => values)];
  const { nodes, resolve } = shareCommon(reachable(results));
  const emitter = new Emitter(realOf(nodes));
  const state = emitNodes(emitter, graph.arguments, results, nodes, resolve);
  const kept = new Set<Buffer>();
  const updated = new Set([...graph.updates.keys()].map((cell) => state.cellView(cell).buffer));
  // An output must survive the updates: one that is a cell's old value is copied before them.
  const settled = (value: Value): View => {
    emitter.name = 'return';
    const view = state.view(value);
    return updated.has(view.buffer) ? copyOf(emitter, view) : emitter.contiguous(view);
  };
  const outputs = graph.outputs.map((value) => settled(resolve(value)));
  for (const { buffer } of outputs) kept.add(buffer);
  emitter.name = 'assign';
  const updates = changes.map(({ cell, values, write }): Update => {
    const views = values.map((value) => settled(resolve(value)));
    // What parts are made of is read behind the commit.
    if (write) for (const { buffer } of views) kept.add(buffer);
    return { target: state.cellView(cell), views, write: write ?? ((program, to, [view]) => program.copy(to, view!)) };
  });
  const needed = new Set([...kept, ...updates.map(({ views: [view] }) => view!.buffer)]);
  const main = absorb(fuse(emitter.take()), needed);
  const drafts = updates.length > 0 ? withCommit(emitter, main, updates, outputs, kept) : main;
  settleMaps(drafts, kept);
  const groups = schedule(fold(drafts, kept));
  const inputs = graph.arguments.map((value) => state.view(value));
  const arenaBytes = plan(
    groups,
    inputs.map((view) => view.buffer),
    kept,
  );
  const program = encode(emitter.real, groups, inputs, outputs, arenaBytes, state.constants, describe);
  program.cells = state.cells.map((cell) => ({
    dtype: cell.dtype,
    size: cell.size,
    written: graph.updates.has(cell),
  }));
  return { program, cells: state.cells };
}

/** The one real dtype of a graph. Only casts between the two touch the other, and views, which compute nothing. */
function realOf(nodes: Node[]): Real {
  const found = new Map<Real, string>();
  let passed: Real | undefined;
  for (const { origin, outputs } of nodes) {
    if (origin.kind !== 'op') continue;
    const reals = new Set([...outputs, ...origin.inputs].map(({ dtype }) => dtype).filter(isReal));
    if (origin.op.view || (origin.op.name === 'cast' && reals.size > 1)) [passed] = reals;
    else for (const real of reals) found.set(real, origin.op.name);
  }
  const [first, second] = [...found];
  if (first && second) {
    throw new DtypeError(
      `a program has one real dtype; ${first[1]} uses ${first[0]} and ${second[1]} uses ${second[0]}.`,
      { op: second[1], got: second[0], expected: first[0] },
    );
  }
  return first?.[0] ?? passed ?? 'f32';
}

interface Emitted {
  view(value: Value): View;
  cellView(cell: Cell): View;
  cells: Cell[];
  constants: Buffer[];
}

/** Emits every node, in order. */
function emitNodes(
  emitter: Emitter,
  inputs: Value[],
  results: Value[],
  nodes: Node[],
  resolve: (value: Value) => Value,
): Emitted {
  const views = new Map<Value, View>();
  const cells: Cell[] = [];
  const cellBuffers = new Map<Cell, Buffer>();
  const constants: Buffer[] = [];
  const cellView = (cell: Cell): View => {
    let buffer = cellBuffers.get(cell);
    if (!buffer) {
      buffer = { kind: 'cell', bytes: cell.bytes, offset: 0, cell: cells.push(cell) - 1 };
      cellBuffers.set(cell, buffer);
    }
    return wholeOf(cell, buffer);
  };
  const view = (value: Value): View => views.get(value)!;
  const users = usersOf(nodes, results, resolve);
  for (const value of inputs) views.set(value, emitter.temporary(value));
  for (const { origin, outputs } of nodes) {
    const [value] = outputs as [Value];
    if (origin.kind === 'cell') views.set(value, cellView(origin.cell));
    else if (origin.kind === 'number') views.set(value, emitter.number(origin.value, value.dtype));
    else if (origin.kind === 'capture') {
      const data = origin.tensor.values();
      const buffer: Buffer = { kind: 'constant', bytes: data.byteLength, offset: -1, data };
      constants.push(buffer);
      views.set(value, wholeOf(value, buffer));
    } else if (origin.kind === 'op') {
      const { op, options } = origin;
      emitter.name = op.name;
      const ins = origin.inputs.map((input) => view(resolve(input)));
      if (op.view) {
        const x = ins[0]!.buffer.kind === 'number' ? copyOf(emitter, ins[0]!) : ins[0]!;
        views.set(value, op.view(x, value, options) ?? op.view(emitter.contiguous(x), value, options)!);
      } else if (!op.emit) {
        // Composed of others: its results are its last inputs, see `compose`.
        outputs.forEach((output, i) => {
          views.set(output, ins.at(i - outputs.length)!);
        });
      } else {
        const outs = outputs.map((output) => {
          const order = op.anyLayout ? soleOrder(output, users) : null;
          return order ? permuted(emitter, output, order) : emitter.temporary(output);
        });
        outputs.forEach((output, i) => {
          views.set(output, outs[i]!);
        });
        op.emit(emitter, outs, ins, options);
      }
    }
  }
  return { view, cellView, cells, constants };
}

/** Who uses a value: nodes, and null for the program's outputs and updates. */
function usersOf(nodes: Node[], results: Value[], resolve: (value: Value) => Value): Map<Value, (Node | null)[]> {
  const users = new Map<Value, (Node | null)[]>();
  const use = (value: Value, user: Node | null) => {
    const own = resolve(value);
    const known = users.get(own);
    if (known) known.push(user);
    else users.set(own, [user]);
  };
  for (const node of nodes) if (node.origin.kind === 'op') for (const input of node.origin.inputs) use(input, node);
  for (const value of results) use(value, null);
  return users;
}

/** The order in which all users of a value permute it, but for those to which its layout is all the same. */
function soleOrder(value: Value, users: Map<Value, (Node | null)[]>): number[] | null {
  let sole: number[] | null = null;
  for (const user of users.get(value) ?? []) {
    if (user?.origin.kind !== 'op') return null;
    if (user.origin.op.readsAnyLayout) continue;
    if (user.origin.op.name !== 'permute') return null;
    const { order } = user.origin.options as { order: number[] };
    if (sole && String(sole) !== String(order)) return null;
    sole = order;
  }
  return sole;
}

/** A result that lies in memory as its permutation does without gaps. */
function permuted(emitter: Emitter, value: Value, order: readonly number[]): View {
  const { shape, dtype } = value;
  const natural = emitter.temporary({ shape: order.map((axis) => shape[axis]!), dtype });
  return { ...natural, shape, strides: shape.map((_, axis) => natural.strides[order.indexOf(axis)]!) };
}

function copyOf(emitter: Emitter, view: View): View {
  const copy = emitter.temporary(view);
  emitter.copy(copy, view);
  return copy;
}

interface Update {
  /** The whole cell. */
  target: View;
  views: View[];
  /** Writes the views into the cell, or into parts of it. */
  write: Patch['write'];
}

/**
 * Orders the records so that nothing that a step computes can spoil a cell:
 *
 *   [ everything else | CHECK … | COMMIT | records that write straight into cells | COPY into cells … ]
 *
 * A record goes behind the commit, and writes its cells in place, if all that it writes are new values of cells that no
 * other record there still reads, and if they cannot overflow: ADAM's, whose steps are bounded where the squares of the
 * gradients are finite, and whole numbers. Everything else is computed, checked and copied. Checked is also what has one
 * element and is returned: the loss.
 */
function withCommit(
  emitter: Emitter,
  main: Draft[],
  updates: Update[],
  outputs: View[],
  kept: ReadonlySet<Buffer>,
): Draft[] {
  const targets = new Map<Buffer, Buffer | null>();
  for (const {
    views: [view],
    target,
  } of updates) {
    targets.set(view!.buffer, targets.has(view!.buffer) ? null : target.buffer);
  }
  const readers = readersOf(main);
  const direct = new Set(
    main.filter((draft) =>
      [...draft.writes.keys()].every((buffer) => {
        const target = targets.get(buffer);
        const whole = target && target.bytes === buffer.bytes && !kept.has(buffer) && !readers.has(buffer);
        const alone = main.every((other) => other === draft || !other.writes.has(buffer));
        const bounded = draft.op === Op.ADAM || !isReal(draft.writes.get(buffer)!.dtype);
        return whole && alone && bounded && mayOverwrite(draft, buffer, target);
      }),
    ),
  );
  for (const draft of direct) {
    const alone = [...draft.writes.keys()].every((buffer) =>
      [...(readers.get(targets.get(buffer)!) ?? [])].every((reader) => reader === draft || !direct.has(reader)),
    );
    if (!alone) direct.delete(draft);
  }
  const copied = updates.filter(({ views: [view] }) => ![...direct].some(({ writes }) => writes.has(view!.buffer)));
  for (const draft of direct) {
    for (const buffer of [...draft.writes.keys()]) retarget(draft, buffer, targets.get(buffer)!);
  }
  emitter.name = 'assign';
  for (const { target, views, write } of copied) write(emitter, target, views);
  const copies = emitter.take();
  const checked = new Map<Buffer, { view: View; squares: boolean }>();
  const note = (view: View, squares = false) => {
    if (view.buffer.kind !== 'arena' || view.dtype !== emitter.real) return;
    checked.set(view.buffer, { view, squares: squares || (checked.get(view.buffer)?.squares ?? false) });
  };
  const written = new Map(main.flatMap((draft) => [...draft.writes]));
  for (const draft of direct)
    for (const buffer of draft.reads) if (written.has(buffer)) note(written.get(buffer)!, true);
  for (const { views } of copied) for (const view of views) note(view);
  for (const view of outputs) if (sizeOf(view.shape) === 1) note(view);
  emitter.name = 'check';
  for (const { view, squares } of checked.values()) {
    const size = view.buffer.bytes / bytesOf(view.dtype);
    const { per, chunks } = cut(size);
    const all = { ...view, offset: 0 };
    emitter.record(
      Op.CHECK,
      Check.WORDS,
      {
        [Check.SIZE]: size,
        [Check.CHUNK]: per,
        [Check.SQUARES]: Number(squares),
        [Check.SOURCE]: emitter.read(all),
      },
      [],
      { chunks, lanes: { count: size, per, field: Check.CHUNK, each: [[all, 1]] } },
    );
  }
  emitter.name = 'commit';
  emitter.record(Op.COMMIT, Commit.WORDS, {}, [], { chunks: 1 });
  return [...main.filter((draft) => !direct.has(draft)), ...emitter.take(), ...direct, ...copies];
}

/** Makes a record write a cell where it wrote a temporary. */
function retarget(draft: Draft, from: Buffer, to: Buffer): void {
  const view = draft.writes.get(from)!;
  draft.writes.delete(from);
  draft.writes.set(to, { ...view, buffer: to });
  draft.words = draft.words.map((word) =>
    typeof word !== 'number' && word.buffer === from ? { ...word, buffer: to } : word,
  );
  const lanes = draft.lanes?.each.get(from);
  if (lanes) draft.lanes!.each.set(to, lanes);
  for (const slot of draft.map?.slots ?? []) {
    if (slot.view?.buffer === from) slot.view = { ...slot.view, buffer: to };
  }
}

function segmentOf(buffer: Buffer): number {
  if (buffer.kind === 'cell') return Segment.CELLS + buffer.cell!;
  return buffer.kind === 'constant' ? Segment.CONSTANTS : Segment.ARENA;
}

function placeOf(view: View): Place {
  const { buffer, dtype, shape, offset } = view;
  return { segment: segmentOf(buffer), offset: buffer.offset + offset * bytesOf(dtype), dtype, shape };
}

function encode(
  real: Real,
  groups: Chain[][],
  inputs: View[],
  outputs: View[],
  arenaBytes: number,
  constantBuffers: Buffer[],
  describe: (draft: Draft) => string,
): Program {
  let constantBytes = 0;
  const constants = constantBuffers.map((buffer) => {
    buffer.offset = constantBytes;
    constantBytes += Math.ceil((buffer.bytes + SLACK) / ALIGNMENT) * ALIGNMENT;
    return { offset: buffer.offset, data: buffer.data! };
  });
  const words: number[] = [];
  const relocations: number[] = [];
  const segments: number[] = [];
  const records: RecordNote[] = [];
  const write = (draft: Draft, number: number, chained: boolean) => {
    records.push({
      word: words.length,
      number,
      chained,
      op: draft.op,
      name: draft.name,
      writes: [...draft.writes.values()].map(placeOf),
      infinite: draft.infinite,
      text: describe(draft),
      flop: draft.flop,
    });
    for (const word of draft.words) {
      if (typeof word === 'number') words.push(word);
      else {
        relocations.push(words.length);
        segments.push(segmentOf(word.buffer));
        words.push(word.buffer.offset + word.bytes);
      }
    }
  };
  /** Writes what is inside, and in front of it, where it is several, the header of the record that holds them. */
  const wrap = (op: Op, chunks: number, several: boolean, inside: () => void) => {
    const start = words.length;
    if (several) words.push(op, 0, chunks);
    inside();
    if (several) words[start + RecordField.WORDS] = words.length - start;
  };
  groups.forEach((group, number) => {
    wrap(Op.GROUP, chunksOf(group), group.length > 1, () => {
      for (const { drafts, chunks } of group) {
        wrap(Op.CHAIN, chunks, drafts.length > 1, () => {
          drafts.forEach((draft, i) => {
            write(draft, number, i > 0);
          });
        });
      }
    });
  });
  words.push(Op.END, 3, 0);
  if (words.length > MAX_PROGRAM_WORDS) {
    throw new OutOfMemoryError(`a program of ${words.length} words is too long; ${MAX_PROGRAM_WORDS} are allowed.`, {
      op: 'compile',
      asked: words.length,
      live: 0,
      limit: MAX_PROGRAM_WORDS,
    });
  }
  return {
    real,
    words: Int32Array.from(words),
    relocations: Int32Array.from(relocations),
    segments: Int32Array.from(segments),
    arenaBytes,
    constants,
    constantBytes,
    inputs: inputs.map(placeOf),
    outputs: outputs.map(placeOf),
    cells: [],
    records,
    extended: records.some(({ op }) => op >= Op.EXTENSION),
    threads: threadsFor(groups),
  };
}
