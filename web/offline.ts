// What the page says to its service worker.

/** Keeps all of this version for when there is no network. Resolves to whether it could. */
export async function keepOffline(): Promise<boolean> {
  if (!navigator.serviceWorker?.controller) return false;
  const { port1, port2 } = new MessageChannel();
  const kept = new Promise<boolean>((resolve) => {
    port1.onmessage = () => resolve(true);
  });
  navigator.serviceWorker.controller.postMessage('keep', [port2]);
  return kept;
}

/** Calls `offer` when a newer version waits, with what puts it in place: the page is loaded again. */
export async function onUpdate(offer: (update: () => void) => void): Promise<void> {
  const registration = await navigator.serviceWorker?.getRegistration();
  if (!registration) return;
  const look = () => {
    const { waiting } = registration;
    if (!waiting || !navigator.serviceWorker.controller) return;
    offer(() => {
      navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
      waiting.postMessage('take over');
    });
  };
  look();
  registration.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', look);
  });
}
