import coreF64 from 'core:f64';
import extensionF64 from 'extension:f64';
import { registerText } from './machine/cores';

// The one module with a side effect: after it, f64 tensors can be made.
registerText('f64', 'core', coreF64);
registerText('f64', 'extension', extensionF64);
