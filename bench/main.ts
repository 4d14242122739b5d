/**
 * The benchmarks: `npm run bench`, or `npm run bench -- W2 W3` for some of them. bench/README.md says what is measured.
 * Writes a table, and all of it as build/bench.json; a run of everything draws the README's chart as well.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chart } from './chart';
import { groups, type Results, run } from './run';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

function draw(results: Results): void {
  writeFileSync(here('chart.svg'), chart(results));
  console.log('the chart is bench/chart.svg');
}

/** Returns what is wrong, if something is. */
async function main(): Promise<string | undefined> {
  const { values: options, positionals: wanted } = parseArgs({
    allowPositionals: true,
    options: { browser: { type: 'boolean', default: false }, chart: { type: 'boolean', default: false } },
  });
  const build = here('../build');
  if (options.chart) {
    const file = `${build}/bench.json`;
    if (!existsSync(file)) return 'there are no results to draw: npm run bench';
    draw(JSON.parse(readFileSync(file, 'utf8')));
    return;
  }
  const unknown = wanted.filter((group) => !groups.includes(group));
  if (unknown.length > 0) return `there is no workload ${unknown.join(', ')}; there are ${groups.join(', ')}.`;
  const results = await run(wanted.length > 0 ? wanted : groups, options.browser);
  mkdirSync(build, { recursive: true });
  writeFileSync(`${build}/bench${options.browser ? '-browser' : ''}.json`, `${JSON.stringify(results, null, 1)}\n`);
  if (wanted.length === 0 && !options.browser) draw(results);
}

const complaint = await main();
if (complaint) {
  console.error(complaint);
  process.exitCode = 1;
}
