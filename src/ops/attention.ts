import {
  ATTENTION_BLOCK,
  ATTENTION_BYTES,
  ATTENTION_WIDTH,
  Attention,
  AttentionBackward,
  AttentionPart,
  Op,
} from '../../assembly/isa';
import { bytesOf, checkReals, checkSame } from '../dtype';
import { DtypeError, ShapeError } from '../errors';
import { broadcastStrides, collapse, cut, double, type Emitter, type Pointer, type View } from '../graph/emitter';
import type { Op as Defined } from '../graph/op';
import { type Aval, broadcastShapes, type Shape, show, sizeOf } from '../shape';
import { arange, checkOption, checkReal, checkTensor, full, type Tensor } from '../tensor';
import { add, eq, ge, mul, sub, where } from './elementwise';
import { defineExtensionOp } from './extension';
import { matmul } from './matmul';
import { broadcastTo, reshape, transpose, unsqueeze } from './movement';
import { checkProbability, dropout } from './random';
import { logsumexp, max, sum } from './reduce';
import { softmax } from './softmax';

interface Attending {
  scale: number;
  isCausal: boolean;
}

/** Rows and keys of a block, where scratch holds so many; more rows share the packing of a block of keys. */
const BLOCK = 64;
const ROWS = 128;
/** Multiply-adds that an exponential takes as long as; and of a chunk, below which claiming it begins to show. */
const EXP_WORK = 25;
const CHUNK_WORK = 2.5e5;
/** From so many heads on each is a chunk; fewer are shared out by blocks of rows, and of keys, which takes 7 products rather than 5. */
const MANY_HEADS = 4;

const upTo = (size: number, multiple: number) => Math.ceil(size / multiple) * multiple;

/**
 * What a block of rows and keys takes of scratch at most: p and s, and of q, g and their like, of k, v and theirs so many copies as
 * assembly/kernels/attention.ts makes.
 */
const scratchBytes = (bytes: number, rows: number, keys: number, columns: number) =>
  bytes * (2 * rows * keys + (5 * rows + 6 * keys + 16) * upTo(columns, ATTENTION_BLOCK));

/** As many rows or keys as there are, as `most`, and as fit. */
function blockOf(size: number, most: number, bytes: (block: number) => number): number {
  let block = Math.min(most, upTo(size, ATTENTION_BLOCK));
  while (bytes(block) > ATTENTION_BYTES) block -= ATTENTION_BLOCK;
  return block;
}

/** What a record is told of an operand: where it begins, and how far apart outer axes, heads, rows and columns are. */
interface Placed {
  view: View;
  strides: readonly number[];
}

/** Heads that one record does, numbered from `first` on, and its operands. */
interface Heads {
  first: number;
  outer: number;
  heads: number;
  operands: Record<string, Placed>;
}

/** Leading axes as records see them, which step through two: one record, unless views lie in memory in the oddest ways. */
function headsOf(lead: Shape, views: Record<string, View>): Heads[] {
  const names = Object.keys(views);
  const { sizes, strides } = collapse(lead, ...names.map((name) => views[name]!.strides.slice(0, -2)));
  const [outer, heads] = [1, 1, ...sizes].slice(-2) as [number, number];
  const others = sizes.slice(0, -2);
  const placed = (view: View, own: readonly number[], record: number): Placed => {
    let [offset, rest] = [view.offset, record];
    for (let axis = others.length - 1; axis >= 0; axis--) {
      offset += (rest % others[axis]!) * own[axis]!;
      rest = Math.floor(rest / others[axis]!);
    }
    return { view: { ...view, offset }, strides: [...[0, 0, ...own].slice(-2), ...view.strides.slice(-2)] };
  };
  return Array.from({ length: sizeOf(others) }, (_, record) => ({
    ...{ first: record * outer * heads, outer, heads },
    operands: Object.fromEntries(names.map((name, i) => [name, placed(views[name]!, strides[i]!, record)])),
  }));
}

