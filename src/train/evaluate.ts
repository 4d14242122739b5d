import { allocate, type TypedArray } from '../dtype';
import { deserializeError, ValueError } from '../errors';
import type { Module } from '../nn/module';
import { Tensor } from '../tensor';
import { flattenTree } from '../transform/tree';
import { BundleBuilder, chooseThreads } from './bundle';
import { connect } from './connection';
import { batchAvals, type DataTree, type LabelledData, leavesOf, rebuild, toArray, toRows } from './data';
import type { Metric, StatefulMetric } from './metrics';
import type { BatchPrograms, Computed, WorkerApi } from './protocol';
import { countRows, nested } from './rows';
import { addEvaluation, inMode, type Loss, Metrics } from './step';

export interface EvaluateOptions<
  T = Tensor,
  P = Tensor,
  M extends Record<string, Metric<P, T>> = Record<string, Metric<P, T>>,
> {
  model: Module;
  data: LabelledData;
  loss?: Loss<P, T>;
  metrics?: M;
  batchSize?: number;
  threads?: number | 'auto';
  worker?: () => Worker;
}

/** What a metric comes to. */
type Value<M> = M extends StatefulMetric<infer _S, infer V, infer _P, infer _T> ? V : number;

/** The mean of the loss and each metric over all examples, computed in a worker in evaluation mode. */
export async function evaluate<
  T = Tensor,
  P = Tensor,
  M extends Record<string, Metric<P, T>> = Record<string, Metric<P, T>>,
>(options: EvaluateOptions<T, P, M>): Promise<{ [name in keyof M]: Value<M[name]> } & { [name: string]: number }> {
  const { model, data, loss, metrics, batchSize = 256 } = options;
  if (!loss && Object.keys(metrics ?? {}).length === 0) {
    throw new ValueError('there is nothing to compute: pass a loss, or metrics.', {
      op: 'evaluate',
      argument: 'metrics',
    });
  }
  const rows = toRows(data, 'evaluate');
  const builder = new BundleBuilder();
  const own = new Metrics(metrics as Record<string, Metric<never, never>> | undefined);
  const programs = addEvaluation(
    builder,
    model,
    loss as Loss<never, never> | undefined,
    own,
    data,
    countRows(rows),
    batchSize,
  );
  const measures = own.addMeasures(builder);
  const [means, ...measured] = await compute(builder, options, (worker, bundle) =>
    worker.evaluate(bundle, rows, programs, batchSize, measures),
  );
  const numbers = own.means.map((name, i) => [name, means![i]!]);
  const others = measured.map((values, i) => {
    const { shape } = builder.programs[measures!.program]!.program.outputs[i]!;
    return [measures!.names[i]!, shape.length === 0 ? values[0]! : nested(values, shape)];
  });
  return Object.fromEntries([...numbers, ...others]);
}

export interface PredictOptions {
  batchSize?: number;
  threads?: number | 'auto';
  worker?: () => Worker;
}

/** What the model makes of x [N, …], computed in a worker in evaluation mode: [N, …], or whatever tree of such it gives. */
export async function predict<Y = Tensor>(model: Module, x: DataTree, options: PredictOptions = {}): Promise<Y> {
  const { batchSize = 256 } = options;
  const n = toArray(leavesOf(x, 'x')[0]![1]).shape[0] ?? 0;
  const rows = n > 0 ? toRows({ x }, 'predict') : [];
  const builder = new BundleBuilder();
  let kinds: { shape: readonly number[]; dtype: Tensor['dtype'] }[] = [];
  let treeOf: (leaves: Tensor[]) => unknown = () => null;
  const add = (size: number) =>
    inMode(model, false, () =>
      builder.add(batchAvals({ x }, size), (...batch) => {
        const { leaves, rebuild: build } = flattenTree(model.forward(rebuild(x, batch)));
        kinds = leaves.map(({ shape, dtype }) => ({ shape: shape.slice(1), dtype }));
        treeOf = build;
        return leaves;
      }),
    );
  const programs: BatchPrograms = {
    full: n >= batchSize || n === 0 ? add(batchSize) : -1,
    tail: n % batchSize ? add(n % batchSize) : -1,
  };
  const values =
    n === 0
      ? kinds.map(({ dtype }) => allocate(dtype, 0))
      : await compute(builder, options, (worker, bundle) => worker.predict(bundle, rows, programs, batchSize));
  return treeOf(kinds.map(({ shape, dtype }, i) => new Tensor([n, ...shape], dtype, values[i]!))) as Y;
}

async function compute(
  builder: BundleBuilder,
  { threads = 'auto', worker: create }: PredictOptions,
  call: (
    worker: Pick<WorkerApi, 'evaluate' | 'predict'>,
    bundle: ReturnType<BundleBuilder['bundle']>,
  ) => Promise<Computed>,
): Promise<TypedArray[]> {
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
