import coreFast from 'core:fast';
import { registerCore } from './machine/cores';

// A module with a side effect, as f64.ts: after it, `compile(…, { fast: true })` has what it asks for.
registerCore('fast', coreFast);
