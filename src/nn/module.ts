import { Cell } from '../cell';
import type { DType, TypedArray } from '../dtype';
import { ShapeError, ValueError } from '../errors';
import { activeTrace, Trace } from '../graph/trace';
import { type Shape, sameShape, show } from '../shape';
import { Tensor, tensor } from '../tensor';

/** A cell that an optimizer may change: weights and biases. */
export class Parameter extends Cell {}

/** Tensors by name: `Module.stateDict`. */
export type StateDict = Record<string, Tensor>;

/** What can be loaded: tensors, or what a file of them holds. */
export type StoredState = Record<string, Tensor | { shape: Shape; dtype: DType; data: TypedArray }>;

export interface LoadOptions {
  /** Every name of the module must be in the dictionary, and no other. */
  strict?: boolean;
  /** The module's name for a name of the dictionary. */
  rename?: (name: string) => string;
}

/**
 * A piece of a network: parameters, buffers and other modules as plain fields, and `forward`. Names follow the fields, as in
 * PyTorch: `fc.weight`, `layers.0.bias`.
 *
 *     class Net extends nn.Module {
 *       fc = new nn.Linear(4, 2);
 *       forward(x: Tensor) { return this.fc.forward(x).relu(); }
 *     }
 */
export abstract class Module {
  #training = true;

  // biome-ignore lint/suspicious/noExplicitAny: a module of the user's own may take any inputs
  abstract forward(...inputs: any[]): any;

