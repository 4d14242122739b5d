export * from './activation';
export { Dropout, Dropout1d, Dropout2d, StochasticDepth } from './dropout';
export * as init from './init';
export { Flatten, Linear } from './linear';
export { Module, Parameter, Sequential } from './module';
export { BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm1d, InstanceNorm2d, LayerNorm, RMSNorm } from './norm';
