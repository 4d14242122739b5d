/**
 * Elementary functions on vectors, for both precisions: `exp(x)` works on reals, `exp<f64>(x)` on doubles in either build.
 * Only + - * / and integer operations, no branch on a value: the bits are the same on every engine and in every lane.
 * Own code after the methods named at each function; the polynomials are minimax fits made for it (Remez, 300 bits).
 *
 * An error is the largest found, in units of the last place: of 116 million floats of all sizes (f32, against JavaScript's
 * doubles; pow 12 million pairs) and of 160,000 doubles (f64, against mpmath). test/kernels/math.test.ts holds it to them.
 */
import { multiplyAdd } from './real';

/**
 * What e^x and its relatives are made of. They come from tables: an engine makes a constant of the code anew in every turn of a loop,
 * with three instructions, where a load into all lanes takes one. (For the other functions that would gain less than it weighs.)
 */
const enum Exp {
  LOG2_E,
  /**
   * 1.5 · 2^mantissa + 2 · bias. Adding it rounds a small real to a whole number n (half to even) and leaves n + 2 · bias
   * in the low bits; subtracting it again gives n as a real.
   */
  ROUNDER,
  /** ln 2 in two parts: n times the first (9 bits, 33 bits) is exact. */
  LN2_HIGH,
  LN2_LOW,
  /** Beyond these e^x is 0 or ∞. */
  LOWEST,
  HIGHEST,
  /** The polynomial of `expm1Reduced`: 6 coefficients, 11 in f64. */
  POLYNOMIAL,
}
const EXP_F32: usize = memory.data<f32>([
  1.44269504088896340736, 12582912 + 254, 0.693359375, -2.12194440e-4, -104, 89, 0.5, 0.166666672, 0.041666355, 0.00833327323,
  0.00139409688, 0.000199142407,
]);
const EXP_F64: usize = memory.data<f64>([
  1.44269504088896340736, 6755399441055744 + 2046, 6.93147180369123816490e-1, 1.90821492927058770002e-10, -746, 710, 0.5,
  0.16666666666666677, 0.0416666666666667, 8.333333333321648e-3, 1.3888888888866826e-3, 1.984126988608465e-4,
  2.480158736057972e-5, 2.755724425029376e-6, 2.7557242739303826e-7, 2.5109022696394494e-8, 2.0924449815981602e-9,
]);

/** Bits of a mantissa. */
@inline
function mantissaBits<T>(): i32 {
  return sizeof<T>() == 4 ? 23 : 52;
}

/** One constant in every lane: `single` for f32, `double` for f64. */
@inline
function either<T>(single: f32, double: f64): v128 {
  return sizeof<T>() == 4 ? f32x4.splat(single) : f64x2.splat(double);
}

/** A constant of EXP in every lane. */
@inline
function ofExp<T>(i: i32): v128 {
  return v128.load_splat<T>((sizeof<T>() == 4 ? EXP_F32 : EXP_F64) + i * sizeof<T>());
}

@inline
function splatBits<T>(single: u32, double: u64): v128 {
  return sizeof<T>() == 4 ? i32x4.splat(single) : i64x2.splat(double);
}

@inline
function addBits<T>(a: v128, b: v128): v128 {
  return sizeof<T>() == 4 ? i32x4.add(a, b) : i64x2.add(a, b);
}

@inline
function subBits<T>(a: v128, b: v128): v128 {
  return sizeof<T>() == 4 ? i32x4.sub(a, b) : i64x2.sub(a, b);
}

@inline
function shiftLeft<T>(a: v128, by: i32): v128 {
  return sizeof<T>() == 4 ? i32x4.shl(a, by) : i64x2.shl(a, by);
}

@inline
function shiftRight<T>(a: v128, by: i32): v128 {
  return sizeof<T>() == 4 ? i32x4.shr_u(a, by) : i64x2.shr_u(a, by);
}

@inline
function signBit<T>(): v128 {
  return splatBits<T>(0x80000000, 0x8000000000000000);
}

@inline
function copySign<T>(magnitude: v128, sign: v128): v128 {
  return v128.bitselect(sign, magnitude, signBit<T>());
}

/** p · x + c: a step of Horner's rule. */
@inline
function horner<T>(p: v128, x: v128, c: T): v128 {
  return multiplyAdd<T>(p, x, v128.splat<T>(c));
}

