import { Cell } from '../cell';
import { assign } from '../graph/trace';
import { tensor } from '../tensor';
import { checkRange, forget } from './optimizer';

/**
 * A mean of the weights that forgets, decay·mean + (1 - decay)·p, which is steadier than the weights themselves (Polyak & Juditsky 1992);
 * torch.optim.swa_utils.AveragedModel with such a mean. It starts as a copy of the weights. `update` goes behind the optimizer's
 * step, in a compiled step too; `swap` brings the mean into the model to evaluate it, and brings the weights back:
 *
 *     const mean = new optim.ExponentialMovingAverage(model.parameters(), { decay: 0.99 });
 *     optimizer.step(grads); mean.update();
 *
 * Throws a ValueError unless decay is from 0 to below 1.
 */
export class ExponentialMovingAverage {
  /** In the order of the parameters. */
  readonly averages: readonly Cell[];
  private readonly decay: number;

  constructor(
    readonly parameters: readonly Cell[],
    { decay = 0.999 }: { decay?: number } = {},
  ) {
    checkRange('ExponentialMovingAverage', { decay }, 0, 1);
    this.decay = decay;
    this.averages = parameters.map((parameter) => new Cell(parameter));
  }

  update(): void {
    this.averages.forEach((average, i) => {
      assign(average, forget(average, this.parameters[i]!, this.decay));
    });
  }

  /** Exchanges the weights and their mean, outside of a trace. Throws MODEL_BUSY while a training run owns the weights. */
  swap(): void {
    this.averages.forEach((average, i) => {
      const [parameter, before] = [this.parameters[i]!, tensor(average)];
      const weights = tensor(parameter);
      parameter.write(before);
      average.write(weights);
    });
  }
}
