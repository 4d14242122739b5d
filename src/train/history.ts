import { History, type HistoryRecord } from './events';

/** A history so far, for a checkpoint. */
export function recordOf({ loss, lr, rate, length, epochStarts, marks }: History): HistoryRecord {
  return {
    ...{ loss: loss.slice(0, length), lr: lr.slice(0, length), examplesPerSecond: rate.slice(0, length) },
    epochStarts: [...epochStarts],
    marks: [...marks],
  };
}

/** One that goes on from a record: it is part of the history, and readers begin behind it. */
export function historyFrom({ epochStarts, marks, ...columns }: HistoryRecord): History {
  const history = new History();
  history.addSteps({ ...columns, first: 1, epoch: 0 });
  history.epochStarts = [...epochStarts];
  history.marks = [...marks];
  history.begin = { step: history.length, mark: marks.length };
  return history;
}
