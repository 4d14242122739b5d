import { defineConfig, mergeConfig } from 'vitest/config';
import { shared } from '../vitest.config.ts';
import { systemBrowser } from './system-browsers.mjs';

/** The browser tests again, in Firefox and WebKitGTK: `npm run test:browsers`. */
export default mergeConfig(
  shared,
  defineConfig({
    root: `${import.meta.dirname}/..`,
    test: {
      include: ['test/browser/**/*.test.ts'],
      globalSetup: ['test/browser/begun-in-node.ts'],
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        connectTimeout: 120_000,
        provider: systemBrowser(),
        instances: [{ browser: 'firefox' }, { browser: 'webkit' }],
      },
    },
  }),
);
