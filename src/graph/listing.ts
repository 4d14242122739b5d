import { show } from '../shape';
import type { Buffer, Draft } from './emitter';

/** The core's kernels, by opcode; a CHAIN inside of a record is a MAP and the REDUCE behind it. */
const NAMES =
  /* @__PURE__ */ 'end map reduce softmax softmax_backward copy fill gather scatter_add random gemm sgd adam check commit group map_reduce pack'.split(
    ' ',
  );

/** A record as a line of a listing: kernel, what it is for, results ← operands. */
export function describe(draft: Draft): string {
  const where = (buffer: Buffer) => (buffer.kind === 'cell' ? `cell${buffer.cell}` : `${buffer.kind}+${buffer.offset}`);
  const results = [...draft.writes].map(([buffer, view]) => `${where(buffer)} ${view.dtype}${show(view.shape)}`);
  const operands = [...draft.reads].map(where);
  const steps = draft.map ? ` (${draft.map.steps.length} steps)` : draft.text && ` ${draft.text}`;
  const flow = results.length ? `${results.join(', ')} ← ${operands.join(', ') || 'nothing'}` : operands.join(', ');
  return `${(NAMES[draft.op] ?? 'extension').padEnd(16)} ${draft.name}${steps}  ${flow}`.trimEnd();
}
