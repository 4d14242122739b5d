// Vitest's browser provider for browsers that the system has: starts one on the address that it should open, and ends it.
//   firefox: Debian's firefox-esr          webkit: Debian's webkit2gtk-driver (for its MiniBrowser) and xvfb
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineBrowserProvider } from '@vitest/browser';

/** What to start, given the page's address and a fresh folder for its profile. */
const commands = {
  firefox: (url, profile) => {
    // Headless Firefox asks nothing of the user, but of its makers' servers.
    writeFileSync(
      join(profile, 'user.js'),
      [
        'user_pref("app.update.enabled", false);',
        'user_pref("browser.aboutwelcome.enabled", false);',
        'user_pref("browser.safebrowsing.malware.enabled", false);',
        'user_pref("browser.safebrowsing.phishing.enabled", false);',
        'user_pref("datareporting.policy.dataSubmissionEnabled", false);',
        'user_pref("intl.accept_languages", "en-US");',
        'user_pref("network.captive-portal-service.enabled", false);',
        'user_pref("network.connectivity-service.enabled", false);',
        'user_pref("services.settings.server", "data:,");',
      ].join('\n'),
    );
    return { command: 'firefox-esr', args: ['--headless', '--no-remote', '--profile', profile, url], env: {} };
  },
  webkit: (url, profile) => ({
    command: 'xvfb-run',
    args: ['--auto-servernum', '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser', '--private', url],
    env: {
      JSC_useSharedArrayBuffer: '1',
      // Its sandbox refuses to run as root.
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
      XDG_RUNTIME_DIR: profile,
    },
  }),
};

class SystemBrowser {
  name = 'system';
  supportsParallelism = false;
  running = [];

  constructor(browser) {
    this.browser = browser;
  }

  getCommandsContext() {
    return {};
  }

  async openPage(_session, url) {
    const profile = mkdtempSync(join(tmpdir(), 'wasmgrad-browser-'));
    const { command, args, env } = commands[this.browser](url, profile);
    // Its own process group, since the browser is many processes, some behind a wrapper.
    const child = spawn(command, args, {
      detached: true,
      stdio: 'ignore',
      env: { ...process.env, LC_ALL: 'en_US.UTF-8', ...env },
    });
    this.running.push({ child, profile });
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  }

  async close() {
    for (const { child, profile } of this.running.splice(0)) {
      const ended = child.exitCode ?? new Promise((resolve) => child.once('exit', resolve));
      try {
        process.kill(-child.pid);
      } catch {
        // It has ended by itself.
      }
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    }
  }
}

export const systemBrowser = () =>
  defineBrowserProvider({
    name: 'system',
    options: {},
    providerFactory: (project) => new SystemBrowser(project.config.browser.name),
  });
