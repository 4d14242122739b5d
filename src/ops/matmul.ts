import { Gemm, Op, Pack } from '../../assembly/isa';
import { bytesOf, checkReals, checkSame } from '../dtype';
import { ShapeError } from '../errors';
import { defineOp } from '../graph/define-op';
import { broadcastStrides, collapse, type Emitter, isContiguous, type Pointer, type View } from '../graph/emitter';
import type { Op as Defined } from '../graph/op';
import { type PackPlan, planGemm } from '../machine/gemm';
import { type Aval, broadcastShapes, sameShape, show, sizeOf } from '../shape';
import type { Tensor } from '../tensor';
import { add } from './elementwise';
import { reshape, transpose } from './movement';

const matmulOp: Defined = /* @__PURE__ */ defineOp({
  name: 'matmul',
  version: 1,
  // [..., M, K] x [..., K, N] -> [..., M, N]
  shape: ([a, b]) => {
    checkReals('matmul', [a!, b!]);
    checkSame('matmul', [a!, b!]);
    return [{ shape: productShape(a!, b!), dtype: a!.dtype }];
  },
  emit: (program, [out], [a, b]) => emitMatmul(program, out!, a!, b!),
  anyLayout: true,
  vjp: ([g], { inputs: [a, b] }) => [matmul(g!, transpose(b!)), matmul(transpose(a!), g!)],
});

function productShape(a: Aval, b: Aval): number[] {
  const [m, k] = a.shape.slice(-2) as [number, number];
  const [rows, n] = b.shape.slice(-2) as [number, number];
  if (k !== rows) {
    throw new ShapeError(
      `the last axis of a (${k}) does not match the second last of b (${rows}): shapes ${show(a.shape)} and ${show(b.shape)}.`,
      { op: 'matmul', argument: 'b', got: b.shape, expected: a.shape },
    );
  }
  return [...broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n];
}

/** One GEMM over all batches: transposes and broadcasts of the operands are strides. */
function emitMatmul(program: Emitter, out: View, a: View, b: View): void {
  const batchShape = out.shape.slice(0, -2);
  const stretched = (x: View): View => {
    const shape = [...batchShape, ...x.shape.slice(-2)];
    return { ...x, shape, strides: broadcastStrides(x, shape) };
  };
  let [left, right] = [a, b].map((x) => stretched(x.buffer.kind === 'number' ? program.contiguous(x) : x)) as [
    View,
    View,
  ];
  const batches = () =>
    collapse(batchShape, left.strides.slice(0, -2), right.strides.slice(0, -2), out.strides.slice(0, -2));
  // Batch axes that no single stride steps through, such as a broadcast along some of them only, are laid out once.
  if (batches().sizes.length > 1) [left, right] = [program.contiguous(left), program.contiguous(right)];
  const { sizes, strides } = batches();
  if (sizes.length > 1) {
    // The result's own: it is to be written in another order of its axes.
    const natural = program.temporary(out);
    emitMatmul(program, natural, left, right);
    program.copy(out, natural);
    return;
  }
  const [m, n] = out.shape.slice(-2) as [number, number];
  const k = left.shape.at(-1)!;
  const [aRow, aColumn] = left.strides.slice(-2) as [number, number];
  const [bRow, bColumn] = right.strides.slice(-2) as [number, number];
  const [cRow, cColumn] = out.strides.slice(-2) as [number, number];
  const plan = planGemm<View>(
    {
      batch: sizeOf(batchShape),
      m,
      n,
      k,
      a: { pointer: left, batch: strides[0]![0] ?? 0, row: aRow, column: aColumn },
      b: { pointer: right, batch: strides[1]![0] ?? 0, row: bRow, column: bColumn },
      c: { pointer: out, batch: strides[2]![0] ?? 0, row: cRow, column: cColumn },
    },
    bytesOf(out.dtype),
  );
  const fields = pointersOf(program, plan.fields, out);
  if (plan.packed && sizeOf(out.shape) > 0) fields[Gemm.B] = program.read(packed(program, plan.packed));
  program.record(Op.GEMM, Gemm.WORDS, fields, [out], {
    chunks: sizeOf(out.shape) === 0 ? 0 : plan.chunks,
    lanes: plan.lines ? { ...plan.lines, field: null, each: [[out, plan.lines.length]] } : undefined,
    product:
      fields[Gemm.BATCH] === 1 && isContiguous(out)
        ? { view: out, rows: sizeOf(out.shape) / n, columns: n, flipped: plan.flipped, relu: Gemm.RELU, adds: true }
        : null,
    flop: 2 * sizeOf(out.shape) * k,
    text: `${m}×${k}×${n}`,
  });
}

