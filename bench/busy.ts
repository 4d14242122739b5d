/** Two threads against one while another process keeps a core busy: whatever else a person's computer does. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { byWall, race } from './harness';
import type { Home } from './home';
import { type Row, rowsOf } from './measure';
import { type Workload, workloads } from './workloads';

const names = ['W2', 'W2b', 'W3 512×512×512 NN', 'W3 1024×1024×1024 NN'];

export const besideAnother = workloads.filter(({ name }) => names.includes(name));

/** Every round counts: what disturbs them is what is measured. Both by the wall's clock, for the same reason. */
export async function measureBeside(workload: Workload, home: Home): Promise<Row[]> {
  // It ends by itself where this process dies first.
  const spin = 'const parent = process.ppid; while (process.ppid === parent) for (let i = 0; i < 1e6; i++);';
  const neighbour = spawn(process.execPath, ['--eval', spin], { stdio: 'ignore' });
  await once(neighbour, 'spawn');
  try {
    const contenders = workload.threads.map((threads) => byWall(home.ours(workload, threads)));
    return rowsOf(`busy ${workload.name}`, await race(contenders, Number.POSITIVE_INFINITY));
  } finally {
    home.release();
    neighbour.kill();
  }
}
