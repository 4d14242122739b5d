import { Cell } from '../cell';
import { isReal } from '../dtype';
import { ShapeError, TraceError, ValueError } from '../errors';
import { run, runGraph } from '../graph/execute';
import type { Value } from '../graph/graph';
import { lower } from '../graph/lower';
import { activeTrace, symbol, Trace } from '../graph/trace';
import { aliasOp } from '../ops/movement';
import { sameShape, show } from '../shape';
import { Tensor } from '../tensor';
import { backward, gradientOf } from './gradient';
import { flattenTree } from './tree';

/** What to differentiate with respect to: argument numbers, or cells such as `model.parameters()`. */
export interface GradOptions {
  wrt?: number | readonly number[] | readonly Cell[];
}

type Gradients<O> = O extends { wrt: readonly unknown[] } ? Tensor[] : Tensor;
// biome-ignore lint/suspicious/noExplicitAny: any function of tensors may be differentiated
type AnyFunction = (...args: any[]) => unknown;

/** Runs `f` in the active trace, or in one of its own that is then executed at once. */
export function inTrace<T>(f: (trace: Trace) => T): T {
  const outer = activeTrace();
  if (outer) return f(outer);
  const trace = new Trace();
  const { leaves, rebuild } = flattenTree(trace.record(() => f(trace)));
  return rebuild(runGraph(trace.close(leaves)));
}

/**
 * Calls `f` with its arguments (or cells) renamed, so that only uses as this function's argument count: what `f` captured
 * stays constant, also where it is the same value (no perturbation confusion).
 */
function callRenamed(trace: Trace, f: AnyFunction, args: unknown[], wrt: GradOptions['wrt']) {
  const renamed = [...args];
  const values: Value[] = [];
  const cells = Array.isArray(wrt) && wrt.some((one) => one instanceof Cell) ? (wrt as readonly Cell[]) : [];
  const restore: (() => void)[] = [];
  const rename = (tensor: Tensor): Tensor => {
    // Through `append`, since a captured tensor alone would be computed ahead of the trace.
    const name = trace.append(aliasOp, [tensor], [tensor], {}, [tensor])[0]!;
    values.push(trace.valueOf(name, 'grad'));
    return name;
  };
  for (const cell of cells) {
    const before = trace.read(cell);
    const name = trace.valueOf(rename(cell), 'grad');
    trace.write(cell, name);
    restore.push(() => {
      if (trace.read(cell) === name) trace.write(cell, before);
    });
  }
  if (cells.length === 0) {
    for (const at of typeof wrt === 'number' ? [wrt] : ((wrt ?? [0]) as readonly number[])) {
      const argument = args[at];
      if (!(argument instanceof Tensor)) {
        throw new ValueError(`wrt names argument ${at}, which is no tensor: ${typeof argument}.`, {
          op: 'grad',
          argument: 'wrt',
          got: at,
          expected: args.length,
        });
      }
      renamed[at] = rename(argument);
    }
  }
  const result = f(...renamed);
  for (const undo of restore) undo();
  return { result, values };
}

function scalarResult(result: unknown): Tensor {
  if (result instanceof Tensor) return result;
  throw new TraceError(`the function must return one tensor of rank 0; it returned ${typeof result}.`, {
    op: 'grad',
    code: 'NOT_DIFFERENTIABLE',
    got: typeof result,
  });
}

/**
 * A function that returns both f's value, a real tensor of rank 0, and its gradients: a list where `wrt` is a list, else
 * one tensor. Gradients have gradients: the result may be differentiated again.
 */
export function valueAndGrad<F extends AnyFunction, const O extends GradOptions>(
  f: F,
  options: O = {} as O,
): (...args: Parameters<F>) => { value: Tensor; grads: Gradients<O> } {
  const { wrt } = options;
  return (...args) =>
    inTrace((trace) => {
      const { result, values } = callRenamed(trace, f, args, wrt);
      const whole = values.find((value) => !isReal(value.dtype));
      if (whole) {
        throw new TraceError(`only a real tensor has a gradient; wrt names one of dtype ${whole.dtype}.`, {
          op: 'grad',
          code: 'NOT_DIFFERENTIABLE',
          argument: 'wrt',
          got: whole.dtype,
          expected: 'f32, f64',
        });
      }
      const output = trace.valueOf(scalarResult(result), 'grad');
      const grads = gradientOf(trace, output, values);
      return { value: symbol(output), grads: (Array.isArray(wrt) ? grads : grads[0]!) as Gradients<O> };
    });
}

/** A function that returns the gradient of f, by default with respect to its first argument. See `valueAndGrad`. */
export function grad<F extends AnyFunction, const O extends GradOptions>(
  f: F,
  options: O = {} as O,
): (...args: Parameters<F>) => Gradients<O> {
  const both = valueAndGrad(f, options);
  return (...args) => both(...args).grads;
}

/**
 * f's value at some arguments, of any shape, and the pullback: cotangent of the value → cotangents of the arguments
 * (one tensor where there is one argument). The pullback may be called several times; outside a trace it computes f again,
 * from the state of cells and generators that f saw.
 */
export function vjp<F extends (...args: Tensor[]) => Tensor>(f: F) {
  return (...args: Parameters<F>): { value: Tensor; pullback: (cotangent: Tensor) => Tensor | Tensor[] } => {
    const outer = activeTrace();
    const trace = outer ?? new Trace();
    const { output, values } = trace.record(() => {
      const { result, values } = callRenamed(
        trace,
        f,
        args,
        args.map((_, i) => i),
      );
      return { output: trace.valueOf(scalarResult(result), 'vjp'), values };
    });
    const pull = (cotangent: Tensor): Tensor[] => {
      checkCotangent(output, cotangent);
      return trace.record(() => backward(trace, [output], [cotangent], values));
    };
    const only = (grads: Tensor[]) => (args.length === 1 ? grads[0]! : grads);
    if (outer) return { value: symbol(output), pullback: (cotangent) => only(pull(cotangent)) };
    const lowered = lower(trace.close([symbol(output)]));
    const freeze = trace.snapshot();
    const value = run(lowered, [])[0]!;
    freeze();
    return {
      value,
      pullback: (cotangent) => {
        const outputs = pull(cotangent).map((grad) => trace.valueOf(grad, 'vjp'));
        return only(runGraph({ arguments: [], outputs, updates: new Map() }));
      },
    };
  };
}

function checkCotangent(output: Value, cotangent: Tensor): void {
  if (sameShape(output.shape, cotangent.shape) && output.dtype === cotangent.dtype) return;
  throw new ShapeError(
    `the cotangent must be like the value, ${output.dtype}${show(output.shape)}; got ${cotangent.dtype}${show(cotangent.shape)}.`,
    { op: 'vjp', argument: 'cotangent', got: cotangent.shape, expected: output.shape },
  );
}