/** x / ln 2, rounded: the sum with ROUNDER. */
@inline
function octaves<T>(x: v128): v128 {
  return v128.add<T>(v128.mul<T>(x, ofExp<T>(Exp.LOG2_E)), ofExp<T>(Exp.ROUNDER));
}

/** x - n · ln 2, |r| ≤ 0.3466 (Cody and Waite's reduction in two steps). */
@inline
function reduced<T>(x: v128, sum: v128): v128 {
  const n = v128.sub<T>(sum, ofExp<T>(Exp.ROUNDER));
  const high = v128.sub<T>(x, v128.mul<T>(n, ofExp<T>(Exp.LN2_HIGH)));
  return v128.sub<T>(high, v128.mul<T>(n, ofExp<T>(Exp.LN2_LOW)));
}

/** c + d·x of two neighbouring coefficients. */
@inline
function pair<T>(x: v128, i: i32): v128 {
  return multiplyAdd<T>(ofExp<T>(Exp.POLYNOMIAL + i + 1), x, ofExp<T>(Exp.POLYNOMIAL + i));
}

/**
 * (exp(r) - 1)·scale for |r| ≤ 0.3466 and a scale that is a power of 2: r + r²·q(r). Relative error of the fit 2^-28.7 (f32), 2^-60
 * (f64). Horner's rule in r² over pairs of coefficients, and the scale beside it, since it is for the chain of dependent operations
 * that this waits.
 */
@inline
function expm1Reduced<T>(r: v128, scale: v128): v128 {
  const square = v128.mul<T>(r, r);
  let q: v128;
  if (sizeof<T>() == 4) {
    q = pair<T>(r, 4);
  } else {
    q = multiplyAdd<T>(ofExp<T>(Exp.POLYNOMIAL + 10), square, pair<T>(r, 8));
    q = multiplyAdd<T>(q, square, pair<T>(r, 6));
    q = multiplyAdd<T>(q, square, pair<T>(r, 4));
  }
  q = multiplyAdd<T>(q, square, pair<T>(r, 2));
  q = multiplyAdd<T>(q, square, pair<T>(r, 0));
  return v128.add<T>(v128.mul<T>(r, scale), v128.mul<T>(v128.mul<T>(square, scale), q));
}

/** 2^⌊n/2⌋ from the sum that `octaves` gives. One factor 2^n would leave the exponent's range before the result does. */
@inline
function firstScale<T>(sum: v128): v128 {
  return shiftLeft<T>(shiftRight<T>(sum, 1), mantissaBits<T>());
}

/** 2^⌈n/2⌉, the other factor. */
@inline
function secondScale<T>(sum: v128): v128 {
  return shiftLeft<T>(subBits<T>(sum, shiftRight<T>(sum, 1)), mantissaBits<T>());
}

/** e^x over the whole range, subnormal results included. Error 0.97 (f32), 0.93 (f64). Cody and Waite's reduction. */
@inline
export function exp<T = real>(x: v128): v128 {
  // NaN passes: pmin and pmax return their first operand if it is NaN. Beyond these bounds the result is 0 or ∞.
  const bounded = v128.pmin<T>(v128.pmax<T>(x, ofExp<T>(Exp.LOWEST)), ofExp<T>(Exp.HIGHEST));
  const sum = octaves<T>(bounded);
  const first = firstScale<T>(sum);
  const y = v128.add<T>(first, expm1Reduced<T>(reduced<T>(bounded, sum), first));
  return v128.mul<T>(y, secondScale<T>(sum));
}

/** e^x - 1, accurate near 0: 2^n · (e^r - 1) + (2^n - 1), scaled in two steps as in exp. Error 1.6 (f32), 1.9 (f64). */
@inline
export function expm1<T = real>(x: v128): v128 {
  const bounded = v128.pmin<T>(v128.pmax<T>(x, either<T>(-30, -50)), ofExp<T>(Exp.HIGHEST));
  const sum = octaves<T>(bounded);
  const first = firstScale<T>(sum);
  const second = secondScale<T>(sum);
  const inverse = subBits<T>(splatBits<T>(0x7f000000, 0x7fe0000000000000), second); // 2^-⌈n/2⌉
  const y = v128.add<T>(expm1Reduced<T>(reduced<T>(bounded, sum), first), v128.sub<T>(first, inverse));
  return copySign<T>(v128.mul<T>(y, second), x); // -0 stays
}