/** The five words of an operand. */
function operandFields(field: number, pointer: Pointer, { strides }: Placed): Record<number, number | Pointer> {
  return { [field]: pointer, ...Object.fromEntries(strides.map((stride, i) => [field + 1 + i, stride])) };
}

/** Views that a record can step through: of the mask one that has all heads and scores. */
function laidOut(program: Emitter, operands: Record<string, View>): Record<string, View> {
  const { q, k } = operands as { q: View; k: View };
  const all = Object.entries(operands).map(([name, x]): [string, View] => [
    name,
    x.buffer.kind === 'number' ? program.contiguous(x) : x,
  ]);
  const shape = [...q.shape.slice(0, -1), k.shape.at(-2)!];
  const whole = (x: View): View => ({ ...x, shape, strides: broadcastStrides(x, shape) });
  return Object.fromEntries(all.map(([name, x]) => [name, name === 'mask' ? whole(x) : x]));
}

/** What both records are told. */
function sharedFields(
  program: Emitter,
  { outer, heads, operands: { q, k, v, mask } }: Heads,
  { scale, isCausal }: Attending,
): Record<number, number | Pointer> {
  const read = (field: number, placed: Placed) => operandFields(field, program.read(placed.view), placed);
  return {
    [Attention.OUTER]: outer,
    [Attention.HEADS]: heads,
    [Attention.T]: q!.view.shape.at(-2)!,
    [Attention.S]: k!.view.shape.at(-2)!,
    [Attention.E]: q!.view.shape.at(-1)!,
    [Attention.EV]: v!.view.shape.at(-1)!,
    [Attention.CAUSAL]: Number(isCausal),
    ...double(Attention.SCALE, scale),
    ...read(Attention.Q, q!),
    ...read(Attention.K, k!),
    ...read(Attention.V, v!),
    ...(mask && read(Attention.MASK, mask)),
  };
}

/** [..., T, E], [..., S, E], [..., S, Ev] and perhaps a mask, added to the scores, that broadcasts to [..., T, S]. */
const attentionOp: Defined<Attending> = /* @__PURE__ */ defineExtensionOp<Attending>({
  name: 'attention',
  version: 1,
  // -> [..., T, Ev], log Σ e^score [..., T]
  shape: (inputs) => {
    checkReals('attention', inputs);
    const dtype = checkSame('attention', inputs);
    const [q, , v] = inputs as [Aval, Aval, Aval];
    const rows = q.shape.slice(0, -1);
    return [
      { shape: [...rows, v.shape.at(-1)!], dtype },
      { shape: rows, dtype },
    ];
  },
  anyLayout: true,
  emit: (program, [y, lse], [q, k, v, mask], options) => {
    const bytes = bytesOf(y!.dtype);
    const [t, s, e, ev] = [q!.shape.at(-2)!, k!.shape.at(-2)!, q!.shape.at(-1)!, y!.shape.at(-1)!];
    const columns = Math.max(e, ev);
    const keys = blockOf(s, BLOCK, (block) => scratchBytes(bytes, block, block, columns));
    const rows = blockOf(t, ROWS, (block) => scratchBytes(bytes, block, keys, columns));
    const operands = laidOut(program, { q: q!, k: k!, v: v!, ...(mask && { mask }) });
    for (const record of headsOf(q!.shape.slice(0, -2), { ...operands, y: y! })) {
      const count = record.outer * record.heads;
      const work = Math.min(rows, t) * s * (e + ev + EXP_WORK);
      const { per, chunks } = cut(count * Math.ceil(t / rows), Math.floor(CHUNK_WORK / work));
      const placed = record.operands.y!;
      program.record(
        Op.ATTENTION,
        Attention.WORDS,
        {
          ...sharedFields(program, record, options),
          ...operandFields(Attention.Y, program.write(placed.view), placed),
          [Attention.LSE]: program.write({ ...lse!, offset: record.first * t }),
          [Attention.ROWS]: rows,
          [Attention.KEYS]: keys,
          [Attention.ITEMS]: per,
        },
        [y!, lse!],
        { chunks, flop: flopOf(count, t, s, options, e + ev), text: `${count} of ${t}×${s}×${e}` },
      );
    }
  },
  vjp: ([g], { inputs, outputs: [y, lse], options }) => {
    // That of lse is 0: only the op below sees it, and it means nothing to that.
    if (!g) return inputs.map(() => null);
    const [q, k, v, mask] = inputs as [Tensor, Tensor, Tensor, Tensor?];
    const back = attentionBackwardOp([q, k, v, y!, lse!, g, ...(mask ? [mask] : [])], options);
    // [..., T, S]: made only where it is asked for.
    return mask ? [...back, slopesOf(weightsOf(q, k, mask, options), matmul(g, transpose(v)))] : back;
  },
  meaning: (inputs, options) => {
    const [q, k, v, mask] = inputs as [Tensor, Tensor, Tensor, Tensor?];
    const { scores, empty } = scoresOf(q, k, mask, options);
    const lse = where(empty, 0, logsumexp(scores, { axis: -1, keepDims: true }));
    return [matmul(weightsOf(q, k, mask, options), v), reshape(lse, q.shape.slice(0, -1))];
  },
});

