// Whose code a bundle holds beside ours: their licences ask to travel with it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './stamp.mjs';

export function licencesOf(...packages) {
  const texts = packages.map((name) => {
    const folder = join(root, 'node_modules', name);
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return `${name} ${version}\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8').trim()}\n`;
  });
  return texts.join(`\n${'-'.repeat(72)}\n\n`);
}