  /** Whether the module is in training mode. A traced program remembers what it saw, and is traced again when it changes. */
  get training(): boolean {
    activeTrace()?.observe(this, this.#training);
    return this.#training;
  }

  /** Switches this module and all in it to training mode, or to evaluation. */
  train(mode = true): this {
    this.#training = mode;
    for (const [, child] of this.namedChildren()) child.train(mode);
    return this;
  }

  /** Switches to evaluation: dropout passes everything, running statistics are used. */
  eval(): this {
    return this.train(false);
  }

  /** The fields that make up the module, by name. Sequential names its layers by number. */
  protected fields(): [string, unknown][] {
    return Object.entries(this);
  }

  /** The modules directly inside. */
  namedChildren(): [string, Module][] {
    return members(this.fields()).filter((entry): entry is [string, Module] => entry[1] instanceof Module);
  }

  /** Every cell by name: parameters and buffers. */
  namedCells(prefix = ''): [string, Cell][] {
    return members(this.fields()).flatMap(([name, member]) =>
      member instanceof Cell ? [[prefix + name, member] as [string, Cell]] : member.namedCells(`${prefix}${name}.`),
    );
  }

  /** Every parameter by name; one that is used in two places comes once, under its first name. */
  namedParameters(): [string, Parameter][] {
    const seen = new Set<Cell>();
    return this.namedCells().filter((entry): entry is [string, Parameter] => {
      const fresh = entry[1] instanceof Parameter && !seen.has(entry[1]);
      seen.add(entry[1]);
      return fresh;
    });
  }

  /** What an optimizer takes. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /** A copy of every parameter and buffer, by name. */
  stateDict(): StateDict {
    return Object.fromEntries(this.namedCells().map(([name, cell]) => [name, tensor(cell)]));
  }

  /**
   * Sets parameters and buffers from a dictionary: all of them, or none where anything does not fit. Throws a ValueError for
   * missing or unknown names unless `strict` is false, a ShapeError for other shapes.
   */
  loadStateDict(state: StoredState, { strict = true, rename = (name) => name }: LoadOptions = {}): void {
    const given = new Map(
      Object.entries(state).map(([name, value]) => [
        rename(name),
        value instanceof Tensor ? value : new Tensor(value.shape, value.dtype, value.data),
      ]),
    );
    const own = new Map(this.namedCells());
    const missing = [...own.keys()].filter((name) => !given.has(name));
    const unknown = [...given.keys()].filter((name) => !own.has(name));
    if (strict && missing.length + unknown.length > 0) {
      const parts = [
        missing.length ? `the dictionary lacks ${missing.join(', ')}` : '',
        unknown.length ? `the module has no ${unknown.join(', ')}` : '',
      ];
      throw new ValueError(`${parts.filter(Boolean).join('; ')}.`, {
        op: 'loadStateDict',
        argument: 'state',
        got: [...given.keys()],
        expected: [...own.keys()],
      });
    }
    const pairs = [...own]
      .filter(([name]) => given.has(name))
      .map(([name, cell]) => ({ name, cell, value: given.get(name)! }));
    for (const { name, cell, value } of pairs) {
      if (!sameShape(cell.shape, value.shape) || cell.dtype !== value.dtype) {
        throw new ShapeError(
          `${name} is ${cell.dtype}${show(cell.shape)} in the module and ${value.dtype}${show(value.shape)} in the dictionary.`,
          { op: 'loadStateDict', argument: name, got: value.shape, expected: cell.shape },
        );
      }
    }
    for (const { cell, value } of pairs) cell.write(value);
  }

  /**
   * A table of the layers: what each is, the shape that it gives for an input of `inputShape` (batch included), and its
   * parameters: Σ nₗ(nₗ₋₁ + 1) for a network of dense layers.
   */
  summary(inputShape: Shape, { dtype = this.parameters()[0]?.dtype ?? 'f32' }: { dtype?: DType } = {}): string {
    const shapes = new Map<Module, Shape>();
    const trace = new Trace();
    const restore: (() => void)[] = [];
    const watch = (module: Module) => {
      const { forward } = module;
      const own = Object.hasOwn(module, 'forward');
      module.forward = (...inputs: unknown[]) => {
        const result = forward.apply(module, inputs);
        if (result instanceof Tensor) shapes.set(module, result.shape);
        return result;
      };
      restore.push(() => {
        if (own) module.forward = forward;
        else delete (module as { forward?: unknown }).forward;
      });
      for (const [, child] of module.namedChildren()) watch(child);
    };
    watch(this);
    try {
      trace.record(() => this.forward(trace.argument({ shape: inputShape, dtype })));
    } finally {
      for (const undo of restore) undo();
    }
    const rows = [
      ['layer', 'output', 'parameters'],
      ['input', show(inputShape), ''],
    ];
    const list = (name: string, module: Module) => {
      const count = module.parameters().reduce((total, { size }) => total + size, 0);
      const children = module.namedChildren();
      const shape = shapes.get(module);
      if (children.length === 0)
        rows.push([`${name} ${module.constructor.name}`.trim(), shape ? show(shape) : '', String(count)]);
      for (const [child, inner] of children) list(name ? `${name}.${child}` : child, inner);
    };
    list('', this);
    const total = this.parameters().reduce((sum, { size }) => sum + size, 0);
    rows.push(['total', '', String(total)]);
    const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
    const lines = rows.map(
      ([layer, shape, count]) =>
        `${layer!.padEnd(widths[0]!)}  ${shape!.padEnd(widths[1]!)}  ${count!.padStart(widths[2]!)}`,
    );
    const rule = '─'.repeat(lines[0]!.length);
    return [lines[0], rule, ...lines.slice(1, -1), rule, lines.at(-1)].join('\n');
  }
}

/** Cells and modules among fields, those in arrays by number. */
function members(fields: [string, unknown][]): [string, Cell | Module][] {
  return fields.flatMap(([name, value]): [string, Cell | Module][] => {
    if (value instanceof Cell || value instanceof Module) return [[name, value]];
    if (Array.isArray(value)) return members(value.map((one, i) => [`${name}.${i}`, one]));
    return [];
  });
}

/** Modules one after another; named 0, 1, 2, … */
export class Sequential extends Module {
  readonly layers: readonly Module[];

  constructor(...layers: Module[]) {
    super();
    this.layers = layers;
  }

  protected override fields(): [string, unknown][] {
    return this.layers.map((layer, i) => [String(i), layer]);
  }

  override forward(x: Tensor): Tensor {
    return this.layers.reduce((value, layer) => layer.forward(value), x);
  }
}
