import { beforeEach, describe, expect, test } from 'vitest';
import { MAP_TILE, Op, Slot, Type } from '../../assembly/isa';
import oracle from '../oracle/math.json';
import { type Core, cores, fnCodes } from './core';

const [single, double] = cores as [Core, Core];
type Name = keyof typeof bounds;

/** What assembly/math.ts promises: largest errors in units of the last place, as measured. */
const bounds = {
  EXP: { f32: 0.97, f64: 0.93 },
  EXPM1: { f32: 1.6, f64: 1.9 },
  LOG: { f32: 0.84, f64: 0.78 },
  LOG1P: { f32: 0.84, f64: 0.76 },
  TANH: { f32: 1.4, f64: 2.5 },
  SIGMOID: { f32: 2.5, f64: 2.2 },
  ERF: { f32: 1.3, f64: 1.2 },
  SIN: { f32: 1.6, f64: 1.1 },
  COS: { f32: 1.6, f64: 1.1 },
  POW: { f32: 0.51, f64: 1.2 },
};

/** fn over whole columns, as one MAP record. */
function map(core: Core, name: Name, ...columns: ArrayLike<number>[]) {
  core.reset();
  const size = columns[0]!.length;
  const inputs = columns.map((column) => core.reals(column));
  const output = core.reals(size);
  const slots = [...inputs, output].flatMap((data) => [Slot.DIRECT, Type.REAL, data.byteOffset, 0]);
  const chunk = 64 * MAP_TILE;
  const operands = [inputs.length, 0, inputs.length - 1, 0];
  core.run([
    Op.MAP,
    Math.ceil(size / chunk),
    size,
    chunk,
    columns.length + 1,
    1,
    ...slots,
    fnCodes[name]!,
    ...operands,
  ]);
  return output;
}

const one = (core: Core, name: Name, ...x: number[]) => map(core, name, ...x.map((value) => [value]))[0]!;

function doubles(hex: string[]): Float64Array {
  return new Float64Array(BigUint64Array.from(hex, (digits) => BigInt(`0x${digits}`)).buffer);
}

/** Doubles in the order of the real line, as whole numbers. */
function ordinal(x: number): bigint {
  const bits = new BigInt64Array(Float64Array.of(x).buffer)[0]!;
  return bits < 0n ? -(bits & 0x7fffffffffffffffn) : bits;
}

describe('f64 against 200 bits', () => {
  test.each(oracle.functions)('$fn', ({ fn, x, y, value }) => {
    const columns = y ? [doubles(x), doubles(y)] : [doubles(x)];
    const actual = map(double, fn as Name, ...columns);
    // The table is rounded: a result that is e units from the truth is at most e + ½ from it.
    const allowed = Math.floor(bounds[fn as Name].f64 + 0.5);
    doubles(value).forEach((wanted, i) => {
      const distance = Number(ordinal(actual[i]!) - ordinal(wanted));
      if (Math.abs(distance) > allowed) {
        expect.fail(`${fn}(${columns.map((column) => column[i])}) is ${actual[i]}, ${distance} from ${wanted}`);
      }
    });
  });
});

/** Units of the last place of an f32 at y. */
const spacing = (y: number) => 2 ** (Math.max(Math.floor(Math.log2(Math.abs(y))), -126) - 23);

/** The worst error of f32 results against doubles; what is no number or zero must agree. */
function worst(name: Name, actual: ArrayLike<number>, wanted: (i: number) => number, x: ArrayLike<number>): number {
  let error = 0;
  for (let i = 0; i < actual.length; i++) {
    const [a, w] = [actual[i]!, wanted(i)];
    const rounded = Math.fround(w);
    if (Object.is(a, rounded)) continue;
    if (!Number.isFinite(rounded) || !Number.isFinite(a) || w === 0) expect.fail(`${name}(${x[i]}) is ${a}, not ${w}`);
    error = Math.max(error, Math.abs(a - w) / spacing(rounded));
  }
  return error;
}

describe('f32 over its whole range', () => {
  const references: Partial<Record<Name, (x: number) => number>> = {
    EXP: Math.exp,
    EXPM1: Math.expm1,
    LOG: Math.log,
    LOG1P: Math.log1p,
    TANH: Math.tanh,
    SIGMOID: (x) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x))),
    SIN: Math.sin,
    COS: Math.cos,
  };
  // Every 6151st pattern of bits: 698,000 floats of every size, infinities and NaN among them.
  const patterns = Uint32Array.from({ length: Math.floor(2 ** 32 / 6151) }, (_, i) => i * 6151);
  const floats = new Float32Array(patterns.buffer);
  // Of these two kinds only what the functions promise.
  const circular = floats.filter((x) => Math.abs(x) < 1.6e6);

  test.each(Object.keys(bounds).filter((name) => name !== 'POW') as Name[])('%s', (name) => {
    const x = name === 'SIN' || name === 'COS' ? circular : floats;
    const reference = references[name];
    // JavaScript has no erf: the f64 core's was compared with 200 bits above.
    const wide = reference ? undefined : map(double, name, x);
    const error = worst(name, map(single, name, x), (i) => (reference ? reference(x[i]!) : wide![i]!), x);
    expect(error).toBeLessThan(bounds[name].f32);
    expect(error).toBeGreaterThan(bounds[name].f32 / 2); // the sweep finds the hard places
  });

  test('POW', () => {
    const x = floats.map((value, i) => (i % 2 ? Math.abs(value) : 0.25 + (i % 6007) / 1500));
    // Exponents that take the result anywhere in the range, a few beyond it.
    const y = x.map((value, i) => ((i % 2803) / 10 - 150) / (Math.log2(value) || 1));
    const wanted = (i: number) => (x[i] === 1 ? 1 : x[i]! ** y[i]!);
    expect(worst('POW', map(single, 'POW', x, y), wanted, x)).toBeLessThan(bounds.POW.f32);
  });
});

