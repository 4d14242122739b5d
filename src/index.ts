import './ops/methods';

export { Cell } from './cell';
export { type BatchOptions, batches } from './data/batches';
export { type CsvBatchesOptions, csvBatches } from './data/csv-batches';
export type { Examples, NdArray } from './data/dataset';
export { readBreastCancer, readDigits, readKingJames, readMnist } from './data/datasets';
export { type FileArray, type FileBatchesOptions, type FileSource, fileBatches, openArray } from './data/files';
export { type CsvOptions, parseCsv, readCsv } from './data/readers/csv';
export { parseIdx, readIdx } from './data/readers/idx';
export { parseNpy, readNpy } from './data/readers/npy';
export { type Split, type SplitOptions, split } from './data/split';
export { standardise } from './data/standardise';
export { type Table, tableToXY } from './data/table';
export type { DType, Real, TypedArray } from './dtype';
export * from './errors';
export { readSafetensors, type StoredTensor, writeSafetensors } from './formats/safetensors';
export { defineOp } from './graph/define-op';
export { memory } from './graph/execute';
export type { Op, OpDefinition, Residuals } from './graph/op';
export { assign } from './graph/trace';
export { type RotaryOptions, rotaryEmbedding, sinusoidalEncoding } from './nn/embedding';
export * as nn from './nn/index';
export * from './nn/loss/index';
export { type MixupOptions, mixup } from './nn/mixup';
export { Module, Parameter, type StateDict } from './nn/module';
export * from './ops/activation';
export { type AttentionOptions, scaledDotProductAttention } from './ops/attention';
export {
  type ConvolutionOptions,
  type ConvolutionTransposeOptions,
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
} from './ops/convolution';
export * from './ops/distance';
export { type BlockStart, dynamicSlice, dynamicUpdateSlice } from './ops/dynamic-slice';
export { einsum } from './ops/einsum';
export * from './ops/elementwise';
export { embedding, gather, indexSelect, oneHot } from './ops/gather';
export {
  index,
  indexAdd,
  maskedFill,
  maskedSelect,
  nonzero,
  scatter,
  scatterAdd,
  type Unique,
  type UniqueOptions,
  unique,
} from './ops/indexing';
export type { Lengths } from './ops/lengths';
export { cholesky, inverse, solve } from './ops/linalg';
export { linear, matmul } from './ops/matmul';
export { outer, tril, triu } from './ops/matrix';
export {
  broadcastTo,
  chunk,
  concat,
  detach,
  flatten,
  flip,
  pad,
  permute,
  repeat,
  reshape,
  roll,
  slice,
  splitWithSizes,
  squeeze,
  stack,
  tensorSplit,
  tile,
  transpose,
  unbind,
  unsqueeze,
} from './ops/movement';
export {
  batchNorm,
  groupNorm,
  instanceNorm,
  layerNorm,
  rmsNorm,
} from './ops/norm';
export {
  type AveragePoolOptions,
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  avgPool1d,
  avgPool2d,
  type MaxPoolOptions,
  maxPool1d,
  maxPool2d,
} from './ops/pooling';
export {
  bernoulli,
  defaultGenerator,
  dropout,
  dropout1d,
  dropout2d,
  Generator,
  manualSeed,
  normal,
  rand,
  randint,
  randn,
  randperm,
  stochasticDepth,
  uniform,
} from './ops/random';
export {
  gru,
  type LstmState,
  lstm,
  type Recurred,
  type RecurrentOptions,
  type RnnOptions,
  rnn,
} from './ops/recurrent';
export { all, any, argmax, argmin, cumsum, logsumexp, max, mean, min, prod, std, sum, variance } from './ops/reduce';
export { logSoftmax, softmax } from './ops/softmax';
export { argsort, type Sorted, type SortOptions, sort, topk } from './ops/sort';
export { type InterpolateOptions, interpolate } from './ops/upsample';
export { clipGradNorm, clipGradValue } from './optim/clip';
export * as optim from './optim/index';
export {
  arange,
  eye,
  full,
  linspace,
  type Nested,
  type Operand,
  ones,
  onesLike,
  Tensor,
  tensor,
  zeros,
  zerosLike,
} from './tensor';
export { type SampleOptions, sample } from './text/sample';
export { BytePairTokenizer, ByteTokenizer, CharacterTokenizer, type Tokenizer } from './text/tokenizers';
export { type RandomWindowsOptions, randomWindows, type Windows, windows } from './text/windows';
export { type CheckpointOptions, Checkpoints, type Files } from './train/checkpoints';
export { type EarlyStoppingOptions, earlyStopping, type Monitor } from './train/criteria';
export { type EvaluateOptions, evaluate, type PredictOptions, predict } from './train/evaluate';
export type { EpochEvent, History, TrainEvent } from './train/events';
export {
  accuracy,
  auc,
  type ClassificationOptions,
  confusionMatrix,
  f1Score,
  type MeanMetric,
  type Metric,
  meanAbsoluteError,
  type NestedNumbers,
  perplexity,
  precision,
  r2Score,
  recall,
  rootMeanSquaredError,
  type StatefulMetric,
  topKAccuracy,
} from './train/metrics';
export { type Receipt, receipt } from './train/receipt';
export { type RecoverOptions, type ResumeOptions, recover, resume } from './train/resume';
export type { RunOptions, StopCriterion, TrainingRun, TrainResult } from './train/run';
export type { Loss, OwnStep } from './train/step';
export { directory, indexedDb, opfs } from './train/stores';
export { eventStream } from './train/stream';
export { type OwnTrainOptions, type TrainOptions, train } from './train/train';
export { type CheckOptions, type CheckResult, checkGradients } from './transform/check-gradients';
export { checkpoint } from './transform/checkpoint';
export { type Compiled, type CompileOptions, compile, type ProgramStats } from './transform/compile';
export { type GradOptions, grad, valueAndGrad, vjp } from './transform/grad';
export { type ScanOptions, scan } from './transform/scan';
