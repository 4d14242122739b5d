// The two charts, drawn by uPlot in the colours of style.css.
import uPlot from 'uplot';
import type { EpochEvent } from 'wasmgrad';

/** A colour of the style sheet; asked for at every drawing, so that it follows the scheme. */
const colour = (name: string) => () => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

const axis: uPlot.Axis = {
  stroke: colour('faint'),
  font: '12px system-ui, sans-serif',
  grid: { stroke: colour('line'), width: 1 },
  ticks: { show: false },
};

function chart(host: HTMLElement, options: Omit<uPlot.Options, 'width' | 'height'>): uPlot {
  const size = () => ({ width: host.clientWidth, height: host.clientHeight });
  const plot = new uPlot(
    {
      ...size(),
      ...options,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 8, 0, 0],
    },
    options.series.map(() => []) as unknown as uPlot.AlignedData,
    host,
  );
  new ResizeObserver(() => plot.setSize(size())).observe(host);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot.redraw(false));
  return plot;
}

const line = (name: string, width: number): uPlot.Series => ({
  stroke: colour(name),
  width,
  points: { show: false },
  spanGaps: true,
});

/** Loss by step: of each batch, and at each epoch's end its mean and that of what is held out. */
export function lossChart(host: HTMLElement) {
  let steps = 1;
  const plot = chart(host, {
    scales: { x: { time: false, range: () => [0, steps] }, y: { range: (_, __, most) => [0, Math.max(2.5, most)] } },
    axes: [
      { ...axis, size: 28 },
      { ...axis, size: 36 },
    ],
    series: [{}, line('batch', 1), line('training', 2), line('held', 2)],
  });
  return {
    draw(losses: readonly number[], epochs: readonly EpochEvent[], total: number) {
      steps = total;
      const atEpochs = (of: (event: EpochEvent) => number | null) => {
        const column = new Array<number | null>(losses.length).fill(null);
        for (const event of epochs) column[event.step - 1] = of(event);
        return column;
      };
      plot.setData([
        losses.map((_, i) => i + 1),
        losses as number[],
        atEpochs(({ loss }) => loss),
        atEpochs(({ validation }) => validation?.loss ?? null),
      ]);
    },
  };
}

/** Accuracy by epoch, in training and held out. */
export function accuracyChart(host: HTMLElement) {
  let epochs = 1;
  const plot = chart(host, {
    scales: { x: { time: false, range: () => [0, epochs] }, y: { range: [0, 1] } },
    axes: [
      { ...axis, size: 28 },
      { ...axis, size: 46, splits: [0, 0.5, 1], values: (_, shares) => shares.map((share) => `${share * 100} %`) },
    ],
    series: [{}, line('training', 2), line('held', 2)],
  });
  return {
    draw(events: readonly EpochEvent[], total: number) {
      epochs = total;
      plot.setData([
        events.map(({ epoch }) => epoch),
        events.map(({ metrics }) => metrics.accuracy!),
        events.map(({ validation }) => validation?.accuracy),
      ]);
    },
  };
}
