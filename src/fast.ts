import coreFast from 'core:fast';
import extensionFast from 'extension:fast';
import { registerText } from './machine/cores';

// A module with a side effect, as f64.ts: after it, `compile(…, { fast: true })` has what it asks for.
registerText('fast', 'core', coreFast);
registerText('fast', 'extension', extensionFast);
