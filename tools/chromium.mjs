// A headless Chromium out of npm: it needs no package of the system and downloads nothing. $CHROMIUM_PATH overrides it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright';
import { cache, root } from './stamp.mjs';

const args = [
  '--no-sandbox', // Chromium's own refuses to run as root
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
];

/** Where @sparticuz/chromium is unpacked: its binary, fonts and the shared libraries that a bare system lacks. */
function unpack() {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const folder = join(cache, `chromium-${devDependencies['@sparticuz/chromium']}`);
  if (existsSync(folder)) return folder;
  const temporary = `${folder}.${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  // It unpacks into the folder for temporary files, and its libraries only where it believes to run on Amazon's Linux.
  const env = { ...process.env, TMPDIR: temporary, AWS_LAMBDA_JS_RUNTIME: 'nodejs20.x' };
  const script = `await (await import('@sparticuz/chromium')).default.executablePath()`;
  execFileSync(process.execPath, ['--input-type=module', '--eval', script], { cwd: root, env });
  try {
    renameSync(temporary, folder);
  } catch (error) {
    // Another process was faster.
    if (!existsSync(folder)) throw error;
    rmSync(temporary, { recursive: true });
  }
  return folder;
}

const lacksLibraries = (binary) => execFileSync('ldd', [binary], { encoding: 'utf8' }).includes('not found');

/** Playwright's launch options. */
export function launchOptions() {
  // Under the C locale Chromium calls its language en-US@posix, which Intl refuses.
  const env = { ...process.env, LC_ALL: 'en_US.UTF-8' };
  if (process.env.CHROMIUM_PATH) return { executablePath: process.env.CHROMIUM_PATH, args, env };
  const folder = unpack();
  const executablePath = join(folder, 'chromium');
  if (lacksLibraries(executablePath)) {
    env.LD_LIBRARY_PATH = [join(folder, 'al2023/lib'), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  }
  if (!existsSync('/etc/fonts')) env.FONTCONFIG_PATH = join(folder, 'fonts');
  return { executablePath, args, env };
}

/** Playwright's Browser. Close it. */
export const launchChromium = () => chromium.launch(launchOptions());
