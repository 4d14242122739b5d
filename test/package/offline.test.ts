// The page on a host that sends files and no headers: it isolates itself, keeps itself, and trains when the host is gone.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWeb, site } from '../../tools/build-web.mjs';
import { launchChromium } from '../../tools/chromium.mjs';
import { serve } from '../../tools/serve.mjs';

let browser: Browser;
beforeAll(async () => {
  [browser] = await Promise.all([launchChromium(), buildWeb()]);
});
afterAll(() => browser?.close());

const inState = (page: Page, wanted: string) => page.waitForSelector(`[data-state=${wanted}]`, { timeout: 20_000 });

test('works from any host, and without one', async () => {
  const server = await serve(site, { isolated: false });
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  let loads = 0;
  page.on('load', () => loads++);
  await page.goto(server.url);
  await page.waitForFunction(() => crossOriginIsolated && !('boot' in document.documentElement.dataset));
  await inState(page, 'training');
  expect(loads).toBe(2);
  await expect.poll(() => page.locator('#offline').textContent()).toBe('Kept for when there is no network.');
  server.close();
  await page.reload();
  await inState(page, 'training');
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await page.getByLabel('Full speed').check();
  await inState(page, 'done');
  // Workers are under the same policy: what is not the page's own is refused.
  const refused = await page.evaluate(async () => {
    const answer = await fetch('worker.js');
    const policy = answer.headers.get('content-security-policy');
    return [
      policy,
      await fetch('https://example.com/').then(
        () => 'sent',
        () => 'refused',
      ),
    ];
  });
  expect(refused).toEqual([expect.stringContaining("default-src 'self'"), 'refused']);
  expect(complaints.filter((text) => !text.includes('example.com'))).toEqual([]);
  await context.close();
});

test('a newer version waits until it is asked for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmgrad-site-'));
  cpSync(site, folder, { recursive: true });
  const server = await serve(folder, { isolated: false });
  const context = await browser.newContext();
  const page = await context.newPage();
  try {
    await page.goto(server.url);
    await page.waitForFunction(() => crossOriginIsolated);
    await expect.poll(() => page.locator('#offline').textContent()).toBe('Kept for when there is no network.');
    await inState(page, 'training');
    const worker = join(folder, 'service-worker.js');
    writeFileSync(worker, readFileSync(worker, 'utf8').replaceAll(/wasmgrad-[0-9a-f]{12}/g, 'wasmgrad-newer'));
    await page.evaluate(async () => void (await (await navigator.serviceWorker.getRegistration())!.update()));
    const button = page.getByRole('button', { name: 'Load it' });
    await button.waitFor();
    // Nobody asked yet: the page trains on, and the old one is in charge.
    expect(await page.evaluate(() => caches.keys())).toEqual([expect.stringMatching(/^wasmgrad-[0-9a-f]{12}$/)]);
    await Promise.all([page.waitForEvent('load'), button.click()]);
    await inState(page, 'training');
    await expect.poll(() => page.evaluate(() => caches.keys())).toEqual(['wasmgrad-newer']);
  } finally {
    await context.close();
    server.close();
    rmSync(folder, { recursive: true });
  }
});
