import { deserializeError, ValueError } from '../errors';
import type { Module } from '../nn/module';
import { sizeOf } from '../shape';
import { Tensor } from '../tensor';
import { BundleBuilder, chooseThreads } from './bundle';
import { connect } from './connection';
import { type ArrayLikeData, batchAval, type LabelledData, toArray, toRows } from './data';
import type { Metric } from './metrics';
import type { BatchPrograms, Computed, WorkerApi } from './protocol';
import { addEvaluation, inMode, type Loss } from './step';

export interface EvaluateOptions {
  model: Module;
  data: LabelledData;
  loss?: Loss;
  metrics?: Record<string, Metric>;
  batchSize?: number;
  threads?: number | 'auto';
  worker?: () => Worker;
}

/** The mean of the loss and of each metric over all examples, computed in a worker in evaluation mode. */
export async function evaluate(options: EvaluateOptions): Promise<Record<string, number>> {
  const { model, data, loss, metrics = {}, batchSize = 256 } = options;
  const functions: Record<string, Metric> = { ...(loss ? { loss } : {}), ...metrics };
  const names = Object.keys(functions);
  if (names.length === 0) {
    throw new ValueError('there is nothing to compute: pass a loss, or metrics.', {
      op: 'evaluate',
      argument: 'metrics',
    });
  }
  const rows = toRows(data, 'evaluate');
  const builder = new BundleBuilder();
  const programs = addEvaluation(builder, model, functions, data, rows, batchSize);
  const values = await compute(builder, options, (worker, bundle) =>
    worker.evaluate(bundle, rows, programs, batchSize),
  );
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
}

export interface PredictOptions {
  batchSize?: number;
  threads?: number | 'auto';
  worker?: () => Worker;
}

/** What the model makes of x [N, …], computed in a worker in evaluation mode: [N, …]. */
export async function predict(model: Module, x: ArrayLikeData, options: PredictOptions = {}): Promise<Tensor> {
  const { batchSize = 256 } = options;
  const array = toArray(x);
  const n = array.shape[0] ?? 0;
  const builder = new BundleBuilder();
  let kind = { shape: [] as readonly number[], dtype: 'f32' as Tensor['dtype'] };
  const add = (size: number) =>
    inMode(model, false, () =>
      builder.add([batchAval(x, size)], (batch) => {
        const prediction = model.forward(batch!) as Tensor;
        kind = { shape: prediction.shape.slice(1), dtype: prediction.dtype };
        return [prediction];
      }),
    );
  const programs: BatchPrograms = {
    full: n >= batchSize || n === 0 ? add(batchSize) : -1,
    tail: n % batchSize ? add(n % batchSize) : -1,
  };
  if (n === 0) return new Tensor([0, ...kind.shape], kind.dtype, new Float32Array(0));
  const values = await compute(builder, options, (worker, bundle) =>
    worker.predict(bundle, array, programs, batchSize),
  );
  return new Tensor([values.length / sizeOf(kind.shape), ...kind.shape], kind.dtype, values);
}

async function compute(
  builder: BundleBuilder,
  { threads = 'auto', worker: create }: PredictOptions,
  call: (
    worker: Pick<WorkerApi, 'evaluate' | 'predict'>,
    bundle: ReturnType<BundleBuilder['bundle']>,
  ) => Promise<Computed>,
) {
  const connection = connect(create);
  try {
    const bundle = builder.bundle(chooseThreads(threads, builder.threads));
    const result = await connection.race(call(connection.worker as never, bundle));
    if ('error' in result && result.error) throw deserializeError(result.error);
    return (result as Extract<Computed, { values: unknown }>).values;
  } finally {
    connection.close();
  }
}