/** All bits set where x is below the smallest normal number. */
@inline
function isSubnormal<T>(x: v128): v128 {
  return v128.lt<T>(x, either<T>(1.17549435e-38, 2.2250738585072014e-308));
}

/**
 * x > 0 is 2^k · m with m in [√½, √2): its bits less those of √½, plus the bias in the exponent's place, have k + bias as
 * exponent field and (bits of m) - (bits of √½) as mantissa field. Subnormals are scaled by 2^25 (2^54) first.
 */
@inline
function splitBits<T>(x: v128, subnormal: v128): v128 {
  const y = v128.bitselect(v128.mul<T>(x, either<T>(33554432, 18014398509481984)), x, subnormal);
  return addBits<T>(y, splatBits<T>(0x3f800000 - 0x3f3504f3, 0x3ff0000000000000 - 0x3fe6a09e667f3bcd));
}

@inline
function significand<T>(split: v128): v128 {
  const mantissa = v128.and(split, splatBits<T>(0x007fffff, 0x000fffffffffffff));
  return addBits<T>(mantissa, splatBits<T>(0x3f3504f3, 0x3fe6a09e667f3bcd));
}

@inline
function exponent<T>(split: v128, subnormal: v128): v128 {
  // A whole number in the low bits of 2^mantissa makes the real 2^mantissa + that number.
  const field = v128.or(shiftRight<T>(split, mantissaBits<T>()), splatBits<T>(0x4b000000, 0x4330000000000000));
  const k = v128.sub<T>(field, either<T>(8388608 + 127, 4503599627370496 + 1023));
  return v128.sub<T>(k, v128.and(subnormal, either<T>(25, 54)));
}

/**
 * log(x) + tail for x > 0 and a tail that is small against it, by fdlibm's scheme: x = 2^k · (1 + f), s = f / (2 + f),
 * log(1 + f) = f - (f²/2 - s·(f²/2 + R(s²))), fits of R 2^-34 (f32), 2^-58 (f64); the parts join from small to large.
 */
@inline
function logSum<T>(x: v128, tail: v128): v128 {
  const subnormal = isSubnormal<T>(x);
  const split = splitBits<T>(x, subnormal);
  const k = exponent<T>(split, subnormal);
  const m = significand<T>(split);
  const f = v128.sub<T>(m, v128.splat<T>(1));
  const s = v128.div<T>(f, v128.add<T>(f, v128.splat<T>(2)));
  const z = v128.mul<T>(s, s);
  let r: v128;
  if (sizeof<T>() == 4) {
    r = f32x4.splat(0.242857963);
    r = horner<f32>(r, z, 0.284984946);
    r = horner<f32>(r, z, 0.400009751);
    r = horner<f32>(r, z, 0.666666627);
  } else {
    r = f64x2.splat(0.14795740229958596);
    r = horner<f64>(r, z, 0.1531407542323393);
    r = horner<f64>(r, z, 0.1818356316425919);
    r = horner<f64>(r, z, 0.22222198600219997);
    r = horner<f64>(r, z, 0.28571428742062394);
    r = horner<f64>(r, z, 0.3999999999941655);
    r = horner<f64>(r, z, 0.6666666666666734);
  }
  r = v128.mul<T>(r, z);
  const half = v128.mul<T>(v128.mul<T>(f, f), v128.splat<T>(0.5));
  const low = v128.add<T>(v128.mul<T>(k, either<T>(9.0580006145e-6, 1.90821492927058770002e-10)), tail);
  const high = v128.mul<T>(k, either<T>(6.9313812256e-1, 6.93147180369123816490e-1));
  const inner = v128.sub<T>(half, v128.add<T>(v128.mul<T>(s, v128.add<T>(half, r)), low));
  return v128.sub<T>(high, v128.sub<T>(inner, f));
}