/** Multiplications and additions: of products that are so many columns wide, and of the softmax. */
function flopOf(count: number, t: number, s: number, { isCausal }: Attending, columns: number): number {
  const seen = Math.min(t, s);
  const scores = isCausal ? (seen * (seen + 1)) / 2 + (t - seen) * s : t * s;
  return count * scores * (2 * columns + 4);
}

/** q, k, v, what attention made of them, its cotangent, perhaps the mask -> the cotangents of q, k and v. */
const attentionBackwardOp: Defined<Attending> = /* @__PURE__ */ defineExtensionOp<Attending>({
  name: 'attentionBackward',
  version: 1,
  shape: (inputs) => {
    checkReals('attentionBackward', inputs);
    checkSame('attentionBackward', inputs);
    return inputs.slice(0, 3);
  },
  anyLayout: true,
  readsAnyLayout: true,
  emit: (program, [dq, dk, dv], [q, k, v, y, lse, g, mask], options) => {
    const bytes = bytesOf(dq!.dtype);
    const [t, s, e, ev] = [q!.shape.at(-2)!, k!.shape.at(-2)!, q!.shape.at(-1)!, v!.shape.at(-1)!];
    const columns = Math.max(e, ev);
    const keys = blockOf(s, BLOCK, (block) => scratchBytes(bytes, block, block, columns));
    const rows = blockOf(t, BLOCK, (block) => scratchBytes(bytes, block, keys, columns));
    const operands = laidOut(program, { q: q!, k: k!, v: v!, y: y!, g: g!, ...(mask && { mask }) });
    const sums = program.contiguous(lse!);
    for (const record of headsOf(q!.shape.slice(0, -2), { ...operands, dq: dq!, dk: dk!, dv: dv! })) {
      const count = record.outer * record.heads;
      const { operands: own } = record;
      const written = (field: number, name: string) => operandFields(field, program.write(own[name]!.view), own[name]!);
      const results = {
        rows: written(AttentionBackward.DQ, 'dq'),
        keys: { ...written(AttentionBackward.DK, 'dk'), ...written(AttentionBackward.DV, 'dv') },
      };
      const emit = (part: AttentionPart, parts: number, fields: Record<number, number | Pointer>, wide: number) => {
        const work = (t * s * (wide + EXP_WORK)) / parts;
        const { per, chunks } = cut(count * parts, Math.floor(CHUNK_WORK / work));
        program.record(
          Op.ATTENTION_BACKWARD,
          AttentionBackward.WORDS,
          {
            ...sharedFields(program, record, options),
            ...operandFields(Attention.Y, program.read(own.y!.view), own.y!),
            ...operandFields(AttentionBackward.G, program.read(own.g!.view), own.g!),
            ...fields,
            [Attention.LSE]: program.read({ ...sums, offset: sums.offset + record.first * t }),
            [Attention.ROWS]: rows,
            [Attention.KEYS]: keys,
            [Attention.ITEMS]: per,
            [AttentionBackward.PART]: part,
          },
          [dq!, dk!, dv!],
          { chunks, flop: flopOf(count, t, s, options, wide), text: `${count} of ${t}×${s}×${e}` },
        );
      };
      if (count >= MANY_HEADS || (t <= rows && s <= keys)) {
        emit(AttentionPart.HEAD, 1, { ...results.rows, ...results.keys }, 3 * e + 2 * ev);
      } else {
        emit(AttentionPart.ROWS, Math.ceil(t / rows), results.rows, 2 * e + ev);
        emit(AttentionPart.KEYS, Math.ceil(s / keys), results.keys, 2 * e + 2 * ev);
      }
    }
  },
  // y and lse follow from the others.
  meaning: (inputs, options) => {
    const [q, k, v, , , g, mask] = inputs as Tensor[] as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor?];
    const weights = weightsOf(q, k, mask, options);
    const slopes = mul(slopesOf(weights, matmul(g, transpose(v))), options.scale);
    return [matmul(slopes, k), matmul(transpose(slopes), q), matmul(transpose(weights), g)];
  },
});

