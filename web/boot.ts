// Before anything is painted: brings the service worker in, and, where the host does not isolate the page, loads it once more through it.

const RELOADED = 'wasmgrad reloaded';
/** A page that nothing comes of is shown as it is. */
const PATIENCE_MS = 3000;

const { dataset } = document.documentElement;

async function boot(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  const { serviceWorker } = navigator;
  const registration = await serviceWorker.register('service-worker.js');
  if (crossOriginIsolated || sessionStorage.getItem(RELOADED)) return;
  sessionStorage.setItem(RELOADED, 'yes');
  if (!serviceWorker.controller) {
    await new Promise((resolve) => {
      serviceWorker.addEventListener('controllerchange', resolve, { once: true });
    });
  }
  // Not before it can answer: Firefox would load the page past it.
  await registration.update().catch(() => {});
  location.reload();
  await new Promise(() => {});
}

dataset.boot = 'pending';
const shown = () => {
  delete dataset.boot;
};
setTimeout(shown, PATIENCE_MS);
// A private window, or a policy, may forbid service workers: the page works without.
boot().then(shown, shown);
