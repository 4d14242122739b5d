import { beforeEach, describe, expect, test } from 'vitest';
import { Fn, Map as Layout, MAP_MAX_SLOTS, MAP_TILE, Op, Slot, Type } from '../../assembly/isa';
import { type Core, cores, doubleWords, fnCodes, sequence } from './core';

type Column = Float32Array | Float64Array | Int32Array | Uint8Array;

/** A slot as tests write it: `dims` makes it STRIDED, `offset` is where its first element is. */
type Operand =
  | { type: Type; data: Column; dims?: [size: number, stride: number][]; offset?: number }
  | { type: Type; constant: number }
  | { type: Type };

type Step = [fn: Fn, destination: number, a: number, b?: number, c?: number];

/** A MAP record for `Core.run`. Slots that steps write must be tiles or contiguous. */
function mapRecord(size: number, slots: Operand[], steps: Step[], chunk = 4 * MAP_TILE): number[] {
  const firstDims = Layout.FIRST_SLOT + slots.length * Layout.SLOT_WORDS + steps.length * Layout.STEP_WORDS;
  const dims: number[] = [];
  const slotWords = slots.flatMap((slot) => {
    if ('constant' in slot) return [Slot.CONSTANT, slot.type, ...doubleWords(slot.constant)];
    if (!('data' in slot)) return [Slot.TILE, slot.type, 0, 0];
    const pointer = slot.data.byteOffset + (slot.offset ?? 0) * slot.data.BYTES_PER_ELEMENT;
    if (!slot.dims) return [Slot.DIRECT, slot.type, pointer, 0];
    const at = firstDims + dims.length;
    dims.push(slot.dims.length, ...slot.dims.flat());
    return [Slot.STRIDED, slot.type, pointer, at];
  });
  const stepWords = steps.flatMap(([fn, destination, a, b = 0, c = 0]) => [fn, destination, a, b, c]);
  const chunks = Math.ceil(size / chunk);
  return [Op.MAP, chunks, size, chunk, slots.length, steps.length, ...slotWords, ...stepWords, ...dims];
}

function allocate(core: Core, type: Type, values: ArrayLike<number> | number, misaligned = 0): Column {
  if (type === Type.REAL) return core.reals(values, misaligned);
  if (type === Type.OTHER) return core.others(values, misaligned);
  return type === Type.I32 ? core.ints(values, misaligned) : core.u8s(values, misaligned);
}

const R = Type.REAL;
const I = Type.I32;
const B = Type.U8;
const O = Type.OTHER;

const truncate = (low: number, high: number) => (x: number) =>
  Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), low), high);
