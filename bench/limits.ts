import { instantiatePeak, peakFlop } from './peak';

/** What no program of ours can beat on one thread, in the unit of a workload's work. */
export interface Limit {
  /** As pages know it, too. */
  name: string;
  /** The work of a call. */
  amount: number;
  call(): number;
}

const loop = instantiatePeak();
const turns = 10_000;
const source = new Float32Array(4_000_000).fill(1);
const target = new Float32Array(source.length);

export const limits: Record<'FLOP' | 'byte', Limit> = {
  FLOP: { name: 'limit FLOP', amount: peakFlop(turns), call: () => loop(turns, 0.5, 1) },
  byte: {
    name: 'limit byte',
    amount: source.byteLength + target.byteLength,
    call() {
      target.set(source);
      return target[0]!;
    },
  },
};
