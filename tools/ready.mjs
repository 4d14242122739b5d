// Makes the checkout ready to run: installs and builds what is not current, and says nothing when everything is.
// Node's built-ins only, for it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cache, contentKey, isCurrent, replaceFile, root } from './stamp.mjs';

const lock = join(cache, 'ready.lock');

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** One process at a time installs and builds. The lock names its owner, so that a killed owner's lock can be taken over. */
async function takeLock() {
  mkdirSync(cache, { recursive: true });
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  while (true) {
    try {
      // A link appears whole or not at all, unlike a file that is opened and then written.
      linkSync(mine, lock);
      rmSync(mine);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = ownerOfLock();
    if (owner && !isAlive(owner)) rmSync(lock, { force: true });
    else await sleep(100);
  }
}

function ownerOfLock() {
  try {
    return Number(readFileSync(lock, 'utf8'));
  } catch {
    return 0; // released meanwhile
  }
}

function install() {
  const key = contentKey(['package-lock.json'], process.platform, process.arch, process.version.split('.')[0]);
  // `npm ci` wipes node_modules, and the stamp with it: an install that dies half-way leaves none.
  const stamp = join(root, 'node_modules', '.ready.stamp');
  if (isCurrent(stamp, key, [])) return;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  console.error('installing…');
  const { status, error } = spawnSync(npm, ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`npm ci failed (${status})`);
  replaceFile(stamp, key);
}

await takeLock();
try {
  install();
  const { buildAll } = await import('./build.mjs');
  await buildAll();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(lock, { force: true });
}
