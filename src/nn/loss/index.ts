export * from './binary';
export * from './classes';
export * from './distance';
export * from './likelihood';
export * from './penalty';
export type { LossOptions, Reduction } from './reduction';
export * from './regression';
export * from './sequences';
