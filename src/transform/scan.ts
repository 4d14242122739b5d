import { Loop, Op } from '../../assembly/isa';
import type { Cell } from '../cell';
import { bytesOf, isReal } from '../dtype';
import { DtypeError, ShapeError, ValueError } from '../errors';
import type { Pointer } from '../graph/emitter';
import type { Value } from '../graph/graph';
import { lower } from '../graph/lower';
import type { Op as Defined } from '../graph/op';
import { activeTrace, assign, symbol, type Trace } from '../graph/trace';
import { type Place, type Program, Segment } from '../machine/program';
import { add } from '../ops/elementwise';
import { defineExtensionOp } from '../ops/extension';
import { type Aval, sameShape, show, sizeOf } from '../shape';
import { checkOption, type Tensor, zerosLike } from '../tensor';
import { Numbered, replay, traceBody } from './body';
import { inTrace } from './grad';
import { backward } from './gradient';
import { flattenTree } from './tree';

/** What one turn does: carries and x's in, carries and y's out; constants are the same in every turn. */
class Turn extends Numbered {
  private lowered: { program: Program; cells: number[] } | null = null;

  constructor(
    readonly carries: Value[],
    readonly xs: Value[],
    readonly constants: Value[],
    readonly next: Value[],
    readonly ys: Value[],
  ) {
    super();
  }

  get results(): Value[] {
    return [...this.next, ...this.ys];
  }

  bind(inputs: readonly Tensor[]): Map<Value, Tensor> {
    return new Map([...this.carries, ...this.xs, ...this.constants].map((value, i) => [value, inputs[i]!]));
  }

  /** Its program, whose cells are constants, by number: they are read where they lie, and never written. */
  lower(): { program: Program; cells: number[] } {
    if (this.lowered) return this.lowered;
    const standIns = this.constants.map(({ node, shape, dtype }) => {
      const cell = { shape, dtype, size: sizeOf(shape), bytes: sizeOf(shape) * bytesOf(dtype) } as Cell;
      node.origin = { kind: 'cell', cell };
      return cell;
    });
    const graph = { arguments: [...this.carries, ...this.xs], outputs: this.results, updates: new Map() };
    const { program, cells } = lower(graph);
    this.lowered = { program, cells: cells.map((cell) => standIns.indexOf(cell)) };
    return this.lowered;
  }
}

interface Turns {
  turn: Turn;
  length: number;
  reverse: boolean;
  /** Whether a gradient needs what each turn began with. */
  keep: boolean;
}

const times = (length: number, { shape, dtype }: Aval): Aval => ({ shape: [length, ...shape], dtype });

/** The carries behind the last turn, the y's of all turns, and what each turn began with. */
function avalsOf({ turn, length }: Turns): Aval[] {
  return [...turn.carries, ...[...turn.ys, ...turn.carries].map((value) => times(length, value))];
}

