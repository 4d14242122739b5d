import 'wasmgrad/f64';
import type { Real, Tensor } from 'wasmgrad';
import * as wasmgrad from 'wasmgrad';
import activations from '../oracle/activations.json';
import algebra from '../oracle/algebra.json';
import attention from '../oracle/attention.json';
import convolution from '../oracle/convolution.json';
import dynamic from '../oracle/dynamic.json';
import losses from '../oracle/losses.json';
import norms from '../oracle/norms.json';
import oracle from '../oracle/ops.json';
import pooling from '../oracle/pooling.json';
import recurrent from '../oracle/recurrent.json';
import upsample from '../oracle/upsample.json';
import {
  along,
  blockOf,
  decode,
  elementwise,
  integers,
  numbers,
  type Plain,
  plain,
  product,
  sizeOf,
  softmaxOf,
  withBlock,
} from '../reference';

/**
 * One table of op cases that drives every mode: forward against an oracle, gradients of both orders, eager = compiled, one
 * thread = two, shared = unshared memory. Most rows are PyTorch's (test/oracle/torch_ops.py); the others, below, are what it
 * lacks: more dtypes, limits at ±∞, and sizes of many chunks, with plain loops as their reference.
 */
export interface OpCase {
  op: string;
  title: string;
  inputs: Plain[];
  /** The op on tensors of one precision. */
  call: (real: Real, inputs: Tensor[]) => Tensor;
  output: Plain;
  /** The output's dtype is not the oracle's. */
  anyDtype: boolean;
  cotangent: Plain | null;
  /** Of each input; null where PyTorch found no path. */
  grads: (Plain | null)[] | null;
  /** Real inputs, and no kink near them: differences can be taken. */
  smooth: boolean;
  /** The shape depends on values. */
  eagerOnly: boolean;
}

type Options = Record<string, unknown>;
type Callable = (...args: unknown[]) => Tensor;

const FUNCTIONS = new Map(Object.entries(wasmgrad)) as ReadonlyMap<string, unknown> as ReadonlyMap<string, Callable>;

/** A result of rnn, lstm or gru, of which so many operands behind x and the weights are biases, then come states and, i32, lengths. */
function ofRecurrent(
  op: 'rnn' | 'lstm' | 'gru',
  inputs: Tensor[],
  [part, biases]: unknown[],
  options: Options,
): Tensor {
  const behind = 3 + (biases as number);
  const [x, weightIh, weightHh, biasIh, biasHh] = inputs.slice(0, behind) as [Tensor, Tensor, Tensor, Tensor?, Tensor?];
  const states = inputs.slice(behind).filter(({ dtype }) => dtype !== 'i32');
  const own = {
    ...options,
    ...(states.length > 0 && { state: op === 'lstm' ? states : states[0] }),
    ...(inputs.at(-1)!.dtype === 'i32' && { lengths: inputs.at(-1)! }),
  };
  const { output, state } = FUNCTIONS.get(op)!(x, weightIh, weightHh, biasIh, biasHh, own) as unknown as {
    output: Tensor;
    state: Tensor | Tensor[];
  };
  return part === 'output' ? output : state instanceof wasmgrad.Tensor ? state : state[part === 'h' ? 0 : 1]!;
}

