import { readFileSync } from 'node:fs';
import { type Command, closest, ExitCode, parseOptions, UsageError } from './command';
import { demo } from './commands/demo';
import { evaluate } from './commands/eval';
import { predict } from './commands/predict';
import { train } from './commands/train';
import { packageFile } from './files';
import { renderHelp, renderOverview } from './help';
import { plain } from './render/text';
import { Terminal } from './terminal';

const commands = [demo, train, evaluate, predict] as unknown as Command[];

async function main([name, ...words]: string[], terminal: Terminal): Promise<ExitCode> {
  const { width, style } = terminal;
  if (name === '--help' || name === '-h' || name === 'help') {
    terminal.print(...renderOverview(commands, width, style));
    return ExitCode.OK;
  }
  if (name === '--version' || name === '-v') {
    terminal.print(JSON.parse(readFileSync(packageFile('package.json'), 'utf8')).version);
    return ExitCode.OK;
  }
  if (name === undefined) {
    process.stderr.write(`${renderOverview(commands, width, plain).join('\n')}\n`);
    return ExitCode.USAGE;
  }
  const command = commands.find((each) => each.name === name);
  if (!command) {
    const names = commands.map((each) => each.name);
    const near = closest(name, names);
    throw new UsageError(
      `unknown command ${name}; ${near ? `did you mean ${near}?` : `there are ${names.join(', ')}.`}`,
    );
  }
  if (words.includes('--help') || words.includes('-h')) {
    terminal.print(...renderHelp(command, width, style));
    return ExitCode.OK;
  }
  return command.run(parseOptions(command, words), terminal);
}

/** One sentence for people; the stack for those who ask for it. */
function complain(error: unknown, words: string[]): ExitCode {
  const name = commands.find((each) => each.name === words[0])?.name;
  const program = name ? `wasmgrad ${name}` : 'wasmgrad';
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  process.stderr.write(`${program}: ${message}\n`);
  if (process.env.WASMGRAD_DEBUG) process.stderr.write(`${stack}\n`);
  if (!(error instanceof UsageError)) return ExitCode.FAILED;
  process.stderr.write(`See ${program} --help.\n`);
  return ExitCode.USAGE;
}

// `wasmgrad predict … | head` closes the pipe: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(ExitCode.OK);
  throw error;
});

const words = process.argv.slice(2);
process.exitCode = await main(words, new Terminal()).catch((error) => complain(error, words));