const scanOp: Defined<Turns> = /* @__PURE__ */ defineExtensionOp<Turns>({
  name: 'transform.scan',
  version: 1,
  shape: (_, options) => avalsOf(options),
  emit: (program, outs, ins, { turn, length, reverse, keep }) => {
    program.name = 'scan';
    const { program: body, cells } = turn.lower();
    const places = [...body.inputs, ...body.outputs, ...body.cells];
    if (body.real !== program.real && places.some(({ dtype }) => isReal(dtype))) {
      throw new DtypeError(
        `a program has one real dtype; f uses ${body.real}, and what is around the scan ${program.real}.`,
        { op: 'scan', argument: 'f', got: body.real, expected: program.real },
      );
    }
    const sources = ins.map((view) => program.contiguous(view));
    const [n, m] = [turn.carries.length, turn.xs.length];
    const arena = program.temporary({ shape: [body.arenaBytes], dtype: 'u8' });
    const pointer = (segment: number, offset: number): Pointer => {
      if (segment === Segment.ARENA) return { ...program.write(arena), bytes: offset };
      const constant = program.read(sources[n + m + cells[segment - Segment.CELLS]!]!);
      return { ...constant, bytes: constant.bytes + offset };
    };
    const at = ({ segment, offset }: Place) => pointer(segment, offset);
    const bytes = ({ shape, dtype }: Aval) => sizeOf(shape) * bytesOf(dtype);
    const parts = [
      ...turn.carries.flatMap((value, i) => [
        program.read(sources[i]!),
        program.write(outs[i]!),
        at(body.inputs[i]!),
        at(body.outputs[i]!),
        keep ? program.write(outs[turn.results.length + i]!) : 0,
        bytes(value),
      ]),
      ...turn.xs.flatMap((value, i) => [program.read(sources[n + i]!), at(body.inputs[n + i]!), bytes(value)]),
      ...turn.ys.flatMap((value, i) => [at(body.outputs[n + i]!), program.write(outs[n + i]!), bytes(value)]),
    ];
    const inside: (number | Pointer)[] = [...body.words];
    body.relocations.forEach((word, i) => {
      inside[word] = pointer(body.segments[i]!, body.words[word]!);
    });
    const start = Loop.FIRST + parts.length;
    program.record(
      Op.LOOP,
      start + inside.length,
      {
        ...Object.fromEntries([...parts, ...inside].map((word, i) => [Loop.FIRST + i, word])),
        [Loop.LENGTH]: length,
        [Loop.REVERSE]: Number(reverse),
        [Loop.CARRIES]: n,
        [Loop.XS]: m,
        [Loop.YS]: turn.ys.length,
        [Loop.BODY]: start,
      },
      [...outs, arena],
      { chunks: 1, flop: length * body.records.reduce((total, { flop }) => total + flop, 0) },
    );
  },
  // Turn by turn from the last one to the first: what it began with is at hand, what is inside is computed again.
  vjp: (cotangents, { inputs, outputs, options }) => {
    options.keep = true;
    const { turn, length, reverse } = options;
    const [n, m] = [turn.carries.length, turn.xs.length];
    const kept = outputs.slice(turn.results.length);
    const constants = inputs.slice(n + m);
    const wanted = inputs.map(({ dtype, source }, i) => {
      const isFixed = i >= n + m && (source as Value).node.origin.kind === 'capture';
      return isReal(dtype) && !isFixed;
    });
    const among = (from: number, to: number) => range(from, to).filter((i) => wanted[i]);
    const [ofCarries, ofXs, ofConstants] = [among(0, n), among(n, n + m), among(n + m, inputs.length)];
    const ofYs = range(n, turn.results.length).filter((i) => cotangents[i]);
    // Of what is kept, once this gradient is differentiated.
    const ofKept = ofCarries.map((i) => cotangents[turn.results.length + i]);
    const [sums, slopes] = loop(
      activeTrace()!,
      [
        ...ofCarries.map((i) => cotangents[i] ?? zerosLike(inputs[i]!)),
        ...ofConstants.map((i) => zerosLike(inputs[i]!)),
      ],
      [
        ...kept,
        ...inputs.slice(n, n + m),
        ...ofYs.map((i) => cotangents[i]!),
        ...ofKept.filter((g) => g !== null),
      ] as Tensor[],
      { length, reverse: !reverse },
      (carry, x) => {
        const trace = activeTrace()!;
        const own = [...x.slice(0, n + m), ...constants];
        const results = replay(trace, turn.results, turn.bind(own)).map((y) => trace.valueOf(y, 'scan'));
        const gs: (Tensor | null)[] = results.map(() => null);
        ofCarries.forEach((at, i) => {
          gs[at] = carry[i]!;
        });
        ofYs.forEach((at, i) => {
          gs[at] = x[n + m + i]!;
        });
        const wrt = [...ofCarries, ...ofXs, ...ofConstants].map((i) => trace.valueOf(own[i]!, 'scan'));
        const back = backward(trace, results, gs, wrt);
        const [c, k] = [ofCarries.length, ofCarries.length + ofXs.length];
        const more = x.slice(n + m + ofYs.length);
        return {
          next: [
            ...back.slice(0, c).map((g, i) => (ofKept[i] ? add(g, more.shift()!) : g)),
            ...back.slice(k).map((g, i) => add(carry[c + i]!, g)),
          ],
          ys: back.slice(c, k),
        };
      },
    );
    const all = inputs.map((): Tensor | null => null);
    [...ofCarries, ...ofConstants].forEach((at, i) => {
      all[at] = sums[i]!;
    });
    ofXs.forEach((at, i) => {
      all[at] = slopes[i]!;
    });
    return all;
  },
});

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

type Step = (carry: Tensor[], x: Tensor[]) => { next: Tensor[]; ys: Tensor[] };

/** A scan in a trace, of lists: carries behind the last turn, and y's. Cells that `f` changes are carried along. */
function loop(
  trace: Trace,
  carries: Tensor[],
  xs: Tensor[],
  time: Pick<Turns, 'length' | 'reverse'>,
  f: Step,
): [Tensor[], Tensor[]] {
  const n = carries.length;
  const elements = xs.map(({ shape, dtype }) => ({ shape: shape.slice(1), dtype }));
  const body = traceBody(trace, [...carries, ...elements], (given) => {
    const { next, ys } = f(given.slice(0, n), given.slice(n));
    return [...next, ...ys];
  });
  const { given, outputs, changes, constants } = body;
  const turn = new Turn(
    [...given.slice(0, n), ...changes.map(({ before }) => before)],
    given.slice(n),
    constants.map(({ value }) => value),
    [...outputs.slice(0, n), ...changes.map(({ after }) => after)],
    outputs.slice(n),
  );
  const inputs = [
    ...carries,
    ...changes.map(({ cell }) => symbol(trace.read(cell))),
    ...xs,
    ...constants.map(({ outer }) => outer),
  ];
  const options = { ...time, turn, keep: false };
  const results = trace.append(scanOp as unknown as Defined, inputs, inputs, options, avalsOf(options));
  changes.forEach(({ cell }, i) => {
    assign(cell, results[n + i]!);
  });
  return [results.slice(0, n), results.slice(turn.next.length, turn.results.length)];
}