describe.each(cores)('edges, $precision', (core) => {
  const { precision } = core;
  const tiny = precision === 'f32' ? 2 ** -149 : 2 ** -1074;
  const round = (value: number) => core.Real.of(value)[0]!;
  beforeEach(() => core.reset());

  test('exp leaves the range where its value does', () => {
    const [last, first, least, zero] =
      precision === 'f32'
        ? [88.72283172607422, 88.72283935546875, -103.97207641601562, -103.97208404541016]
        : [709.782712893384, 709.7827128933841, -745.1332191019411, -745.1332191019412];
    expect(one(core, 'EXP', last)).toBeLessThan(Infinity);
    expect(one(core, 'EXP', first)).toBe(Infinity);
    expect(one(core, 'EXP', least)).toBe(tiny);
    expect(one(core, 'EXP', zero)).toBe(0);
    expect(one(core, 'EXPM1', first)).toBe(Infinity);
    expect(one(core, 'SIGMOID', least)).toBe(tiny);
  });

  const special: [Name, [x: number, value: number][]][] = [
    [
      'EXP',
      [
        [-0, 1],
        [Infinity, Infinity],
        [-Infinity, 0],
      ],
    ],
    [
      'EXPM1',
      [
        [0, 0],
        [-0, -0],
        [Infinity, Infinity],
        [-Infinity, -1],
        [-1000, -1],
      ],
    ],
    [
      'LOG',
      [
        [1, 0],
        [0, -Infinity],
        [-0, -Infinity],
        [-1, NaN],
        [Infinity, Infinity],
        [-Infinity, NaN],
        [-tiny, NaN],
      ],
    ],
    [
      'LOG1P',
      [
        [0, 0],
        [-0, -0],
        [-1, -Infinity],
        [-1.5, NaN],
        [Infinity, Infinity],
        [-Infinity, NaN],
        [tiny, tiny],
      ],
    ],
    [
      'TANH',
      [
        [0, 0],
        [-0, -0],
        [Infinity, 1],
        [-Infinity, -1],
        [30, 1],
        [-1e30, -1],
        [tiny, tiny],
      ],
    ],
    [
      'SIGMOID',
      [
        [0, 0.5],
        [-0, 0.5],
        [Infinity, 1],
        [-Infinity, 0],
        [1000, 1],
        [-1000, 0],
      ],
    ],
    [
      'ERF',
      [
        [0, 0],
        [-0, -0],
        [Infinity, 1],
        [-Infinity, -1],
        [7, 1],
        [-1e30, -1],
      ],
    ],
    [
      'SIN',
      [
        [0, 0],
        [-0, -0],
        [Infinity, NaN],
        [-Infinity, NaN],
        [tiny, tiny],
        [2 ** 30, NaN],
      ],
    ],
    [
      'COS',
      [
        [0, 1],
        [-0, 1],
        [Infinity, NaN],
        [-Infinity, NaN],
        [tiny, 1],
        [-(2 ** 30), NaN],
      ],
    ],
  ];
  test.each(special)('%s at special values', (name, pairs) => {
    const points: [number, number][] = [...pairs, [NaN, NaN]];
    const actual = map(
      core,
      name,
      points.map(([x]) => x),
    );
    expect([...actual]).toEqual(points.map(([, value]) => value));
  });

  test('subnormals have the right logarithm', () => {
    for (const x of [tiny, 3 * tiny, 1000 * tiny]) expect(one(core, 'LOG', x)).toBeCloseTo(Math.log(x), 4);
  });

  test('pow has the special cases of C', () => {
    const huge = round(precision === 'f32' ? 3e38 : 1e308);
    const bases = [0, -0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, huge, -huge, tiny, -tiny, Infinity, -Infinity, NaN];
    const large = precision === 'f32' ? 2 ** 24 : 2 ** 53; // from here on every number is even
    const exponents = [0, -0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 1.5, large - 1, large, -large, 2 ** 65, huge, -huge];
    exponents.push(Infinity, -Infinity, NaN, tiny);
    const x = bases.flatMap((base) => exponents.map(() => base));
    const y = bases.flatMap(() => exponents);
    const actual = map(core, 'POW', x, y);
    x.forEach((base, i) => {
      const exponent = y[i]!;
      // JavaScript alone says NaN for 1 ** NaN and (±1) ** ±∞.
      const c = base === 1 || (base === -1 && Math.abs(exponent) === Infinity);
      const wanted = c ? 1 : round(base ** exponent);
      const near = Number.isFinite(wanted) && wanted !== 0 && Math.abs(actual[i]! / wanted - 1) < 1e-6;
      if (!near) expect(actual[i], `pow(${base}, ${exponent})`).toBe(wanted);
    });
  });
});
