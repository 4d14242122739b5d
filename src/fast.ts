import coreFast from 'core:fast';
import extensionFast from 'extension:fast';
import { registerBinary } from './machine/cores';

// A module with a side effect, as f64.ts: after it, `compile(…, { fast: true })` has what it asks for.
registerBinary('fast', 'core', coreFast);
registerBinary('fast', 'extension', extensionFast);