/** `y`, but x itself where x is NaN or +∞, -∞ where x is `pole`, NaN below. */
@inline
function logBounds<T>(y: v128, x: v128, pole: T): v128 {
  const within = v128.bitselect(y, x, v128.lt<T>(x, v128.splat<T>(<T>Infinity)));
  const infinite = v128.bitselect(v128.splat<T>(<T>-Infinity), within, v128.eq<T>(x, v128.splat<T>(pole)));
  return v128.or(infinite, v128.lt<T>(x, v128.splat<T>(pole))); // all bits set is a NaN
}

/** ln x over the whole range, subnormals included. Error 0.84 (f32), 0.78 (f64). */
@inline
export function log<T = real>(x: v128): v128 {
  return logBounds<T>(logSum<T>(x, v128.splat<T>(0)), x, 0);
}

/** ln(1 + x), accurate near 0: with u = 1 + x rounded, ln u + (what u lost) / u. Error 0.84 (f32), 0.76 (f64). */
@inline
export function log1p<T = real>(x: v128): v128 {
  const one = v128.splat<T>(1);
  const u = v128.add<T>(x, one);
  const lost = v128.sub<T>(v128.pmin<T>(x, one), v128.sub<T>(u, v128.pmax<T>(x, one)));
  const y = logSum<T>(u, v128.div<T>(lost, u));
  return logBounds<T>(copySign<T>(y, x), x, -1);
}

/** 2^n for a small n from the sum that `octaves` gives. */
@inline
function wholeScale<T>(sum: v128): v128 {
  return shiftLeft<T>(subBits<T>(sum, splatBits<T>(127, 1023)), mantissaBits<T>());
}

/**
 * tanh x. f32: x + x³·P(x²) below 0.625 (Cephes' split, fit 2^-27.8), else 1 - 2 / (e^2|x| + 1).
 * f64: t / (t + 2) with t = e^2|x| - 1, whose errors shrink in the quotient; a polynomial would need 18 terms.
 * Error 1.4 (f32), 2.5 (f64).
 */
@inline
export function tanh<T = real>(x: v128): v128 {
  const one = v128.splat<T>(1);
  const two = v128.splat<T>(2);
  const size = v128.abs<T>(x);
  const bounded = v128.pmin<T>(size, either<T>(10, 22)); // beyond, the result is ±1
  const twice = v128.add<T>(bounded, bounded);
  const sum = octaves<T>(twice);
  const scale = wholeScale<T>(sum);
  const scaled = expm1Reduced<T>(reduced<T>(twice, sum), scale);
  if (sizeof<T>() == 8) {
    const t = f64x2.add(scaled, f64x2.sub(scale, one));
    return copySign<f64>(f64x2.div(t, f64x2.add(t, two)), x);
  }
  const far = f32x4.sub(one, f32x4.div(two, f32x4.add(f32x4.add(scale, scaled), one)));
  const z = f32x4.mul(x, x);
  let p = f32x4.splat(-0.0057051396);
  p = horner<f32>(p, z, 0.0206392836);
  p = horner<f32>(p, z, -0.053739801);
  p = horner<f32>(p, z, 0.133314431);
  p = horner<f32>(p, z, -0.333332807);
  const near = f32x4.add(x, f32x4.mul(f32x4.mul(x, z), p));
  return copySign<f32>(v128.bitselect(near, far, f32x4.lt(size, f32x4.splat(0.625))), x); // -0 stays
}

/** 1 / (1 + e^-x), from e^-|x|, which cannot overflow; accurate down to the last subnormal. Error 2.5 (f32), 2.2 (f64). */
@inline
export function sigmoid<T = real>(x: v128): v128 {
  const one = v128.splat<T>(1);
  const e = exp<T>(v128.neg<T>(v128.abs<T>(x)));
  const numerator = v128.bitselect(e, one, v128.lt<T>(x, v128.splat<T>(0)));
  return v128.div<T>(numerator, v128.add<T>(one, e));
}

/**
 * erf x: x + x·P(x²) below 1; beyond, 1 - e^-x²·g(t) with t = (x - 2) / (x + 2), g fitted to e^x²·erfc(x) where what it
 * is subtracted from allows (fits 2^-28.5 in f32, 2^-56 in f64). Error 1.3 (f32), 1.2 (f64).
 */