/** Scores [..., T, S], and the rows, [..., T, 1], that see nothing; their scores are 0. */
function scoresOf(
  q: Tensor,
  k: Tensor,
  mask: Tensor | undefined,
  { scale, isCausal }: Attending,
): { scores: Tensor; empty: Tensor } {
  const products = mul(matmul(q, transpose(k)), scale);
  const masked = mask ? add(products, mask) : products;
  const past = isCausal && ge(unsqueeze(arange(q.shape.at(-2)!), 1), arange(k.shape.at(-2)!));
  const scores = past ? where(past, masked, Number.NEGATIVE_INFINITY) : masked;
  const empty = eq(max(scores, { axis: -1, keepDims: true }), Number.NEGATIVE_INFINITY);
  return { scores: where(empty, 0, scores), empty };
}

/** softmax(q·kᵀ·scale + mask), 0 in rows that see nothing. */
function weightsOf(q: Tensor, k: Tensor, mask: Tensor | undefined, options: Attending): Tensor {
  const { scores, empty } = scoresOf(q, k, mask, options);
  return where(empty, 0, softmax(scores));
}

/** The cotangents of scores from those of the weights. */
function slopesOf(weights: Tensor, g: Tensor): Tensor {
  return mul(weights, sub(g, sum(mul(weights, g), { axis: -1, keepDims: true })));
}

export interface AttentionOptions {
  /** Broadcasts to [..., T, S]: bool, true where a row may attend; or real, added to the scores. */
  attnMask?: Tensor;
  /** Row t attends to keys 0 … t only; beside a mask both hold. */
  isCausal?: boolean;
  /** 1 / √E unless given. */
  scale?: number;
  /** The weights are dropped out with this probability, see `dropout`; they are then held. 0 unless given. */
  dropoutP?: number;
}

/**
 * softmax(q·kᵀ · scale + mask)·v (Vaswani et al. 2017, §3.2.1; torch's F.scaled_dot_product_attention): q [..., T, E], k [..., S, E],
 * v [..., S, Ev] -> [..., T, Ev], leading axes broadcast. Computed in blocks of rows and keys (Dao et al. 2022), also in the gradient: the
 * [T, S] matrix is never held, but for the gradient of a real mask, with `dropoutP`, and for rows wider than 512. Unlike in PyTorch, which gives NaN, a row that may
 * attend to nothing is 0, and so are its gradients. Throws a DtypeError unless q, k and v are real and of one dtype and the mask is of that or
 * bool, a ShapeError for shapes that do not fit, a ValueError for a scale that is not finite and a dropoutP that is no probability.
 */
