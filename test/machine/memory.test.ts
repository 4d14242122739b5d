import { describe, expect, it } from 'vitest';
import { compile, memory, nn, optim, randn, type Tensor, valueAndGrad, zeros } from 'wasmgrad';
import { ALIGNMENT, HEAP_BASE, SLACK } from '../../assembly/isa';
import { theMachine } from '../../src/graph/execute';
import { Memory } from '../../src/machine/memory';

describe('the allocator', () => {
  it('gives aligned blocks with slack behind them, which never overlap, and joins what is freed', () => {
    const heap = new Memory();
    const blocks = new Map<number, number>();
    let state = 1;
    const draw = (n: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    for (let i = 0; i < 1000; i++) {
      if (blocks.size > 0 && draw(5) < 2) {
        const at = [...blocks.keys()][draw(blocks.size)]!;
        heap.release(at);
        blocks.delete(at);
        continue;
      }
      const bytes = draw(5000);
      const at = heap.allocate(bytes);
      expect(at % ALIGNMENT).toBe(0);
      expect(at).toBeGreaterThanOrEqual(HEAP_BASE);
      expect(at + bytes + SLACK).toBeLessThanOrEqual(heap.buffer.byteLength);
      for (const [other, size] of blocks) expect(at + bytes + SLACK <= other || other + size + SLACK <= at).toBe(true);
      blocks.set(at, bytes);
    }
    for (const at of blocks.keys()) heap.release(at);
    expect(heap.live).toBe(0);
    expect(heap.peak).toBeGreaterThan(0);
    expect(heap.allocate(heap.peak - ALIGNMENT)).toBe(HEAP_BASE);
  });

  it('refuses what does not fit with the three numbers, and goes on', () => {
    const heap = new Memory();
    const kept = heap.allocate(1000);
    const { live } = heap;
    expect(() => heap.allocate(2 ** 33, 'matmul')).toThrow(
      expect.objectContaining({
        code: 'OUT_OF_MEMORY',
        op: 'matmul',
        asked: 2 ** 33 + ALIGNMENT,
        live,
        limit: 2 ** 32,
      }),
    );
    expect(heap.live).toBe(live);
    heap.release(kept);
    expect(heap.allocate(1000)).toBe(kept);
  });
});

describe('a memory that becomes shared', () => {
  it('keeps addresses and contents, and what was refused before is refused still', () => {
    const heap = new Memory();
    const at = heap.allocate(3 * 65536);
    new Uint8Array(heap.buffer).fill(7, at, at + 3 * 65536);
    expect(heap.share()).toBe(true);
    expect(heap.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(new Uint8Array(heap.buffer).subarray(at, at + 3 * 65536).every((byte) => byte === 7)).toBe(true);
    expect(heap.allocate(100)).toBeGreaterThanOrEqual(at + 3 * 65536);
    expect(heap.share()).toBe(true);
    expect(heap.limit).toBe(2 ** 32);
  });
});

describe('a program that does not fit', () => {
  const { memory: heap } = theMachine();

  it('is refused at each of its allocations, and nothing is lost', () => {
    const model = new nn.Linear(8, 4);
    const optimizer = new optim.Adam(model.parameters());
    const x = randn([16, 8]);
    const make = () =>
      compile((input: Tensor) => {
        const { value, grads } = valueAndGrad(() => model.forward(input).square().mean(), {
          wrt: model.parameters(),
        })();
        optimizer.step(grads);
        return value;
      });
    const before = model.stateDict();
    const { live } = memory();
    const allocate = heap.allocate.bind(heap);
    let refused = 0;
    for (let nth = 0; ; nth++) {
      let count = 0;
      // The nth allocation asks for more than there will ever be.
      heap.allocate = (bytes, op) => allocate(count++ === nth ? 2 ** 33 : bytes, op);
      try {
        make()(x);
        break;
      } catch (error) {
        expect(error).toMatchObject({ code: 'OUT_OF_MEMORY' });
        refused++;
        expect(memory().live).toBe(live);
        expect(String(model.stateDict().weight)).toBe(String(before.weight));
      } finally {
        heap.allocate = allocate;
      }
    }
    // Image, arena, constants, two parameters with two moments each, lr and step.
    expect(refused).toBeGreaterThanOrEqual(9);
    expect(String(model.stateDict().weight)).not.toBe(String(before.weight));
  });

  it('is refused when an eager result is too large', () => {
    const column = zeros([40_000, 1]);
    const { live } = memory();
    expect(() => column.matmul(column.transpose())).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }));
    expect(memory().live).toBe(live);
    expect(column.slice(':3').sum().item()).toBe(0);
  });
});
