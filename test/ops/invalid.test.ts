import 'wasmgrad/f64';
import { describe, expect, it } from 'vitest';
import {
  add,
  arange,
  argmax,
  bernoulli,
  binaryCrossEntropy,
  broadcastTo,
  cast,
  clipGradNorm,
  compile,
  concat,
  crossEntropy,
  dropout,
  type ErrorCode,
  embedding,
  exp,
  flatten,
  full,
  gather,
  halfMseLoss,
  indexSelect,
  linear,
  logicalAnd,
  logSoftmax,
  manualSeed,
  matmul,
  max,
  mean,
  mseLoss,
  mul,
  nn,
  oneHot,
  optim,
  pad,
  permute,
  prod,
  rand,
  randint,
  randperm,
  reshape,
  slice,
  softmax,
  softplus,
  sqrt,
  squeeze,
  stack,
  sub,
  sum,
  type Tensor,
  tensor,
  transpose,
  unsqueeze,
  WasmgradError,
  where,
  zeros,
} from 'wasmgrad';

interface Bad {
  what: string;
  inputs: Tensor[];
  f: (...inputs: Tensor[]) => unknown;
  code: ErrorCode;
  op: string;
  /** What the message must hold: argument, both shapes or values. */
  says: string[];
}

const x23 = zeros([2, 3]);
const x4 = zeros([4]);
const i3 = tensor(Int32Array.of(0, 1, 2));
const double = zeros([2, 3], { dtype: 'f64' });
const flag = tensor([true, false]);
const labels = (...classes: number[]) => tensor(Int32Array.from(classes));

const refuse = (op: string, code: ErrorCode, what: string, inputs: Tensor[], f: Bad['f'], ...says: string[]): Bad => ({
  op,
  code,
  what,
  inputs,
  f,
  says,
});

