import { claim, complete, loadTicket, publish, recordOf, runOf, ticket } from './chunks';
import { Chain, Control, Group, Op, Record, SCRATCH_BYTES, Status } from './isa';
import { check } from './kernels/commit';
import { gather, scatterAdd } from './kernels/gather';
import { gemm } from './kernels/gemm';
import { map } from './kernels/map';
import { copy, fill } from './kernels/movement';
import { adam, sgd } from './kernels/optimizer';
import { packPanels } from './kernels/pack';
import { random } from './kernels/random';
import { reduce } from './kernels/reduce';
import { softmax, softmaxBackward } from './kernels/softmax';
import { BUILD, address, word } from './real';

/** The ticket's record field once a run is over; no program is that long (MAX_PROGRAM_WORDS). */
const FINISHED: i32 = 0xfffff;
/**
 * Turns to spin for another thread's last chunk before sleeping: some 200 µs, longer than most chunks take, since waking takes
 * a quarter of that. Sleeping at all lets a thread whose core another process has taken move to this one.
 */
const SPIN: i32 = 60000;
/** Turns to look for the next program before sleeping: as long, within which a loop over steps comes back. */
const LINGER: i32 = 60000;
/** The longest sleep inside a run, in nanoseconds: a poisoned thread notices within it. */
const NAP: i64 = 20000000;
/** And between programs, where the notify of a poisoning may have come too early. */
const SLEEP: i64 = 500000000;
/** In Control.BUILD: the program needs the extension. */
const EXTENDED: i32 = 256;

/** Runs a record that only the extension knows: see extension.ts. The host gives it, if a program has such records. */
@external('env', 'extension')
declare function extension(record: usize, chunk: i32, scratch: usize): void;

/** Runs a chunk of a record; from outside it is called by the LOOP of the extension. */
export function execute(record: usize, chunk: i32, scratch: usize): void {
  switch (word(record, Record.OP)) {
    case Op.MAP:
      map(record, chunk, scratch);
      break;
    case Op.REDUCE:
      reduce(record, chunk, scratch);
      break;
    case Op.SOFTMAX:
      softmax(record, chunk, scratch);
      break;
    case Op.SOFTMAX_BACKWARD:
      softmaxBackward(record, chunk, scratch);
      break;
    case Op.COPY:
      copy(record, chunk);
      break;
    case Op.FILL:
      fill(record, chunk);
      break;
    case Op.GATHER:
      gather(record, chunk);
      break;
    case Op.SCATTER_ADD:
      scatterAdd(record, chunk);
      break;
    case Op.RANDOM:
      random(record, chunk, scratch);
      break;
    case Op.GEMM:
      gemm(record, chunk, scratch);
      break;
    case Op.PACK:
      packPanels(record, chunk);
      break;
    case Op.SGD:
      sgd(record, chunk);
      break;
    case Op.ADAM:
      adam(record, chunk);
      break;
    case Op.CHECK:
      check(record, chunk);
      break;
    case Op.GROUP:
      member(record, chunk, scratch);
      break;
    case Op.CHAIN:
      chain(record, chunk, scratch);
      break;
    default:
      extension(record, chunk, scratch);
  }
}

/** Runs a chunk of a group: it belongs to the member whose share of the count it falls into. */
function member(group: usize, chunk: i32, scratch: usize): void {
  let record = group + (<usize>Group.FIRST << 2);
  while (chunk >= word(record, Record.CHUNKS)) {
    chunk -= word(record, Record.CHUNKS);
    record += <usize>word(record, Record.WORDS) << 2;
  }
  execute(record, chunk, scratch);
}

/** Runs a chunk of a chain: that of each member, in order. */
function chain(first: usize, chunk: i32, scratch: usize): void {
  const end = first + (<usize>word(first, Record.WORDS) << 2);
  for (let record = first + (<usize>Chain.FIRST << 2); record < end; record += <usize>word(record, Record.WORDS) << 2) {
    execute(record, chunk, scratch);
  }
}

@inline
function scratchOf(thread: i32): usize {
  return address(Control.BASE, Control.SCRATCH >> 2) + <usize>thread * SCRATCH_BYTES;
}

/** What this run has met so far, as a Status. */
function status(): i32 {
  if (atomic.load<i32>(Control.BASE + Control.FAULT)) return Status.FAULT;
  return atomic.load<i32>(Control.BASE + Control.FLAG) ? Status.NON_FINITE : Status.DONE;
}

/** The record behind `record`, or 0 where the run ends: at END, and at a COMMIT that must not go on. */
function next(record: usize): usize {
  if (word(record, Record.OP) == Op.COMMIT && status() != Status.DONE) return 0;
  const following = record + (<usize>word(record, Record.WORDS) << 2);
  return word(following, Record.OP) == Op.END ? 0 : following;
}