export function scaledDotProductAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { attnMask, isCausal = false, scale, dropoutP = 0 }: AttentionOptions = {},
): Tensor {
  const op = 'scaledDotProductAttention';
  checkReal(op, { q, k, v });
  for (const [argument, x, layout] of [
    ['q', q, '[..., T, E]'],
    ['k', k, '[..., S, E]'],
    ['v', v, '[..., S, Ev]'],
  ] as const) {
    if (x.rank >= 2 && x.shape.at(-1)! > 0) continue;
    throw new ShapeError(`${argument} must be ${layout}, with rows of one number at least; got ${show(x.shape)}.`, {
      ...{ op, argument, got: x.shape, expected: layout },
    });
  }
  const refuse = (argument: string, other: string, x: Tensor, y: Tensor, axis: string) => {
    throw new ShapeError(
      `${argument} and ${other} must have as many ${axis}; got ${show(x.shape)} and ${show(y.shape)}.`,
      {
        ...{ op, argument, got: x.shape, expected: y.shape },
      },
    );
  };
  if (k.shape.at(-1) !== q.shape.at(-1)) refuse('k', 'q', k, q, 'numbers in a row');
  if (v.shape.at(-2) !== k.shape.at(-2)) refuse('v', 'k', v, k, 'rows');
  const [t, s, e, ev] = [q.shape.at(-2)!, k.shape.at(-2)!, q.shape.at(-1)!, v.shape.at(-1)!];
  const lead = broadcastShapes(op, ...[q, k, v].map(({ shape }) => shape.slice(0, -2)));
  const factor = scale ?? 1 / Math.sqrt(e);
  checkOption(op, 'scale', factor, Number.isFinite(factor), 'a finite number');
  checkProbability(op, dropoutP);
  const mask = attnMask && maskOf(op, attnMask, q, [...lead, t, s]);
  const y = { shape: [...lead, t, ev], dtype: q.dtype };
  if (s === 0 || sizeOf(y.shape) === 0) return full(y.shape, 0, y);
  const operands = [q, k, v].map((x) => broadcastTo(x, [...lead, ...x.shape.slice(-2)]));
  if (mask) operands.push(mask);
  const options = { scale: factor, isCausal };
  if (dropoutP !== 0) {
    const weights = dropout(weightsOf(operands[0]!, operands[1]!, mask, options), { p: dropoutP });
    return matmul(weights, operands[2]!);
  }
  return (
    Math.max(e, ev) > ATTENTION_WIDTH ? attentionOp.meaning!(operands, options) : attentionOp(operands, options)
  )[0]!;
}

/** What is added to the scores: 0 or -∞ for bool. */
function maskOf(op: string, mask: Tensor, { dtype }: Tensor, scores: Shape): Tensor {
  checkTensor(op, 'attnMask', mask);
  if (mask.dtype !== 'bool' && mask.dtype !== dtype) {
    throw new DtypeError(`attnMask must be of dtype bool or ${dtype}, as q is; got ${mask.dtype}.`, {
      ...{ op, argument: 'attnMask', got: mask.dtype, expected: `bool, ${dtype}` },
    });
  }
  const lead = scores.length - mask.rank;
  if (lead < 0 || !mask.shape.every((length, axis) => length === 1 || length === scores[axis + lead])) {
    throw new ShapeError(`attnMask must broadcast to the scores, ${show(scores)}; got ${show(mask.shape)}.`, {
      ...{ op, argument: 'attnMask', got: mask.shape, expected: scores },
    });
  }
  return mask.dtype === 'bool' ? where(mask, full([], 0, { dtype }), Number.NEGATIVE_INFINITY) : mask;
}
