import { ValueError } from '../errors';
import { checkOption } from '../tensor';
import type { EpochEvent } from './events';
import type { StopCriterion } from './run';

/** A value of an epoch, and whether less of it is better, or more. */
export interface Monitor {
  /** `loss`, the name of a metric, or of the held-out examples `val.loss`, `val.accuracy` and so on. */
  monitor: string;
  mode?: 'min' | 'max';
}

/** Throws a ValueError that lists what there is where an epoch has no such number. */
export function monitored({ loss, metrics, validation }: EpochEvent, monitor: string): number {
  const held = Object.entries(validation ?? {}).map(([name, value]) => [`val.${name}`, value] as const);
  const values = new Map([['loss', loss] as const, ...Object.entries(metrics), ...held]);
  const value = values.get(monitor);
  if (value !== undefined) return value;
  const known = [...values.keys()];
  throw new ValueError(`there is no number ${JSON.stringify(monitor)} to monitor; there are ${known.join(', ')}.`, {
    ...{ op: 'train', argument: 'monitor', got: monitor, expected: known },
  });
}

/** Whether a value is better than the best so far, by more than `minDelta`. */
export function improves(value: number, best: number | null, mode: 'min' | 'max' = 'min', minDelta = 0): boolean {
  return best === null || (mode === 'min' ? value < best - minDelta : value > best + minDelta);
}

export interface EarlyStoppingOptions extends Partial<Monitor> {
  /** After so many epochs in a row that are no better the run ends. */
  patience?: number;
  /** By how much a better one is better. */
  minDelta?: number;
  /** Whether the model has the weights of the best epoch at the end, rather than of the last. */
  restoreBest?: boolean;
}

/**
 * For `train`'s `stopWhen`: ends a run that gets no better (Prechelt 1998). It counts for one run. Throws a ValueError for options out of their range, and
 * in the run for a monitor that is not there.
 */
export function earlyStopping({
  monitor = 'val.loss',
  mode = 'min',
  patience = 5,
  minDelta = 0,
  restoreBest = false,
}: EarlyStoppingOptions = {}): StopCriterion {
  const op = 'earlyStopping';
  checkOption(op, 'mode', mode, mode === 'min' || mode === 'max', 'min or max');
  checkOption(op, 'patience', patience, Number.isInteger(patience) && patience >= 0, 'a whole number from 0 on');
  checkOption(op, 'minDelta', minDelta, minDelta >= 0, 'from 0 on');
  let best: number | null = null;
  let since = 0;
  const criterion: StopCriterion = (event) => {
    const value = monitored(event, monitor);
    const isBetter = improves(value, best, mode, minDelta);
    if (isBetter) best = value;
    since = isBetter ? 0 : since + 1;
    criterion.isBest = restoreBest && isBetter;
    return since > patience;
  };
  return criterion;
}
