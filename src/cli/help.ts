import type { ArgDef } from 'citty';
import type { Command } from './command';
import { padEnd, type Style, widthOf, wrap } from './render/text';

const INDENT = '  ';
/** The widest option that shares its line with its description. */
const MAX_OPTION = 26;

/** The page that `wasmgrad --help` shows. */
export function renderOverview(commands: readonly Command[], width: number, style: Style): string[] {
  const widest = Math.max(...commands.map(({ name }) => name.length));
  return [
    `${style.bold('wasmgrad')}  Train neural networks wherever JavaScript runs.`,
    '',
    style.bold('Usage'),
    `${INDENT}wasmgrad <command> [options]`,
    '',
    style.bold('Commands'),
    ...commands.flatMap(({ name, description }) => hanging(style.cyan(name), widest, description, width)),
    '',
    style.bold('Examples'),
    ...renderExamples(
      commands.map(({ examples }) => examples[0]!),
      style,
    ),
    '',
    'wasmgrad <command> --help says more about a command; wasmgrad --version tells the version.',
    'With WASMGRAD_DEBUG=1 in the environment an error comes with its stack, with NO_COLOR=1 there are no colours.',
  ].flatMap((line) => (line.length > width && !line.startsWith(INDENT) ? wrap(line, width) : [line]));
}

/** The page that `wasmgrad <command> --help` shows. */
export function renderHelp(
  { name, description, args, notes = [], examples }: Command,
  width: number,
  style: Style,
): string[] {
  const options = [
    ...Object.entries(args).map(([option, definition]) => ({
      label: `--${option}${valueHint(definition)}`,
      text: `${definition.description}${defaultOf(definition)}`,
      required: 'required' in definition && definition.required === true,
    })),
    { label: '--help', text: 'Shows this page.', required: false },
  ];
  const widest = Math.min(MAX_OPTION, Math.max(...options.map(({ label }) => label.length)));
  const required = options.filter((option) => option.required).map(({ label }) => ` ${label}`);
  return [
    ...wrap(`${style.bold(`wasmgrad ${name}`)}  ${description}`, width),
    '',
    style.bold('Usage'),
    `${INDENT}wasmgrad ${name}${required.join('')} [options]`,
    '',
    style.bold('Options'),
    ...options.flatMap(({ label, text }) => hanging(style.cyan(label), widest, text, width)),
    '',
    ...notes.flatMap((note) => [...wrap(note, width), '']),
    style.bold('Examples'),
    ...renderExamples(examples, style),
  ];
}

function renderExamples(examples: Command['examples'], style: Style): string[] {
  return examples.flatMap(({ means, line }) => [style.dim(`${INDENT}# ${means}`), `${INDENT}${line}`]);
}

function valueHint(option: ArgDef): string {
  if (option.type === 'enum') return ` ${option.options!.join('|')}`;
  return option.type === 'boolean' ? '' : ` <${option.valueHint}>`;
}

function defaultOf(option: ArgDef): string {
  if ('required' in option && option.required) return ' Required.';
  return option.type === 'boolean' || option.default === undefined ? '' : ` Default: ${option.default}.`;
}

/** A label, and text beside it in as many lines as it needs; below it where the label is too wide. */
function hanging(label: string, widest: number, text: string, width: number): string[] {
  const margin = INDENT.length + widest + 2;
  const [first, ...rest] = wrap(text, width - margin);
  const head = padEnd(`${INDENT}${label}`, margin);
  const below = rest.map((line) => ' '.repeat(margin) + line);
  return widthOf(head) > margin ? [head, ' '.repeat(margin) + first, ...below] : [head + first, ...below];
}
