import { Fn } from '../../assembly/isa';
import { checkDtypes, checkReals, checkSame, type DType, isReal } from '../dtype';
import { ValueError } from '../errors';
import { defineOp } from '../graph/define-op';
import type { View } from '../graph/emitter';
import { broadcastShapes } from '../shape';
import { checkDtype, checkNumber, checkNumeric, full, type Operand, Tensor } from '../tensor';

type UnaryRule = (g: Tensor, x: Tensor, y: Tensor) => Tensor;

/** An elementwise function of one real tensor. `rule` is its gradient: from g, x and y = f(x). */
/* @__NO_SIDE_EFFECTS__ */
function unary(name: string, fn: Fn, rule?: UnaryRule, whole?: Fn): (x: Operand) => Tensor {
  const op = defineOp({
    name,
    version: 1,
    shape: ([x]) => {
      if (whole !== undefined) checkDtypes(name, [x!], (dtype) => isReal(dtype) || dtype === 'i32', 'f32, f64 and i32');
      else checkReals(name, [x!]);
      return [x!];
    },
    emit: (program, [out], ins) => program.map(out!.dtype === 'i32' ? whole! : fn, out!, ins),
    vjp: rule ? ([g], { inputs: [x], outputs: [y] }) => [isReal(x!.dtype) ? rule(g!, x!, y!) : null] : undefined,
  });
  return (x) => op([x])[0]!;
}