@inline
export function erf<T = real>(x: v128): v128 {
  const z = v128.mul<T>(x, x);
  const size = v128.abs<T>(x);
  const bounded = v128.pmin<T>(size, either<T>(4, 6)); // beyond, the result is ±1
  const two = v128.splat<T>(2);
  const t = v128.div<T>(v128.sub<T>(bounded, two), v128.add<T>(bounded, two));
  let p: v128;
  let g: v128;
  if (sizeof<T>() == 4) {
    p = f32x4.splat(7.853852e-5);
    p = horner<f32>(p, z, -0.000801019196);
    p = horner<f32>(p, z, 0.00518832775);
    p = horner<f32>(p, z, -0.0268538129);
    p = horner<f32>(p, z, 0.112835854);
    p = horner<f32>(p, z, -0.37612626);
    p = horner<f32>(p, z, 0.128379166);
    g = f32x4.splat(0.00721044745);
    g = horner<f32>(g, t, 0.00372793013);
    g = horner<f32>(g, t, -0.0789874345);
    g = horner<f32>(g, t, 0.241657212);
    g = horner<f32>(g, t, -0.427185863);
    g = horner<f32>(g, t, 0.255395681);
  } else {
    p = f64x2.splat(5.945261941183837e-11);
    p = horner<f64>(p, z, -1.1365665583128013e-9);
    p = horner<f64>(p, z, 1.4657879601536979e-8);
    p = horner<f64>(p, z, -1.6350025163666317e-7);
    p = horner<f64>(p, z, 1.646097280914595e-6);
    p = horner<f64>(p, z, -1.4925593506254136e-5);
    p = horner<f64>(p, z, 0.00012055331036867641);
    p = horner<f64>(p, z, -0.0008548326978741218);
    p = horner<f64>(p, z, 0.005223977624780849);
    p = horner<f64>(p, z, -0.026866170645072893);
    p = horner<f64>(p, z, 0.11283791670954857);
    p = horner<f64>(p, z, -0.3761263890318375);
    p = horner<f64>(p, z, 0.1283791670955126);
    g = f64x2.splat(-1.2622107355785559e-5);
    g = horner<f64>(g, t, -2.658705847503577e-5);
    g = horner<f64>(g, t, 2.76308605207666e-5);
    g = horner<f64>(g, t, 0.00017428769546741935);
    g = horner<f64>(g, t, 4.353531386492043e-5);
    g = horner<f64>(g, t, -0.000981976583672356);
    g = horner<f64>(g, t, -0.0008471425724567326);
    g = horner<f64>(g, t, 0.006997461790082662);
    g = horner<f64>(g, t, 0.003732892398589669);
    g = horner<f64>(g, t, -0.07897858101645583);
    g = horner<f64>(g, t, 0.24165819424246696);
    g = horner<f64>(g, t, -0.42718584741395677);
    g = horner<f64>(g, t, 0.25539567631050575);
  }
  const one = v128.splat<T>(1);
  const near = v128.add<T>(x, v128.mul<T>(x, p));
  const far = v128.sub<T>(one, v128.mul<T>(exp<T>(v128.neg<T>(v128.mul<T>(bounded, bounded))), g));
  return v128.bitselect(near, copySign<T>(far, x), v128.lt<T>(size, one));
}

/** 1.5 · 2^52: adding it to a double rounds to a whole number, which stands in the low bits. */
@inline
const WHOLE: f64 = 6755399441055744;
/** π/2 in four parts; n times one of the first three is exact up to n = 2^20. */
@inline
const HALF_PI_1: f64 = 1.5707963267341256;
@inline
const HALF_PI_2: f64 = 6.077100506303966e-11;
@inline
const HALF_PI_3: f64 = 2.0222662487111665e-21;
@inline
const HALF_PI_4: f64 = 8.4784276603689e-32;

/** Two doubles: x · 2/π to the nearest whole number n, as n + WHOLE. */
@inline
function quarters(x: v128): v128 {
  return f64x2.add(f64x2.mul(x, f64x2.splat(0.6366197723675814)), f64x2.splat(WHOLE));
}

/** Two doubles: x - n · π/2 to 86 bits behind the point. */
@inline
function quarterRest(x: v128, sum: v128): v128 {
  const n = f64x2.sub(sum, f64x2.splat(WHOLE));
  const high = f64x2.sub(x, f64x2.mul(n, f64x2.splat(HALF_PI_1)));
  return f64x2.sub(high, f64x2.mul(n, f64x2.splat(HALF_PI_2 + HALF_PI_3)));
}