/** How an op of the table is called; all others by `op(...inputs, ...positional, options)`. */
const CALLS: Record<string, (inputs: Tensor[], positional: unknown[], options: Options) => Tensor> = {
  chunk: ([x], [chunks, at], options) => wasmgrad.chunk(x!, chunks as number, options)[at as number]!,
  concat: (inputs, _, options) => wasmgrad.concat(inputs, options),
  // From logits: see torch_losses.py.
  ctcLoss: ([logits, targets, ...given], lengths, options) => {
    const [inputs, own] = [...given, ...lengths] as [wasmgrad.Lengths, wasmgrad.Lengths];
    return wasmgrad.ctcLoss(wasmgrad.logSoftmax(logits!), targets!, inputs, own, options);
  },
  einsum: (inputs, [equation]) => wasmgrad.einsum(equation as string, ...inputs),
  index: ([x, ...indices]) => wasmgrad.index(x!, indices),
  tensorSplit: ([x], [sections, at], options) =>
    wasmgrad.tensorSplit(x!, sections as number, options).at(at as number)!,
  unbind: ([x], [at], options) => wasmgrad.unbind(x!, options)[at as number]!,
  groupNorm: ([x, ...affine], [numGroups], options) =>
    wasmgrad.groupNorm(x!, numGroups as number, affine[0], affine[1], options),
  layerNorm: ([x, ...affine], [shape], options) =>
    wasmgrad.layerNorm(x!, shape as number[], affine[0], affine[1], options),
  rmsNorm: ([x, weight], [shape], options) => wasmgrad.rmsNorm(x!, shape as number[], weight, options),
  rnn: (...given) => ofRecurrent('rnn', ...given),
  lstm: (...given) => ofRecurrent('lstm', ...given),
  gru: (...given) => ofRecurrent('gru', ...given),
  l1Penalty: (inputs, [weight]) => wasmgrad.l1Penalty(inputs, weight as number),
  l2Penalty: (inputs, [weight]) => wasmgrad.l2Penalty(inputs, weight as number),
  sort: ([x], [part], options) => wasmgrad.sort(x!, options)[part as 'values' | 'indices'],
  splitWithSizes: ([x], [sizes, at], options) => wasmgrad.splitWithSizes(x!, sizes as number, options)[at as number]!,
  stack: (inputs, _, options) => wasmgrad.stack(inputs, options),
  squeeze: ([x], _, { axis }) => wasmgrad.squeeze(x!, axis as number | undefined),
  topk: ([x], [k, part], options) => wasmgrad.topk(x!, k as number, options)[part as 'values' | 'indices'],
  unique: ([x], [part]) =>
    wasmgrad.unique(x!, { returnInverse: true, returnCounts: true })[part as 'values' | 'inverse' | 'counts']!,
  // A fourth operand is the mask.
  scaledDotProductAttention: ([q, k, v, attnMask], _, options) =>
    wasmgrad.scaledDotProductAttention(q!, k!, v!, { ...(attnMask && { attnMask }), ...options }),
  unsqueeze: ([x], _, { axis }) => wasmgrad.unsqueeze(x!, axis as number),
};

const tensorOr = (value: unknown, real: Real) =>
  value !== null && typeof value === 'object' && 'dtype' in value ? decode(value as Plain, real) : value;

function callerOf(op: string, positional: unknown[], options: Options): OpCase['call'] {
  return (real, inputs) => {
    const own = Object.fromEntries(
      Object.entries(options).map(([key, value]) => [
        key,
        /^-?Infinity$/.test(String(value)) ? Number(value) : tensorOr(value, real),
      ]),
    );
    const given = positional.map((value) => (/^-?Infinity$/.test(String(value)) ? Number(value) : value));
    if (CALLS[op]) return CALLS[op](inputs, given, own);
    const f = FUNCTIONS.get(op)!;
    return Object.keys(own).length > 0 ? f(...inputs, ...given, own) : f(...inputs, ...given);
  };
}

/** Notes of the oracle on rows whose gradient has a jump at the inputs, or which lie where differences have no digits left. */
const KINKED = /jumps|tie|slope|agree|bound|no trace|far/;
/** Ops whose gradient jumps at 0, where a rounded input may lie. */
const KINKED_AT_ZERO = ['abs', 'relu', 'leakyRelu', 'sign'];

/** Ops whose shape depends on values. */
const NEEDS_VALUES = ['unique', 'nonzero', 'maskedSelect'];

interface OracleCase {
  op: string;
  inputs: Plain[];
  options: Options;
  positional?: unknown[];
  output: Plain;
  cotangent: Plain | null;
  grads: (Plain | null)[] | null;
  note?: string;
}

function text(op: string, inputs: Plain[], rest: unknown[], note?: string): string {
  const shapes = inputs.map(({ dtype, shape }) => `${dtype}[${shape}]`);
  const more = rest.map((one) => JSON.stringify(one)).filter((one) => one !== '{}');
  return `${op}(${[...shapes, ...more].join(', ')})${note ? `: ${note}` : ''}`;
}

/** PyTorch's sign of NaN is 0, an accident of its kernels; ours is NaN, as numpy's and JAX's. */
const signOfNaN = ({ op, output, inputs }: OracleCase) =>
  op === 'sign' && inputs[0]!.data[0] === 'NaN' ? { ...output, data: ['NaN', ...output.data.slice(1)] } : output;

