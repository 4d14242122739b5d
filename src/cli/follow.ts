import type { EpochEvent, TrainEvent } from '../train/events';
import type { TrainingRun, TrainResult } from '../train/run';
import { ExitCode } from './command';
import { type Progress, renderBar } from './render/bar';
import { formatCount, formatDuration, formatLoss, formatPercent, plural } from './render/numbers';
import { renderLossPlot } from './render/plot';
import { joinFitting } from './render/text';
import type { Terminal } from './terminal';

const FRAME_MS = 66;

/** Shows a run until it is over: plot and bar on a terminal, a line an epoch elsewhere. Ctrl-C stops it after its step. */
export async function follow(
  run: TrainingRun,
  { epochs, terminal, json }: { epochs: number; terminal: Terminal; json: boolean },
): Promise<TrainResult> {
  const show = json ? jsonLines : terminal.live ? liveView(run, epochs, terminal) : epochLines(epochs, terminal);
  let interrupts = 0;
  const interrupt = () => {
    interrupts++;
    if (interrupts === 1) run.stop();
    else {
      terminal.release();
      process.exit(ExitCode.INTERRUPTED);
    }
  };
  const terminate = () => {
    terminal.release();
    process.exit(ExitCode.TERMINATED);
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', terminate);
  try {
    for await (const event of run) show(event);
    return await run.done;
  } finally {
    terminal.release();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', terminate);
  }
}

type Show = (event: TrainEvent) => void;

const jsonLines: Show = (event) => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
};

function epochLines(epochs: number, terminal: Terminal): Show {
  return (event) => {
    if (event.kind === 'epoch') terminal.print(epochLine(event, epochs, terminal.width));
    else if (event.kind === 'done') terminal.print(summaryLine(event, terminal.width));
  };
}

/** Plot, the last epoch's line and the bar, redrawn in place. */
function liveView(run: TrainingRun, epochs: number, terminal: Terminal): Show {
  const { totalSteps, stepsPerEpoch } = run;
  const started = performance.now();
  let nextFrame = 0;
  let lastEpoch = '';
  const draw = (lastLine: string) => {
    const begun = performance.now();
    const { style, width, plotHeight: height } = terminal;
    const validation = run.history
      .epochs()
      .flatMap(({ step, validation: held }) => (held ? [{ step, loss: held.loss }] : []));
    const plot = { losses: run.history.losses(), validation, totalSteps, stepsPerEpoch };
    terminal.draw([...renderLossPlot(plot, { width, height }, style), '', lastEpoch, lastLine]);
    // A plot of a million steps takes a while: most of the time is for events and signals.
    nextFrame = begun + Math.max(FRAME_MS, 4 * (performance.now() - begun));
  };
  return (event) => {
    if (event.kind === 'epoch') lastEpoch = epochLine(event, epochs, terminal.width);
    else if (event.kind === 'done') draw(summaryLine(event, terminal.width));
    else if (event.kind === 'step' && performance.now() > nextFrame) {
      const seconds = (performance.now() - started) / 1000;
      const progress: Progress = { ...event, totalSteps, epochs, seconds };
      draw(renderBar(progress, terminal.width, terminal.style));
    }
  };
}

function epochLine({ epoch, loss, metrics, validation, seconds }: EpochEvent, epochs: number, width: number): string {
  const accuracy = (scores: Record<string, number>) =>
    scores.accuracy === undefined ? [] : [`${formatPercent(scores.accuracy).padStart(7)} right`];
  const parts = [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${formatLoss(loss).padEnd(7)}`,
    ...accuracy(metrics),
    ...(validation ? [`validation loss ${formatLoss(validation.loss).padEnd(7)}`, ...accuracy(validation)] : []),
    formatDuration(seconds),
  ];
  return joinFitting(parts, '  ', width);
}

function summaryLine({ step, seconds, reason }: Extract<TrainEvent, { kind: 'done' }>, width: number): string {
  const done = `${reason === 'stopped' ? 'stopped after' : 'trained'} ${plural(step, 'step')} in ${formatDuration(seconds)}`;
  return joinFitting([done, ...(seconds > 0 ? [`${formatCount(step / seconds)} steps/s`] : [])], ', ', width);
}