const bad: Bad[] = [
  // elementwise
  refuse('add', 'SHAPE_MISMATCH', 'shapes that do not broadcast', [x23, x4], add, '[2, 3]', '[4]'),
  refuse('mul', 'DTYPE_MISMATCH', 'two real dtypes', [x23, double], mul, 'f32', 'f64'),
  refuse('add', 'DTYPE_MISMATCH', 'booleans added', [flag, flag], add, 'bool', 'i32'),
  refuse('exp', 'DTYPE_MISMATCH', 'whole numbers for a real function', [i3], exp, 'operand 1', 'i32', 'f32 and f64'),
  refuse('sub', 'DTYPE_MISMATCH', 'half of a whole number', [i3], (x) => sub(x!, 0.5), '0.5', 'i32'),
  refuse('add', 'DTYPE_MISMATCH', 'NaN for a whole number', [i3], (x) => add(x!, Number.NaN), 'NaN', 'i32'),
  refuse('logicalAnd', 'DTYPE_MISMATCH', 'logic of numbers', [x4, x4], logicalAnd, 'f32', 'bool'),
  refuse('where', 'DTYPE_MISMATCH', 'a condition of numbers', [x4], (x) => where(x!, 1, 2), 'f32', 'bool'),
  refuse('where', 'DTYPE_MISMATCH', 'branches of two dtypes', [flag, zeros([2]), labels(1, 2)], where, 'f32', 'i32'),
  refuse('sqrt', 'DTYPE_MISMATCH', 'no tensor at all', [], () => sqrt(undefined as never), 'undefined'),
  refuse(
    'cast',
    'DTYPE_MISMATCH',
    'a dtype that does not exist',
    [x4],
    (x) => cast(x!, 'f16' as never),
    'f16',
    'f32, f64, i32, u8',
  ),
  refuse('softplus', 'BAD_VALUE', 'a beta of 0', [x4], (x) => softplus(x!, { beta: 0 }), 'beta', '0'),
  // matmul
  refuse('matmul', 'SHAPE_MISMATCH', 'inner axes that differ', [x23, x23], matmul, '3', '2', '[2, 3]'),
  refuse('matmul', 'SHAPE_MISMATCH', 'a number to multiply', [zeros([]), x23], matmul, 'a has rank 0'),
  refuse(
    'matmul',
    'SHAPE_MISMATCH',
    'batches that do not broadcast',
    [zeros([2, 3, 4]), zeros([5, 4, 2])],
    matmul,
    '[2]',
    '[5]',
  ),
  refuse(
    'matmul',
    'DTYPE_MISMATCH',
    'whole matrices',
    [zeros([2, 2], { dtype: 'i32' }), zeros([2, 2], { dtype: 'i32' })],
    matmul,
    'i32',
  ),
  refuse(
    'matmul',
    'DTYPE_MISMATCH',
    'matrices of two precisions',
    [x23, zeros([3, 2], { dtype: 'f64' })],
    matmul,
    'f32',
    'f64',
  ),
  refuse(
    'linear',
    'SHAPE_MISMATCH',
    'a weight the wrong way round',
    [x23, zeros([3, 4])],
    (x, w) => linear(x!, w!),
    'weight',
    '[2, 3]',
    '[3, 4]',
  ),
  // reductions
  refuse(
    'sum',
    'BAD_VALUE',
    'an axis beyond the rank',
    [x23],
    (x) => sum(x!, { axis: 2 }),
    'axis 2',
    '[2, 3]',
    '-2 to 1',
  ),
  refuse(
    'sum',
    'BAD_VALUE',
    'an axis named twice',
    [x23],
    (x) => sum(x!, { axis: [1, -1] }),
    'axis',
    'twice',
    '[2, 3]',
  ),
  refuse('max', 'SHAPE_MISMATCH', 'the largest of nothing', [zeros([0, 3])], (x) => max(x!, { axis: 0 }), '[0, 3]'),
  refuse('argmax', 'SHAPE_MISMATCH', 'the index of the largest of nothing', [zeros([0])], (x) => argmax(x!), '[0]'),
  refuse('mean', 'DTYPE_MISMATCH', 'the mean of whole numbers', [i3], (x) => mean(x!), 'i32'),
  refuse('prod', 'DTYPE_MISMATCH', 'the product of booleans', [flag], (x) => prod(x!), 'bool'),
  // softmax
  refuse('softmax', 'BAD_VALUE', 'an axis of a number', [zeros([])], (x) => softmax(x!, { axis: 1 }), 'axis 1'),
  refuse('logSoftmax', 'SHAPE_MISMATCH', 'an empty axis', [zeros([2, 0])], (x) => logSoftmax(x!), '[2, 0]'),
  refuse('softmax', 'DTYPE_MISMATCH', 'softmax of whole numbers', [i3], (x) => softmax(x!), 'i32'),
  // movement
  refuse('reshape', 'SHAPE_MISMATCH', 'a shape of another size', [x23], (x) => reshape(x!, [4]), '[2, 3]', '[4]'),
  refuse(
    'reshape',
    'SHAPE_MISMATCH',
    'an open length that does not come out',
    [x23],
    (x) => reshape(x!, [4, -1]),
    '[2, 3]',
    '[4, -1]',
  ),
  refuse(
    'permute',
    'BAD_VALUE',
    'an order that leaves an axis out',
    [x23],
    (x) => permute(x!, [0, 0]),
    'order',
    '[0, 0]',
    '[2, 3]',
  ),
  refuse('transpose', 'SHAPE_MISMATCH', 'a vector transposed', [x4], (x) => transpose(x!), '[4]'),
  refuse(
    'broadcastTo',
    'SHAPE_MISMATCH',
    'a shape that cannot be broadcast to',
    [x23],
    (x) => broadcastTo(x!, [3, 2]),
    '[2, 3]',
    '[3, 2]',
  ),
  refuse('broadcastTo', 'SHAPE_MISMATCH', 'a negative length', [x4], (x) => broadcastTo(x!, [-1]), 'shape', '[-1]'),
  refuse('slice', 'SHAPE_MISMATCH', 'a slice of too many axes', [x4], (x) => slice(x!, '1, 2'), '1, 2', '[4]'),
  refuse('slice', 'BAD_VALUE', 'an index beyond the axis', [x4], (x) => slice(x!, '4'), '4'),
  refuse('slice', 'BAD_VALUE', 'a step of 0', [x4], (x) => slice(x!, '::0'), '::0', 'step'),
  refuse('slice', 'BAD_VALUE', 'two ellipses', [x23], (x) => slice(x!, '..., ...'), '...'),
  refuse(
    'pad',
    'SHAPE_MISMATCH',
    'padding for another rank',
    [x23],
    (x) => pad(x!, [[1, 1]]),
    'padding',
    '[2, 3]',
    '[[1,1]]',
  ),
  refuse(
    'pad',
    'DTYPE_MISMATCH',
    'half a byte of padding',
    [cast(x4, 'u8')],
    (x) => pad(x!, [[1, 1]], { value: 0.5 }),
    '0.5',
    'u8',
  ),
  refuse('concat', 'SHAPE_MISMATCH', 'parts that do not fit', [x23, x4], (a, b) => concat([a!, b!]), '[2, 3]', '[4]'),
  refuse('concat', 'SHAPE_MISMATCH', 'parts of two dtypes', [i3, x4], (a, b) => concat([a!, b!]), 'i32[3]', 'f32[4]'),
  refuse('stack', 'SHAPE_MISMATCH', 'parts of two shapes', [x23, x4], (a, b) => stack([a!, b!]), '[2, 3]', '[4]'),
  refuse('squeeze', 'SHAPE_MISMATCH', 'a long axis squeezed', [x23], (x) => squeeze(x!, 0), 'axis 0', '[2, 3]'),
  refuse('unsqueeze', 'BAD_VALUE', 'a new axis out of reach', [x4], (x) => unsqueeze(x!, 3), 'axis 3'),
  refuse(
    'flatten',
    'BAD_VALUE',
    'axes flattened backwards',
    [x23],
    (x) => flatten(x!, { startAxis: 1, endAxis: 0 }),
    'startAxis',
    '[2, 3]',
  ),
  refuse('concat', 'BAD_VALUE', 'no parts', [], () => concat([]), 'at least one'),
  refuse('stack', 'BAD_VALUE', 'nothing to stack', [], () => stack([]), 'at least one'),
  refuse('slice', 'BAD_VALUE', 'no range', [x4], (x) => slice(x!, 'a:b'), 'a:b'),
  // gather
  refuse(
    'gather',
    'DTYPE_MISMATCH',
    'a real index',
    [x23, zeros([2, 1])],
    (x, i) => gather(x!, i!, { axis: 1 }),
    'f32',
    'i32',
  ),
  refuse(
    'gather',
    'SHAPE_MISMATCH',
    'an index of another rank',
    [x23, i3],
    (x, i) => gather(x!, i!, { axis: 1 }),
    'index',
    '[3]',
    '[2, 3]',
  ),
  refuse(
    'gather',
    'INDEX_OUT_OF_RANGE',
    'an index out of range',
    [x23, tensor([[0], [3]], { dtype: 'i32' })],
    (x, i) => gather(x!, i!, { axis: 1 }),
    'index 3',
    '0 to 2',
  ),
  refuse(
    'indexSelect',
    'INDEX_OUT_OF_RANGE',
    'a negative index',
    [x23, labels(0, -1)],
    (x, i) => indexSelect(x!, i!),
    'index -1',
    '0 to 1',
  ),
  refuse(
    'indexSelect',
    'SHAPE_MISMATCH',
    'an index of two axes',
    [x23, zeros([1, 1], { dtype: 'i32' })],
    (x, i) => indexSelect(x!, i!),
    '[1, 1]',
  ),
  refuse(
    'embedding',
    'INDEX_OUT_OF_RANGE',
    'a word that the table lacks',
    [labels(5), zeros([5, 2])],
    embedding,
    'index 5',
    '0 to 4',
  ),
  refuse('embedding', 'SHAPE_MISMATCH', 'a table of one axis', [labels(0), x4], embedding, 'weight', '[4]'),
  refuse(
    'oneHot',
    'INDEX_OUT_OF_RANGE',
    'a class too many',
    [labels(0, 3)],
    (i) => oneHot(i!, { numClasses: 3 }),
    'index 3',
    '0 to 2',
  ),
  refuse('oneHot', 'BAD_VALUE', 'no classes', [labels(0)], (i) => oneHot(i!, { numClasses: 0 }), 'numClasses', '0'),
  // losses
  refuse(
    'mseLoss',
    'SHAPE_MISMATCH',
    'targets of another shape',
    [x23, x4],
    (a, b) => mseLoss(a!, b!),
    'target',
    '[4]',
    '[2, 3]',
  ),
  refuse(
    'halfMseLoss',
    'SHAPE_MISMATCH',
    'targets that would broadcast',
    [x23, zeros([2, 1])],
    (a, b) => halfMseLoss(a!, b!),
    '[2, 1]',
    '[2, 3]',
  ),
  refuse(
    'binaryCrossEntropy',
    'BAD_VALUE',
    'an unknown reduction',
    [x23, x23],
    (a, b) => binaryCrossEntropy(a!, b!, { reduction: 'max' as never }),
    'reduction',
    'max',
    'mean, sum or none',
  ),
  refuse(
    'crossEntropy',
    'INDEX_OUT_OF_RANGE',
    'a label out of range',
    [x23, labels(0, 3)],
    (z, y) => crossEntropy(z!, y!),
    'index 3',
    '0 to 2',
  ),
  refuse(
    'crossEntropy',
    'INDEX_OUT_OF_RANGE',
    'a negative label',
    [x23, labels(0, -100)],
    (z, y) => crossEntropy(z!, y!),
    'index -100',
    '0 to 2',
  ),
  refuse(
    'crossEntropy',
    'SHAPE_MISMATCH',
    'labels of another shape',
    [x23, i3],
    (z, y) => crossEntropy(z!, y!),
    '[3]',
    '[2, 3]',
  ),
  refuse(
    'crossEntropy',
    'DTYPE_MISMATCH',
    'labels as bytes',
    [x23, tensor([0, 1], { dtype: 'u8' })],
    (z, y) => crossEntropy(z!, y!),
    'target',
    'u8',
    'i32',
  ),
  refuse(
    'crossEntropy',
    'SHAPE_MISMATCH',
    'weights for other classes',
    [x23, labels(0, 1)],
    (z, y) => crossEntropy(z!, y!, { weight: x4 }),
    'weight',
    '3',
    '[4]',
  ),
  refuse(
    'crossEntropy',
    'SHAPE_MISMATCH',
    'logits of rank 0',
    [zeros([]), labels(0)],
    (z, y) => crossEntropy(z!, y!),
    'input',
    '[C]',
  ),
  refuse(
    'mseLoss',
    'DTYPE_MISMATCH',
    'targets of another dtype',
    [x23, double],
    (a, b) => mseLoss(a!, b!),
    'target',
    'f64',
    'f32',
  ),
  refuse(
    'crossEntropy',
    'DTYPE_MISMATCH',
    'probabilities of another dtype',
    [x23, double],
    (z, p) => crossEntropy(z!, p!),
    'target',
    'f64',
    'f32',
  ),
  refuse(
    'stack',
    'BAD_VALUE',
    'a new axis too far',
    [x4, x4],
    (a, b) => stack([a!, b!], { axis: 5 }),
    'axis 5',
    '-2 to 1',
  ),
  // random
  refuse('randint', 'BAD_VALUE', 'an empty range', [], () => randint(3, 3, [2]), 'low', '3'),
  refuse('bernoulli', 'BAD_VALUE', 'a probability above 1', [], () => bernoulli([2], { p: 1.5 }), 'p must', '1.5'),
  refuse('dropout', 'BAD_VALUE', 'a rate that is NaN', [x4], (x) => dropout(x!, { p: Number.NaN }), 'p must', 'NaN'),
  refuse('uniform', 'SHAPE_MISMATCH', 'a shape with a negative length', [], () => rand([-2]), 'shape', '[-2]'),
  refuse('uniform', 'DTYPE_MISMATCH', 'random numbers of whole dtype', [], () => rand([2], { dtype: 'i32' }), 'i32'),
  refuse('randperm', 'SHAPE_MISMATCH', 'a permutation of no whole length', [], () => randperm(2.5), 'n', '2.5'),
];

