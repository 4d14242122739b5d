import { type Contender, race, ratio, type Timing } from './harness';
import { type Home, LIMIT, OURS } from './home';
import { limits } from './limits';
import type { Peer } from './peers';
import type { Workload } from './workloads';

/** A line of the table. */
export interface Row {
  workload: string;
  threads: number;
  /** Seconds a call: median and quartiles. */
  seconds: number;
  spread: [number, number];
  /** Per second, in the unit. */
  speed: { unit: 'FLOP' | 'byte'; ours: number; limit: number } | null;
  /** Our speed over the limit's, on one thread. */
  ofLimit: number | null;
  /** How many times faster than on one thread. */
  speedup: number | null;
  /** A peer's time over ours, where it is fastest. */
  ratios: Record<string, number>;
  timings: Timing[];
}

export const groupOf = (name: string) => name.split(' ')[0]!;

/**
 * Who takes no part in what. Products in scripts show in their steps, and would fill the hour here: tfjs's of transposed matrices take
 * seconds. numpy has no recurrent layer, attention or convolution, tfjs's WebAssembly backend no gradient of one, and jax-js's takes seconds.
 */
const absentees: Record<string, string[]> = {
  W3: ['tfjs', 'jax-js'],
  W4: ['numpy', 'numpy (AVX2)', 'tfjs'],
  W5: ['numpy', 'numpy (AVX2)'],
  W5g: ['numpy', 'numpy (AVX2)'],
  W6: ['numpy', 'numpy (AVX2)'],
  conv: ['numpy', 'numpy (AVX2)', 'tfjs', 'jax-js'],
};
const isIn = ({ name, threads }: Peer, workload: Workload) =>
  workload.threads.includes(threads) && !absentees[groupOf(workload.name)]?.includes(name);

/** All of one workload: a row for each number of threads. */
export async function measure(workload: Workload, home: Home, peers: Peer[]): Promise<Row[]> {
  const limit = workload.work && limits[workload.work.unit];
  const contenders = [
    ...workload.threads.map((threads) => home.ours(workload, threads)),
    ...(workload.rival ? [{ ...home.ours(workload.rival.workload, 1), name: workload.rival.name }] : []),
    ...peers.filter((peer) => !workload.rival && isIn(peer, workload)).map((peer) => peer.contender(workload.name)),
  ];
  await checkAgreement(workload.name, contenders);
  const timings = await race(limit ? [home.limit(limit), ...contenders] : contenders);
  home.release();
  return rowsOf(workload.name, timings, workload.work);
}

export function rowsOf(workload: string, timings: Timing[], work: Workload['work'] = null): Row[] {
  const own = timings.filter(({ name }) => name === OURS);
  const bound = timings.find(({ name }) => name === LIMIT);
  return own.map((timing) => {
    const { threads, median, spread } = timing;
    const limit = work && bound && limits[work.unit].amount / bound.median;
    const ofLimit =
      work && bound && threads === 1 ? (work.amount / limits[work.unit].amount) * ratio(bound, timing) : null;
    // Twice: a pass that only reads may beat a copy.
    if (ofLimit && ofLimit > 2) throw new Error(`${workload} takes ${median} s: it cannot have been computed`);
    const ratios: Record<string, number> = {};
    for (const other of timings) {
      if (other.name === OURS || other.name === LIMIT || other.threads !== threads) continue;
      ratios[other.name] = Math.min(ratios[other.name] ?? Number.POSITIVE_INFINITY, ratio(other, timing));
    }
    return {
      workload,
      threads,
      seconds: median,
      spread,
      speed: work && limit ? { unit: work.unit, ours: work.amount / median, limit } : null,
      ofLimit,
      speedup: threads > 1 ? ratio(own[0]!, timing) : null,
      ratios,
      timings,
    };
  });
}

/** All contenders compute the same: the loss of the first steps, or the first element. */
async function checkAgreement(workload: string, contenders: Contender[]): Promise<void> {
  for (let i = 0; i < 5; i++) {
    let expected: number | null = null;
    for (const { name, place, sample } of contenders) {
      const { value } = await sample(1);
      expected ??= value;
      if (!(Math.abs(value - expected) <= 1e-4 * (1 + Math.abs(expected)))) {
        throw new Error(
          `${workload}: ${name} in ${place} computes ${value} in call ${i}, and ${contenders[0]!.name} ${expected}`,
        );
      }
    }
  }
}
