import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { EVERY_CORE, keepTo } from './cores';
import { instantiatePeak } from './peak';

/** What a sample took, in seconds, and a number that depends on what was computed, so that it had to be. */
export interface Sample {
  wall: number;
  /** Of all threads of the process; null in a page, which has no such clock. */
  cpu: number | null;
  value: number;
}

export type Place = 'Node' | 'Chromium' | 'Python';

/** One of those whose times are compared. */
export interface Contender {
  name: string;
  place: Place;
  threads: number;
  /** The process that does the work, where it has one of its own or this one. */
  pid?: number;
  /** Times `repeats` calls in a row. */
  sample(repeats: number): Promise<Sample>;
}

/** Seconds a call, by its clock. */
export interface Timing extends Pick<Contender, 'name' | 'place' | 'threads'> {
  clock: 'wall' | 'cpu';
  median: number;
  /** The quartiles. */
  spread: [number, number];
  /** By round that counts. */
  samples: number[];
  /** The same by the wall's clock. */
  walls: number[];
}

const ROUNDS = 25;
/** So many rounds count. A neighbour on the same physical core, say, slows code for seconds, and some code more than other. */
const QUIET_ROUNDS = 13;
/** A sample lasts about as long: long against the clock's steps, short against the machine's moods. */
const SAMPLE_SECONDS = 0.015;
const WARM_UP_SECONDS = 0.3;
/** BLAS and OpenMP threads spin for a while after their work, and would take a core from the next contender. */
const SETTLE_MS = 40;

/** Samples that do not count, after which several threads are on cores of their own. */
const SPREADING_SAMPLES = 5;

/** Where values end, so that no engine may leave out what made them. */
export const sink = { value: 0 };

/** A contender of this process. */
export function local(name: string, threads: number, call: () => number): Contender {
  return {
    name,
    place: 'Node',
    threads,
    pid: process.pid,
    async sample(repeats) {
      const wall = performance.now();
      const cpu = process.cpuUsage();
      let value = 0;
      for (let i = 0; i < repeats; i++) value = call();
      const { user, system } = process.cpuUsage(cpu);
      return { wall: (performance.now() - wall) / 1e3, cpu: (user + system) / 1e6, value };
    },
  };
}

/** The contender, timed by the wall's clock alone. */
export function byWall(contender: Contender): Contender {
  return { ...contender, sample: async (repeats) => ({ ...(await contender.sample(repeats)), cpu: null }) };
}

/**
 * How long two loops take now, in milliseconds: what the machine's mood is told by. A neighbour on the same physical core may
 * leave arithmetic in registers alone and slow down what reads the nearest cache.
 */
const loop = instantiatePeak();
const numbers = new Float32Array(2048).fill(0.5);
function probe(): number {
  const start = performance.now();
  sink.value += loop(10_000, 0.5, 1);
  let total = 0;
  for (let turn = 0; turn < 100; turn++) for (let i = 0; i < numbers.length; i++) total += numbers[i]!;
  sink.value += total;
  return performance.now() - start;
}

/**
 * Lets all contenders warm up, then takes a sample of each in every round, in turn from another one on. Those rounds count
 * in which the probe, taken before every sample, was slowed least. In a round all that have one thread run on one core, in the
 * next one on the next: cores of a shared machine differ.
 */
export async function race(contenders: Contender[], counting = QUIET_ROUNDS): Promise<Timing[]> {
  const repeats: number[] = [];
  for (const contender of contenders) repeats.push(await warmUp(contender));
  const cores = availableParallelism();
  const rounds: { disturbance: number; samples: Sample[] }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const samples: Sample[] = [];
    let disturbance = 0;
    for (let turn = 0; turn < contenders.length; turn++) {
      const at = (round + turn) % contenders.length;
      const contender = contenders[at]!;
      const kept = contender.threads > 1 ? EVERY_CORE : String(round % cores);
      for (const pid of new Set([process.pid, contender.pid])) await keepTo(kept, pid);
      // Threads that wake up on one core are moved apart by the system, after some time.
      if (contender.threads > 1) for (let i = 0; i < SPREADING_SAMPLES; i++) await contender.sample(repeats[at]!);
      disturbance += Math.min(probe(), probe(), probe());
      samples[at] = await contender.sample(repeats[at]!);
      sink.value += samples[at].value;
      if (contender.threads > 1) await sleep(SETTLE_MS);
    }
    rounds.push({ disturbance, samples });
  }
  await keepTo(EVERY_CORE, process.pid);
  const quiet = rounds.toSorted((a, b) => a.disturbance - b.disturbance).slice(0, counting);
  return contenders.map((contender, i) => {
    const own = quiet.map(({ samples }) => samples[i]!);
    const walls = own.map(({ wall }) => wall / repeats[i]!);
    const cpus = own.flatMap(({ cpu }) => (cpu === null ? [] : [cpu / repeats[i]!]));
    return timing(contender, walls, cpus);
  });
}

/**
 * One thread is timed by its process's own clock where it has one, which stands still while another process has the core;
 * several threads by the wall's, since they wait for each other.
 */
export function timing(contender: Omit<Contender, 'sample'>, walls: number[], cpus: number[]): Timing {
  const { name, place, threads } = contender;
  const clock = threads === 1 && cpus.length > 0 ? 'cpu' : 'wall';
  const samples = clock === 'cpu' ? cpus : walls;
  const spread: [number, number] = [quantile(samples, 0.25), quantile(samples, 0.75)];
  return { name, place, threads, clock, median: quantile(samples, 0.5), spread, samples, walls };
}

/** Calls until code is compiled and caches are warm; returns how many calls make a sample. */
async function warmUp({ sample }: Contender): Promise<number> {
  let repeats = 1;
  let spent = 0;
  let wall = 0;
  while (spent < WARM_UP_SECONDS || wall < SAMPLE_SECONDS / 2) {
    ({ wall } = await sample(repeats));
    spent += wall;
    if (wall < SAMPLE_SECONDS / 2) repeats = Math.ceil(repeats * Math.min(10, SAMPLE_SECONDS / wall));
    // V8 replaces its quick first code by optimised code in the background, while the thread rests.
    await sleep(1);
  }
  return Math.max(1, Math.round((repeats * SAMPLE_SECONDS) / wall));
}

/**
 * How many times longer `other` took than `own`: the median over the rounds, so that what slows both does not count. By the
 * wall's clock where one of them has no other.
 */
export function ratio(other: Timing, own: Timing): number {
  const series = other.clock === own.clock ? 'samples' : 'walls';
  return quantile(
    other[series].map((time, round) => time / own[series][round]!),
    0.5,
  );
}

function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))]!;
}
