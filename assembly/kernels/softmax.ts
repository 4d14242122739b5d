import { REDUCE_BLOCK, Softmax, SoftmaxBackward } from '../isa';
import { exp, log } from '../math';
import { LANES, SHIFT, address, word } from '../real';
import { firstLanes, storeUpTo } from '../tail';
import { dotSpan, sumLanes, sumSpan } from './reduce';

/**
 * The maximum of a row in every lane. pmax is one instruction where max, which must mind NaN, is eight; a NaN that pmax
 * passes over still reaches the row's sum, and through it every element.
 */
function rowMax(source: usize, n: i32): v128 {
  const lowest = v128.splat<real>(-Infinity);
  let a = lowest;
  let b = lowest;
  let rest = n;
  for (; rest >= 2 * LANES; rest -= 2 * LANES) {
    a = v128.pmax<real>(a, v128.load(source));
    b = v128.pmax<real>(b, v128.load(source, 16));
    source += 32;
  }
  if (rest > 0) {
    a = v128.pmax<real>(a, v128.bitselect(v128.load(source), lowest, firstLanes(rest)));
    b = v128.pmax<real>(b, v128.bitselect(v128.load(source, 16), lowest, firstLanes(rest - LANES)));
  }
  a = v128.pmax<real>(a, b);
  a = v128.pmax<real>(a, v128.shuffle<u64>(a, a, 1, 0));
  return sizeof<real>() == 8 ? a : v128.pmax<real>(a, v128.shuffle<u32>(a, a, 1, 0, 3, 2));
}

/**
 * Σ exp(x - max) of up to REDUCE_BLOCK reals by REDUCE's law; unless `destination` is 0 the exponentials go there. The
 * accumulators move up by one with each vector, so that one exp in the loop serves them all.
 */
function expSumBlock(source: usize, n: i32, max: v128, destination: usize): real {
  let a0 = v128.splat<real>(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let rest = n;
  for (; rest > 0; rest -= LANES) {
    let x = v128.load(source);
    if (rest < LANES) x = v128.bitselect(x, v128.splat<real>(-Infinity), firstLanes(rest));
    const e = exp(v128.sub<real>(x, max));
    if (destination) {
      storeUpTo(destination, e, rest);
      destination += 16;
    }
    source += 16;
    const sum = v128.add<real>(a0, e);
    a0 = a1;
    if (sizeof<real>() == 8) {
      a1 = a2;
      a2 = a3;
      a3 = sum;
    } else {
      a1 = sum;
    }
  }
  // As many moves as complete the last group of eight lanes.
  for (let lanes = n - rest; lanes & 7; lanes += LANES) {
    const first = a0;
    a0 = a1;
    if (sizeof<real>() == 8) {
      a1 = a2;
      a2 = a3;
      a3 = first;
    } else {
      a1 = first;
    }
  }
  return sumLanes(a0, a1, a2, a3);
}

function expSum(source: usize, n: i32, max: v128, destination: usize, scratch: usize): real {
  if (n <= REDUCE_BLOCK) return expSumBlock(source, n, max, destination);
  let end = scratch;
  for (; n > 0; n -= REDUCE_BLOCK) {
    store<real>(end, expSumBlock(source, n < REDUCE_BLOCK ? n : REDUCE_BLOCK, max, destination));
    source += <usize>REDUCE_BLOCK << SHIFT;
    if (destination) destination += <usize>REDUCE_BLOCK << SHIFT;
    end += sizeof<real>();
  }
  return sumSpan(scratch, <i32>((end - scratch) >> SHIFT), end);
}

export function softmax(record: usize, chunk: i32, scratch: usize): void {
  const logarithm = word(record, Softmax.LOG);
  const n = word(record, Softmax.N);
  const first = chunk * word(record, Softmax.CHUNK);
  const rows = min(word(record, Softmax.ROWS) - first, word(record, Softmax.CHUNK));
  const bytes = <usize>n << SHIFT;
  let source = address(record, Softmax.SOURCE) + <usize>first * bytes;
  let destination = address(record, Softmax.DESTINATION) + <usize>first * bytes;
  for (let row = 0; row < rows; row++) {
    const max = rowMax(source, n);
    if (logarithm) {
      const sum = v128.splat<real>(expSum(source, n, max, 0, scratch));
      const logSum = log(sum);
      for (let i = 0; i < n; i += LANES) {
        const at = <usize>i << SHIFT;
        const y = v128.sub<real>(v128.sub<real>(v128.load(source + at), max), logSum);
        storeUpTo(destination + at, y, n - i);
      }
    } else {
      const sum = v128.splat<real>(expSum(source, n, max, destination, scratch));
      for (let i = 0; i < n; i += LANES) {
        const at = destination + (<usize>i << SHIFT);
        storeUpTo(at, v128.div<real>(v128.load(at), sum), n - i);
      }
    }
    source += bytes;
    destination += bytes;
  }
}

export function softmaxBackward(record: usize, chunk: i32, scratch: usize): void {
  const logarithm = word(record, SoftmaxBackward.LOG);
  const n = word(record, SoftmaxBackward.N);
  const first = chunk * word(record, SoftmaxBackward.CHUNK);
  const rows = min(word(record, SoftmaxBackward.ROWS) - first, word(record, SoftmaxBackward.CHUNK));
  const bytes = <usize>n << SHIFT;
  let output = address(record, SoftmaxBackward.OUTPUT) + <usize>first * bytes;
  let cotangent = address(record, SoftmaxBackward.COTANGENT) + <usize>first * bytes;
  let destination = address(record, SoftmaxBackward.DESTINATION) + <usize>first * bytes;
  for (let row = 0; row < rows; row++) {
    const sum = v128.splat<real>(
      logarithm ? sumSpan(cotangent, n, scratch) : dotSpan(cotangent, output, n, scratch),
    );
    if (logarithm) {
      for (let i = 0; i < n; i += LANES) {
        const at = <usize>i << SHIFT;
        const y = v128.load(output + at);
        const g = v128.load(cotangent + at);
        storeUpTo(destination + at, v128.sub<real>(g, v128.mul<real>(exp(y), sum)), n - i);
      }
    } else {
      for (let i = 0; i < n; i += LANES) {
        const at = <usize>i << SHIFT;
        const y = v128.load(output + at);
        const g = v128.load(cotangent + at);
        storeUpTo(destination + at, v128.mul<real>(y, v128.sub<real>(g, sum)), n - i);
      }
    }
    output += bytes;
    cotangent += bytes;
    destination += bytes;
  }
}
