import { Copy, DynamicCopy } from '../isa';
import { address, word } from '../real';
import { copyBetween } from './movement';

/** How many elements further a block lies, for the numbers at START. */
function shiftOf(record: usize, at: i32): i32 {
  const count = word(record, at + DynamicCopy.STARTS);
  const start = address(record, at + DynamicCopy.START);
  let shift = 0;
  for (let i = 0; i < count; i++) {
    const axis = at + DynamicCopy.FIRST_START + i * DynamicCopy.START_WORDS;
    let from = load<i32>(start + (<usize>i << 2));
    if (from < 0) from += word(record, axis);
    shift += max(0, min(from, word(record, axis + 1))) * word(record, axis + 2);
  }
  return shift;
}

export function dynamicCopy(record: usize, chunk: i32): void {
  let source = address(record, Copy.SOURCE);
  let destination = address(record, Copy.DESTINATION);
  if (source == destination) return;
  const at = Copy.FIRST_AXIS + word(record, Copy.RANK) * Copy.AXIS_WORDS;
  // Negative strides make a negative shift; two's complement adds either.
  const bytes = <usize>(shiftOf(record, at) * word(record, Copy.ELEMENT));
  if (word(record, at + DynamicCopy.TO)) destination += bytes;
  else source += bytes;
  copyBetween(record, chunk, source, destination);
}
