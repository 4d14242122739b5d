import { type Contender, local, type Place } from './harness';
import type { Limit } from './limits';
import type { Workload } from './workloads';

export const OURS = 'wasmgrad';
export const LIMIT = 'limit';

/** Where wasmgrad runs: in this process, or in pages of Chromium. */
export interface Home {
  place: Place;
  ours(workload: Workload, threads: number): Contender;
  limit(limit: Limit): Contender;
  /** Frees what the contenders hold. */
  release(): void;
}

export function inProcess(): Home {
  let held: (() => void)[] = [];
  return {
    place: 'Node',
    ours(workload, threads) {
      const { call, release } = workload.prepare(threads);
      held.push(release);
      return local(OURS, threads, call);
    },
    limit: ({ call }) => local(LIMIT, 1, call),
    release() {
      for (const release of held) release();
      held = [];
    },
  };
}