const fromOracle = (
  [
    ...oracle.cases,
    ...activations.cases,
    ...algebra.cases,
    ...attention.cases,
    ...losses.cases,
    ...pooling.cases,
    ...upsample.cases,
    ...convolution.cases,
    ...norms.cases,
    ...dynamic.cases,
    ...recurrent.cases,
  ] as unknown as OracleCase[]
)
  .map((one) => ({ ...one, output: signOfNaN(one) }))
  .map(
    ({ op, inputs, options, positional = [], output, cotangent, grads, note }): OpCase => ({
      op,
      title: text(op, inputs, [...positional, options], note),
      inputs,
      call: callerOf(op, positional, options),
      output,
      anyDtype: op === 'oneHot' || op === 'cast',
      cotangent,
      grads,
      smooth:
        (grads ?? []).some((one) => one !== null) &&
        output.dtype === 'f64' &&
        !KINKED.test(note ?? '') &&
        !(KINKED_AT_ZERO.includes(op) && inputs[0]!.data.some((x) => x === 0)),
      eagerOnly: NEEDS_VALUES.includes(op) || (op === 'index' && inputs.slice(1).some(({ dtype }) => dtype === 'bool')),
    }),
  );

interface Own {
  positional?: unknown[];
  options?: Options;
  /** A real result has a gradient, unless this is false. */
  smooth?: boolean;
}

function own(
  op: string,
  inputs: Plain[],
  output: Plain,
  { positional = [], options = {}, smooth = true }: Own = {},
): OpCase {
  const real = output.dtype === 'f64' && inputs.some(({ dtype }) => dtype === 'f64');
  return {
    op,
    title: text(op, inputs, [...positional, options]),
    inputs,
    call: callerOf(op, positional, options),
    output,
    anyDtype: op === 'cast' || op === 'oneHot',
    cotangent: null,
    grads: null,
    smooth: smooth && real,
    eagerOnly: op === 'oneHot' && !('numClasses' in options),
  };
}

const as = (dtype: Plain['dtype'], x: Plain): Plain => ({ ...x, dtype });
const reshaped = (x: Plain, shape: number[]): Plain => ({ ...x, shape });
const largest = (xs: number[]) => Math.max(...xs);
const sum = (xs: number[]) => xs.reduce((total, x) => total + x, 0);
const reduced = (x: Plain, axis: number, f: (xs: number[]) => number): Plain =>
  reshaped(
    along(x, axis, (xs) => [f(xs)]),
    x.shape.filter((_, one) => one !== axis),
  );
/** Mean 0 and variance 1 along an axis. */
const standardized = (x: Plain, axis: number): Plain =>
  along(x, axis, (xs) => {
    const centred = xs.map((one) => one - sum(xs) / xs.length);
    const scale = 1 / Math.sqrt(sum(centred.map((one) => one * one)) / xs.length + 1e-5);
    return centred.map((one) => one * scale);
  });
const constant = (shape: number[], value: number) => plain('f64', shape, new Array<number>(sizeOf(shape)).fill(value));

// Big enough for several chunks of every kernel, and of no round size.
const big = numbers([301, 187], 1);
const bigColumn = numbers([301, 1], 2, 0.5, 3);
const bigIndex = integers([5003], 3, 0, 301);
const wide = numbers([3, 9001], 4);
const tall = numbers([2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2], 13);
const other = numbers([1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1], 14);
// Queries, keys and values.
const rows = [numbers([301, 20], 15, -0.5, 0.5), numbers([187, 20], 16), numbers([187, 9], 17)];
const nearOne = numbers([4, 4500], 7, 0.999, 1.001);

const bytes = plain('u8', [6], [0, 1, 7, 7, 200, 255]);
const otherBytes = plain('u8', [6], [0, 2, 7, 3, 255, 200]);
const infinities = plain('f64', [2], ['Infinity', '-Infinity']);
const flags = plain('bool', [6], [0, 1, 1, 0, 1, 0]);
const otherFlags = plain('bool', [6], [0, 1, 0, 1, 1, 1]);
const whole = plain('i32', [2, 3], [-7, 7, 0, 2147483647, -2147483648, 5]);
const divisors = plain('i32', [3], [2, -2, 0]);

/** y = f(a, b) where both broadcast to `shape`. */
const pair = (op: string, f: (a: number, b: number) => number, a: Plain, b: Plain, dtype: Plain['dtype'] = 'f64') =>
  own(op, [a, b], as(dtype, elementwise([301, 187], f, a, b)));

