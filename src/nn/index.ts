export * from './activation';
export { type AttendOptions, KeyValueCache, MultiheadAttention, type MultiheadAttentionOptions } from './attention';
export {
  Conv1d,
  Conv2d,
  type ConvOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  type ConvTransposeOptions,
} from './convolution';
export { Dropout, Dropout1d, Dropout2d, StochasticDepth } from './dropout';
export { Embedding, type EmbeddingOptions } from './embedding';
export * as init from './init';
export { Flatten, Linear } from './linear';
export { Module, Parameter, Sequential } from './module';
export { BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm1d, InstanceNorm2d, LayerNorm, RMSNorm } from './norm';
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AvgPool1d,
  AvgPool2d,
  MaxPool1d,
  MaxPool2d,
} from './pooling';
export {
  GRU,
  GRUCell,
  LSTM,
  LSTMCell,
  type RecurrentLayerOptions,
  RNN,
  RNNCell,
  type SequenceOptions,
} from './recurrent';
export {
  type DecodeOptions,
  type EncodeOptions,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from './transformer';
export { Upsample } from './upsample';
