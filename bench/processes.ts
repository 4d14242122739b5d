import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Place, Sample } from './harness';
import type { Peer } from './peers';

/** What a peer says of itself before it answers requests. */
interface Greeting {
  version: string;
  /** Why it would be no fair comparison, if so. */
  unfit: string | null;
}

/**
 * A peer in a process of its own, which waits on its input while others are timed: a program that speaks as
 * bench/peers/peer.py does. Throws a sentence on why it cannot be compared with.
 */
export async function startProcess(
  name: string,
  place: Place,
  threads: number,
  [command, script]: readonly [string, string],
  settings: Record<string, string> = {},
): Promise<Peer> {
  const { OPENBLAS_CORETYPE: _core, OPENBLAS_L2_SIZE: _l2, ...environment } = process.env;
  const child = spawn(command, [script], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...environment,
      OMP_NUM_THREADS: String(threads),
      OPENBLAS_NUM_THREADS: String(threads),
      // Debian's PyTorch has OpenMP's threads beside OpenBLAS's: spinning, they take the cores from each other.
      OMP_WAIT_POLICY: 'passive',
      PYTHONDONTWRITEBYTECODE: '1',
      ...settings,
    },
  });
  let complaint = '';
  child.stderr.on('data', (text) => {
    complaint += text;
  });
  child.on('error', (error) => {
    complaint += error.message;
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const greeting = await answers.next();
  if (greeting.done) throw new Error(complaint.trim().split('\n').at(-1));
  const { version, unfit } = JSON.parse(greeting.value) as Greeting;
  if (unfit) {
    child.kill();
    throw new Error(unfit);
  }
  const ask = async (workload: string, repeats: number) => {
    child.stdin.write(`${JSON.stringify({ workload, repeats })}\n`);
    const answer = await answers.next();
    if (answer.done) throw new Error(`${name} died at ${workload}`);
    return JSON.parse(answer.value) as Sample;
  };
  return {
    name,
    place,
    version,
    threads,
    contender: (workload) => ({ name, place, threads, pid: child.pid, sample: (repeats) => ask(workload, repeats) }),
    async stop() {
      child.kill();
    },
  };
}
