import { isReal } from '../dtype';
import { DtypeError, ShapeError } from '../errors';
import { broadcastShapes, normalizeAxis, type Shape, sameShape, show, sizeOf, stridesOf } from '../shape';
import { arange, checkNumber, checkNumeric, checkTensor, full, type Operand, Tensor, tensor } from '../tensor';
import { add, gt, maximum, mul, ne, sub, where } from './elementwise';
import { gatherFor, rowsFor, scatterAddFor } from './gather';
import { broadcastTo, concat, pad, reshape, slice } from './movement';
import { argsortFor } from './sort';

// Compositions of gather and scatterAdd. Those whose shape depends on values need values: inside a trace they throw TRACED_VALUE.

function refuseShape(op: string, argument: string, x: Tensor, allowed: string): never {
  throw new ShapeError(`${argument} must have ${allowed}; got shape ${show(x.shape)}.`, { op, argument, got: x.shape });
}

function checkDtypeOf(op: string, argument: string, x: Tensor, dtype: 'i32' | 'bool'): void {
  checkTensor(op, argument, x);
  if (x.dtype === dtype) return;
  throw new DtypeError(`${argument} must be a tensor of dtype ${dtype}; got ${x.dtype}${show(x.shape)}.`, {
    op,
    argument,
    got: x.dtype,
    expected: dtype,
  });
}

/** Throws a DtypeError unless an argument is a tensor of x's dtype. */
function checkAlike(op: string, x: Tensor, argument: string, other: Tensor): void {
  checkTensor(op, argument, other);
  if (other.dtype === x.dtype) return;
  throw new DtypeError(`${argument} of dtype ${other.dtype} does not match x of dtype ${x.dtype}; cast one.`, {
    op,
    argument,
    got: other.dtype,
    expected: x.dtype,
  });
}

const whole = (values: number[]) => tensor(Int32Array.from(values));

/** Where values are not 0, counted row-major. */
function positions(op: string, x: Tensor): number[] {
  const found: number[] = [];
  x.values(op).forEach((value, i) => {
    if (value !== 0) found.push(i);
  });
  return found;
}

export interface UniqueOptions {
  returnInverse?: boolean;
  returnCounts?: boolean;
}

/** What unique finds: see there. */
export interface Unique {
  values: Tensor;
  inverse?: Tensor;
  counts?: Tensor;
}

/**
 * The different elements of x, rising: [...] -> [K] (torch.unique, which has no gradient either). With `returnInverse` the i32 place among
 * them of each element of x, of x's shape; with `returnCounts` how often each comes, i32 [K]. NaNs come last, each by itself; 0 and -0 are
 * equal. Throws TRACED_VALUE inside a trace, since K depends on values.
 */
export function unique(x: Tensor, { returnInverse = false, returnCounts = false }: UniqueOptions = {}): Unique {
  checkTensor('unique', 'x', x);
  const given = x.values('unique');
  const rank = (value: number) => (Number.isNaN(value) ? 1 : 0);
  const order = Array.from(given.keys()).sort((i, j) => {
    const [a, b] = [given[i]!, given[j]!];
    return rank(a) - rank(b) || (rank(a) ? 0 : a === b ? 0 : a < b ? -1 : 1) || i - j;
  });
  const firsts: number[] = [];
  const inverse = new Int32Array(given.length);
  const counts: number[] = [];
  order.forEach((at, i) => {
    if (i === 0 || given[at] !== given[order[i - 1]!]) {
      firsts.push(at);
      counts.push(0);
    }
    inverse[at] = firsts.length - 1;
    counts[firsts.length - 1]!++;
  });
  const values = given.slice(0, firsts.length);
  firsts.forEach((at, i) => {
    values[i] = given[at]!;
  });
  return {
    values: new Tensor([firsts.length], x.dtype, values),
    ...(returnInverse ? { inverse: tensor(inverse, { shape: x.shape }) } : {}),
    ...(returnCounts ? { counts: whole(counts) } : {}),
  };
}

/**
 * Where x is not 0, a row of i32 indices for each: [...] -> [K, rank], in row-major order (torch.nonzero). Throws TRACED_VALUE inside a
 * trace, since K depends on values.
 */
export function nonzero(x: Tensor): Tensor {
  checkTensor('nonzero', 'x', x);
  return coordinates('nonzero', x);
}

/** nonzero on behalf of another function, which errors then name. */
function coordinates(op: string, x: Tensor): Tensor {
  const found = positions(op, x);
  const strides = stridesOf(x.shape);
  const rows = found.flatMap((at) => x.shape.map((length, axis) => Math.floor(at / strides[axis]!) % length));
  return tensor(Int32Array.from(rows), { shape: [found.length, x.rank] });
}

