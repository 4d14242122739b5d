export { Adam, AdamW } from './adam';
export * as lr from './lr';
export { Optimizer } from './optimizer';
export { SGD } from './sgd';
