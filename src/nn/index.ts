export * from './activation';
export {
  Conv1d,
  Conv2d,
  type ConvOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  type ConvTransposeOptions,
} from './convolution';
export { Dropout } from './dropout';
export * as init from './init';
export { Flatten, Linear } from './linear';
export { Module, Parameter, Sequential } from './module';
