/**
 * The benchmarks: `npm run bench`, or `npm run bench -- W2 W3` for some of them. bench/README.md says what is measured.
 * Writes a table, and all of it as build/bench.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { groups, run } from './run';

/** Returns what is wrong, if something is. */
async function main(): Promise<string | undefined> {
  const { values: options, positionals: wanted } = parseArgs({
    allowPositionals: true,
    options: { browser: { type: 'boolean', default: false } },
  });
  const unknown = wanted.filter((group) => !groups.includes(group));
  if (unknown.length > 0) return `there is no workload ${unknown.join(', ')}; there are ${groups.join(', ')}.`;
  const results = await run(wanted.length > 0 ? wanted : groups, options.browser);
  const build = fileURLToPath(new URL('../build', import.meta.url));
  mkdirSync(build, { recursive: true });
  writeFileSync(`${build}/bench${options.browser ? '-browser' : ''}.json`, `${JSON.stringify(results, null, 1)}\n`);
}

const complaint = await main();
if (complaint) {
  console.error(complaint);
  process.exitCode = 1;
}