type BinaryRule = (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => [Tensor | null, Tensor];

/** An elementwise function of two tensors of one dtype, which broadcast. */
/* @__NO_SIDE_EFFECTS__ */
function binary(name: string, fn: Fn, whole: Fn | null, rule: BinaryRule): (a: Operand, b: Operand) => Tensor {
  const op = defineOp({
    name,
    version: 1,
    // [...] x [...] -> broadcast
    shape: ([a, b]) => {
      const dtype = checkSame(name, [a!, b!]);
      if (whole === null) checkReals(name, [a!]);
      else checkDtypes(name, [a!], (one) => isReal(one) || one === 'i32', 'f32, f64 and i32');
      return [{ shape: broadcastShapes(name, a!.shape, b!.shape), dtype }];
    },
    emit: (program, [out], ins) => program.map(out!.dtype === 'i32' ? whole! : fn, out!, ins),
    vjp: ([g], { inputs: [a, b], outputs: [y] }) => {
      if (!isReal(a!.dtype)) return [null, null];
      return rule(g!, a!, b!, y!);
    },
  });
  return (a, b) => op([a, b])[0]!;
}

/** A comparison: two tensors of one dtype -> bool. `swap` turns a > b into b < a. */
/* @__NO_SIDE_EFFECTS__ */
function comparison(name: string, fns: [Fn, Fn, Fn], swap = false): (a: Operand, b: Operand) => Tensor {
  const op = defineOp({
    name,
    version: 1,
    shape: ([a, b]) => {
      checkSame(name, [a!, b!]);
      return [{ shape: broadcastShapes(name, a!.shape, b!.shape), dtype: 'bool' }];
    },
    emit: (program, [out], [a, b]) => {
      const fn = isReal(a!.dtype) ? fns[0] : a!.dtype === 'i32' ? fns[1] : fns[2];
      program.map(fn, out!, swap ? [b!, a!] : [a!, b!]);
    },
  });
  return (a, b) => op([a, b])[0]!;
}

/** A function of booleans. */
/* @__NO_SIDE_EFFECTS__ */
function logical(name: string, fn: Fn): (...operands: Tensor[]) => Tensor {
  const op = defineOp({
    name,
    version: 1,
    shape: (inputs) => {
      checkDtypes(name, inputs, (dtype) => dtype === 'bool', 'bool');
      return [{ shape: broadcastShapes(name, ...inputs.map((input) => input.shape)), dtype: 'bool' }];
    },
    emit: (program, [out], ins) => program.map(fn, out!, ins),
  });
  return (...operands) => op(operands)[0]!;
}

// --- arithmetic ---

export const add = binary('add', Fn.ADD, Fn.ADD_I, (g) => [g, g]);
export const sub = binary('sub', Fn.SUB, Fn.SUB_I, (g) => [g, neg(g)]);
export const mul = binary('mul', Fn.MUL, Fn.MUL_I, (g, a, b) => [mul(g, b), mul(g, a)]);
/** a / b; on i32 rounded towards -∞, and 0 where b is 0. */
export const div = binary('div', Fn.DIV, Fn.DIV_I, (g, _a, b, y) => [div(g, b), neg(mul(g, div(y, b)))]);
/** The larger one; NaN if either is. Equal operands share the gradient, as in PyTorch. */
export const maximum = binary('maximum', Fn.MAXIMUM, Fn.MAXIMUM_I, (g, a, b, y) => shareTies(g, a, b, y));
export const minimum = binary('minimum', Fn.MINIMUM, Fn.MINIMUM_I, (g, a, b, y) => shareTies(g, a, b, y));

function shareTies(g: Tensor, a: Tensor, b: Tensor, y: Tensor): [Tensor, Tensor] {
  const half = mul(g, 0.5);
  const part = (own: Tensor, other: Tensor) => where(eq(own, y), where(eq(other, y), half, g), 0);
  return [part(a, b), part(b, a)];
}

const power = binary('pow', Fn.POW, null, (g, a, b, y) => [
  mul(g, mul(b, pow(a, sub(b, 1)))),
  // d/db a^b = a^b log a, whose limit at a = 0 is 0 for b ≥ 0.
  where(logicalAnd(eq(a, 0), ge(b, 0)), 0, mul(g, mul(y, log(a)))),
]);

/** a to the power b. A plain exponent of 2, 1 or 0.5 is a square, a copy, a root. */
export function pow(a: Operand, b: Operand): Tensor {
  if (a instanceof Tensor && typeof b === 'number') {
    if (b === 2) return square(a);
    if (b === 0.5) return sqrt(a);
    return powScalar([a], { exponent: b })[0]!;
  }
  return power(a, b);
}

const powScalar = /* @__PURE__ */ defineOp<{ exponent: number }>({
  name: 'powScalar',
  version: 1,
  shape: ([x]) => {
    checkReals('pow', [x!]);
    return [x!];
  },
  emit: (program, [out], [x], { exponent }) => program.map(Fn.POW, out!, [x!, program.number(exponent, x!.dtype)]),
  vjp: ([g], { inputs: [x], options: { exponent } }) =>
    // Beyond the power itself the slope is 0 everywhere, also where x^(n-1) is infinite.
    [exponent === 0 ? mul(g!, 0) : mul(g!, mul(pow(x!, exponent - 1), exponent))],
});

export const neg = unary('neg', Fn.NEG, (g) => neg(g), Fn.NEG_I);
/** The gradient at 0 is 0. */
export const abs = unary('abs', Fn.ABS, (g, x) => mul(g, sign(x)), Fn.ABS_I);
export const sign = unary('sign', Fn.SIGN, (g) => mul(g, 0), Fn.SIGN_I);
export const reciprocal = unary('reciprocal', Fn.RECIPROCAL, (g, _x, y) => neg(mul(g, square(y))));
export const sqrt = unary('sqrt', Fn.SQRT, (g, _x, y) => div(g, mul(y, 2)));
export const floor = unary('floor', Fn.FLOOR, (g) => mul(g, 0));
export const ceil = unary('ceil', Fn.CEIL, (g) => mul(g, 0));
/** To the nearest whole number, halves to the even one. */
export const round = unary('round', Fn.ROUND, (g) => mul(g, 0));

/** x·x. Throws a DtypeError unless x is real or i32. */
export function square(x: Operand): Tensor {
  if (typeof x !== 'number') checkNumeric('square', { x });
  return mul(x, x);
}

// --- transcendental: error bounds in assembly/math.ts ---

export const exp = unary('exp', Fn.EXP, (g, _x, y) => mul(g, y));
/** e^x - 1, also where x is tiny. */
export const expm1 = unary('expm1', Fn.EXPM1, (g, _x, y) => mul(g, add(y, 1)));
export const log = unary('log', Fn.LOG, (g, x) => div(g, x));
/** log(1 + x), also where x is tiny. */
export const log1p = unary('log1p', Fn.LOG1P, (g, x) => div(g, add(x, 1)));
export const tanh = unary('tanh', Fn.TANH, (g, _x, y) => mul(g, sub(1, square(y))));
/** 1 / (1 + e^-x), safe over the whole range. */
export const sigmoid = unary('sigmoid', Fn.SIGMOID, (g, _x, y) => mul(g, mul(y, sub(1, y))));
export const erf = unary('erf', Fn.ERF, (g, x) => mul(g, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI))));
export const sin = unary('sin', Fn.SIN, (g, x) => mul(g, cos(x)));
export const cos = unary('cos', Fn.COS, (g, x) => neg(mul(g, sin(x))));