/**
 * sin(x + shift · π/2) for x ≥ 0: x = n · π/2 + r + tail, then the polynomial of sin or cos by n's low bit, the
 * sign by the next. f32 reduces in doubles; f64 in four parts with their rounding errors kept (Cody and Waite).
 */
@inline
function sine<T>(size: v128, shift: i32): v128 {
  const x = v128.or(size, v128.ge<T>(size, v128.splat<T>(1073741824))); // all bits set is a NaN
  let quadrant: v128;
  let r: v128;
  let tail: v128;
  if (sizeof<T>() == 4) {
    const low = f64x2.promote_low_f32x4(x);
    const high = f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 1));
    const lowSum = quarters(low);
    const highSum = quarters(high);
    const lowRest = f32x4.demote_f64x2_zero(quarterRest(low, lowSum));
    const highRest = f32x4.demote_f64x2_zero(quarterRest(high, highSum));
    r = v128.shuffle<i64>(lowRest, highRest, 0, 2);
    quadrant = v128.shuffle<i32>(lowSum, highSum, 0, 2, 4, 6);
    tail = f32x4.splat(0);
  } else {
    quadrant = quarters(x);
    const n = f64x2.sub(quadrant, f64x2.splat(WHOLE));
    const first = f64x2.sub(x, f64x2.mul(n, f64x2.splat(HALF_PI_1)));
    const part2 = f64x2.mul(n, f64x2.splat(HALF_PI_2));
    const second = f64x2.sub(first, part2);
    const part3 = f64x2.mul(n, f64x2.splat(HALF_PI_3));
    const third = f64x2.sub(second, part3);
    const lost2 = f64x2.sub(f64x2.sub(first, second), part2);
    const lost3 = f64x2.sub(f64x2.sub(second, third), part3);
    const rest = f64x2.sub(f64x2.add(lost2, lost3), f64x2.mul(n, f64x2.splat(HALF_PI_4)));
    r = f64x2.add(third, rest);
    tail = f64x2.add(f64x2.sub(third, r), rest);
  }
  const z = v128.mul<T>(r, r);
  let s: v128;
  let c: v128;
  if (sizeof<T>() == 4) {
    s = f32x4.splat(-0.000195186003);
    s = horner<f32>(s, z, 0.00833219104);
    s = horner<f32>(s, z, -0.166666552);
    c = f32x4.splat(2.44306611e-5);
    c = horner<f32>(c, z, -0.00138873013);
    c = horner<f32>(c, z, 0.0416666456);
  } else {
    s = f64x2.splat(1.5896889113968858e-10);
    s = horner<f64>(s, z, -2.5050759925502556e-8);
    s = horner<f64>(s, z, 2.755731370521853e-6);
    s = horner<f64>(s, z, -0.00019841269829853566);
    s = horner<f64>(s, z, 0.008333333333322486);
    s = horner<f64>(s, z, -0.16666666666666632);
    c = f64x2.splat(-1.1359933467227773e-11);
    c = horner<f64>(c, z, 2.087572927258932e-9);
    c = horner<f64>(c, z, -2.7557314400998916e-7);
    c = horner<f64>(c, z, 2.4801587289671493e-5);
    c = horner<f64>(c, z, -0.0013888888888874474);
    c = horner<f64>(c, z, 0.0416666666666666);
  }
  const half = v128.mul<T>(z, v128.splat<T>(0.5));
  let sin = v128.mul<T>(v128.mul<T>(z, r), s);
  let cos = v128.mul<T>(v128.mul<T>(z, z), c);
  if (sizeof<T>() == 8) {
    sin = f64x2.add(sin, f64x2.sub(tail, f64x2.mul(half, tail)));
    cos = f64x2.sub(cos, f64x2.mul(r, tail));
  }
  sin = v128.add<T>(r, sin);
  cos = v128.sub<T>(v128.splat<T>(1), v128.sub<T>(half, cos));
  const turned = addBits<T>(quadrant, splatBits<T>(shift, shift));
  const lowBit = v128.and(turned, splatBits<T>(1, 1));
  const odd = subBits<T>(splatBits<T>(0, 0), lowBit);
  const negative = v128.and(shiftLeft<T>(turned, sizeof<T>() == 4 ? 30 : 62), signBit<T>());
  return v128.xor(v128.bitselect(cos, sin, odd), negative);
}

