import { ValueError } from '../errors';
import { ReLU } from '../nn/activation';
import { Linear } from '../nn/linear';
import { type Module, Sequential } from '../nn/module';

export const MODEL_SPECS = '"linear", or "mlp:" and the sizes of the hidden layers, such as mlp:128 or mlp:128,64';

/** Sizes of the hidden layers that `--model` asks for; undefined where it is malformed. */
export function parseModelSpec(spec: string): number[] | undefined {
  if (spec === 'linear') return [];
  const sizes = /^mlp:([1-9]\d{0,5}(?:,[1-9]\d{0,5})*)$/.exec(spec)?.[1];
  return sizes?.split(',').map(Number);
}

/** Dense layers with ReLU between them; the last one gives logits, or one number. */
export function buildModel(spec: string, inputs: number, outputs: number): Module {
  const hidden = parseModelSpec(spec);
  if (!hidden) {
    throw new ValueError(`the model must be ${MODEL_SPECS}; got ${JSON.stringify(spec)}.`, {
      argument: 'model',
      got: spec,
    });
  }
  const sizes = [inputs, ...hidden, outputs];
  const layers = sizes.slice(1).flatMap((size, i) => {
    const dense = new Linear(sizes[i]!, size);
    return i < hidden.length ? [dense, new ReLU()] : [dense];
  });
  return new Sequential(...layers);
}
