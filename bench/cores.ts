import { execFileSync, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';

/** All cores, as `keepTo` takes them. */
export const EVERY_CORE = `0-${availableParallelism() - 1}`;

function start() {
  try {
    execFileSync('taskset', ['-p', String(process.pid)], { stdio: 'pipe' });
  } catch {
    return null; // no Linux: the system chooses
  }
  // A shell that stands by: were each taskset a child of this process, the fork would write-protect its memory, and the next
  // sample would pay a fault a page.
  const loop = 'while read -r cores pid; do taskset -acp "$cores" "$pid" > /dev/null 2>&1; echo; done';
  const shell = spawn('sh', ['-c', loop], { stdio: ['pipe', 'pipe', 'ignore'] });
  const output = shell.stdout as Socket;
  const answers = createInterface({ input: output })[Symbol.asyncIterator]();
  shell.unref();
  output.unref();
  (shell.stdin as Socket).unref();
  return async (cores: string, pid: number) => {
    output.ref();
    shell.stdin.write(`${cores} ${pid}\n`);
    await answers.next();
    output.unref();
  };
}

const keep = start();

/** Keeps a process, all its threads, to some cores: '1', '0-1'. Nothing happens where that cannot be had, or without a process. */
export async function keepTo(cores: string, pid: number | undefined): Promise<void> {
  if (pid !== undefined) await keep?.(cores, pid);
}
