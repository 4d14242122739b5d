import extensionF32 from 'extension:f32';
import { defineOp } from '../graph/define-op';
import type { Op, OpDefinition, Options } from '../graph/op';
import { registerText } from '../machine/cores';

/**
 * Defines an op whose kernel is in the extension. Where no such op is used, bundlers drop the definition, and with the last one
 * the wasm.
 */
export function defineExtensionOp<O extends object = Options>(definition: OpDefinition<O>): Op<O> {
  registerText('f32', 'extension', extensionF32);
  return defineOp(definition);
}
