/** wasmgrad itself and the limits, in a worker of a page: a page's own thread may not wait for others. */
import { limits } from '../../limits';
import { workloads } from '../../workloads';
import { serve, threads } from './serve';

let release = () => {};

await serve('', (name: string) => {
  release();
  release = () => {};
  const limit = Object.values(limits).find((limit) => limit.name === name);
  if (limit) return limit.call;
  const all = workloads.flatMap((workload) => [workload, ...(workload.rival ? [workload.rival.workload] : [])]);
  const prepared = all.find((workload) => workload.name === name)!.prepare(threads);
  release = prepared.release;
  return prepared.call;
});
