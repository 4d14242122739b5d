"""lr.json: what PyTorch's schedules make of a rate."""

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from encoding import numbers, write

# wasmgrad's names of PyTorch's keywords.
NAMES = {
    'step_size': 'stepSize',
    'T_max': 'tMax',
    'T_0': 't0',
    'T_mult': 'tMult',
    'eta_min': 'etaMin',
    'total_iters': 'totalIters',
    'start_factor': 'startFactor',
    'end_factor': 'endFactor',
    'max_lr': 'maxLr',
    'total_steps': 'totalSteps',
    'pct_start': 'pctStart',
    'anneal_strategy': 'annealStrategy',
    'div_factor': 'divFactor',
    'final_div_factor': 'finalDivFactor',
    'three_phase': 'threePhase',
    'threshold_mode': 'thresholdMode',
    'min_lr': 'minLr',
}


def ours(options):
    return {NAMES.get(key, key): value for key, value in options.items()}


def optimizer_at(lr):
    return SGD([torch.zeros(1, requires_grad=True)], lr=lr)


def follow(optimizer, scheduler, count=100):
    """The learning rate of steps 0 to 99."""
    values = []
    for step in range(count):
        values.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        if step + 1 < count:
            scheduler.step()
    return numbers(values)


def rates(kind, lr, options):
    optimizer = optimizer_at(lr)
    values = follow(optimizer, kind(optimizer, **options))
    return {'schedule': kind.__name__, 'lr': lr, 'options': ours(options), 'values': values}


def composed(kind, lr, parts, **options):
    optimizer = optimizer_at(lr)
    schedulers = [part(optimizer, **own) for part, own in parts]
    scheduler = kind(schedulers) if kind is ChainedScheduler else kind(optimizer, schedulers, **options)
    return {
        'schedule': kind.__name__,
        'lr': lr,
        'parts': [{'schedule': part.__name__, 'options': ours(own)} for part, own in parts],
        'options': options,
        'values': follow(optimizer, scheduler),
    }


def by_function():
    """The function is written again in the test."""
    optimizer = optimizer_at(0.3)
    values = follow(optimizer, LambdaLR(optimizer, lambda t: 1 / (1 + 0.1 * t)))
    return {'schedule': 'LambdaLR', 'lr': 0.3, 'options': {}, 'values': values}


def plateau(lr, options):
    """Falls, stays, falls again, rises: the rate before each of these losses is known."""
    losses = [round(5 * 0.8**i + (0.001 if i % 3 else 0), 6) for i in range(20)] + [0.06 + 0.001 * (i % 5) for i in range(40)]
    losses += [round(0.05 - 0.0004 * i, 6) for i in range(20)] + [0.05 + 0.01 * i for i in range(20)]
    sign = -1 if options.get('mode') == 'max' else 1
    optimizer = optimizer_at(lr)
    scheduler = ReduceLROnPlateau(optimizer, **options)
    values = []
    for loss in losses:
        values.append(optimizer.param_groups[0]['lr'])
        scheduler.step(sign * loss)
    return {'lr': lr, 'options': ours(options), 'losses': numbers([sign * loss for loss in losses]), 'values': numbers(values)}


write(
    'lr.json',
    {
        'torch': torch.__version__,
        'schedules': [
            rates(ConstantLR, 0.1, {'factor': 1.0}),
            rates(ConstantLR, 0.1, {'factor': 0.25, 'total_iters': 7}),
            rates(StepLR, 0.1, {'step_size': 30}),
            rates(StepLR, 0.5, {'step_size': 7, 'gamma': 0.8}),
            rates(StepLR, 0.5, {'step_size': 1, 'gamma': 0.95}),
            rates(CosineAnnealingLR, 0.1, {'T_max': 100}),
            rates(CosineAnnealingLR, 0.1, {'T_max': 99, 'eta_min': 0.001}),
            # Past T_max the rate climbs again: the period is 2 T_max.
            rates(CosineAnnealingLR, 0.1, {'T_max': 30, 'eta_min': 0.01}),
            rates(CosineAnnealingLR, 0.3, {'T_max': 1}),
            rates(MultiStepLR, 0.1, {'milestones': [30, 80]}),
            rates(MultiStepLR, 0.5, {'milestones': [1, 2, 40, 99], 'gamma': 0.7}),
            rates(ExponentialLR, 0.5, {'gamma': 0.95}),
            rates(ExponentialLR, 0.01, {'gamma': 1.02}),
            rates(LinearLR, 0.1, {}),
            rates(LinearLR, 0.1, {'start_factor': 0.01, 'total_iters': 40}),
            rates(LinearLR, 0.1, {'start_factor': 1.0, 'end_factor': 0.0, 'total_iters': 90}),
            rates(PolynomialLR, 0.1, {}),
            rates(PolynomialLR, 0.1, {'total_iters': 120, 'power': 2.0}),
            rates(PolynomialLR, 0.1, {'total_iters': 60, 'power': 0.5}),
            rates(CosineAnnealingWarmRestarts, 0.1, {'T_0': 13}),
            rates(CosineAnnealingWarmRestarts, 0.1, {'T_0': 7, 'T_mult': 2, 'eta_min': 0.01}),
            rates(CosineAnnealingWarmRestarts, 0.3, {'T_0': 1, 'T_mult': 3}),
            rates(OneCycleLR, 0.1, {'max_lr': 0.1, 'total_steps': 100}),
            rates(OneCycleLR, 0.1, {'max_lr': 0.5, 'total_steps': 100, 'anneal_strategy': 'linear', 'pct_start': 0.2}),
            rates(OneCycleLR, 0.1, {'max_lr': 0.5, 'total_steps': 100, 'three_phase': True, 'div_factor': 10.0}),
            rates(
                OneCycleLR,
                0.1,
                {
                    'max_lr': 0.5,
                    'total_steps': 120,
                    'three_phase': True,
                    'pct_start': 0.4,
                    'final_div_factor': 100.0,
                    'anneal_strategy': 'linear',
                },
            ),
            by_function(),
            composed(
                SequentialLR,
                0.1,
                [(LinearLR, {'start_factor': 0.1, 'total_iters': 10}), (ExponentialLR, {'gamma': 0.95})],
                milestones=[10],
            ),
            composed(
                SequentialLR,
                0.1,
                [
                    (ConstantLR, {'factor': 0.5, 'total_iters': 5}),
                    (StepLR, {'step_size': 7, 'gamma': 0.5}),
                    (CosineAnnealingWarmRestarts, {'T_0': 9, 'T_mult': 2}),
                ],
                milestones=[20, 50],
            ),
            composed(
                ChainedScheduler,
                0.1,
                [(LinearLR, {'start_factor': 0.1, 'total_iters': 10}), (ExponentialLR, {'gamma': 0.95})],
            ),
            composed(
                ChainedScheduler,
                0.3,
                [(ConstantLR, {'factor': 0.5, 'total_iters': 5}), (MultiStepLR, {'milestones': [20, 60]})],
            ),
        ],
        'plateaus': [
            plateau(0.1, {}),
            plateau(0.1, {'factor': 0.5, 'patience': 3, 'cooldown': 2, 'min_lr': 0.01}),
            plateau(0.1, {'mode': 'max', 'patience': 5, 'threshold': 0.01, 'threshold_mode': 'abs'}),
            plateau(0.1, {'factor': 0.9, 'patience': 0, 'threshold_mode': 'abs', 'threshold': 0.0}),
            plateau(1e-7, {'patience': 1, 'threshold': 0.05}),
        ],
    },
)
