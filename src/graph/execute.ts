import coreF32 from 'core:f32';
import type { Cell } from '../cell';
import { registerText } from '../machine/cores';
import { Machine } from '../machine/machine';
import type { Aval } from '../shape';
import { type Operand, Tensor } from '../tensor';
import { type Graph, makeNode, type Node, type Origin, type Value } from './graph';
import { type Lowered, lower } from './lower';
import type { Op, Options } from './op';
import { writeOptions } from './passes';

let machine: Machine | null = null;

/** The machine of this realm: built at the first value that is computed. */
export function theMachine(): Machine {
  if (!machine) {
    registerText('f32', 'core', coreF32);
    machine = new Machine();
  }
  return machine;
}

/** Bytes of linear memory in use now, at most so far, and at most ever. */
export function memory(): { live: number; peak: number; limit: number } {
  const { live, peak, limit } = theMachine().memory;
  return { live, peak, limit };
}

/** Programs of single ops, the latest used last. */
const eager = new Map<string, Lowered>();
const EAGER_PROGRAMS = 256;

/** Computes one op now: as a program of its own, so that eager and compiled give the same bits. */
export function runEager(op: Op, inputs: Operand[], avals: Aval[], options: Options, outputs: Aval[]): Tensor[] {
  const kinds = inputs.map((input, i) => {
    const { shape, dtype } = avals[i]!;
    return typeof input === 'number' ? `${Object.is(input, -0) ? '-0' : input}${dtype}` : `${dtype}[${shape}]`;
  });
  const key = `${op.name}(${kinds})${writeOptions(options)}`;
  let lowered = eager.get(key);
  if (lowered) eager.delete(key);
  else lowered = lower(graphOf(op, inputs, avals, options, outputs));
  eager.set(key, lowered);
  if (eager.size > EAGER_PROGRAMS) eager.delete(eager.keys().next().value!);
  return run(
    lowered,
    inputs.filter((input): input is Tensor => typeof input !== 'number'),
  );
}

function graphOf(op: Op, inputs: Operand[], avals: Aval[], options: Options, outputs: Aval[]): Graph {
  let id = 0;
  const node = (origin: Origin, types: Aval[]): Node => makeNode(id++, origin, types);
  const values = inputs.map(
    (input, i) =>
      node(typeof input === 'number' ? { kind: 'number', value: input } : { kind: 'argument' }, [avals[i]!])
        .outputs[0] as Value,
  );
  const result = node({ kind: 'op', op, inputs: values, options }, outputs);
  return {
    arguments: values.filter((value) => value.node.origin.kind === 'argument'),
    outputs: result.outputs,
    updates: new Map(),
  };
}

/** Runs a program once and frees it. */
export function run({ program, cells }: Lowered, inputs: Tensor[]): Tensor[] {
  const loaded = theMachine().load(
    program,
    cells.map((cell: Cell) => cell.storage),
  );
  try {
    loaded.run(() => {
      inputs.forEach((input, i) => {
        loaded.input(i).set(input.values());
      });
    });
    return program.outputs.map((place, i) => new Tensor(place.shape, place.dtype, loaded.output(i)));
  } finally {
    loaded.unload();
  }
}

/** Runs a graph once: lowered, executed and freed. */
export function runGraph(graph: Graph, inputs: Tensor[] = []): Tensor[] {
  return run(lower(graph), inputs);
}
