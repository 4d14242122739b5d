import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Chromium } from './chromium';
import type { Contender, Place } from './harness';
import { bundle, installPeers, peersFolder } from './packages';
import { startProcess } from './processes';

/** Another library, on some number of threads. */
export interface Peer {
  name: string;
  place: Place;
  version: string;
  threads: number;
  contender(workload: string): Contender;
  stop(): Promise<void>;
}

interface Candidate {
  name: string;
  place: Place;
  threads: number[];
  start(threads: number): Promise<Peer>;
}

function python(name: string, script: string, settings?: Record<string, string>): Candidate {
  const file = fileURLToPath(new URL(`peers/${script}`, import.meta.url));
  const command = [process.env.PYTHON ?? '/usr/bin/python3', file] as const;
  const start = (threads: number) => startProcess(name, 'Python', threads, command, settings);
  return { name, place: 'Python', threads: [1, 2], start };
}

/** Neither has threads in Node. */
const inNode = (name: string): Candidate => ({
  name,
  place: 'Node',
  threads: [1],
  async start(threads) {
    installPeers();
    const script = await bundle(`peers/js/${name}.js`, peersFolder, { platform: 'node', packages: 'external' });
    return startProcess(name, 'Node', threads, [process.execPath, script]);
  },
});

const inPage = (chromium: Chromium, name: string, coresOf: (threads: number) => number): Candidate => ({
  name,
  place: 'Chromium',
  threads: [1, 2],
  start: (threads) => chromium.peer(name, threads, coresOf(threads)),
});

const has512Bits = () => existsSync('/proc/cpuinfo') && readFileSync('/proc/cpuinfo', 'utf8').includes('avx512f');

/** glibc gives big arrays back to the system and asks for them again, which takes most of some steps of PyTorch's; so it keeps them. */
const keeping = { MALLOC_MMAP_THRESHOLD_: '1073741824', MALLOC_TRIM_THRESHOLD_: '1073741824' };

/** Keeps native code to vectors of 256 bits, which is what most processors have. */
const avx2 = {
  OPENBLAS_CORETYPE: 'Haswell',
  ATEN_CPU_CAPABILITY: 'avx2',
  NPY_DISABLE_CPU_FEATURES: 'AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL',
};

/** Every peer that can be had here, once for each place and number of threads; a sentence in `absent` for each that cannot. */
export async function startPeers(places: Place[], chromium: Chromium | null, absent: string[]): Promise<Peer[]> {
  const candidates = [
    python('numpy', 'with_numpy.py'),
    ...(has512Bits() ? [python('numpy (AVX2)', 'with_numpy.py', avx2)] : []),
    python('PyTorch', 'with_torch.py'),
    python('PyTorch (tuned)', 'with_torch.py', keeping),
    ...(has512Bits() ? [python('PyTorch (AVX2)', 'with_torch.py', { ...keeping, ...avx2 })] : []),
    inNode('jax-js'),
    inNode('tfjs'),
    ...(chromium
      ? [
          inPage(chromium, 'jax-js', (threads) => threads),
          // It takes half of the cores.
          inPage(chromium, 'tfjs', (threads) => 2 * threads),
        ]
      : []),
  ].filter(({ place }) => places.includes(place));
  const peers: Peer[] = [];
  for (const { name, place, threads, start } of candidates) {
    try {
      for (const count of threads) peers.push(await start(count));
    } catch (error) {
      absent.push(`${name} in ${place} is left out: ${(error as Error).message}`);
    }
  }
  return peers;
}
