// What stands between the page and the network: every answer is cross-origin isolated and has the page's policy, whatever the host sends, and what
// belongs to this version is kept, so that the page works without a network. The build writes VERSION and FILES.
/* global VERSION, FILES */

const CACHE = `wasmgrad-${VERSION}`;
const HEADERS = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'content-security-policy':
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'",
};

self.addEventListener('install', () => {
  // The first one takes over at once; a newer one waits until nobody is in the middle of something, and is told to.
  if (!self.registration.active) void self.skipWaiting();
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) {
        if (name.startsWith('wasmgrad-') && name !== CACHE) await caches.delete(name);
      }
      await self.clients.claim();
    })(),
  );
});

self.addEventListener('message', ({ data, ports }) => {
  if (data === 'take over') void self.skipWaiting();
  if (data === 'keep') void keep().then(() => ports[0]?.postMessage('kept'));
});

/** Not at installation: the first visit's own requests come first. */
async function keep() {
  const cache = await caches.open(CACHE);
  const kept = new Set((await cache.keys()).map(({ url }) => url));
  const missing = FILES.filter((file) => !kept.has(new URL(file, self.registration.scope).href));
  await cache.addAll(missing.map((file) => new Request(file, { cache: 'no-cache' })));
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method === 'GET' && request.url.startsWith(self.registration.scope)) event.respondWith(answer(request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  const found = (await cache.match(request, { ignoreSearch: true })) ?? (await fetch(request));
  const headers = new Headers(found.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(found.body, { status: found.status, statusText: found.statusText, headers });
}
