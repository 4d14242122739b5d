import { ShapeError } from '../errors';
import { div, log, lt, neg, sub, where } from '../ops/elementwise';
import { gather } from '../ops/gather';
import { reshape, slice, unsqueeze } from '../ops/movement';
import { defaultGenerator, type Generator, rand } from '../ops/random';
import { argmax, cumsum } from '../ops/reduce';
import { softmax } from '../ops/softmax';
import { sort } from '../ops/sort';
import { show } from '../shape';
import { checkCounts, checkOption, checkReal, type Tensor } from '../tensor';

export interface SampleOptions {
  /** Logits are divided by it: below 1 likely ones gain, 0 takes the most likely. */
  temperature?: number;
  /** Only the k most likely classes. */
  topK?: number;
  /** Of those only the most likely ones that together have at least this probability (Holtzman et al. 2020, section 3.1). */
  topP?: number;
  /** The default one unless told otherwise. */
  generator?: Generator;
}

/**
 * A class drawn from softmax(logits / temperature) along the last axis: [..., C] -> i32 [...]. It is the largest of the logits, each with
 * -log(-log u) added for a uniform u (Gumbel 1954; Maddison et al. 2014), so a compiled step can draw, too. Throws a ValueError unless
 * temperature is a number from 0 on, topK a whole number from 1 on and topP above 0 and no more than 1; a ShapeError for logits of rank 0.
 */
export function sample(
  logits: Tensor,
  { temperature = 1, topK, topP, generator = defaultGenerator }: SampleOptions = {},
): Tensor {
  const op = 'sample';
  checkReal(op, { logits });
  const classes = logits.shape.at(-1);
  if (!classes) {
    throw new ShapeError(`logits need a last axis, of classes; got shape ${show(logits.shape)}.`, {
      op,
      argument: 'logits',
      got: logits.shape,
    });
  }
  checkOption(op, 'temperature', temperature, temperature >= 0 && temperature < Infinity, 'a number from 0 on');
  if (topK !== undefined) checkCounts(op, { topK });
  if (topP !== undefined) checkOption(op, 'topP', topP, topP > 0 && topP <= 1, 'above 0 and no more than 1');
  if (temperature === 0) return argmax(logits, { axis: -1 });
  const scaled = div(logits, temperature);
  const drawn = (scores: Tensor) => {
    const u = rand(scores.shape, { dtype: scores.dtype, generator });
    return argmax(sub(scores, log(neg(log(u)))), { axis: -1 });
  };
  if (topK === undefined && topP === undefined) return drawn(scaled);
  const { values, indices } = sort(scaled, { descending: true });
  let likely = slice(values, `..., :${Math.min(topK ?? classes, classes)}`);
  if (topP !== undefined) {
    const probabilities = softmax(likely);
    // Those before it, so that the first one is always in, and the one that passes the sum as well.
    const before = sub(cumsum(probabilities, { axis: -1 }), probabilities);
    likely = where(lt(before, topP), likely, Number.NEGATIVE_INFINITY);
  }
  const choice = drawn(likely);
  return reshape(gather(indices, unsqueeze(choice, -1), { axis: -1 }), choice.shape);
}