/** Fields whose views have become pointers: to be read, but for `out`. */
function pointersOf(
  program: Emitter,
  fields: Record<number, number | View>,
  out?: View,
): Record<number, number | Pointer> {
  return Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [
      field,
      typeof value === 'number' ? value : value === out ? program.write(value) : program.read(value),
    ]),
  );
}

/** B's panels, packed once for all products that take them. */
export function packed(program: Emitter, { fields, chunks, bytes }: PackPlan<View>): View {
  const source = fields[Pack.SOURCE] as View;
  return program.once(
    ['pack', ...Object.values(fields).filter((value) => typeof value === 'number')].join(),
    source,
    () => {
      const { dtype } = source;
      const panels = program.temporary({ shape: [bytes / bytesOf(dtype)], dtype });
      const pointers = { ...pointersOf(program, fields), [Pack.DESTINATION]: program.write(panels) };
      program.record(Op.PACK, Pack.WORDS, pointers, [panels], { chunks });
      return panels;
    },
  );
}

/**
 * The matrix product: rows of the last two axes of a times columns of those of b, over batch axes that broadcast. A vector
 * on the left is a row, on the right a column, and its axis disappears. Throws a ShapeError where the inner axes differ.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  for (const [argument, x] of [
    ['a', a],
    ['b', b],
  ] as const) {
    if (x.rank === 0) {
      throw new ShapeError(`${argument} has rank 0; a matrix product needs axes. Use mul to scale.`, {
        op: 'matmul',
        argument,
        got: x.shape,
      });
    }
  }
  if (a.rank === 1) {
    const y = matmul(reshape(a, [1, a.size]), b.rank === 1 ? reshape(b, [b.size, 1]) : b);
    return reshape(y, b.rank === 1 ? [] : [...y.shape.slice(0, -2), y.shape.at(-1)!]);
  }
  if (b.rank === 1) {
    const y = matmul(a, reshape(b, [b.size, 1]));
    return reshape(y, y.shape.slice(0, -1));
  }
  // One matrix for a whole batch: a single tall product, and one sum over all its rows in the gradient.
  if (b.rank === 2 && a.rank > 2) {
    const [rows, k] = [sizeOf(a.shape.slice(0, -1)), a.shape.at(-1)!];
    productShape(a, b);
    return reshape(matmul(reshape(a, [rows, k]), b), [...a.shape.slice(0, -1), b.shape[1]!]);
  }
  return matmulOp([a, b])[0]!;
}

/** x·wᵀ + b: x [..., in], w [out, in], b [out] -> [..., out]. */
export function linear(x: Tensor, w: Tensor, b?: Tensor): Tensor {
  if (w.rank !== 2 || x.rank === 0 || x.shape.at(-1) !== w.shape[1]) {
    throw new ShapeError(
      `the last axis of x must be the second of weight [out, in]: shapes ${show(x.shape)} and ${show(w.shape)}.`,
      { op: 'linear', argument: 'weight', got: w.shape, expected: x.shape },
    );
  }
  if (b && !sameShape(b.shape, [w.shape[0]!])) {
    throw new ShapeError(`bias must have shape [${w.shape[0]}], a number for each output; got ${show(b.shape)}.`, {
      op: 'linear',
      argument: 'bias',
      got: b.shape,
      expected: [w.shape[0]!],
    });
  }
  const y = matmul(x, transpose(w));
  return b ? add(y, b) : y;
}