/**
 * x's elements where a bool mask is true, row-major, after x and mask were broadcast together: [...] -> [K] (torch.masked_select).
 * Gradients go back to where they came from, to any order. The mask must have values: inside a trace one that is a symbol throws TRACED_VALUE.
 */
export function maskedSelect(x: Tensor, mask: Tensor): Tensor {
  checkTensor('maskedSelect', 'x', x);
  checkDtypeOf('maskedSelect', 'mask', mask, 'bool');
  const shape = broadcastShapes('maskedSelect', x.shape, mask.shape);
  const found = whole(positions('maskedSelect', broadcastTo(mask, shape)));
  return gatherFor('maskedSelect', reshape(broadcastTo(x, shape), [sizeOf(shape)]), found, 0);
}

/**
 * x with a number, or a tensor of rank 0, wherever a bool mask is true; x and mask broadcast together (torch.masked_fill). Gradients to
 * any order; an x that is replaced gets 0.
 */
export function maskedFill(x: Tensor, mask: Tensor, value: Operand): Tensor {
  checkTensor('maskedFill', 'x', x);
  checkDtypeOf('maskedFill', 'mask', mask, 'bool');
  const filling = typeof value === 'number' ? full([], checkNumber('maskedFill', value, x.dtype), x) : value;
  checkAlike('maskedFill', x, 'value', filling);
  if (filling.rank !== 0) refuseShape('maskedFill', 'value', filling, 'rank 0');
  broadcastShapes('maskedFill', x.shape, mask.shape);
  return where(mask, filling, x);
}

/**
 * PyTorch's x[i, j, …]: element, or slice, of x at each place that i32 tensors name, one for each of x's first axes, after they were
 * broadcast together to a shape S: x [A, B, ...], i and j of shape S -> [S..., ...]. A bool tensor of x's next axes stands for the indices
 * where it is true, and must have values (TRACED_VALUE inside a trace). An index outside its axis is INDEX_OUT_OF_RANGE, also one below 0.
 * Gradients to any order: where a place is named twice they add, in row-major order of S.
 */
export function index(x: Tensor, indices: readonly Tensor[]): Tensor {
  checkTensor('index', 'x', x);
  if (!Array.isArray(indices)) {
    throw new DtypeError(`indices must be a list of tensors; got ${typeof indices}.`, {
      op: 'index',
      argument: 'indices',
      got: typeof indices,
      expected: 'a list',
    });
  }
  let axis = 0;
  const offsets: Tensor[] = [];
  const all = (indices as readonly Tensor[]).flatMap((one) => {
    checkTensor('index', 'indices', one);
    if (one.dtype !== 'bool') {
      checkDtypeOf('index', 'indices', one, 'i32');
      axis++;
      return [one];
    }
    const own = x.shape.slice(axis, axis + one.rank);
    if (one.rank === 0 || !sameShape(own, one.shape)) refuseShape('index', 'mask', one, `shape ${show(own)}`);
    axis += one.rank;
    const found = coordinates('index', one);
    return one.shape.map((_, i) => slice(found, `:, ${i}`));
  });
  if (axis > x.rank) refuseShape('index', 'x', x, `${axis} axes to be indexed`);
  if (axis === 0) return x;
  const shape = broadcastShapes('index', ...all.map((one) => one.shape));
  const rest = x.shape.slice(axis);
  const strides = stridesOf(x.shape.slice(0, axis));
  // A table an axis: it turns an index into an offset, and finds those that are outside.
  all.forEach((one, i) => {
    const table = mul(arange(x.shape[i]!), strides[i]!);
    offsets.push(axis === 1 ? one : reshape(gatherFor('index', table, reshape(one, [one.size]), 0), one.shape));
  });
  const places = broadcastTo(
    offsets.reduce((sum, one) => add(sum, one)),
    shape,
  );
  const rows = reshape(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(rest)]);
  return reshape(rowsFor('index', places, rows), [...shape, ...rest]);
}

const upTo = (shape: Shape) => shape.map((length) => `:${length}`).join(', ');

/** x of a part's shape, with zeros behind it up to `shape`. */
function padTo(x: Tensor, shape: Shape): Tensor {
  if (x.shape.every((length, axis) => length === shape[axis])) return x;
  return pad(
    x,
    x.shape.map((length, axis): [number, number] => [0, shape[axis]! - length]),
  );
}