/** sin x. Error 1.6 (f32), 1.1 (f64) for |x| < 1.6e6, then |x| · 2^-53 absolute; NaN from 2^30 on. */
@inline
export function sin<T = real>(x: v128): v128 {
  return v128.xor(sine<T>(v128.abs<T>(x), 0), v128.and(x, signBit<T>()));
}

/** cos x. Error 1.6 (f32), 1.1 (f64) for |x| < 1.6e6, then |x| · 2^-53 absolute; NaN from 2^30 on. */
@inline
export function cos<T = real>(x: v128): v128 {
  return sine<T>(v128.abs<T>(x), 1);
}

/** The upper 21 bits of each double: the product of two such is exact. */
@inline
function upper(x: v128): v128 {
  return v128.and(x, i64x2.splat(0xffffffff00000000));
}

/**
 * x^y of two doubles, x > 0, |y| ≤ 2^64: log2 x = k + 2/(3 ln 2) · s · (3 + s² + …) with s = (m - 1) / (m + 1) in
 * high and low parts (fdlibm's idea), so that y · log2 x keeps 11 bits more than a double; then 2^n · e^rest.
 */
@inline
function powDouble(x: v128, y: v128): v128 {
  const subnormal = isSubnormal<f64>(x);
  const split = splitBits<f64>(x, subnormal);
  const k = exponent<f64>(split, subnormal);
  const m = significand<f64>(split);

  // s = f / d with d = m + 1, and s - sHigh from the exact remainder of f - sHigh · d
  const one = f64x2.splat(1);
  const f = f64x2.sub(m, one);
  const d = f64x2.add(m, one);
  const s = f64x2.div(f, d);
  const sHigh = upper(s);
  const dHigh = upper(d);
  const dLow = f64x2.sub(m, f64x2.sub(dHigh, one));
  const remainder = f64x2.sub(f64x2.sub(f, f64x2.mul(sHigh, dHigh)), f64x2.mul(sHigh, dLow));
  const sLow = f64x2.div(remainder, d);

  // t = 3 + s² + s⁴ · q(s²)
  const z = f64x2.mul(s, s);
  let q = f64x2.splat(0.17999322193863562);
  q = horner<f64>(q, z, 0.1751033431255949);
  q = horner<f64>(q, z, 0.20004569146322482);
  q = horner<f64>(q, z, 0.23076832897713936);
  q = horner<f64>(q, z, 0.27272728340598573);
  q = horner<f64>(q, z, 0.33333333326020537);
  q = horner<f64>(q, z, 0.42857142857168823);
  q = horner<f64>(q, z, 0.5999999999999996);
  const three = f64x2.splat(3);
  const square = f64x2.mul(sHigh, sHigh);
  const rest = f64x2.add(f64x2.mul(f64x2.mul(z, z), q), f64x2.mul(sLow, f64x2.add(sHigh, s)));
  const tHigh = upper(f64x2.add(f64x2.add(three, square), rest));
  const tLow = f64x2.sub(rest, f64x2.sub(f64x2.sub(tHigh, three), square));

  // p = s · t, then log2 x = k + 2/(3 ln 2) · p
  const exact = f64x2.mul(sHigh, tHigh);
  const small = f64x2.add(f64x2.mul(sLow, tHigh), f64x2.mul(tLow, s));
  const pHigh = upper(f64x2.add(exact, small));
  const pLow = f64x2.sub(small, f64x2.sub(pHigh, exact));
  const cHigh = f64x2.mul(pHigh, f64x2.splat(0.9617962837219238));
  const cLow = f64x2.add(
    f64x2.mul(pHigh, f64x2.splat(4.102040517767816e-7)),
    f64x2.mul(pLow, f64x2.splat(0.9617966939259756)),
  );
  const lHigh = upper(f64x2.add(k, f64x2.add(cHigh, cLow)));
  const lLow = f64x2.sub(cLow, f64x2.sub(f64x2.sub(lHigh, k), cHigh));

  // y · log2 x = high + low = n + w / ln 2; from ±1100 on, the scales make 0 or ∞ of anything
  const yHigh = upper(y);
  const product = f64x2.mul(yHigh, lHigh);
  const high = f64x2.pmin(f64x2.pmax(product, f64x2.splat(-1100)), f64x2.splat(1100));
  const correction = f64x2.add(f64x2.mul(f64x2.sub(y, yHigh), lHigh), f64x2.mul(y, lLow));
  const low = v128.and(correction, f64x2.eq(high, product));
  const sum = f64x2.add(f64x2.add(high, low), ofExp<f64>(Exp.ROUNDER));
  const away = f64x2.sub(high, f64x2.sub(sum, ofExp<f64>(Exp.ROUNDER)));
  const fHigh = upper(f64x2.add(away, low));
  const fLow = f64x2.sub(low, f64x2.sub(fHigh, away));
  const wHigh = f64x2.mul(fHigh, f64x2.splat(0.6931467056274414));
  const wLow = f64x2.add(
    f64x2.mul(fLow, f64x2.splat(0.6931471805599453)),
    f64x2.mul(fHigh, f64x2.splat(4.7493250390316726e-7)),
  );
  const w = f64x2.add(wHigh, wLow);
  const lost = f64x2.sub(wLow, f64x2.sub(w, wHigh));
  const power = f64x2.add(one, f64x2.add(expm1Reduced<f64>(w, one), lost));
  return f64x2.mul(f64x2.mul(power, firstScale<f64>(sum)), secondScale<f64>(sum));
}