const small = (op: string, f: (...xs: number[]) => number, inputs: Plain[], dtype: Plain['dtype'], rest: Own = {}) =>
  own(op, inputs, as(dtype, elementwise(inputs[0]!.shape, f, ...inputs)), rest);

const take = (x: Plain, rows: Plain): Plain => {
  const width = sizeOf(x.shape.slice(1));
  const data = rows.data.flatMap((row) => x.data.slice(Number(row) * width, (Number(row) + 1) * width));
  return { ...x, shape: [...rows.shape, ...x.shape.slice(1)], data };
};

const flipped = (x: Plain): Plain => {
  const [m, n] = x.shape as [number, number];
  return {
    ...x,
    shape: [n, m],
    data: Array.from({ length: m * n }, (_, at) => x.data[(at % m) * n + Math.floor(at / m)]!),
  };
};

const ownCases: OpCase[] = [
  // Dtypes that PyTorch's rows leave out.
  small('div', (a, b) => (b === 0 ? 0 : Math.floor(a / b)), [whole, divisors], 'i32'),
  small('logicalXor', (a, b) => Number(a !== b), [flags, otherFlags], 'bool'),
  small(
    'isFinite',
    (x) => Number(Number.isFinite(x)),
    [plain('f64', [5], ['NaN', 'Infinity', '-Infinity', 0, 1e30])],
    'bool',
  ),
  small('eq', (a, b) => Number(a === b), [bytes, otherBytes], 'bool'),
  small('ge', (a, b) => Number(a >= b), [bytes, otherBytes], 'bool'),
  small('gt', (a, b) => Number(a > b), [flags, otherFlags], 'bool'),
  small('where', (c, a, b) => (c ? a : b), [flags, bytes, otherBytes], 'u8'),
  small('where', (c, a, b) => (c ? a : b), [flags, flags, otherFlags], 'bool'),
  small('maximum', (a, b) => Math.max(a, b), [whole, divisors], 'i32'),
  small('cast', (x) => Math.min(255, Math.max(0, x)), [whole], 'u8', { positional: ['u8'] }),
  small('cast', (x) => Number(x !== 0), [bytes], 'bool', { positional: ['bool'] }),
  small('cast', (x) => x, [flags], 'u8', { positional: ['u8'] }),
  own(
    'cast',
    [plain('f64', [5], ['NaN', 'Infinity', '-Infinity', 3e9, -1.9])],
    plain('i32', [5], [0, 2147483647, -2147483648, 2147483647, -1]),
    { positional: ['i32'] },
  ),
  own('sum', [whole], plain('i32', [2], [0, -2147483648 + 2147483647 + 5]), { options: { axis: 1 } }),
  own('prod', [plain('i32', [2, 3], [1, -2, 3, 4, 5, 6])], plain('i32', [], [-720])),
  own('max', [whole], plain('i32', [], [2147483647])),
  own('min', [bytes], plain('u8', [], [0])),
  own('max', [bytes], plain('u8', [], [255])),
  own('argmax', [whole], plain('i32', [2], [1, 0]), { options: { axis: 1 } }),
  own('argmin', [whole], plain('i32', [], [4])),
  own('any', [flags], plain('bool', [], [1])),
  own('all', [flags], plain('bool', [], [0])),
  own('any', [plain('bool', [2, 3], [0, 0, 1, 0, 0, 0])], plain('bool', [2, 1], [1, 0]), {
    options: { axis: 1, keepDims: true },
  }),
  own('any', [plain('bool', [0, 2], [])], plain('bool', [2], [0, 0]), { options: { axis: 0 } }),
  own('all', [plain('bool', [0, 2], [])], plain('bool', [2], [1, 1]), { options: { axis: 0 } }),
  own('concat', [bytes, otherBytes], plain('u8', [12], [...bytes.data, ...otherBytes.data])),
  own('stack', [flags, otherFlags], plain('bool', [2, 6], [...flags.data, ...otherFlags.data])),
  own('pad', [bytes], plain('u8', [9], [9, ...bytes.data, 9, 9]), { positional: [[[1, 2]]], options: { value: 9 } }),
  own('slice', [bytes], plain('u8', [3], [255, 7, 1]), { positional: ['::-2'] }),
  own('reshape', [flags], plain('bool', [2, 3], flags.data), { positional: [[2, 3]] }),
  own('transpose', [whole], flipped(whole)),
  own('broadcastTo', [plain('i32', [1], [4])], plain('i32', [2, 2], [4, 4, 4, 4]), { positional: [[2, 2]] }),
  own('gather', [bytes, plain('i32', [3], [5, 0, 5])], plain('u8', [3], [255, 0, 255]), { options: { axis: 0 } }),
  own('indexSelect', [whole, plain('i32', [2], [2, 0])], plain('i32', [2, 2], [0, -7, 5, 2147483647]), {
    options: { axis: 1 },
  }),
  own('embedding', [plain('i32', [], [1]), whole], plain('i32', [3], whole.data.slice(3))),
  own('oneHot', [plain('i32', [2], [2, 0])], plain('f32', [2, 3], [0, 0, 1, 1, 0, 0])),
  own('oneHot', [plain('i32', [1], [1])], plain('bool', [1, 2], [0, 1]), { options: { numClasses: 2, dtype: 'bool' } }),
  own('detach', [numbers([2, 3], 5)], numbers([2, 3], 5), { smooth: false }),
  own('neg', [plain('i32', [], [5])], plain('i32', [], [-5])),
  // Limits where PyTorch has NaN.
  ...(['gelu', 'silu', 'mish', 'hardswish'] as const).flatMap((op) =>
    (op === 'gelu' ? [{}, { approximate: 'tanh' }] : [{}]).map((options) =>
      own(op, [infinities], plain('f64', [2], ['Infinity', 0]), { options, smooth: false }),
    ),
  ),
  own('softsign', [infinities], plain('f64', [2], [1, -1]), { smooth: false }),
  own('softshrink', [plain('f64', [1], ['NaN'])], plain('f64', [1], ['NaN']), { smooth: false }),
  // Sizes of many chunks.
  pair('add', (a, b) => a + b, big, bigColumn),
  pair('mul', (a, b) => a * b, big, bigColumn),
  pair('div', (a, b) => a / b, big, bigColumn),
  pair('pow', (a, b) => a ** b, numbers([187], 6, 0.2, 2), bigColumn),
  pair('lt', (a, b) => Number(a < b), big, bigColumn, 'bool'),
  small('exp', Math.exp, [big], 'f64'),
  small('tanh', Math.tanh, [big], 'f64'),
  small('sigmoid', (x) => 1 / (1 + Math.exp(-x)), [big], 'f64'),
  small('softplus', (x) => Math.log1p(Math.exp(x)), [big], 'f64'),
  small('relu', (x) => Math.max(x, 0), [big], 'f64', { smooth: false }),
  small('square', (x) => x * x, [wide], 'f64'),
  // More axes that cannot be joined than a record has room for, were it not for the host.
  own(
    'mul',
    [tall, other],
    elementwise(new Array(11).fill(2), (a, b) => a * b, tall, other),
  ),
  own('sum', [wide], reduced(wide, 1, sum), { options: { axis: 1 } }),
  own('sum', [wide], reduced(reshaped(wide, [27003]), 0, sum)),
  own(
    'mean',
    [big],
    reduced(big, 0, (xs) => sum(xs) / 301),
    { options: { axis: 0 } },
  ),
  own('max', [wide], reduced(wide, 1, largest), { options: { axis: 1 }, smooth: false }),
  own(
    'argmax',
    [wide],
    as(
      'i32',
      reduced(wide, 1, (xs) => xs.indexOf(largest(xs))),
    ),
    { options: { axis: 1 } },
  ),
  own(
    'prod',
    [nearOne],
    reduced(nearOne, 1, (xs) => xs.reduce((all, x) => all * x, 1)),
    { options: { axis: 1 } },
  ),
  own('softmax', [big], softmaxOf(big, 1, false), { options: { axis: 1 } }),
  own('logSoftmax', [wide], softmaxOf(wide, 1, true)),
  own('logSoftmax', [big], softmaxOf(big, 0, true), { options: { axis: 0 } }),
  own('scaledDotProductAttention', rows, product(softmaxOf(product(rows[0]!, flipped(rows[1]!)), 1, false), rows[2]!), {
    options: { scale: 1 },
  }),
  own('layerNorm', [big], standardized(big, 1), { positional: [[187]] }),
  own('layerNorm', [wide], standardized(wide, 1), { positional: [[9001]] }),
  own('batchNorm', [big, constant([187], 0), constant([187], 1)], standardized(big, 0), {
    options: { training: true },
  }),
  own('matmul', [numbers([67, 301], 8), big], product(numbers([67, 301], 8), big)),
  own(
    'matmul',
    [numbers([301, 520], 9), numbers([520, 5], 10)],
    product(numbers([301, 520], 9), numbers([520, 5], 10)),
  ),
  own(
    'linear',
    [numbers([65, 187], 11), big, constant([301], 0.5)],
    elementwise([65, 301], (x) => x + 0.5, product(numbers([65, 187], 11), flipped(big))),
  ),
  own('transpose', [big], flipped(big)),
  own('concat', [big, big], reshaped({ ...big, data: [...big.data, ...big.data] }, [602, 187])),
  own('indexSelect', [big, bigIndex], take(big, bigIndex)),
  own('embedding', [bigIndex, numbers([301, 3], 12)], take(numbers([301, 3], 12), bigIndex)),
];