// --- piecewise ---

/** max(0, x): -∞ gives 0, and the gradient at 0 is 0. */
export const relu = unary('relu', Fn.RELU, (g, _x, y) => gate(y, g));

/** g where y > 0, else 0. */
const gate = binary('gate', Fn.GATE, null, (g, y) => [null, gate(y, g)]);

interface SoftplusOptions {
  beta: number;
  threshold: number;
}

// An op of its own for the sake of its gradient: that of the formula, composed, would be 0 at x = 0 in place of 1/2.
const softplusOp = /* @__PURE__ */ defineOp<SoftplusOptions>({
  name: 'softplus',
  version: 1,
  shape: ([x]) => {
    checkReals('softplus', [x!]);
    return [x!];
  },
  emit: (program, [out], [x], { beta, threshold }) => {
    const step = (fn: Fn, ...ins: View[]): View => {
      const y = program.temporary(out!);
      program.map(fn, y, ins);
      return y;
    };
    const number = (value: number) => program.number(value, out!.dtype);
    const z = beta === 1 ? x! : step(Fn.MUL, x!, number(beta));
    const tail = step(Fn.LOG1P, step(Fn.EXP, step(Fn.NEG, step(Fn.ABS, z))));
    const curved = step(Fn.ADD, step(Fn.RELU, z), tail);
    const straight = program.temporary({ shape: out!.shape, dtype: 'bool' });
    program.map(Fn.LT, straight, [number(threshold), z]);
    program.map(Fn.WHERE_R, out!, [straight, x!, beta === 1 ? curved : step(Fn.DIV, curved, number(beta))]);
  },
  vjp: ([g], { inputs: [x], options: { beta, threshold } }) => {
    const z = beta === 1 ? x! : mul(x!, beta);
    return [where(gt(z, threshold), g!, mul(g!, sigmoid(z)))];
  },
});

/**
 * log(1 + e^(beta·x)) / beta, as max(z, 0) + log1p(e^-|z|) of z = beta·x, which overflows nowhere; x itself where z is above
 * the threshold.
 */
export function softplus(x: Tensor, { beta = 1, threshold = 20 }: { beta?: number; threshold?: number } = {}): Tensor {
  if (!(beta > 0)) {
    throw new ValueError(`beta must be above 0; got ${beta}.`, { op: 'softplus', argument: 'beta', got: beta });
  }
  return softplusOp([x], { beta, threshold })[0]!;
}

/**
 * x held between min and max, one of which may be missing. The gradient passes within, borders included. Throws a ValueError
 * without either, a DtypeError for one that x's dtype cannot hold.
 */
export function clamp(x: Tensor, { min, max }: { min?: number; max?: number }): Tensor {
  if (min === undefined && max === undefined) {
    throw new ValueError('min or max must be given; got neither.', { op: 'clamp', argument: 'min', got: min });
  }
  for (const bound of [min, max]) if (bound !== undefined) checkNumber('clamp', bound, x.dtype);
  let y = x;
  if (min !== undefined) y = where(lt(y, min), min, y);
  if (max !== undefined) y = where(gt(y, max), max, y);
  return y;
}

// --- comparisons and choice ---

