import { add, clamp, div, minimum, mul, sqrt, square } from '../ops/elementwise';
import { sum } from '../ops/reduce';
import type { Tensor } from '../tensor';
import { checkRange } from './optimizer';

/**
 * Gradients scaled down together so that their joint norm is at most maxNorm: g · min(1, maxNorm / (‖g‖ + 10⁻⁶)), as
 * torch.nn.utils.clip_grad_norm_ (Pascanu et al. 2013).
 */
export function clipGradNorm(gradients: readonly Tensor[], maxNorm: number): Tensor[] {
  checkRange('clipGradNorm', { maxNorm }, 0);
  const squares = gradients.map((gradient) => sum(square(gradient)));
  const norm = sqrt(squares.reduce((total, one) => add(total, one)));
  const scale = minimum(div(maxNorm, add(norm, 1e-6)), 1);
  return gradients.map((gradient) => mul(gradient, scale));
}

/** Gradients with every element held between -clipValue and clipValue, as torch.nn.utils.clip_grad_value_. */
export function clipGradValue(gradients: readonly Tensor[], clipValue: number): Tensor[] {
  checkRange('clipGradValue', { clipValue }, 0);
  return gradients.map((gradient) => clamp(gradient, { min: -clipValue, max: clipValue }));
}