/** x^y of two doubles, x > 0, |y| ≤ 2^64, good enough for a result that is rounded to f32. Called twice a vector, and not inlined: it is a kilobyte. */
function powSingle(x: v128, y: v128): v128 {
  return exp<f64>(f64x2.mul(y, logSum<f64>(x, f64x2.splat(0))));
}

/**
 * x^y with the special cases of C's pow (annex F): pow(x, 0) = pow(1, y) = 1, odd y keeps the sign of x, …
 * Error 0.51 (f32), 1.2 (f64).
 */
@inline
export function pow<T = real>(x: v128, y: v128): v128 {
  const zero = v128.splat<T>(0);
  const one = v128.splat<T>(1);
  const infinity = v128.splat<T>(<T>Infinity);
  const size = v128.abs<T>(x);
  // Beyond 2^64 every base but ±1 has left the range.
  const bounded = v128.pmin<T>(v128.pmax<T>(y, v128.splat<T>(-1.8446744073709552e19)), v128.splat<T>(1.8446744073709552e19));
  let power: v128;
  if (sizeof<T>() == 4) {
    const low = powSingle(f64x2.promote_low_f32x4(size), f64x2.promote_low_f32x4(bounded));
    const high = powSingle(
      f64x2.promote_low_f32x4(v128.shuffle<i64>(size, size, 1, 1)),
      f64x2.promote_low_f32x4(v128.shuffle<i64>(bounded, bounded, 1, 1)),
    );
    power = v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
  } else {
    power = powDouble(size, bounded);
  }
  const endless = v128.eq<T>(size, infinity);
  const pole = v128.or(endless, v128.eq<T>(x, zero));
  const grows = v128.xor(v128.lt<T>(y, zero), endless);
  power = v128.bitselect(v128.and(grows, infinity), power, pole);

  const whole = v128.eq<T>(v128.trunc<T>(y), y);
  const half = v128.mul<T>(y, v128.splat<T>(0.5));
  const odd = v128.and(whole, v128.ne<T>(v128.trunc<T>(half), half));
  power = v128.xor(power, v128.and(v128.and(x, signBit<T>()), odd));

  const imaginary = v128.andnot(v128.lt<T>(x, zero), v128.or(whole, endless));
  const unordered = v128.or(v128.ne<T>(x, x), v128.ne<T>(y, y));
  power = v128.or(power, v128.or(imaginary, unordered)); // all bits set is a NaN
  return v128.bitselect(one, power, v128.or(v128.eq<T>(y, zero), v128.eq<T>(x, one)));
}

/** max(0, x): what is not above 0 becomes +0, and NaN stays. */
@inline
export function relu(x: v128): v128 {
  return v128.andnot(x, v128.le<real>(x, v128.splat<real>(0)));
}