const toI32 = truncate(-(2 ** 31), 2 ** 31 - 1);
const toU8 = truncate(0, 255);
const halfEven = (x: number) => {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 ? floor + 1 : floor;
};
/** erf by a series of positive terms; rounding x² costs it up to 36 units of the last place. math.test.ts is stricter. */
const erf = (x: number): number => {
  if (Number.isNaN(x) || x === 0) return x;
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let k = 1; k < 150; k++) {
    term *= (2 * x * x) / (2 * k + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
};
/** The core's sine ends at 2^30. */
const bounded = (f: (x: number) => number) => (x: number) => (Math.abs(x) < 2 ** 30 ? f(x) : NaN);

/** What each function means, on doubles that are rounded to the result's type. */
interface Meaning {
  of: Type[];
  to: Type;
  f: (a: number, b: number, c: number) => number;
  /** Allowed error in units of the last place; 0 unless given. */
  ulp?: number;
}
const real1 = (f: (x: number) => number, ulp?: number): Meaning => ({ of: [R], to: R, f, ulp });
const real2 = (f: (x: number, y: number) => number, ulp?: number): Meaning => ({ of: [R, R], to: R, f, ulp });
const convert = (from: Type, to: Type, f: (x: number) => number): Meaning => ({ of: [from], to, f });
const compare = (of: Type, f: (a: number, b: number) => boolean): Meaning => ({
  of: [of, of],
  to: B,
  f: (a, b) => Number(f(a, b)),
});
const whole1 = (f: (x: number) => number): Meaning => ({ of: [I], to: I, f: (x) => f(x) | 0 });
const whole2 = (f: (x: number, y: number) => number): Meaning => ({ of: [I, I], to: I, f: (x, y) => f(x, y) | 0 });
const byte2 = (f: (x: number, y: number) => number): Meaning => ({ of: [B, B], to: B, f });
const where = (of: Type): Meaning => ({ of: [B, of, of], to: of, f: (c, a, b) => (c ? a : b) });
const same = (x: number) => x;

const meanings: Record<string, Meaning> = {
  COPY_R: real1(same),
  NEG: real1((x) => -x),
  ABS: real1(Math.abs),
  SQRT: real1(Math.sqrt),
  EXP: real1(Math.exp, 2),
  LOG: real1(Math.log, 2),
  LOG1P: real1(Math.log1p, 2),
  EXPM1: real1(Math.expm1, 3),
  TANH: real1(Math.tanh, 4),
  SIGMOID: real1((x) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x))), 4),
  ERF: real1(erf, 40),
  SIN: real1(bounded(Math.sin), 3),
  COS: real1(bounded(Math.cos), 3),
  FLOOR: real1(Math.floor),
  CEIL: real1(Math.ceil),
  ROUND: real1(halfEven),
  SIGN: real1((x) => Math.sign(x) + 0),
  RELU: real1((x) => (x > 0 || Number.isNaN(x) ? x : 0)),
  RECIPROCAL: real1((x) => 1 / x),
  ADD: real2((x, y) => x + y),
  SUB: real2((x, y) => x - y),
  MUL: real2((x, y) => x * y),
  DIV: real2((x, y) => x / y),
  MAXIMUM: real2((x, y) => Math.max(x, y)),
  MINIMUM: real2((x, y) => Math.min(x, y)),
  GATE: real2((x, y) => (x > 0 ? y : 0)),
  // JavaScript differs from C where the base is ±1.
  POW: real2((x, y) => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y), 3),
  EQ: compare(R, (a, b) => a === b),
  NE: compare(R, (a, b) => a !== b),
  LT: compare(R, (a, b) => a < b),
  LE: compare(R, (a, b) => a <= b),
  IS_FINITE: convert(R, B, (x) => Number(Number.isFinite(x))),
  COPY_I: whole1(same),
  NEG_I: whole1((x) => -x),
  ABS_I: whole1(Math.abs),
  SIGN_I: whole1(Math.sign),
  ADD_I: whole2((x, y) => x + y),
  SUB_I: whole2((x, y) => x - y),
  MUL_I: whole2((x, y) => Math.imul(x, y)),
  DIV_I: whole2((x, y) => (y === 0 ? 0 : Math.floor(x / y))),
  MAXIMUM_I: whole2((x, y) => Math.max(x, y)),
  MINIMUM_I: whole2((x, y) => Math.min(x, y)),
  EQ_I: compare(I, (a, b) => a === b),
  NE_I: compare(I, (a, b) => a !== b),
  LT_I: compare(I, (a, b) => a < b),
  LE_I: compare(I, (a, b) => a <= b),
  COPY_B: convert(B, B, same),
  EQ_B: compare(B, (a, b) => a === b),
  NE_B: compare(B, (a, b) => a !== b),
  LT_B: compare(B, (a, b) => a < b),
  LE_B: compare(B, (a, b) => a <= b),
  AND: byte2((x, y) => x & y),
  OR: byte2((x, y) => x | y),
  XOR: byte2((x, y) => x ^ y),
  NOT: convert(B, B, (x) => x ^ 1),
  WHERE_R: where(R),
  WHERE_I: where(I),
  WHERE_B: where(B),
  R_TO_OTHER: convert(R, O, same),
  OTHER_TO_R: convert(O, R, same),
  R_TO_I: convert(R, I, toI32),
  I_TO_R: convert(I, R, same),
  R_TO_U8: convert(R, B, toU8),
  U8_TO_R: convert(B, R, same),
  R_TO_BOOL: convert(R, B, (x) => Number(x !== 0)),
  I_TO_U8: convert(I, B, toU8),
  U8_TO_I: convert(B, I, same),
  I_TO_BOOL: convert(I, B, (x) => Number(x !== 0)),
  U8_TO_BOOL: convert(B, B, (x) => Number(x !== 0)),
};
const fnOf = (name: string): Fn => fnCodes[name]!;

