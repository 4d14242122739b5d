// `npm run bench`: starts bench/main.ts on the Node that the figures are for, 24, or on another one: `--node 20`.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installNode } from '../tools/node.mjs';
import { root } from '../tools/stamp.mjs';

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

function nodeOf() {
  if (process.versions.node.split('.')[0] === major) return process.execPath;
  try {
    return installNode(major);
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
