// A training whose weights must come out the same, to the last bit, wherever it runs: in a browser, bundled or not,
// in Node, Deno and Bun, on any number of threads. Plain JavaScript, because the runtimes run it as it stands.
import { accuracy, crossEntropy, manualSeed, nn, optim, resume, tensor, train } from 'wasmgrad';
import { hashOf } from './hash.js';

export { hashOf };

/** The SHA-256 of those weights. It may change only where the library means to change its bits. */
export const expected = 'cb84d56b3744b4398367dfcc11690c437e1155dd5a9224457eb0beeb95b851cd';

const FEATURES = 200;
const CLASSES = 5;

/** The largest of the first few features is the class. Integers and one division: Math.sin differs between engines. */
function examples(n) {
  let state = 1;
  const draw = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const x = Float32Array.from({ length: n * FEATURES }, draw);
  const y = Int32Array.from({ length: n }, (_, i) => {
    const row = x.subarray(i * FEATURES, i * FEATURES + CLASSES);
    return row.indexOf(Math.max(...row));
  });
  return { x: tensor(x, { shape: [n, FEATURES] }), y: tensor(y, { shape: [n] }) };
}

const makeModel = () =>
  new nn.Sequential(new nn.Linear(FEATURES, 512), new nn.Tanh(), new nn.Dropout(0.1), new nn.Linear(512, CLASSES));

/** The start of the known training; `options` are those of `train` that must not matter. */
export function startKnown(options = {}) {
  manualSeed(7);
  const model = makeModel();
  const run = train({
    model,
    loss: crossEntropy,
    optimizer: new optim.Adam(model.parameters(), { lr: 1e-2 }),
    data: examples(500),
    validation: 0.2,
    epochs: 6,
    batchSize: 48,
    seed: 3,
    schedule: optim.lr.cosine({ tMax: 6 }),
    clipNorm: 1,
    metrics: { accuracy },
    ...options,
  });
  return { model, run };
}

/** The known training, from a checkpoint on. */
export async function resumeKnown(from, options) {
  const model = makeModel();
  const run = await resume(from, { model, data: examples(500), ...options });
  await run.done;
  return hashOf(model);
}

export async function trainKnown(options) {
  const { model, run } = startKnown(options);
  await run.done;
  return hashOf(model);
}
