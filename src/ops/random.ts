import { Op, Random, RandomKind } from '../../assembly/isa';
import { Cell } from '../cell';
import { type DType, isReal } from '../dtype';
import { DtypeError, ShapeError, ValueError } from '../errors';
import { defineOp } from '../graph/define-op';
import { cut, double } from '../graph/emitter';
import { activeTrace, assign, type Trace } from '../graph/trace';
import { checkShape, type Shape, show, sizeOf } from '../shape';
import { checkDtype, checkOption, checkReal, type Tensor, tensor } from '../tensor';
import { add, mul } from './elementwise';

/**
 * A stream of random numbers as a cell: seed, stream, position, 0 (all u32). A draw's numbers follow from (seed, stream), the
 * generator's position and the element's place alone: Philox4x32-10, see RANDOM in assembly/isa.ts. Every draw moves the
 * position by one; in a trace a draw's offset is fixed when it is traced, and the program moves the position once.
 */
export class Generator {
  readonly cell: Cell;
  private readonly draws = new WeakMap<Trace, number>();

  constructor(seed: number, stream = 0) {
    this.cell = new Cell(generatorState(seed, stream));
  }

  /** Starts again, from a seed. */
  manualSeed(seed: number): void {
    this.cell.write(generatorState(seed, this.cell.values()[1]! >>> 0));
  }

  /** One draw. @internal */
  draw(options: Omit<DrawOptions, 'draw'>): Tensor {
    const trace = activeTrace();
    if (!trace) {
      const result = randomOp([this.cell], { ...options, draw: 0 })[0]!;
      this.cell.write(tensor(advanced(this.cell.values(), 1)));
      return result;
    }
    const draw = this.draws.get(trace) ?? 0;
    this.draws.set(trace, draw + 1);
    if (draw === 0) {
      trace.onClose(() => {
        const count = this.draws.get(trace)!;
        this.draws.delete(trace);
        assign(this.cell, add(this.cell, tensor(Int32Array.of(0, 0, count, 0))));
      });
    }
    return randomOp([this.cell], { ...options, draw })[0]!;
  }
}

function generatorState(seed: number, stream: number): Tensor {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new ValueError(`seed must be a whole number from 0 to 2³² - 1; got ${seed}.`, {
      op: 'manualSeed',
      argument: 'seed',
      got: seed,
      expected: '0 to 4294967295',
    });
  }
  return tensor(Int32Array.of(seed, stream, 0, 0));
}

function advanced(state: ArrayLike<number>, count: number): Int32Array {
  return Int32Array.of(state[0]!, state[1]!, state[2]! + count, 0);
}

/** The generator of all functions that are given none. */
export const defaultGenerator = new Generator(0);

/** Starts the default generator again; without a call it has started from 0. */
export function manualSeed(seed: number): void {
  defaultGenerator.manualSeed(seed);
}

interface DrawOptions {
  kind: RandomKind;
  shape: Shape;
  dtype: DType;
  low: number;
  high: number;
  /** The draw's offset from the generator's position: part of the node's identity, so that no two draws are merged. */
  draw: number;
}

const randomOp = /* @__PURE__ */ defineOp<DrawOptions>({
  name: 'random',
  version: 1,
  impure: true,
  shape: (_, { shape, dtype }) => [{ shape, dtype }],
  emit: (program, [out], [generator], { kind, low, high, draw }) => {
    const size = sizeOf(out!.shape);
    const { per, chunks } = kind === RandomKind.PERMUTATION ? { per: size, chunks: 1 } : cut(size, 4096);
    program.record(
      Op.RANDOM,
      Random.WORDS,
      {
        [Random.KIND]: kind,
        [Random.SIZE]: size,
        [Random.CHUNK]: Math.ceil(per / 4) * 4,
        [Random.DRAW]: draw,
        ...double(Random.LOW, low),
        ...double(Random.HIGH, high),
        [Random.GENERATOR]: program.read(generator!),
        [Random.DESTINATION]: program.write(out!),
      },
      [out!],
      { chunks: size === 0 ? 0 : chunks },
    );
  },
});

export interface RandomOptions {
  dtype?: DType;
  generator?: Generator;
}

function drawReal(
  op: string,
  kind: RandomKind,
  shape: Shape,
  low: number,
  high: number,
  options: RandomOptions,
): Tensor {
  const { dtype = 'f32', generator = defaultGenerator } = options;
  if (!isReal(checkDtype(op, dtype))) {
    throw new DtypeError(`dtype must be f32 or f64; got ${dtype}.`, { op, argument: 'dtype', got: dtype });
  }
  return generator.draw({ kind, shape: checkShape(op, shape), dtype, low, high });
}

/** Uniform numbers in [0, 1). */
export function rand(shape: Shape, options: RandomOptions = {}): Tensor {
  return drawReal('rand', RandomKind.UNIFORM, shape, 0, 1, options);
}

/** Uniform numbers in [low, high). */
export function uniform(
  shape: Shape,
  { low = 0, high = 1, ...options }: RandomOptions & { low?: number; high?: number } = {},
): Tensor {
  return drawReal('uniform', RandomKind.UNIFORM, shape, low, high, options);
}

/** Standard normal numbers. */
export function randn(shape: Shape, options: RandomOptions = {}): Tensor {
  return drawReal('randn', RandomKind.NORMAL, shape, 0, 1, options);
}

/** Normal numbers. */
export function normal(
  shape: Shape,
  { mean = 0, std = 1, ...options }: RandomOptions & { mean?: number; std?: number } = {},
): Tensor {
  return drawReal('normal', RandomKind.NORMAL, shape, mean, std, options);
}

