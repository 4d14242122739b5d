// Serves a folder on localhost, cross-origin isolated or not; as a script, the web page: `node tools/serve.mjs [port]`.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.wasm': 'application/wasm',
};

const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/** Resolves with `{ url, close }` once it listens. Port 0 takes any that is free; `headers` go with every answer. */
export async function serve(folder, { port = 0, isolated = true, headers = {} } = {}) {
  const server = createServer(({ url }, response) => {
    const path = decodeURIComponent(new URL(url, 'http://localhost').pathname);
    // An absolute path's `..` stops at its root: normalised before joining, it cannot leave the folder.
    const file = join(folder, normalize(path.endsWith('/') ? `${path}index.html` : path));
    const found = statSync(file, { throwIfNoEntry: false })?.isFile();
    response.writeHead(found ? 200 : 404, {
      'content-type': found ? (types[extname(file)] ?? 'application/octet-stream') : 'text/plain',
      'cache-control': 'no-cache',
      ...(isolated && isolation),
      ...headers,
    });
    if (found) createReadStream(file).pipe(response);
    else response.end(`${path} is not here\n`);
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return {
    url: `http://localhost:${server.address().port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const { buildWeb, site } = await import('./build-web.mjs');
  await buildWeb();
  const { url } = await serve(site, { port: Number(process.argv[2] ?? 8080) });
  console.log(url);
}
