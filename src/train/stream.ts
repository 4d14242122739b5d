import type { TrainEvent } from './events';

/** All events of a run, from the first on, as a stream: `eventStream(run).pipeThrough(…)`. */
export function eventStream(run: AsyncIterable<TrainEvent>): ReadableStream<TrainEvent> {
  const events = run[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const next = await events.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    cancel: () => void events.return?.(),
  });
}
