/** Contenders in pages of a headless Chromium, each in a page and so in a process of its own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Browser, Page, Worker } from 'playwright';
import { launchChromium } from '../tools/chromium.mjs';
import { serve } from '../tools/serve.mjs';
import { sources, virtualModules } from '../tools/virtual-modules.mjs';
import type { Contender, Sample } from './harness';
import { type Home, LIMIT, OURS } from './home';
import { bundle, copyTfjsCores, installPeers, peersFolder } from './packages';
import type { Peer } from './peers';

const site = `${peersFolder}/site`;

export class Chromium {
  private constructor(
    readonly browser: Browser,
    private readonly server: Awaited<ReturnType<typeof serve>>,
  ) {}

  static async start(): Promise<Chromium> {
    mkdirSync(site, { recursive: true });
    return new Chromium(await launchChromium(), await serve(site));
  }

  get version(): string {
    return this.browser.version();
  }

  /**
   * A peer of bench/peers/js/. `cores` is how many the page believes that the machine has: its threads are counted by them.
   */
  async peer(name: string, threads: number, cores: number): Promise<Peer> {
    installPeers();
    copyTfjsCores(site);
    const script = await bundle(`peers/js/${name}.js`, site, {
      nodePaths: [`${peersFolder}/node_modules`],
      minify: true,
    });
    const page = await this.browser.newPage();
    await page.addInitScript(
      (count) => Object.defineProperty(navigator, 'hardwareConcurrency', { value: count }),
      cores,
    );
    await this.open(page, name, `<script type="module" src="${basename(script)}"></script>`, threads);
    return this.speaker(name, threads, page, page);
  }

  /** wasmgrad, in a page for each number of threads, and the limits in one of their own: in workers of these pages. */
  async home(counts: number[]): Promise<Home> {
    const script = await bundle('peers/js/wasmgrad.ts', site, {
      alias: sources,
      plugins: [virtualModules()],
      minify: true,
    });
    const start = `new Worker('${basename(script)}' + location.search, { type: 'module' });`;
    const open = async (name: string, threads: number) => {
      const page = await this.browser.newPage();
      const worker = page.waitForEvent('worker');
      await this.open(page, name, `<script type="module">${start}</script>`, threads);
      return this.speaker(name, threads, await worker, page);
    };
    const own = new Map<number, Peer>();
    for (const threads of counts) own.set(threads, await open(OURS, threads));
    const limits = await open(LIMIT, 1);
    return {
      place: 'Chromium',
      ours: ({ name }, threads) => own.get(threads)!.contender(name),
      limit: ({ name }) => limits.contender(name),
      release() {}, // a page does it when it is asked for another workload
    };
  }

  async stop(): Promise<void> {
    await this.browser.close();
    this.server.close();
  }

  private async open(page: Page, name: string, body: string, threads: number): Promise<void> {
    writeFileSync(`${site}/${name}.html`, `<!doctype html><meta charset="utf-8"><title>${name}</title>${body}`);
    await page.goto(`${this.server.url}${name}.html?threads=${threads}`);
  }

  /** Speaks with what bench/peers/js/serve.js has put into the page or its worker. */
  private async speaker(name: string, threads: number, side: Pick<Worker, 'evaluate'>, page: Page): Promise<Peer> {
    const failed = new Promise<never>((_, reject) => page.once('pageerror', reject));
    const { version } = await Promise.race([failed, side.evaluate(greeting)]);
    const sample: (workload: string) => Contender['sample'] = (workload) => (repeats) =>
      side.evaluate((request) => (globalThis as unknown as Served).answer(request), { workload, repeats });
    return {
      name,
      place: 'Chromium',
      version,
      threads,
      contender: (workload) => ({ name, place: 'Chromium', threads, sample: sample(workload) }),
      stop: () => page.close(),
    };
  }
}

interface Served {
  greeting?: { version: string };
  answer(request: { workload: string; repeats: number }): Promise<Sample>;
}

/** Runs in the page or worker: its script may be loading still. */
async function greeting(): Promise<{ version: string }> {
  const served = globalThis as unknown as Served;
  for (let i = 0; i < 1000; i++) {
    if (served.greeting) return served.greeting;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('its page does not answer');
}
