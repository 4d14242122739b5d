import { Adam, Sgd } from '../isa';
import { LANES, SHIFT, address, double, word } from '../real';
import { storeFirst, storeUpTo } from '../tail';

/** β^t by squaring: only products, so the same bits on every engine. */
function power(base: f64, exponent: i32): f64 {
  let result: f64 = 1;
  for (; exponent > 0; exponent >>>= 1) {
    if (exponent & 1) result *= base;
    base *= base;
  }
  return result;
}

/** -0 in every lane, which as an xor mask negates, or nothing. */
@inline
function signMask(negate: i32): v128 {
  return v128.splat<real>(negate ? -0.0 : 0);
}

export function sgd(record: usize, chunk: i32): void {
  const first = chunk * word(record, Sgd.CHUNK);
  const count = min(word(record, Sgd.SIZE) - first, word(record, Sgd.CHUNK));
  const offset = <usize>first << SHIFT;
  const gradient = address(record, Sgd.GRADIENT) + offset;
  const parameter = address(record, Sgd.PARAMETER) + offset;
  const newParameter = address(record, Sgd.NEW_PARAMETER) + offset;
  const buffer = address(record, Sgd.BUFFER) + offset;
  const newBuffer = address(record, Sgd.NEW_BUFFER) + offset;
  const hasBuffer = double(record, Sgd.MOMENTUM) != 0;
  const firstStep = load<i32>(address(record, Sgd.STEP)) == 1;
  const nesterov = word(record, Sgd.NESTEROV);
  const sign = signMask(word(record, Sgd.MAXIMIZE));
  const lr = v128.splat<real>(load<real>(address(record, Sgd.LR)));
  const momentum = v128.splat<real>(<real>double(record, Sgd.MOMENTUM));
  const fresh = v128.splat<real>(<real>(1 - double(record, Sgd.DAMPENING)));
  const decay = v128.splat<real>(<real>double(record, Sgd.WEIGHT_DECAY));
  let at: usize = 0;
  let left = count;
  do {
    const p = v128.load(parameter + at);
    let g = v128.add<real>(v128.xor(v128.load(gradient + at), sign), v128.mul<real>(decay, p));
    if (hasBuffer) {
      let b = g;
      if (!firstStep) {
        b = v128.add<real>(v128.mul<real>(momentum, v128.load(buffer + at)), v128.mul<real>(fresh, g));
      }
      storeUpTo(newBuffer + at, b, left);
      g = nesterov ? v128.add<real>(g, v128.mul<real>(momentum, b)) : b;
    }
    storeUpTo(newParameter + at, v128.sub<real>(p, v128.mul<real>(lr, g)), left);
    at += 16;
    left -= LANES;
  } while (left > 0);
}

export function adam(record: usize, chunk: i32): void {
  // Scalars are worked out in f64 and rounded to real once.
  const step = load<i32>(address(record, Adam.STEP));
  const unbias1 = 1 - power(double(record, Adam.BETA1), step);
  const unbias2 = 1 - power(double(record, Adam.BETA2), step);

  const first = chunk * word(record, Adam.CHUNK);
  const count = min(word(record, Adam.SIZE) - first, word(record, Adam.CHUNK));
  const offset = <usize>first << SHIFT;
  const gradient = address(record, Adam.GRADIENT) + offset;
  const parameter = address(record, Adam.PARAMETER) + offset;
  const newParameter = address(record, Adam.NEW_PARAMETER) + offset;
  const momentM = address(record, Adam.M) + offset;
  const momentV = address(record, Adam.V) + offset;
  const newM = address(record, Adam.NEW_M) + offset;
  const newV = address(record, Adam.NEW_V) + offset;

  const rate = <f64>load<real>(address(record, Adam.LR));
  const beta1 = double(record, Adam.BETA1);
  const beta2 = double(record, Adam.BETA2);
  const weightDecay = double(record, Adam.WEIGHT_DECAY);
  const sign = signMask(word(record, Adam.MAXIMIZE));
  const keepM = v128.splat<real>(<real>beta1);
  const freshM = v128.splat<real>(<real>(1 - beta1));
  const keepV = v128.splat<real>(<real>beta2);
  const freshV = v128.splat<real>(<real>(1 - beta2));
  const stepSize = v128.splat<real>(<real>(rate / unbias1));
  const scaleV = v128.splat<real>(<real>(1 / Math.sqrt(unbias2)));
  const eps = v128.splat<real>(<real>double(record, Adam.EPS));
  // One of the two ways to decay does nothing: g + 0·p is g, p·1 is p.
  const decoupled = word(record, Adam.DECOUPLED) != 0;
  const decay = v128.splat<real>(<real>(decoupled ? 0 : weightDecay));
  const shrink = v128.splat<real>(<real>(decoupled ? 1 - rate * weightDecay : 1));

  let at: usize = 0;
  let left = count;
  // V8 sinks what is pure into the body of a loop that may run zero times: the scalars' divisions, once per vector.
  do {
    const p = v128.load(parameter + at);
    const g = v128.add<real>(v128.xor(v128.load(gradient + at), sign), v128.mul<real>(decay, p));
    const m = v128.add<real>(v128.mul<real>(keepM, v128.load(momentM + at)), v128.mul<real>(freshM, g));
    const v = v128.add<real>(
      v128.mul<real>(keepV, v128.load(momentV + at)),
      v128.mul<real>(v128.mul<real>(freshV, g), g),
    );
    const denominator = v128.add<real>(v128.mul<real>(v128.sqrt<real>(v), scaleV), eps);
    const newP = v128.sub<real>(v128.mul<real>(p, shrink), v128.div<real>(v128.mul<real>(stepSize, m), denominator));
    if (left < LANES) {
      storeFirst<real>(newM + at, m, left);
      storeFirst<real>(newV + at, v, left);
      storeFirst<real>(newParameter + at, newP, left);
      break;
    }
    v128.store(newM + at, m);
    v128.store(newV + at, v);
    v128.store(newParameter + at, newP);
    at += 16;
    left -= LANES;
  } while (left > 0);
}