/** Throws a ValueError unless p is a probability. */
export function checkProbability(op: string, p: number): void {
  checkOption(op, 'p', p, p >= 0 && p <= 1, 'from 0 to 1');
}

/** 1 with probability p, else 0, as real numbers. */
export function bernoulli(shape: Shape, { p = 0.5, ...options }: RandomOptions & { p?: number } = {}): Tensor {
  checkProbability('bernoulli', p);
  return drawReal('bernoulli', RandomKind.BERNOULLI, shape, 0, p, options);
}

/** Whole numbers from low to high - 1, as i32. */
export function randint(
  low: number,
  high: number,
  shape: Shape,
  { generator = defaultGenerator }: RandomOptions = {},
): Tensor {
  if (!Number.isInteger(low) || !Number.isInteger(high) || low >= high || low < -(2 ** 31) || high > 2 ** 31) {
    throw new ValueError(`low must be a whole number below high; got ${low} and ${high}.`, {
      op: 'randint',
      argument: 'low',
      got: low,
      expected: high,
    });
  }
  return generator.draw({ kind: RandomKind.INTEGER, shape: checkShape('randint', shape), dtype: 'i32', low, high });
}

/** 0 … n - 1 in random order, as i32. */
export function randperm(n: number, { generator = defaultGenerator }: RandomOptions = {}): Tensor {
  const shape = checkShape('randperm', [n], 'n');
  return generator.draw({ kind: RandomKind.PERMUTATION, shape, dtype: 'i32', low: 0, high: 0 });
}

export interface DropoutOptions {
  /** The probability of being zeroed. */
  p?: number;
  /** x itself is the result where this is false. */
  training?: boolean;
  generator?: Generator;
}

/** x times a mask of shape `kept`, which broadcasts: 0 with probability p, else 1 / (1 - p). */
function masked(
  op: string,
  x: Tensor,
  kept: Shape,
  { p = 0.5, training = true, generator = defaultGenerator }: DropoutOptions,
): Tensor {
  checkReal(op, { x });
  checkProbability(op, p);
  if (!training || p === 0) return x;
  const mask = bernoulli(kept, { p: 1 - p, dtype: x.dtype, generator });
  return mul(x, p === 1 ? mask : mul(mask, 1 / (1 - p)));
}

/**
 * Zeroes each element with probability p and divides the others by 1 - p (Srivastava et al. 2014), so that the expected
 * value stays; x itself where `training` is false. Throws a DtypeError unless x is real, a ValueError unless p is from 0 to 1.
 */
export function dropout(x: Tensor, options: DropoutOptions = {}): Tensor {
  return masked('dropout', x, x?.shape, options);
}

/** The mask that has one number for all of a channel. */
function ofChannels(op: string, x: Tensor, spatial: number, layouts: string): Shape {
  checkReal(op, { x });
  const rank = spatial + 2;
  if (x.rank !== rank && (spatial > 1 || x.rank !== rank - 1)) {
    throw new ShapeError(`x must be ${layouts}; got shape ${show(x.shape)}.`, { op, argument: 'x', got: x.shape });
  }
  return x.shape.map((length, axis) => (axis < x.rank - spatial ? length : 1));
}

/**
 * Zeroes whole channels of x, [N, C, L] or [C, L], each with probability p, and divides the others by 1 - p (Tompson et al. 2015, §3.2): next
 * to each other numbers of a channel tell the same, and one that is dropped alone is not missed. x itself where `training` is
 * false. Throws a DtypeError unless x is real, a ShapeError for another rank, a ValueError unless p is from 0 to 1.
 */
export function dropout1d(x: Tensor, options: DropoutOptions = {}): Tensor {
  return masked('dropout1d', x, ofChannels('dropout1d', x, 1, '[N, C, L] or [C, L]'), options);
}

/**
 * As `dropout1d`, of the channels of x [N, C, H, W]. PyTorch takes [N, C, L] here as well, where it might be taken for a single
 * [C, H, W]: here that is a ShapeError.
 */
export function dropout2d(x: Tensor, options: DropoutOptions = {}): Tensor {
  return masked('dropout2d', x, ofChannels('dropout2d', x, 2, '[N, C, H, W]'), options);
}

export interface StochasticDepthOptions extends DropoutOptions {
  /** 'row': each example of a batch on its own; 'batch': all of them or none. */
  mode?: 'row' | 'batch';
}

/** Throws a ValueError unless a mode is one of stochastic depth's. */
export function checkDepthMode(op: string, mode: string): void {
  checkOption(op, 'mode', mode, mode === 'row' || mode === 'batch', 'row or batch');
}

/**
 * Zeroes all of x with probability p, and divides it by 1 - p where it is kept: what a residual branch gives is left out at random, and the
 * network is less deep (Huang et al. 2016; torchvision.ops.stochastic_depth; also called drop path). x [N, ...]; each of the N by
 * itself with mode 'row', all alike with 'batch'. x itself where `training` is false. Throws a DtypeError unless x is real,
 * a ShapeError where mode 'row' finds no rows, a ValueError for another mode, and unless p is from 0 to 1.
 */
export function stochasticDepth(x: Tensor, { mode = 'row', ...options }: StochasticDepthOptions = {}): Tensor {
  const op = 'stochasticDepth';
  checkReal(op, { x });
  checkDepthMode(op, mode);
  if (mode === 'row' && x.rank === 0) {
    throw new ShapeError("x must be [N, ...] for mode 'row'; got a single number.", { op, argument: 'x', got: [] });
  }
  const rows = x.shape.map((length, axis) => (axis === 0 && mode === 'row' ? length : 1));
  return masked(op, x, rows, options);
}
