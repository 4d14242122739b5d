// Pictures of the web page: `node tools/screenshots.mjs folder`, wide and narrow, light and dark, under way and done.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildWeb, site } from './build-web.mjs';
import { launchChromium } from './chromium.mjs';
import { serve } from './serve.mjs';

const [folder = join(site, '..', 'screenshots')] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
await buildWeb();
const server = await serve(site);
const browser = await launchChromium();
for (const [size, width, height] of [
  ['wide', 1440, 900],
  ['narrow', 390, 844],
]) {
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme });
    page.on('console', (message) => console.error(message.text()));
    page.on('pageerror', (error) => console.error(error));
    const shoot = (moment) =>
      page.screenshot({ path: join(folder, `${size}-${colorScheme}-${moment}.png`), fullPage: true });
    await page.goto(server.url);
    await page.waitForFunction(() => Number(document.documentElement.dataset.loss) < 1);
    await shoot('training');
    await page.getByLabel('Full speed').check();
    await page.waitForSelector('[data-state=done]');
    await shoot('done');
    await page.close();
  }
}
await browser.close();
server.close();
console.log(folder);
