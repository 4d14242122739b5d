/** From the navigation to the first finished step of W2, in a new profile each time: what a visitor waits for. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve } from '../tools/serve.mjs';
import type { Chromium } from './chromium';
import { type Timing, timing } from './harness';
import { OURS } from './home';
import { type Row, rowsOf } from './measure';
import { bundle, copyTfjsCores, peersFolder } from './packages';

const ROUNDS = 9;

const site = `${peersFolder}/cold-start`;
const built = fileURLToPath(new URL('../dist/index.js', import.meta.url));
/** As an application's: the package as it is published, bundled and minified. */
const settings = { minify: true, alias: { wasmgrad: built }, nodePaths: [`${peersFolder}/node_modules`] };
const files = { [OURS]: 'wasmgrad.ts', tfjs: 'tfjs.js', 'jax-js': 'jax-js.js' };

/** Of wasmgrad and of those among the peers that are made for pages. */
export async function measureColdStart({ browser }: Chromium, peers: string[]): Promise<Row[]> {
  const pages = Object.entries(files).filter(([name]) => name === OURS || peers.includes(name));
  mkdirSync(site, { recursive: true });
  if (peers.includes('tfjs')) copyTfjsCores(site);
  for (const [name, file] of pages) {
    const script = basename(await bundle(`cold-start/${file}`, site, settings));
    const page = `<!doctype html><meta charset="utf-8"><title>${name}</title><script type="module" src="${script}"></script>`;
    writeFileSync(`${site}/${name}.html`, page);
  }
  // As from an ordinary host, which isolates no page. Isolated, all are slower, tfjs most: it starts its threads first.
  const server = await serve(site, { isolated: false });
  const walls = pages.map(([name]) => ({ name, seconds: [] as number[] }));
  // The first round is not counted: files and Chromium's own code come from the disk.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { name, seconds } of walls) {
      const time = await firstStep(`${server.url}${name}.html`, browser);
      if (round > 0) seconds.push(time);
    }
  }
  server.close();
  const timings: Timing[] = walls.map(({ name, seconds }) =>
    timing({ name, place: 'Chromium', threads: 1 }, seconds, []),
  );
  return rowsOf('cold start', timings);
}

async function firstStep(url: string, browser: Chromium['browser']): Promise<number> {
  // Its own cache, cookies and process.
  const context = await browser.newContext();
  const page = await context.newPage();
  const failed = new Promise<never>((_, reject) => page.once('pageerror', reject));
  // Chromium has been seen to abort the first navigation of a profile, on a busy machine.
  await page.goto(url).catch(() => page.goto(url));
  await Promise.race([failed, page.waitForFunction(() => 'firstStep' in globalThis)]);
  const { loss, seconds } = await page.evaluate(() => (globalThis as unknown as Finished).firstStep);
  await context.close();
  if (!(Math.abs(loss - Math.log(10)) < 0.5)) throw new Error(`${url} begins with a loss of ${loss}`);
  return seconds;
}

interface Finished {
  firstStep: { loss: number; seconds: number };
}
