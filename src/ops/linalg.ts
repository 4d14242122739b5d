import { Cholesky, Op, Solve } from '../../assembly/isa';
import { checkDtypes, isReal } from '../dtype';
import { ShapeError } from '../errors';
import { cut } from '../graph/emitter';
import type { Op as Defined } from '../graph/op';
import { broadcastShapes, sameShape, show, sizeOf } from '../shape';
import { checkReal, eye, type Tensor } from '../tensor';
import { add, mul, neg } from './elementwise';
import { defineExtensionOp } from './extension';
import { matmul } from './matmul';
import { tril } from './matrix';
import { broadcastTo, reshape, transpose } from './movement';

interface Solving {
  /** The function that was called, for errors. */
  of: string;
}

const solveOp: Defined<Solving> = /* @__PURE__ */ defineExtensionOp<Solving>({
  name: 'solve',
  version: 1,
  // [B, N, N] x [B, N, M] -> [B, N, M], and room for the factors
  shape: ([a, b], { of }) => {
    checkDtypes(of, [a!, b!], isReal, 'f32 and f64');
    return [
      { shape: b!.shape, dtype: b!.dtype },
      { shape: a!.shape, dtype: a!.dtype },
    ];
  },
  emit: (program, [out, factors], [a, b], { of }) => {
    program.name = of;
    const [batch, n, m] = b!.shape as [number, number, number];
    const { per, chunks } = cut(batch, Math.ceil(16384 / Math.max(1, n * n * (n + m))));
    program.record(
      Op.SOLVE,
      Solve.WORDS,
      {
        [Solve.BATCH]: batch,
        [Solve.N]: n,
        [Solve.M]: m,
        [Solve.CHUNK]: per,
        [Solve.A]: program.read(program.contiguous(a!)),
        [Solve.B]: program.read(program.contiguous(b!)),
        [Solve.FACTORS]: program.write(factors!),
        [Solve.DESTINATION]: program.write(out!),
      },
      [out!, factors!],
      { chunks: n === 0 ? 0 : chunks, flop: batch * n * n * ((2 * n) / 3 + 2 * m) },
    );
  },
  vjp: ([g], { inputs: [a], outputs: [x], options }) => {
    const gb = solveOp([transpose(a!), g!], options)[0]!;
    return [neg(matmul(gb, transpose(x!))), gb];
  },
});

const choleskyOp: Defined = /* @__PURE__ */ defineExtensionOp({
  name: 'cholesky',
  version: 1,
  // [B, N, N] -> [B, N, N]
  shape: ([a]) => {
    checkDtypes('cholesky', [a!], isReal, 'f32 and f64');
    return [{ shape: a!.shape, dtype: a!.dtype }];
  },
  emit: (program, [out], [a]) => {
    const [batch, n] = a!.shape as [number, number];
    const { per, chunks } = cut(batch, Math.ceil(16384 / Math.max(1, n * n * n)));
    program.record(
      Op.CHOLESKY,
      Cholesky.WORDS,
      {
        [Cholesky.BATCH]: batch,
        [Cholesky.N]: n,
        [Cholesky.CHUNK]: per,
        [Cholesky.SOURCE]: program.read(program.contiguous(a!)),
        [Cholesky.DESTINATION]: program.write(out!),
      },
      [out!],
      { chunks: n === 0 ? 0 : chunks, flop: (batch * n * n * n) / 3 },
    );
  },
  // Murray 2016, "Differentiation of the Cholesky decomposition", equation 10: L⁻ᵀ·(P + Pᵀ)/2·L⁻¹ with P = Φ(Lᵀ·g), where Φ takes
  // the lower triangle and half of the diagonal.
  vjp: ([g], { outputs: [l] }) => {
    const up = transpose(l!);
    const product = matmul(up, tril(g!));
    const half = mul(add(tril(product), tril(product, { diagonal: -1 })), 0.5);
    const left = solveOp([up, mul(add(half, transpose(half)), 0.5)], { of: 'cholesky' })[0]!;
    return [transpose(solveOp([up, transpose(left)], { of: 'cholesky' })[0]!)];
  },
});