/** Shape of x, start and shape of a block: inside, over each end, of no and of all elements, of many chunks. */
const blocks: [number[], number[], number[]][] = [
  [[], [], []],
  [[7], [2], [3]],
  [[7], [6], [3]],
  [[7], [-2], [1]],
  [[7], [-100], [4]],
  [[7], [2147483647], [2]],
  [[7], [3], [7]],
  [[7], [1], [0]],
  [[0], [0], [0]],
  [
    [3, 5],
    [1, 2],
    [2, 2],
  ],
  [
    [3, 5],
    [2, -1],
    [2, 4],
  ],
  [
    [3, 5],
    [-1, 3],
    [1, 1],
  ],
  [
    [3, 5],
    [0, 4],
    [3, 1],
  ],
  [
    [1, 5],
    [7, 7],
    [1, 3],
  ],
  [
    [2, 3, 4],
    [1, 1, 1],
    [1, 2, 3],
  ],
  [
    [2, 3, 4],
    [0, 2, 0],
    [2, 1, 4],
  ],
  [
    [2, 3, 4],
    [-1, -1, -1],
    [1, 1, 1],
  ],
  [
    [2, 2, 5, 3],
    [1, 0, 3, 0],
    [1, 2, 1, 3],
  ],
  [
    [2, 2, 5, 3],
    [0, 9, -3, 9],
    [2, 1, 2, 2],
  ],
  [
    [2, 1, 2, 1, 2],
    [1, 0, 1, 0, 0],
    [1, 1, 1, 1, 2],
  ],
];

