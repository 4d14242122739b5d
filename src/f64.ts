import coreF64 from 'core:f64';
import { registerCore } from './machine/cores';

// The one module with a side effect: after it, f64 tensors can be made.
registerCore('f64', coreF64);
