/** Modules that the build makes: see tools/virtual-modules.mjs. */

declare module 'core:f32' {
  /** The f32 core's wasm, as text. */
  const text: string;
  export default text;
}

declare module 'core:f64' {
  /** The f64 core's wasm, as text. */
  const text: string;
  export default text;
}

declare module 'core:fast' {
  /** The f32 core's wasm with relaxed SIMD, as text. */
  const text: string;
  export default text;
}

declare module 'extension:f32' {
  /** The wasm of the f32 core's extension, as text. */
  const text: string;
  export default text;
}

declare module 'extension:f64' {
  const text: string;
  export default text;
}

declare module 'extension:fast' {
  const text: string;
  export default text;
}

declare module 'worker:source' {
  /** The training worker as the text of one classic script. */
  const text: string;
  export default text;
}

// comlink ships this module's types under a name that does not lead to it.
declare module 'comlink/dist/esm/node-adapter.mjs' {
  export default function nodeEndpoint(worker: object): import('comlink').Endpoint;
}
