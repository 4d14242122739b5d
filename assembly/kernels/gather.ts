import { fault } from '../fault';
import { Fault, Gather, ScatterAdd, Type } from '../isa';
import { address, word } from '../real';
import { copyBytes } from './movement';

/** The index at `pointer`, or -1 and a fault. */
@inline
function indexAt(record: usize, pointer: usize, limit: i32): i32 {
  const index = load<i32>(pointer);
  if (<u32>index < <u32>limit) return index;
  fault(Fault.INDEX, record, index, limit);
  return -1;
}

@inline
function gatherElements<T>(
  record: usize,
  source: usize,
  index: usize,
  step: usize,
  destination: usize,
  n: i32,
  inner: i32,
): void {
  for (let i = 0; i < inner; i++) {
    const row = max(indexAt(record, index, n), 0);
    const at = <usize>row * <usize>inner + <usize>i;
    store<T>(destination + <usize>i * sizeof<T>(), load<T>(source + at * sizeof<T>()));
    index += step;
  }
}

export function gather(record: usize, chunk: i32): void {
  const element = <usize>word(record, Gather.ELEMENT);
  const n = word(record, Gather.N);
  const inner = word(record, Gather.INNER);
  const count = word(record, Gather.COUNT);
  const step = <usize>word(record, Gather.INDEX_INNER) << 2;
  const items = word(record, Gather.ITEMS);
  const first = chunk * items;
  const end = min(first + items, word(record, Gather.OUTER) * count);
  const bytes = <usize>inner * element;
  let destination = address(record, Gather.DESTINATION) + <usize>first * bytes;
  let outer = first / count;
  let j = first % count;
  for (let item = first; item < end; item++) {
    const source = address(record, Gather.SOURCE) + <usize>outer * <usize>n * bytes;
    const index =
      address(record, Gather.INDEX) +
      (<usize>(outer * word(record, Gather.INDEX_OUTER) + j * word(record, Gather.INDEX_STEP)) << 2);
    if (step == 0) {
      copyBytes(destination, source + <usize>max(indexAt(record, index, n), 0) * bytes, bytes);
    } else if (element == 4) {
      gatherElements<u32>(record, source, index, step, destination, n, inner);
    } else if (element == 8) {
      gatherElements<u64>(record, source, index, step, destination, n, inner);
    } else {
      gatherElements<u8>(record, source, index, step, destination, n, inner);
    }
    destination += bytes;
    if (++j == count) {
      j = 0;
      outer++;
    }
  }
}

/** destination[i] += source[i] for i < count. */
@inline
function addRow<T>(destination: usize, source: usize, count: i32): void {
  const lanes = 16 / <i32>sizeof<T>();
  let i = 0;
  for (; i <= count - lanes; i += lanes) {
    const at = <usize>i * sizeof<T>();
    v128.store(destination + at, v128.add<T>(v128.load(destination + at), v128.load(source + at)));
  }
  for (; i < count; i++) {
    const at = <usize>i * sizeof<T>();
    store<T>(destination + at, load<T>(destination + at) + load<T>(source + at));
  }
}

/** The columns `first` … `end` - 1 of one outer index `o`: all its rows, in rising j. */
function scatterColumns<T>(record: usize, o: i32, first: i32, end: i32): void {
  const n = word(record, ScatterAdd.N);
  const inner = word(record, ScatterAdd.INNER);
  const count = word(record, ScatterAdd.COUNT);
  const across = <usize>word(record, ScatterAdd.INDEX_INNER) << 2;
  const bytes = <usize>inner * sizeof<T>();
  const destination = address(record, ScatterAdd.DESTINATION) + <usize>o * <usize>n * bytes;
  let source = address(record, ScatterAdd.SOURCE) + <usize>o * <usize>count * bytes;
  let index = address(record, ScatterAdd.INDEX) + (<usize>(o * word(record, ScatterAdd.INDEX_OUTER)) << 2);
  for (let j = 0; j < count; j++) {
    if (across == 0) {
      const row = indexAt(record, index, n);
      const at = <usize>first * sizeof<T>();
      if (row >= 0) addRow<T>(destination + <usize>row * bytes + at, source + at, end - first);
    } else {
      for (let i = first; i < end; i++) {
        const row = indexAt(record, index + <usize>i * across, n);
        if (row < 0) continue;
        const at = <usize>i * sizeof<T>();
        const target = destination + <usize>row * bytes + at;
        store<T>(target, load<T>(target) + load<T>(source + at));
      }
    }
    source += bytes;
    index += <usize>word(record, ScatterAdd.INDEX_STEP) << 2;
  }
}

export function scatterAdd(record: usize, chunk: i32): void {
  const inner = word(record, ScatterAdd.INNER);
  const per = word(record, ScatterAdd.CHUNK);
  let column = chunk * per;
  const end = min(column + per, word(record, ScatterAdd.OUTER) * inner);
  while (column < end) {
    const o = column / inner;
    const first = column % inner;
    const last = min(inner, first + end - column);
    if (word(record, ScatterAdd.TYPE) == Type.REAL) scatterColumns<real>(record, o, first, last);
    else scatterColumns<i32>(record, o, first, last);
    column += last - first;
  }
}