/** Claims and runs chunks of run `sequence` until it is over or another has begun. */
function work(program: usize, sequence: i32, thread: i32, threads: i32): void {
  const scratch = scratchOf(thread);
  const run = runOf(ticket(sequence, 0));
  let idle = 0;
  while (true) {
    const current = loadTicket();
    if (runOf(current) != run || recordOf(current) == FINISHED) return;
    // Of a program that has been freed meanwhile this reads noise; then the run is over and the claim fails.
    const record = program + (<usize>recordOf(current) << 2);
    const chunks = word(record, Record.CHUNKS);
    const chunk = idle ? -1 : claim(current, chunks, thread, threads);
    if (chunk >= 0) {
      execute(record, chunk, scratch);
      if (complete(chunks)) {
        const following = next(record);
        const at = following ? <i32>((following - program) >> 2) : FINISHED;
        publish(ticket(sequence, at), following ? word(following, Record.CHUNKS) : 0, threads);
      }
    } else if (waitFor(current, idle++)) {
      idle = 0;
    } else if (atomic.load<i32>(Control.BASE + Control.POISON)) return;
  }
}

/** One turn of waiting while all chunks of the record under way are taken; true once another is. */
@inline
function waitFor(current: i64, idle: i32): bool {
  if (loadTicket() != current) return true;
  if (idle > SPIN) {
    atomic.add<i32>(Control.BASE + Control.SLEEPERS, 1);
    atomic.wait<i32>(Control.BASE + Control.TICKET, <i32>current, NAP);
    atomic.sub<i32>(Control.BASE + Control.SLEEPERS, 1);
  }
  return false;
}

/**
 * Runs a program to its end and returns a Status. Called by one thread, the coordinator, as thread 0; with `threads` > 1
 * those in `serve` join in as they wake, and the run does not wait for any that does not. `extended`: only those that have the
 * extension join in.
 */
export function run(program: usize, threads: i32, extended: i32): i32 {
  atomic.store<i32>(Control.BASE + Control.FLAG, 0);
  atomic.store<i32>(Control.BASE + Control.FAULT, 0);
  if (word(program, Record.OP) == Op.END) return Status.DONE;
  if (threads == 1) {
    const scratch = scratchOf(0);
    for (let record = program; record; record = next(record)) {
      const chunks = word(record, Record.CHUNKS);
      for (let chunk = 0; chunk < chunks; chunk++) execute(record, chunk, scratch);
    }
    return status();
  }
  const sequence = atomic.load<i32>(Control.BASE + Control.SEQUENCE) + 1;
  atomic.store<i32>(Control.BASE + Control.DONE, 0);
  atomic.store<i32>(Control.BASE + Control.PROGRAM, <i32>program);
  atomic.store<i32>(Control.BASE + Control.THREADS, threads);
  atomic.store<i32>(Control.BASE + Control.BUILD, extended ? BUILD | EXTENDED : BUILD);
  publish(ticket(sequence, 0), word(program, Record.CHUNKS), threads);
  atomic.store<i32>(Control.BASE + Control.SEQUENCE, sequence);
  atomic.notify(Control.BASE + Control.SEQUENCE, threads - 1);
  work(program, sequence, 0, threads);
  return atomic.load<i32>(Control.BASE + Control.POISON) ? Status.POISONED : status();
}

/** Runs one record alone: how the host finds the record in which a NaN appears. */
export function step(record: usize): void {
  const chunks = word(record, Record.CHUNKS);
  for (let chunk = 0; chunk < chunks; chunk++) execute(record, chunk, scratchOf(0));
}

/** A helper thread's life: sleep until a program starts, help to run it, until poisoned. `extended`: it has the extension. */
export function serve(thread: i32, extended: i32): void {
  let served = 0;
  let idle = 0;
  while (!atomic.load<i32>(Control.BASE + Control.POISON)) {
    const sequence = atomic.load<i32>(Control.BASE + Control.SEQUENCE);
    if (sequence == served) {
      if (++idle > LINGER) atomic.wait<i32>(Control.BASE + Control.SEQUENCE, sequence, SLEEP);
      continue;
    }
    served = sequence;
    idle = 0;
    // PROGRAM is written before SEQUENCE: a newer program with an older sequence finds its run over, and claims nothing.
    const program = <usize>(<u32>atomic.load<i32>(Control.BASE + Control.PROGRAM));
    const build = atomic.load<i32>(Control.BASE + Control.BUILD);
    const mine = build == BUILD || (extended != 0 && build == (BUILD | EXTENDED));
    const threads = atomic.load<i32>(Control.BASE + Control.THREADS);
    if (mine && thread < threads) work(program, sequence, thread, threads);
  }
}
