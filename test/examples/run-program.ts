import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The lines that a program of this project prints; rejects unless it ends well. */
export async function runProgram(...command: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, ['tools/run.mjs', ...command]);
  return stdout.trimEnd().split('\n');
}
