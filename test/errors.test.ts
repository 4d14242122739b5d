import { describe, expect, it } from 'vitest';
import {
  DataError,
  DivergenceError,
  deserializeError,
  IndexError,
  OutOfMemoryError,
  ShapeError,
  serializeError,
  WasmgradError,
  WorkerError,
} from '../src/errors';

describe('WasmgradError', () => {
  it('puts its place before the sentence: the op, or the file and its line', () => {
    const shapes = { op: 'matmul', argument: 'b', got: [4, 5], expected: [2, 3] };
    const error = new ShapeError('the last axis of a (3) does not match the first of b (4).', shapes);
    expect(error.message).toBe('matmul: the last axis of a (3) does not match the first of b (4).');
    expect(error).toMatchObject({ name: 'ShapeError', code: 'SHAPE_MISMATCH', ...shapes });
    expect(error).toBeInstanceOf(WasmgradError);
    expect(new DataError('a row is empty.', { file: 'a.csv', line: 3 }).message).toBe('a.csv, line 3: a row is empty.');
    expect(new DataError('a row is empty.', {}).message).toBe('a row is empty.');
  });

  it('takes a code of its own where a class has several', () => {
    expect(new WorkerError('it died.', {}).code).toBe('WORKER_DIED');
    expect(new WorkerError('the policy refused it.', { code: 'WORKER_BLOCKED' }).code).toBe('WORKER_BLOCKED');
  });

  const errors = [
    new ShapeError('x.', { op: 'add', argument: 'a', got: [1], expected: [2] }),
    new IndexError('x.', { op: 'gather', value: 12, limit: 10 }),
    new OutOfMemoryError('x.', { op: 'compile', asked: 3, live: 2, limit: 4 }),
    new DivergenceError('x.', { op: 'log', parameter: 'fc.weight', step: 7 }),
    new WorkerError('x.', { code: 'WORKER_BLOCKED', argument: 'worker' }),
  ];
  it.each(errors)('$name survives the trip from a worker with its class and every field', (error) => {
    const back = deserializeError(structuredClone(serializeError(error)));
    expect(back).toBeInstanceOf(error.constructor);
    expect(back).toEqual(error);
    expect({ ...back }).toEqual({ ...error });
    expect([back.name, back.message, back.stack]).toEqual([error.name, error.message, error.stack]);
    expect(deserializeError(JSON.parse(JSON.stringify(serializeError(error))))).toEqual(error);
  });

  it("carries any other thrown value as an Error of the thrower's name", () => {
    const range = deserializeError(structuredClone(serializeError(new RangeError('too far'))));
    expect([range.name, range.message]).toEqual(['RangeError', 'too far']);
    expect(deserializeError(serializeError('oh'))).toMatchObject({ name: 'Error', message: 'oh' });
  });
});
