// What every page of the cold start trains on, and what it says when its first step is finished.

export const images = Float32Array.from({ length: 64 * 784 }, Math.random);
export const digits = Int32Array.from({ length: 64 }, () => Math.trunc(Math.random() * 10));

/** `loss` is a number: the step has been computed. The clock starts with the navigation. */
export function finish(loss) {
  globalThis.firstStep = { loss, seconds: performance.now() / 1e3 };
}