const dynamicCases: OpCase[] = [
  ...blocks.map(([shape, start, size], i) => ({ x: numbers(shape, 20 + i), start, update: numbers(size, 50 + i) })),
  { x: big, start: [9, 11], update: numbers([250, 170], 80) },
  { x: big, start: [150, 0], update: numbers([1, 187], 81) },
  { x: whole, start: [1, 1], update: plain('i32', [1, 2], [3, 4]) },
  { x: bytes, start: [4], update: plain('u8', [3], [1, 2, 3]) },
  { x: flags, start: [-3], update: plain('bool', [2], [1, 0]) },
].flatMap(({ x, start, update }) => {
  const at = plain('i32', [start.length], start);
  return [
    own('dynamicSlice', [x, at], blockOf(x, start, update.shape), { positional: [update.shape] }),
    own('dynamicUpdateSlice', [x, update, at], withBlock(x, update, start)),
  ];
});

export const cases: OpCase[] = [...fromOracle, ...ownCases, ...dynamicCases];

export const realInputs = ({ inputs }: OpCase) => inputs.map((_, i) => i).filter((i) => inputs[i]!.dtype === 'f64');

/** A case as a function of its real inputs alone, or of some of them. */
export function ofReals(
  one: OpCase,
  real: Real,
  at = realInputs(one),
): { f: (...xs: Tensor[]) => Tensor; xs: Tensor[] } {
  const all = one.inputs.map((input) => decode(input, real));
  return {
    f: (...xs) =>
      one.call(
        real,
        all.map((input, i) => (at.includes(i) ? xs[at.indexOf(i)]! : input)),
      ),
    xs: at.map((i) => all[i]!),
  };
}
