// The built web page in a real Chromium: it trains by itself, tells no lies and no errors, and does as it is told.
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildWeb, site } from '../../tools/build-web.mjs';
import { launchChromium } from '../../tools/chromium.mjs';
import { serve } from '../../tools/serve.mjs';

let browser: Browser;
beforeAll(async () => {
  [browser] = await Promise.all([launchChromium(), buildWeb()]);
});
afterAll(() => browser?.close());

const state = (page: Page) => page.evaluate(() => document.documentElement.dataset.state);
const loss = (page: Page) => page.evaluate(() => Number(document.documentElement.dataset.loss));
const inState = (page: Page, wanted: string) => page.waitForSelector(`[data-state=${wanted}]`, { timeout: 20_000 });
const steps = async (page: Page) => Number.parseInt((await page.locator('#steps').textContent())!.replace(',', ''), 10);
const afterStep = (page: Page, step: number) =>
  expect.poll(() => steps(page), { timeout: 10_000, interval: 20 }).toBeGreaterThanOrEqual(step);
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const percentage = async (page: Page) => Number.parseFloat((await page.locator('#accuracy').textContent())!);

describe.each([
  ['isolated', true],
  ['not isolated', false],
])('%s', (_, isolated) => {
  let server: Awaited<ReturnType<typeof serve>>;
  let page: Page;
  let complaints: string[];
  beforeAll(async () => {
    server = await serve(site, { isolated });
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    // Where there are no service workers nobody isolates it.
    if (!isolated) await page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'serviceWorker'));
    complaints = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(server.url);
    return async () => {
      await page.close();
      expect(complaints).toEqual([]);
    };
  });

  test('starts by itself, and its loss falls', async () => {
    await inState(page, 'training');
    await afterStep(page, 1);
    const first = await loss(page);
    await afterStep(page, 150);
    // However many steps were done when the first look was taken: a network that knows nothing of ten classes has ln 10.
    expect(await loss(page)).toBeLessThan(Math.min(first, 0.6 * Math.log(10)));
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(isolated);
  });

  test('reads more than 95 % of what was held out, at full speed in a moment', async () => {
    await page.getByLabel('Full speed').check();
    await inState(page, 'done');
    expect(await percentage(page)).toBeGreaterThan(95);
    await expect.poll(() => page.getByRole('status').textContent()).toMatch(/^Done: 3\d\d of 359 /);
    expect(await page.locator('#digits [data-right=true]').count()).toBeGreaterThan(25);
    await button(page, 'Train again').click();
    await expect.poll(() => page.getByRole('status').textContent()).toMatch(/, after \d+\.\d\d s of training\.$/);
  });
});

describe('obeys', () => {
  let server: Awaited<ReturnType<typeof serve>>;
  let page: Page;
  beforeAll(async () => {
    server = await serve(site);
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(server.url);
    await afterStep(page, 5);
    return () => page.close();
  });

  /** Pauses, and waits until the steps under way have been drawn. */
  async function pause(): Promise<number> {
    await button(page, 'Pause').click();
    await page.waitForTimeout(150);
    return steps(page);
  }

  test('a pause, and goes on', async () => {
    const paused = await pause();
    expect(await state(page)).toBe('paused');
    await page.waitForTimeout(150);
    expect(await steps(page)).toBe(paused);
    await button(page, 'Go on').click();
    await afterStep(page, paused + 10);
    expect(await state(page)).toBe('training');
  });

  test('one step at a time', async () => {
    const paused = await pause();
    for (const more of [1, 2, 3]) {
      await button(page, 'One step').click();
      await expect.poll(() => steps(page)).toBe(paused + more);
    }
    expect(await state(page)).toBe('paused');
  });

  test('a start over: the same seed takes the same way, to the last bit', async () => {
    const losses: number[] = [];
    for (let round = 0; round < 2; round++) {
      await button(page, 'Start over').click();
      expect(await state(page)).toBe('ready');
      for (let step = 1; step <= 3; step++) {
        await button(page, 'One step').click();
        await expect.poll(() => steps(page)).toBe(step);
      }
      losses.push(await loss(page));
    }
    expect(losses[1]).toBe(losses[0]);
  });

  test('another seed, which is another network', async () => {
    await page.getByLabel('Seed').fill('41');
    await page.getByLabel('Seed').blur();
    await inState(page, 'ready');
    const guesses = await page.locator('#digits').textContent();
    await page.getByLabel('Seed').fill('42');
    await page.getByLabel('Seed').blur();
    await expect.poll(() => page.locator('#digits').textContent()).not.toBe(guesses);
  });
});

test.each([360, 390, 768, 1024, 1920])('fits a window %i pixels wide', async (width) => {
  const server = await serve(site);
  const page = await browser.newPage({ viewport: { width, height: 800 } });
  try {
    await page.goto(server.url);
    await inState(page, 'training');
    const overflowing = await page.evaluate(() =>
      [...document.querySelectorAll('body, body *:not(pre *)')]
        .filter(
          (element) => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline',
        )
        .filter((element) => element.tagName !== 'PRE' && element.clientWidth > 0)
        .map((element) => `${element.tagName} ${element.id} ${element.className}`),
    );
    expect(overflowing).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  } finally {
    await page.close();
    server.close();
  }
});
