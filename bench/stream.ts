/** How much of a page's own thread it takes to be told of some twenty thousand losses a second. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { serve } from '../tools/serve.mjs';
import type { Chromium } from './chromium';
import { bundle, peersFolder } from './packages';

const SECONDS = 5;
const site = `${peersFolder}/stream`;
const built = fileURLToPath(new URL('../dist/index.js', import.meta.url));

interface Seen {
  steps: number;
  isOrdered: boolean;
  total: number;
  stop(): void;
}

/** A sentence. Throws where an event is lost or comes out of order. */
export async function measureStream({ browser }: Chromium): Promise<string> {
  mkdirSync(site, { recursive: true });
  const script = basename(await bundle('stream/page.ts', site, { minify: true, alias: { wasmgrad: built } }));
  writeFileSync(
    `${site}/index.html`,
    `<!doctype html><meta charset="utf-8"><script type="module" src="${script}"></script>`,
  );
  const server = await serve(site, { isolated: false });
  const page = await browser.newPage();
  try {
    await page.goto(server.url);
    await page.waitForFunction(() => ((globalThis as unknown as { seen?: Seen }).seen?.steps ?? 0) > 1000);
    const session = await page.context().newCDPSession(page);
    // Its processor's time: by the wall's clock a task also lasts while another thread has the core.
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const look = async () => {
      const { metrics } = await session.send('Performance.getMetrics');
      const of = (name: string) => metrics.find((metric) => metric.name === name)!.value;
      const steps = await page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen.steps);
      return { busy: of('TaskDuration'), now: performance.now() / 1000, steps };
    };
    const before = await look();
    await sleep(SECONDS * 1000);
    const after = await look();
    await page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen.stop());
    await page.waitForFunction(() => (globalThis as unknown as { seen: Seen }).seen.total > 0);
    const { steps, total, isOrdered } = await page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen);
    if (!isOrdered || steps !== total)
      throw new Error(`of ${total} losses ${steps} came, ${isOrdered ? '' : 'not '}in order`);
    const seconds = after.now - before.now;
    const rate = Math.round((after.steps - before.steps) / seconds).toLocaleString('en');
    const share = ((100 * (after.busy - before.busy)) / seconds).toFixed(1);
    return `stream: ${rate} losses a second, all ${total.toLocaleString('en')} in order; the page's own thread works for ${share} % of the time`;
  } finally {
    await page.close();
    server.close();
  }
}
