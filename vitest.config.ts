import { playwright } from '@vitest/browser-playwright';
import { defineConfig, mergeConfig } from 'vitest/config';
import { launchOptions } from './tools/chromium.mjs';
import { sources, virtualModulesForVite } from './tools/virtual-modules.mjs';

/** What holds in Node and in every browser. */
export const shared = defineConfig({
  plugins: [virtualModulesForVite()],
  cacheDir: '.cache/vite',
  resolve: { alias: sources },
  // Found later, it would reload the page under a running test.
  optimizeDeps: { include: ['comlink'] },
  // A page that is cross-origin isolated has SharedArrayBuffer.
  server: {
    headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
  },
  test: { reporters: ['default', './tools/count-reporter.mjs'], testTimeout: 60_000 },
});

export default mergeConfig(
  shared,
  defineConfig({
    test: {
      projects: [
        {
          extends: true,
          test: { name: 'node', include: ['test/**/*.test.ts'], exclude: ['test/browser/**'] },
        },
        {
          extends: true,
          test: {
            name: 'browser',
            include: ['test/browser/**/*.test.ts'],
            globalSetup: ['test/browser/begun-in-node.ts'],
            browser: {
              enabled: true,
              headless: true,
              screenshotFailures: false,
              provider: playwright({ launchOptions: launchOptions() }),
              instances: [{ browser: 'chromium' }],
            },
          },
        },
      ],
    },
  }),
);