describe('bad input is refused by name, with both sides, eager and compiled', () => {
  it.each(bad)('$op: $what', ({ inputs, f, code, op, says }) => {
    const compiled = compile((...xs: Tensor[]) => f(...xs));
    for (const call of [f, compiled]) {
      let error: unknown;
      try {
        call(...inputs);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(WasmgradError);
      const { message } = error as WasmgradError;
      expect({ code: (error as WasmgradError).code, op: (error as WasmgradError).op }, message).toEqual({ code, op });
      for (const part of [op, ...says]) expect(message).toContain(part);
    }
  });
});

describe('values are refused where tensors are made', () => {
  it.each([
    ['ragged rows', () => tensor([[1, 2], [3]]), 'BAD_DATA', 'tensor', ['entry 1', '[1]', '[2]']],
    ['rows and numbers mixed', () => tensor([[1], 2]), 'BAD_DATA', 'tensor', ['entry 1', '[]', '[1]']],
    ['text', () => tensor('abc' as never), 'BAD_DATA', 'tensor', ['string']],
    [
      'NaN as a whole number',
      () => tensor([1, Number.NaN], { dtype: 'i32' }),
      'DTYPE_MISMATCH',
      'tensor',
      ['NaN', 'i32'],
    ],
    ['256 as a byte', () => tensor([256], { dtype: 'u8' }), 'DTYPE_MISMATCH', 'tensor', ['256', '0 to 255']],
    [
      'a shape of another size',
      () => tensor(new Float32Array(5), { shape: [2, 3] }),
      'SHAPE_MISMATCH',
      'tensor',
      ['[2, 3]', '6', '5'],
    ],
    ['an array without a dtype', () => tensor(new Int8Array(2)), 'DTYPE_MISMATCH', 'tensor', ['Int8Array']],
    ['an unknown dtype', () => zeros([1], { dtype: 'f16' as never }), 'DTYPE_MISMATCH', 'full', ['f16']],
    ['a length of 1.5', () => full([1.5], 0), 'SHAPE_MISMATCH', 'full', ['[1.5]']],
    ['a step of 0', () => arange(0, 3, 0), 'BAD_VALUE', 'arange', ['step 0']],
    ['the item of several', () => zeros([2]).item(), 'SHAPE_MISMATCH', 'item', ['[2]']],
    ['a seed below 0', () => manualSeed(-1), 'BAD_VALUE', 'manualSeed', ['seed', '-1']],
    ['no features', () => new nn.Linear(0, 2), 'BAD_VALUE', 'nn.Linear', ['inFeatures', '0']],
    ['a dropout of 2', () => new nn.Dropout(2), 'BAD_VALUE', 'nn.Dropout', ['p', '2']],
    ['fans of a vector', () => nn.init.heNormal()([3]), 'SHAPE_MISMATCH', 'init.heNormal', ['[3]']],
    ['no parameters', () => new optim.SGD([]), 'BAD_VALUE', 'optim.SGD', ['parameters']],
    [
      'a negative rate',
      () => new optim.Adam([new nn.Parameter(x4)], { lr: -1 }),
      'BAD_VALUE',
      'optim.Adam',
      ['lr', '-1'],
    ],
    [
      'a beta of 1',
      () => new optim.AdamW([new nn.Parameter(x4)], { betas: [0.9, 1] }),
      'BAD_VALUE',
      'optim.AdamW',
      ['beta2', '1'],
    ],
    [
      'Nesterov without momentum',
      () => new optim.SGD([new nn.Parameter(x4)], { nesterov: true }),
      'BAD_VALUE',
      'optim.SGD',
      ['nesterov'],
    ],
    [
      'a gradient too few',
      () => new optim.SGD([new nn.Parameter(x4)]).step([]),
      'SHAPE_MISMATCH',
      'optim.SGD',
      ['1', '0'],
    ],
    [
      'a gradient of another shape',
      () => new optim.SGD([new nn.Parameter(x4)]).step([x23]),
      'SHAPE_MISMATCH',
      'optim.SGD',
      ['[2, 3]', '[4]'],
    ],
    ['a norm below 0', () => clipGradNorm([x4], -1), 'BAD_VALUE', 'optim.clipGradNorm', ['maxNorm', '-1']],
    ['no period', () => optim.lr.cosine({ tMax: 0 }), 'BAD_VALUE', 'optim.lr.cosine', ['tMax', '0']],
    ['a step of no length', () => optim.lr.step({ stepSize: 0 }), 'BAD_VALUE', 'optim.lr.step', ['stepSize', '0']],
    ['no threads', () => compile(exp, { threads: 0 }), 'BAD_VALUE', 'compile', ['threads', '0']],
  ] as [string, () => unknown, ErrorCode, string, string[]][])('%s', (_, make, code, op, says) => {
    let error: unknown;
    try {
      make();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(WasmgradError);
    expect(error).toMatchObject({ code, op });
    for (const part of [op, ...says]) expect((error as Error).message).toContain(part);
  });
});
