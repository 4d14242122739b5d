import { type ArgsDef, type ParsedArgs, parseArgs } from 'citty';
import type { Terminal } from './terminal';

/** A command that was called in a way that it cannot be: the caller's mistake, not the data's. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What a command's run tells the shell. */
export const enum ExitCode {
  OK = 0,
  FAILED = 1,
  USAGE = 2,
  INTERRUPTED = 130, // 128 + SIGINT
  TERMINATED = 143, // 128 + SIGTERM
}

export interface Command<Options extends ArgsDef = ArgsDef> {
  name: string;
  /** What it does, in a sentence. */
  description: string;
  args: Options;
  /** Paragraphs of the help page. */
  notes?: readonly string[];
  examples: readonly { means: string; line: string }[];
  run(args: ParsedArgs<Options>, terminal: Terminal): Promise<ExitCode>;
}

export function defineCommand<const Options extends ArgsDef>(command: Command<Options>): Command<Options> {
  return command;
}

/** Options by citty, which ignores what it does not know and reports what is missing first: here both are errors, in that order. */
export function parseOptions<Options extends ArgsDef>(command: Command<Options>, words: string[]): ParsedArgs<Options> {
  const options = Object.entries(command.args);
  const names = options.map(([name]) => name);
  for (const [name, { type }] of options) {
    const at = words.lastIndexOf(`--${name}`);
    const value = words[at + 1];
    if (type !== 'boolean' && at !== -1 && (value === undefined || value.startsWith('--'))) {
      throw new UsageError(`--${name} needs a value.`);
    }
  }
  const lenient = options.map(([name, { type, default: preset }]) => [
    name,
    { type: type === 'boolean' ? 'boolean' : 'string', ...(preset !== undefined && { default: preset }) },
  ]);
  const parsed = parseArgs(words, Object.fromEntries(lenient) as ArgsDef) as ParsedArgs<Options>;

  const allowed = new Set(['_', ...names, ...names.map(camelCase)]);
  const unknown = Object.keys(parsed).find((name) => !allowed.has(name));
  if (unknown !== undefined) {
    const near = closest(unknown, names);
    const hint = near ? `did you mean --${near}?` : `there are ${names.map((name) => `--${name}`).join(', ')}.`;
    throw new UsageError(`unknown option ${unknown.length === 1 ? '-' : '--'}${unknown}; ${hint}`);
  }
  if (parsed._.length > 0) {
    throw new UsageError(`${JSON.stringify(parsed._[0])} belongs to no option; a file goes behind --data.`);
  }
  for (const [name, option] of options) {
    const value = parsed[name];
    if (value === '') throw new UsageError(`--${name} needs a value.`);
    if (value === undefined && 'required' in option && option.required) {
      throw new UsageError(`--${name} is missing.`);
    }
    if (option.type === 'enum' && !option.options!.includes(value as string)) {
      throw new UsageError(`--${name} must be ${option.options!.join(' or ')}; got ${JSON.stringify(value)}.`);
    }
  }
  return parsed;
}

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** A whole number from `least` on. */
export function wholeNumber(option: string, text: string, least: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= 0xffffffff) return value;
  throw new UsageError(`--${option} must be a whole number from ${least} on; got ${JSON.stringify(text)}.`);
}

/** A number above 0. */
export function positiveNumber(option: string, text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new UsageError(`--${option} must be a number above 0; got ${JSON.stringify(text)}.`);
}

/** A share of the examples: from 0 up to, but without, 1. */
export function fraction(option: string, text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= 0 && value < 1) return value;
  throw new UsageError(`--${option} must be a fraction from 0 up to, but without, 1; got ${JSON.stringify(text)}.`);
}

/** The candidate that is at most two typing mistakes away. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const near = candidates.map((name) => ({ name, mistakes: editDistance(word, name) }));
  return near.sort((a, b) => a.mistakes - b.mistakes).find(({ mistakes }) => mistakes <= 2 && mistakes < word.length)
    ?.name;
}

/** Letters to insert, remove or replace (Levenshtein 1966). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (a[i] === b[j] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/** How many threads compute. */
export function threadCount(text: string): number | 'auto' {
  return text === 'auto' ? text : wholeNumber('threads', text, 1);
}