export interface ScanOptions {
  /** How many turns; needed where there are no xs. */
  length?: number;
  /** From the last x to the first; y's stand where their x's do. */
  reverse?: boolean;
}

/**
 * A loop over time (jax.lax.scan): f(carry, x) → [carry, y] is called with the slices of `xs` along their first axes one after another,
 * the carry that it returns is the next call's, and the y's are stacked along a new first axis: init, xs → [the last carry, all y's].
 * Carry, x and y are trees of tensors. f is traced once, however long the loop; what it takes from outside is the same in every turn; random
 * draws go on from turn to turn, and cells that it assigns keep their values of the last one. A gradient, of any order, keeps each turn's carry
 * and computes what is inside of f again. A scan runs on one thread; several at once on as many.
 *
 * Throws a ShapeError or DtypeError where f returns a carry of another shape or dtype, and where lengths differ; a ValueError where it returns
 * something else than [carry, y], or a carry of another structure, and where nothing says how many turns there are.
 */
export function scan<C, X, Y>(
  f: (carry: C, x: X) => readonly [C, Y],
  init: C,
  xs: X,
  { length, reverse = false }: ScanOptions = {},
): [C, Y] {
  const carry = flattenTree(init);
  const elements = flattenTree(xs);
  const turns = lengthOf(elements.leaves, length);
  return inTrace((trace): [C, Y] => {
    let rebuild: (leaves: readonly Tensor[]) => Y;
    const [last, ys] = loop(trace, carry.leaves, elements.leaves, { length: turns, reverse }, (given, x) => {
      const result = f(carry.rebuild(given), elements.rebuild(x));
      if (!Array.isArray(result) || result.length !== 2) {
        throw new ValueError(`f must return [carry, y]; it returned ${describe(result)}.`, {
          op: 'scan',
          argument: 'f',
          got: describe(result),
        });
      }
      const next = flattenTree(result[0] as C);
      checkCarry(carry, next);
      const y = flattenTree(result[1] as Y);
      rebuild = y.rebuild;
      return { next: next.leaves, ys: y.leaves };
    });
    return [carry.rebuild(last), rebuild!(ys)];
  });
}

const describe = (value: unknown) => (Array.isArray(value) ? `an array of ${value.length}` : typeof value);

function lengthOf(xs: readonly Tensor[], given: number | undefined): number {
  const scalar = xs.find(({ rank }) => rank === 0);
  if (scalar) {
    throw new ShapeError(`xs need a first axis, which counts turns; one of them has shape ${show(scalar.shape)}.`, {
      op: 'scan',
      argument: 'xs',
      got: scalar.shape,
    });
  }
  const lengths = [...(given === undefined ? [] : [given]), ...xs.map(({ shape }) => shape[0]!)];
  if (new Set(lengths).size > 1) {
    throw new ShapeError(`xs and length must agree; got ${lengths.join(' and ')} turns.`, {
      op: 'scan',
      argument: 'xs',
      got: lengths,
    });
  }
  const [length] = lengths;
  checkOption(
    'scan',
    'length',
    length,
    Number.isInteger(length) && length! >= 0,
    'a whole number from 0 on where there are no xs',
  );
  return length!;
}

type Flat = Pick<ReturnType<typeof flattenTree>, 'leaves' | 'key'>;

/** Throws unless f returned a carry like the one that it was given. */
function checkCarry(given: Flat, next: Flat): void {
  if (given.key === next.key) return;
  const say = ({ dtype, shape }: Tensor) => `${dtype}${show(shape)}`;
  if (given.leaves.length === next.leaves.length) {
    given.leaves.forEach((one, i) => {
      const other = next.leaves[i]!;
      if (one.dtype === other.dtype && sameShape(one.shape, other.shape)) return;
      const Kind = one.dtype === other.dtype ? ShapeError : DtypeError;
      throw new Kind(`f was given a carry of ${say(one)} and returned one of ${say(other)} in its place.`, {
        op: 'scan',
        argument: 'carry',
        got: say(other),
        expected: say(one),
      });
    });
  }
  throw new ValueError(`f was given the carry ${given.key} and returned ${next.key}; they must have one structure.`, {
    op: 'scan',
    argument: 'carry',
    got: next.key,
    expected: given.key,
  });
}