const specials: Record<number, number[]> = {
  [R]: [0, -0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3, -3, 88.7, -88, -104, 1e-40, 3e38, -3e38, 300.5, 2 ** 31],
  [I]: [0, 1, -1, 7, -7, 2, -2, 255, 256, 2 ** 31 - 1, -(2 ** 31)],
  [B]: [0, 1, 2, 254, 255],
};
specials[R]!.push(Infinity, -Infinity, NaN);
specials[O] = specials[R]!;

/** Values for an operand: specials spread among numbers of every size. */
function values(type: Type, length: number, seed: number): number[] {
  const random = sequence(seed);
  return Array.from({ length }, () => {
    const special = specials[type]!;
    if (random() < 0.3) return special[Math.floor(random() * special.length)]!;
    if (type === B) return Math.floor(random() * 256);
    if (type === I) return Math.floor((random() - 0.5) * 40);
    return (random() - 0.5) * 10 ** (random() * 6 - 3);
  });
}

function expected(meaning: Meaning, core: Core, columns: ArrayLike<number>[], length: number): number[] {
  const Float = meaning.to === R ? core.Real : meaning.to === O ? core.Other : undefined;
  return Array.from({ length }, (_, i) => {
    const [a = 0, b = 0, c = 0] = columns.map((column) => column[i]!);
    const y = meaning.f(a, b, c);
    return Float ? Float.of(y)[0]! : y;
  });
}

/** The spacing of reals at y. */
function spacing(core: Core, y: number): number {
  const [bits, least] = core.precision === 'f32' ? [23, 2 ** -149] : [52, Number.MIN_VALUE];
  return Math.max(2 ** (Math.floor(Math.log2(Math.abs(y))) - bits), least);
}

function check(core: Core, name: string, actual: ArrayLike<number>, wanted: number[], inputs: ArrayLike<number>[]) {
  const ulp = meanings[name]!.ulp ?? 0;
  for (let i = 0; i < wanted.length; i++) {
    const [a, w] = [actual[i]!, wanted[i]!];
    if (Object.is(a, w) || (Number.isFinite(w) && Math.abs(a - w) <= ulp * spacing(core, w))) continue;
    const operands = inputs.map((input) => input[i]).join(', ');
    expect.fail(`${core.precision} ${name}(${operands}) at ${i} of ${wanted.length}: ${a}, expected ${w}`);
  }
}

const sizes = [...Array(68).keys(), 1023, 1024, 1025, 2047, 2049, 4095, 4096, 4097, 8191, 8193];

