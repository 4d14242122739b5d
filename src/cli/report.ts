import type { Examples } from '../data/dataset';
import { predict } from '../train/evaluate';
import type { StoredModel } from './model-file';
import { renderConfusion } from './render/confusion';
import { formatCount, formatLoss, formatPercent, plural } from './render/numbers';
import { renderPicture } from './render/picture';
import { columnsOf, sideBySide } from './render/text';
import { type Classified, type Mistake, rootMeanSquare, scoreClasses } from './score';
import type { Terminal } from './terminal';

export type Part = 'test' | 'validation' | 'training' | 'evaluation';

/** The last words of a command: one number, on a line of its own or as JSON. */
export async function reportScore(
  part: Part,
  { module, card }: StoredModel,
  examples: Examples,
  { terminal, json, threads }: { terminal: Terminal; json: boolean; threads: number | 'auto' },
): Promise<void> {
  const outputs = await predict(module, examples.x, { threads });
  const { shape } = outputs;
  const data = outputs.data();
  const { classes, mean, std } = card.target;
  const count = shape[0]!;
  if (!classes) {
    const rmse = rootMeanSquare(data, examples.y.data, std);
    if (json) terminal.print(JSON.stringify({ kind: 'score', part, examples: count, rmse }));
    else {
      const constant = rootMeanSquare(new Float32Array(count), examples.y.data, std);
      terminal.print(
        '',
        `${plural(count, 'example')}; always answering ${formatLoss(mean)}, the mean, gives an rmse of ${formatLoss(constant)}`,
        `${part} rmse: ${formatLoss(rmse)}`,
      );
    }
    return;
  }
  const score = scoreClasses({ shape, data }, examples.y.data);
  if (json) {
    const { accuracy, counts: confusion } = score;
    terminal.print(JSON.stringify({ kind: 'score', part, examples: count, accuracy, classes, confusion }));
    return;
  }
  terminal.print('', ...describeMistakes(score, { module, card }, examples, terminal));
  terminal.print('', `${part} accuracy: ${formatPercent(score.accuracy)}`);
}

function describeMistakes(
  { counts, mistakes }: Classified,
  { card }: StoredModel,
  { x }: Examples,
  { style, width }: Terminal,
): string[] {
  const classes = card.target.classes!;
  const { picture } = card.inputs;
  const lines = [
    ...(renderConfusion(counts, classes, width, style) ?? []),
    '',
    `${formatCount(x.shape[0]! - mistakes.length)} of ${plural(x.shape[0]!, 'example')} right`,
  ];
  if (!picture || mistakes.length === 0) return lines;
  const [height, across] = picture;
  const size = height * across;
  const show = ({ example, truth, predicted, probability }: Mistake) => [
    ...renderPicture({ height, width: across, pixels: x.data.subarray(example * size, (example + 1) * size) }, style),
    `${style.green(`it is ${classes[truth]}`)}`,
    `${style.red(`said ${classes[predicted]}`)}, ${formatPercent(probability, 0)}`,
  ];
  const pictures = mistakes.slice(0, MOST_PICTURES).map(show);
  const perRow = columnsOf(pictures, width);
  const whole = perRow * Math.ceil(FEWEST_PICTURES / perRow);
  return [...lines, '', style.bold('the worst mistakes'), '', ...sideBySide(pictures.slice(0, whole), width)];
}

/** Pictures fill whole rows, as many rows as it takes for at least so many. */
const FEWEST_PICTURES = 4;
const MOST_PICTURES = 8;
