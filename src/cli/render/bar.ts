import { formatCount, formatDuration, formatLoss, formatPercent } from './numbers';
import { plain, type Style, widthOf } from './text';

export interface Progress {
  step: number;
  /** Unknown where batches come from an iterable. */
  totalSteps?: number | undefined;
  epoch: number;
  epochs: number;
  loss: number;
  examplesPerSecond: number;
  /** Since the first step began. */
  seconds: number;
}

const MIN_BAR = 8;
const MAX_BAR = 30;
const GAP = '  ';

/**
 * One line of at most `width` columns: bar, epoch, step, loss, examples a second, time left. Where it is narrow, the least
 * interesting parts stay away.
 */
export function renderBar(progress: Progress, width: number, style: Style = plain): string {
  const { step, totalSteps, epoch, epochs, loss, examplesPerSecond, seconds } = progress;
  const done = totalSteps ? Math.min(1, step / totalSteps) : undefined;
  const left = done ? (seconds / done) * (1 - done) : undefined;
  // A part's rank: the higher, the sooner it goes.
  const parts: { text: string; rank: number }[] = [
    { text: done === undefined ? '' : formatPercent(done, 0).padStart(5), rank: 4 },
    { text: `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`, rank: 0 },
    { text: `step ${formatCount(step)}${totalSteps ? `/${formatCount(totalSteps)}` : ''}`, rank: 5 },
    { text: `loss ${formatLoss(loss)}`, rank: 1 },
    { text: `${formatCount(examplesPerSecond)} examples/s`, rank: 3 },
    { text: left === undefined ? '' : `${formatDuration(left)} left`, rank: 2 },
  ].filter(({ text }) => text !== '');
  const taken = () => parts.reduce((sum, { text }) => sum + GAP.length + widthOf(text), 0);
  const room = done === undefined ? GAP.length : -MIN_BAR;
  while (parts.length > 1 && taken() > width + room) {
    const last = parts.reduce((worst, part) => (part.rank > worst.rank ? part : worst));
    parts.splice(parts.indexOf(last), 1);
  }
  const texts = parts.map(({ text }) => text).join(GAP);
  if (done === undefined) return texts;
  const length = Math.max(0, Math.min(MAX_BAR, width - taken()));
  const filled = Math.round(done * length);
  return `${style.cyan('━'.repeat(filled))}${style.dim('─'.repeat(length - filled))}${GAP}${texts}`;
}