describe.each(cores)('map, $precision', (core) => {
  beforeEach(() => core.reset());

  test.each(Object.keys(meanings))('%s', (name) => {
    const meaning = meanings[name]!;
    for (const size of sizes) {
      core.reset();
      const misaligned = size % 7;
      const inputs = meaning.of.map((type, k) => allocate(core, type, values(type, size, size + k), misaligned + k));
      const output = allocate(core, meaning.to, size, misaligned);
      const slots: Operand[] = inputs.map((data, k) => ({ type: meaning.of[k]!, data }));
      const operands = inputs.map((_, k) => k);
      slots.push({ type: meaning.to, data: output });
      core.run(mapRecord(size, slots, [[fnOf(name), inputs.length, ...operands] as Step], MAP_TILE));
      check(core, name, output, expected(meaning, core, inputs, size), inputs);
    }
  });

  test('every function has its meaning here', () => {
    const named = Object.keys(fnCodes).filter((key) => Number.isNaN(Number(key)));
    expect(Object.keys(meanings).sort()).toEqual(named.sort());
  });

  test('in place', () => {
    for (const name of ['EXP', 'ADD', 'NEG_I', 'ADD_I', 'XOR', 'WHERE_R']) {
      const meaning = meanings[name]!;
      for (const size of [1, 5, 67, 1025]) {
        const inputs = meaning.of.map((type, k) => allocate(core, type, values(type, size, k)));
        const target = inputs.length - 1;
        const wanted = expected(meaning, core, inputs, size);
        const before = inputs.map((input) => input.slice());
        const slots: Operand[] = inputs.map((data, k) => ({ type: meaning.of[k]!, data }));
        // Its own slot, or another with the same pointer.
        const own = size % 2 === 0;
        if (!own) slots.push({ type: meaning.to, data: inputs[target]! });
        const operands = inputs.map((_, k) => k);
        core.run(mapRecord(size, slots, [[fnOf(name), own ? target : inputs.length, ...operands] as Step]));
        check(core, name, inputs[target]!, wanted, before);
      }
    }
  });

  /** Element i of a strided operand. */
  function stridedIndex(i: number, dims: [size: number, stride: number][]): number {
    let index = 0;
    for (const [size, stride] of dims.toReversed()) {
      index += (i % size) * stride;
      i = Math.floor(i / size);
    }
    return index;
  }

  // size:stride of each axis, the outermost first
  const shapes = [
    ...['', '1:0', '5000:0', '3000:1', '1500:3', '1500:-1', '700:-2'],
    ...['900:0 2:1', '900:0 10:1', '5:0 10:1', '5:0 1023:1', '5:0 1024:1', '5:0 1025:1', '300:0 10:-1'],
    ...['900:1 2:0', '300:1 10:0', '3:1 2000:0', '7:2000 1999:1', '40:1 50:40', '10:1 10:10'],
    ...['1:5 33:0 40:1', '6:10 70:0 10:1', '13:1 17:13 11:221', '13:300 17:0 11:-2'],
    ...['9:0 3:7 4:0 7:1', '5:-64 4:16 8:0 16:-1', '2:1 3:2 4:6 5:24', '3:0 7:0 9:0 11:0'],
    '2:1 2:2 2:4 3:8 2:24 2:48 3:-96 5:288',
  ];
  test.each(shapes)('a strided operand %s', (shape) => {
    const dims = (shape ? shape.split(' ') : []).map((axis) => axis.split(':').map(Number) as [number, number]);
    const size = dims.reduce((product, [length]) => product * length, 1);
    const reach = dims.map(([length, stride]) => (length - 1) * stride);
    const low = reach.reduce((sum, r) => sum + Math.min(r, 0), 0);
    const high = reach.reduce((sum, r) => sum + Math.max(r, 0), 0);
    const copies = [
      [R, Fn.COPY_R],
      [I, Fn.COPY_I],
      [B, Fn.COPY_B],
    ] as const;
    for (const [type, fn] of copies) {
      for (const chunk of [MAP_TILE, 2 * MAP_TILE, 8 * MAP_TILE]) {
        core.reset();
        const data = allocate(
          core,
          type,
          Array.from({ length: high - low + 1 }, (_, i) => i % 251),
          1,
        );
        const output = allocate(core, type, size, 3);
        const slots: Operand[] = [
          { type, data, dims, offset: -low },
          { type, data: output },
        ];
        core.run(mapRecord(size, slots, [[fn, 1, 0]], chunk));
        expect([...output]).toEqual(Array.from({ length: size }, (_, i) => data[stridedIndex(i, dims) - low]));
      }
    }
  });

  test('as many slots as there may be', () => {
    // Rows of 31 lengths, each repeated over all of it.
    const size = 2520;
    const lengths = Array.from({ length: MAP_TILE }, (_, i) => i + 1).filter((length) => size % length === 0);
    const rows = lengths.slice(1 - MAP_MAX_SLOTS).map((length) => core.reals(values(I, length, length)));
    const output = core.reals(size);
    const slots: Operand[] = rows.map((data) => {
      const dims: [number, number][] = [
        [size / data.length, 0],
        [data.length, 1],
      ];
      return { type: R, data, dims };
    });
    slots.push({ type: R, data: output });
    const last = MAP_MAX_SLOTS - 1;
    const steps = rows.map((_, k): Step => [k ? Fn.ADD : Fn.COPY_R, last, k ? last : 0, k]);
    core.run(mapRecord(size, slots, steps));
    const round = (value: number) => core.Real.of(value)[0]!;
    const wanted = output.map((_, i) => rows.reduce((sum, row) => round(sum + row[i % row.length]!), 0));
    expect(output).toEqual(wanted);
  });

  test('constants of every type', () => {
    const cases = [
      [R, Fn.COPY_R, 0.1],
      [I, Fn.COPY_I, -7],
      [B, Fn.COPY_B, 200],
      [O, Fn.OTHER_TO_R, 0.1],
    ] as const;
    for (const [type, fn, constant] of cases) {
      const to = type === O ? R : type;
      const output = allocate(core, to, 1500);
      core.run(
        mapRecord(
          1500,
          [
            { type, constant },
            { type: to, data: output },
          ],
          [[fn, 1, 0]],
        ),
      );
      const wanted = Float32Array.of(constant)[0];
      const rounded = core.precision === 'f32' || type === O ? wanted : constant;
      expect(new Set(output)).toEqual(new Set([type === R || type === O ? rounded : constant]));
    }
  });

  /** sigmoid(x · w + b) where x > 0, else the constant, also kept as bool: each kind of slot, several results. */
  function chain(size: number, columns: number, chunk: number) {
    core.reset();
    const x = core.reals(values(R, size, 1).map((v) => (Number.isFinite(v) ? v % 50 : 1)));
    const w = core.reals(values(R, columns, 2).map((v) => (Number.isFinite(v) ? v % 3 : 1)));
    const b = core.reals([0.25]);
    const y = core.reals(size, 1);
    const mask = core.u8s(size, 1);
    const slots: Operand[] = [
      { type: R, data: x },
      {
        type: R,
        data: w,
        dims: [
          [size / columns, 0],
          [columns, 1],
        ],
      },
      { type: R, data: b, dims: [[size, 0]] },
      { type: R, constant: 0 },
      { type: R, constant: -1 },
      { type: R },
      { type: Type.BOOL, data: mask },
      { type: R, data: y },
    ];
    const steps: Step[] = [
      [Fn.MUL, 5, 0, 1],
      [Fn.ADD, 5, 5, 2],
      [Fn.SIGMOID, 5, 5],
      [Fn.LT, 6, 3, 0],
      [Fn.WHERE_R, 7, 6, 5, 4],
    ];
    core.run(mapRecord(size, slots, steps, chunk));
    return { x, w, y, mask };
  }

  test('a chain of steps', () => {
    const { x, w, y, mask } = chain(6170, 10, 2 * MAP_TILE);
    const round = (value: number) => core.Real.of(value)[0]!;
    x.forEach((value, i) => {
      expect(mask[i]).toBe(Number(value > 0));
      const z = round(round(value * w[i % 10]!) + 0.25);
      expect(y[i]).toBeCloseTo(value > 0 ? 1 / (1 + Math.exp(-z)) : -1, 6);
    });
  });

  test('chunks and tails change no bit', () => {
    const whole = chain(6170, 10, 8 * MAP_TILE).y.slice();
    expect(chain(6170, 10, MAP_TILE).y).toEqual(whole);
    expect(chain(6170, 10, 3 * MAP_TILE).y).toEqual(whole);
  });

  test.each(['EXP', 'LOG', 'TANH', 'ERF', 'SIN', 'LOG1P', 'EXPM1', 'SIGMOID'])(
    '%s gives an element the same bits in every lane, alignment and tail',
    (name) => {
      const x = values(R, 64, 3).map(Math.abs);
      const apply = (part: number[], misaligned: number) => {
        const input = core.reals(part, misaligned);
        const output = core.reals(part.length, part.length);
        const slots = [
          { type: R, data: input },
          { type: R, data: output },
        ];
        core.run(mapRecord(part.length, slots, [[fnOf(name), 1, 0]]));
        return [...output];
      };
      const whole = apply(x, 0);
      for (let from = 0; from < 9; from++) {
        for (let size = 1; size < 9; size++) {
          expect(apply(x.slice(from, from + size), from)).toEqual(whole.slice(from, from + size));
        }
      }
    },
  );
});
