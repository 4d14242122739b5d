// kill -9 at random instants: whatever was being done, the run goes on from what is on the disk, and ends in the bits of the uninterrupted one.
// KILLS=200 npx vitest run test/train/kill.test.ts
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';

const KILLS = Number(process.env.KILLS ?? 10);
const script = 'test/train/goes-on.mjs';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wasmgrad-'));
});
afterEach(() => rm(folder, { recursive: true }));

const toTheEnd = async (to: string) => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, to]);
  expect(stderr).toBe('');
  return stdout;
};

it(
  `ends in the same bits after kill -9 at ${KILLS} random instants`,
  async () => {
    const started = performance.now();
    const expected = await toTheEnd(join(folder, 'uninterrupted'));
    const whole = performance.now() - started;
    let [kills, ended] = [0, 0];
    for (let run = 0; kills < KILLS; run++) {
      const to = join(folder, String(run));
      for (let over = false; !over && kills < KILLS; ) {
        const child = spawn(process.execPath, [script, to]);
        const exit = new Promise<NodeJS.Signals | null>((resolve) => child.on('exit', (_, signal) => resolve(signal)));
        await Promise.race([sleep(Math.random() * whole), exit]);
        child.kill('SIGKILL');
        over = (await exit) === null;
        if (over) ended++;
        else kills++;
      }
      expect(await toTheEnd(to)).toBe(expected);
    }
    expect(kills).toBe(KILLS);
    expect(ended).toBeLessThan(KILLS);
  },
  60_000 + 5_000 * KILLS,
);
