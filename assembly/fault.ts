import { Control, Fault } from './isa';

/** Records what is wrong with a value; of several faults in a run the first one stays. */
export function fault(kind: i32, record: usize, value: i32, limit: i32): void {
  if (atomic.cmpxchg<i32>(Control.BASE + Control.FAULT, Fault.NONE, kind) != Fault.NONE) return;
  store<i32>(Control.BASE + Control.FAULT_AT, <i32>record);
  store<i32>(Control.BASE + Control.FAULT_VALUE, value);
  store<i32>(Control.BASE + Control.FAULT_LIMIT, limit);
}
