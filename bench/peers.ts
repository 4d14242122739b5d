import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Contender, Sample } from './harness';

/** What a peer says of itself before it answers requests. */
interface Greeting {
  version: string;
  /** Why it would be no fair comparison, if so. */
  unfit: string | null;
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Another library, in a process of its own that waits on its input while others are timed. */
export class Peer {
  private constructor(
    readonly name: string,
    readonly version: string,
    readonly threads: number,
    private readonly child: ChildProcess,
    private readonly answers: AsyncIterator<string>,
  ) {}

  /** Starts a program that speaks as bench/peers/peer.py does; throws a sentence on why it cannot be compared with. */
  static async start(name: string, command: string, script: string, threads: number): Promise<Peer> {
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
    const peer = new Peer(name, version, threads, child, answers);
    if (!unfit) return peer;
    peer.stop();
    throw new Error(unfit);
  }

  contender(workload: string): Contender {
    return { name: this.name, threads: this.threads, sample: (repeats) => this.ask(workload, repeats) };
  }

  stop(): void {
    this.child.kill();
  }

  private async ask(workload: string, repeats: number): Promise<Sample> {
    this.child.stdin!.write(`${JSON.stringify({ workload, repeats })}\n`);
    const answer = await this.answers.next();
    if (answer.done) throw new Error(`${this.name} died at ${workload}`);
    return JSON.parse(answer.value) as Sample;
  }
}

/** Installs what bench/peers/js/package.json lists, apart from the project, and bundles a peer beside it. */
async function javascript(script: string): Promise<string> {
  const folder = here('../.cache/peers');
  const wanted = readFileSync(here('peers/js/package.json'), 'utf8');
  // npm writes this file last.
  const installed = existsSync(`${folder}/node_modules/.package-lock.json`);
  if (!installed || readFileSync(`${folder}/package.json`, 'utf8') !== wanted) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/package.json`, wanted);
    execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'pipe' });
  }
  const outfile = `${folder}/${script}`;
  await build({
    entryPoints: [here(`peers/js/${script}`)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'warning',
  });
  return outfile;
}

const python = (script: string) => [process.env.PYTHON ?? '/usr/bin/python3', here(`peers/${script}`)] as const;

/** Every peer that can be had here, once for each number of threads, and a sentence for each that cannot. */
export async function startPeers(): Promise<{ peers: Peer[]; absent: string[] }> {
  const candidates = [
    { name: 'numpy', threads: [1, 2], find: () => python('with_numpy.py') },
    { name: 'PyTorch', threads: [1, 2], find: () => python('with_torch.py') },
    { name: 'tfjs', threads: [1], find: async () => [process.execPath, await javascript('with_tfjs.js')] as const },
  ];
  const peers: Peer[] = [];
  const absent: string[] = [];
  for (const { name, threads, find } of candidates) {
    try {
      const [command, script] = await find();
      for (const count of threads) peers.push(await Peer.start(name, command, script, count));
    } catch (error) {
      absent.push(`${name} is left out: ${(error as Error).message}`);
    }
  }
  return { peers, absent };
}