/** Throws a ShapeError unless `a` is square matrices. */
function checkSquare(op: string, a: Tensor): number {
  const [rows, columns] = a.shape.slice(-2);
  if (columns !== undefined && rows === columns) return columns;
  throw new ShapeError(`a must be square matrices, [..., N, N]; got shape ${show(a.shape)}.`, {
    op,
    argument: 'a',
    got: a.shape,
  });
}

function solveFor(op: string, a: Tensor, b: Tensor): Tensor {
  const n = a.shape.at(-1)!;
  const m = b.shape.at(-1)!;
  const batch = broadcastShapes(op, a.shape.slice(0, -2), b.shape.slice(0, -2));
  const count = sizeOf(batch);
  const matrices = reshape(broadcastTo(a, [...batch, n, n]), [count, n, n]);
  const rights = reshape(broadcastTo(b, [...batch, n, m]), [count, n, m]);
  return reshape(solveOp([matrices, rights], { of: op })[0]!, [...batch, n, m]);
}

/**
 * x with a·x = b: [..., N, N] x [..., N, M] -> [..., N, M], over batch axes that broadcast; b may also be a vector [N], or vectors
 * [..., N] of as many batches as a (torch.linalg.solve). By LU with partial pivoting (Golub & Van Loan, "Matrix Computations", 3.4), the
 * elimination in rising columns. Gradients to any order. Throws a ShapeError for matrices that are not square or do not fit, a DtypeError
 * unless both are real and alike, a ValueError that names a matrix where one is exactly singular or has a NaN or an infinity.
 */
export function solve(a: Tensor, b: Tensor): Tensor {
  checkReal('solve', { a, b });
  const n = checkSquare('solve', a);
  const vectors = b.rank === 1 || (b.rank === a.rank - 1 && sameShape(b.shape, a.shape.slice(0, -1)));
  if (b.rank === 0 || b.shape.at(vectors ? -1 : -2) !== n) {
    throw new ShapeError(
      `b must have ${n} rows, [..., ${n}, M] or a vector; a has shape ${show(a.shape)}, b ${show(b.shape)}.`,
      { op: 'solve', argument: 'b', got: b.shape, expected: a.shape },
    );
  }
  if (!vectors) return solveFor('solve', a, b);
  const x = solveFor('solve', a, reshape(b, [...b.shape, 1]));
  return reshape(x, x.shape.slice(0, -1));
}

/**
 * The inverse of each matrix: [..., N, N] -> [..., N, N] (torch.linalg.inv), as `solve` with the unit matrix; to solve equations, `solve` is
 * faster and more exact. Gradients and errors are those of solve.
 */
export function inverse(a: Tensor): Tensor {
  checkReal('inverse', { a });
  const n = checkSquare('inverse', a);
  return solveFor('inverse', a, eye(n, n, { dtype: a.dtype }));
}

/**
 * The lower triangular L with L·Lᵀ = a of symmetric positive definite matrices: [..., N, N] -> [..., N, N] (torch.linalg.cholesky).
 * Of a matrix that is not symmetric it is the factor of its symmetric part (a + aᵀ)/2: so the gradient, which is symmetric as PyTorch's, is
 * that of what is computed. Gradients to any order. Throws a ShapeError for matrices that are not square, a DtypeError unless they are real,
 * a ValueError that names a matrix where one is not positive definite or has a NaN or an infinity.
 */
export function cholesky(a: Tensor): Tensor {
  checkReal('cholesky', { a });
  const n = checkSquare('cholesky', a);
  const matrices = reshape(a, [sizeOf(a.shape.slice(0, -2)), n, n]);
  return reshape(choleskyOp([mul(add(matrices, transpose(matrices)), 0.5)])[0]!, a.shape);
}