export const eq = comparison('eq', [Fn.EQ, Fn.EQ_I, Fn.EQ_B]);
export const ne = comparison('ne', [Fn.NE, Fn.NE_I, Fn.NE_B]);
export const lt = comparison('lt', [Fn.LT, Fn.LT_I, Fn.LT_B]);
export const le = comparison('le', [Fn.LE, Fn.LE_I, Fn.LE_B]);
export const gt = comparison('gt', [Fn.LT, Fn.LT_I, Fn.LT_B], true);
export const ge = comparison('ge', [Fn.LE, Fn.LE_I, Fn.LE_B], true);

export const logicalAnd = logical('logicalAnd', Fn.AND);
export const logicalOr = logical('logicalOr', Fn.OR);
export const logicalXor = logical('logicalXor', Fn.XOR);
export const logicalNot = logical('logicalNot', Fn.NOT);

const finite = /* @__PURE__ */ defineOp({
  name: 'isFinite',
  version: 1,
  shape: ([x]) => {
    checkReals('isFinite', [x!]);
    return [{ shape: x!.shape, dtype: 'bool' }];
  },
  emit: (program, [out], ins) => program.map(Fn.IS_FINITE, out!, ins),
});

/** True where x is neither NaN nor infinite. */
// biome-ignore lint/suspicious/noShadowRestrictedNames: torch's name
export function isFinite(x: Tensor): Tensor {
  return finite([x])[0]!;
}

const select = /* @__PURE__ */ defineOp({
  name: 'where',
  version: 1,
  // bool [...] x [...] x [...] -> broadcast
  shape: ([condition, a, b]) => {
    checkDtypes('where', [condition!], (dtype) => dtype === 'bool', 'bool');
    const dtype = checkSame('where', [a!, b!]);
    return [{ shape: broadcastShapes('where', condition!.shape, a!.shape, b!.shape), dtype }];
  },
  emit: (program, [out], ins) => {
    const fn = isReal(out!.dtype) ? Fn.WHERE_R : out!.dtype === 'i32' ? Fn.WHERE_I : Fn.WHERE_B;
    program.map(fn, out!, ins);
  },
  vjp: ([g], { inputs: [condition] }) => [null, where(condition!, g!, 0), where(condition!, 0, g!)],
});

/** a where the condition holds, else b. Of two plain numbers the result is f32. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const first = typeof a === 'number' && typeof b === 'number' ? full([], a) : a;
  return select([condition, first, b])[0]!;
}

// --- dtypes ---

const CASTS: Record<string, Fn> = {
  'real i32': Fn.R_TO_I,
  'real u8': Fn.R_TO_U8,
  'real bool': Fn.R_TO_BOOL,
  'i32 real': Fn.I_TO_R,
  'i32 u8': Fn.I_TO_U8,
  'i32 bool': Fn.I_TO_BOOL,
  'u8 real': Fn.U8_TO_R,
  'u8 i32': Fn.U8_TO_I,
  'u8 bool': Fn.U8_TO_BOOL,
  'bool real': Fn.U8_TO_R,
  'bool i32': Fn.U8_TO_I,
  'bool u8': Fn.COPY_B,
};

const castOp = /* @__PURE__ */ defineOp<{ dtype: DType }>({
  name: 'cast',
  version: 1,
  shape: ([x], { dtype }) => [{ shape: x!.shape, dtype: checkDtype('cast', dtype) }],
  emit: (program, [out], [x]) => {
    const group = (dtype: DType) => (dtype === program.real ? 'real' : dtype);
    const [from, to] = [group(x!.dtype), group(out!.dtype)];
    if (isReal(x!.dtype) && isReal(out!.dtype))
      program.map(from === 'real' ? Fn.R_TO_OTHER : Fn.OTHER_TO_R, out!, [x!]);
    else program.map(CASTS[`${from} ${to}`]!, out!, [x!]);
  },
  vjp: ([g], { inputs: [x] }) => [isReal(x!.dtype) ? cast(g!, x!.dtype) : null],
});

/**
 * The same numbers in another dtype. Towards zero and saturating where that is whole (NaN gives 0); true where not 0.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : castOp([x], { dtype })[0]!;
}
