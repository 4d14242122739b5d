import { Loop, Op, Record } from '../isa';
import { address, word } from '../real';
import { copyBytes } from './movement';

/** Runs a chunk of any record: the core's, which the host gives. */
@external('env', 'execute')
declare function execute(record: usize, chunk: i32, scratch: usize): void;

/** Not inlined, as copyBytes is: it is called for every carry and part. */
function move(to: usize, from: usize, bytes: usize): void {
  copyBytes(to, from, bytes);
}

export function loop(record: usize, scratch: usize): void {
  const length = word(record, Loop.LENGTH);
  const reverse = word(record, Loop.REVERSE);
  const xs = Loop.FIRST + word(record, Loop.CARRIES) * Loop.CARRY_WORDS;
  const ys = xs + word(record, Loop.XS) * Loop.PART_WORDS;
  const end = ys + word(record, Loop.YS) * Loop.PART_WORDS;
  const body = record + (<usize>word(record, Loop.BODY) << 2);
  for (let at: i32 = Loop.FIRST; at < xs; at += Loop.CARRY_WORDS) {
    move(address(record, at + 1), address(record, at), address(record, at + 5));
  }
  for (let turn = 0; turn < length; turn++) {
    const t = <usize>(reverse ? length - 1 - turn : turn);
    for (let at: i32 = Loop.FIRST; at < xs; at += Loop.CARRY_WORDS) {
      const value = address(record, at + 1);
      const kept = address(record, at + 4);
      const bytes = address(record, at + 5);
      move(address(record, at + 2), value, bytes);
      if (kept) move(kept + t * bytes, value, bytes);
    }
    for (let at = xs; at < ys; at += Loop.PART_WORDS) {
      const bytes = address(record, at + 2);
      move(address(record, at + 1), address(record, at) + t * bytes, bytes);
    }
    for (let one = body; word(one, Record.OP) != Op.END; one += <usize>word(one, Record.WORDS) << 2) {
      const chunks = word(one, Record.CHUNKS);
      for (let chunk = 0; chunk < chunks; chunk++) execute(one, chunk, scratch);
    }
    for (let at: i32 = Loop.FIRST; at < xs; at += Loop.CARRY_WORDS) {
      move(address(record, at + 1), address(record, at + 3), address(record, at + 5));
    }
    for (let at = ys; at < end; at += Loop.PART_WORDS) {
      const bytes = address(record, at + 2);
      move(address(record, at + 1) + t * bytes, address(record, at), bytes);
    }
  }
}