/** Throws unless index fits between x and src as torch.scatter has it; returns the axis. */
function checkScatter(op: string, x: Tensor, places: Tensor, src: Tensor | null, axis: number): number {
  checkTensor(op, 'x', x);
  checkDtypeOf(op, 'index', places, 'i32');
  const at = normalizeAxis(op, axis, x.shape);
  if (places.rank !== x.rank || places.shape.some((length, one) => one !== at && length > x.shape[one]!)) {
    refuseShape(op, 'index', places, `the rank of x, ${show(x.shape)}, and no axis but ${at} longer than x's`);
  }
  if (!src) return at;
  checkAlike(op, x, 'src', src);
  if (src.rank !== x.rank || src.shape.some((length, one) => length < places.shape[one]!)) {
    refuseShape(op, 'src', src, `no axis shorter than index's, ${show(places.shape)}`);
  }
  return at;
}

/**
 * x with elements replaced along an axis: for axis 1 y[i, index[i, j, k], k] = src[i, j, k], or a plain number (torch.scatter). The i32
 * index has x's rank, no axis longer than src's and none but `axis` longer than x's. Where an index comes twice the last one along the axis
 * holds, always (PyTorch leaves it open), and it alone has a gradient; gradients to any order. An index outside is INDEX_OUT_OF_RANGE.
 */
export function scatter(x: Tensor, index: Tensor, src: Operand, { axis }: { axis: number }): Tensor {
  const given = typeof src === 'number' ? null : src;
  const at = checkScatter('scatter', x, index, given, axis);
  const filling = given ?? full([], checkNumber('scatter', src as number, x.dtype), x);
  if (index.size === 0) return x;
  // Equal indices stand side by side once they are sorted, in their order: the last of them is whose successor differs.
  const order = argsortFor('scatter', index, { axis: at });
  const sorted = gatherFor('scatter', index, order, at);
  const count = index.shape[at]!;
  const along = (range: string) => sorted.shape.map((_, one) => (one === at ? range : ':')).join(', ');
  const differs = ne(slice(sorted, along('1:')), slice(sorted, along(`:${count - 1}`)));
  const end = full(
    index.shape.map((length, one) => (one === at ? 1 : length)),
    1,
    { dtype: 'bool' },
  );
  const last = concat([differs, end], { axis: at });
  // Of each element of x the place of its replacement in src, counted from 1; 0 where there is none.
  const place = scatterAddFor('scatter', where(last, add(order, 1), 0), sorted, at, x.shape[at]!);
  const replaced = padTo(gt(place, 0), x.shape);
  if (!given) return where(replaced, filling, x);
  const picked = gatherFor('scatter', slice(given, upTo(index.shape)), maximum(sub(place, 1), 0), at);
  return where(replaced, padTo(picked, x.shape), x);
}

/**
 * x plus what falls on it along an axis: for axis 1 y[i, index[i, j, k], k] += src[i, j, k] (torch.scatter_add), of real numbers or i32.
 * Shapes as in `scatter`. Elements that fall on one place are added in rising order along the axis, then to x. Gradients to any order. An
 * index outside is INDEX_OUT_OF_RANGE.
 */
export function scatterAdd(x: Tensor, index: Tensor, src: Tensor, { axis }: { axis: number }): Tensor {
  checkNumeric('scatterAdd', { x });
  const at = checkScatter('scatterAdd', x, index, src, axis);
  if (index.size === 0) return x;
  const sums = scatterAddFor('scatterAdd', slice(src, upTo(index.shape)), index, at, x.shape[at]!);
  return add(x, padTo(sums, x.shape));
}

/**
 * x plus slices along an axis, slice j of src at index[j]: y[:, index[j], :] += alpha · src[:, j, :] for axis 1 (torch.index_add), of real
 * numbers or i32, with index i32 [K] and src of x's shape but K along the axis. What falls on one place is added in rising j, then to x.
 * Gradients to any order. An index outside is INDEX_OUT_OF_RANGE.
 */
export function indexAdd(
  x: Tensor,
  index: Tensor,
  src: Tensor,
  { axis = 0, alpha = 1 }: { axis?: number; alpha?: number } = {},
): Tensor {
  checkNumeric('indexAdd', { x, src });
  checkDtypeOf('indexAdd', 'index', index, 'i32');
  const at = normalizeAxis('indexAdd', axis, x.shape);
  if (index.rank !== 1) refuseShape('indexAdd', 'index', index, 'one axis');
  const wanted = x.shape.map((length, one) => (one === at ? index.size : length));
  if (!sameShape(src.shape, wanted)) refuseShape('indexAdd', 'src', src, `shape ${show(wanted)}`);
  if (!isReal(x.dtype) && !Number.isInteger(alpha)) {
    throw new DtypeError(`alpha must be a whole number for ${x.dtype}; got ${alpha}.`, {
      op: 'indexAdd',
      argument: 'alpha',
      got: alpha,
      expected: x.dtype,
    });
  }
  const sums = scatterAddFor('indexAdd', alpha === 1 ? src : mul(src, alpha), index, at, x.shape[at]!);
  return add(x, sums);
}
