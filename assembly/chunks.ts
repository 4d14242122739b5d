import { Control, MAX_CHUNKS, SCRATCH_BYTES, TICKET_BYTES } from './isa';

/**
 * Claiming chunks. A ticket is one 64-bit word that only ever grows:
 *
 *   63            36 35                  16 15          0
 *   ┌───────────────┬──────────────────────┬─────────────┐
 *   │ run (28 bits) │ record (20: in words)│ chunk (16)  │
 *   └───────────────┴──────────────────────┴─────────────┘
 *
 * Control.TICKET says which record of which run is under way (its chunk is 0). The record's chunks are dealt out in equal
 * shares, and each thread has a ticket of its own, at the end of its scratch, for the next chunk of its share: a thread so meets
 * the same part of a buffer in one record after the other, and in one run after the other, and finds it in its own cache.
 * Whoever has finished its share goes on with the others'.
 *
 * A thread claims chunk c of record r by raising c to c + 1 with a compare-and-swap. Since run and record are part of the
 * word, a thread that slept through the end of a record, or of a whole run, fails its swap and looks again: it can never
 * run a chunk twice, nor touch a program that is gone. Whoever completes a record's last chunk moves all tickets on.
 */

@inline
const RUN_SHIFT: i64 = 36;
@inline
const RECORD_SHIFT: i64 = 16;

@inline
export function ticket(run: i32, record: i32): i64 {
  return (<i64>run << RUN_SHIFT) | (<i64>record << RECORD_SHIFT);
}

@inline
export function loadTicket(): i64 {
  return atomic.load<i64>(Control.BASE + Control.TICKET);
}

/** The run of a ticket, comparable with `runOf(ticket(sequence, 0))`: the sequence's low 28 bits. */
@inline
export function runOf(value: i64): i32 {
  return <i32>(<u64>value >> RUN_SHIFT);
}

@inline
export function recordOf(value: i64): i32 {
  return <i32>(value >> RECORD_SHIFT) & 0xfffff;
}

/** The first chunk of a thread's share of `chunks`; where one thread's ends the next one's begins. */
@inline
function shareOf(thread: i32, threads: i32, chunks: i32): i32 {
  return (chunks * thread + threads - 1) / threads;
}

@inline
function ticketOf(thread: i32): usize {
  const scratch = <usize>load<u32>(Control.BASE + Control.SCRATCH);
  return scratch + <usize>(thread + 1) * SCRATCH_BYTES - TICKET_BYTES;
}

/** Deals out a record's chunks, then says that it is under way. Threads that sleep are woken. */
export function publish(current: i64, chunks: i32, threads: i32): void {
  for (let thread = 0; thread < threads; thread++) {
    atomic.store<i64>(ticketOf(thread), current | <i64>shareOf(thread, threads, chunks));
  }
  atomic.store<i64>(Control.BASE + Control.TICKET, current);
  if (atomic.load<i32>(Control.BASE + Control.SLEEPERS)) atomic.notify(Control.BASE + Control.TICKET);
}

/** Takes a chunk of the record under way, of the thread's own share or of another's; -1 where there is none left to take. */
export function claim(current: i64, chunks: i32, thread: i32, threads: i32): i32 {
  for (let i = 0; i < threads; i++) {
    const owner = thread + i < threads ? thread + i : thread + i - threads;
    const end = shareOf(owner + 1, threads, chunks);
    const pointer = ticketOf(owner);
    while (true) {
      const value = atomic.load<i64>(pointer);
      const chunk = <i32>value & MAX_CHUNKS;
      if ((value ^ current) >> RECORD_SHIFT != 0 || chunk >= end) break;
      if (atomic.cmpxchg<i64>(pointer, value, value + 1) == value) return chunk;
    }
  }
  return -1;
}

/** Counts one chunk of a record of `chunks` as complete; true for the last one, whose thread must move the tickets on. */
@inline
export function complete(chunks: i32): bool {
  if (atomic.add<i32>(Control.BASE + Control.DONE, 1) != chunks - 1) return false;
  atomic.store<i32>(Control.BASE + Control.DONE, 0);
  return true;
}
