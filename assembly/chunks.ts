import { Control, MAX_CHUNKS } from './isa';

/**
 * Claiming chunks. The ticket is one 64-bit word that only ever grows:
 *
 *   63            36 35                  16 15          0
 *   ┌───────────────┬──────────────────────┬─────────────┐
 *   │ run (28 bits) │ record (20: in words)│ chunk (16)  │
 *   └───────────────┴──────────────────────┴─────────────┘
 *
 * A thread claims chunk c of record r by raising c to c + 1 with a compare-and-swap. Since run and record are part of the
 * word, a thread that slept through the end of a record, or of a whole run, fails its swap and looks again: it can never
 * run a chunk twice, nor touch a program that is gone. Whoever completes a record's last chunk moves the ticket on.
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

@inline
export function storeTicket(value: i64): void {
  atomic.store<i64>(Control.BASE + Control.TICKET, value);
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

@inline
export function chunkOf(value: i64): i32 {
  return <i32>value & MAX_CHUNKS;
}

/** Tries to take the chunk that `value` names; true if this thread has it now. */
@inline
export function claim(value: i64): bool {
  return atomic.cmpxchg<i64>(Control.BASE + Control.TICKET, value, value + 1) == value;
}

/** Counts one chunk of a record of `chunks` as complete; true for the last one, whose thread must move the ticket on. */
@inline
export function complete(chunks: i32): bool {
  if (atomic.add<i32>(Control.BASE + Control.DONE, 1) != chunks - 1) return false;
  atomic.store<i32>(Control.BASE + Control.DONE, 0);
  return true;
}
