export * from './activation';
export { Dropout } from './dropout';
export * as init from './init';
export { Flatten, Linear } from './linear';
export { Module, Parameter, Sequential } from './module';
