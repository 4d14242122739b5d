"""optim.json: what PyTorch's optimizers make of a fixed list of gradients, its schedules of a rate."""

import numpy as np
import torch
from torch.optim import SGD, Adam, AdamW, lr_scheduler

from encoding import numbers, tensor, write

STEPS = 50
RECORDED = [1, 2, 3, 10, 50]
SHAPES = {'p': (5,), 'q': (2, 3)}

rng = np.random.RandomState(1)
initial = {name: np.round(rng.standard_normal(shape), 3) for name, shape in SHAPES.items()}
# Sizes from 1e-3 to 10, so that eps matters in places; p[4] has no gradient before step 10.
size = {'p': np.array([10.0, 1.0, 0.1, 0.01, 1.0]), 'q': np.array([[1.0, 1e-3, 1.0], [3.0, 0.3, 1.0]])}
gradients = [
    {name: np.round(size[name] * (0.3 + rng.standard_normal(shape)), 5) for name, shape in SHAPES.items()}
    for _ in range(STEPS)
]
for gradient in gradients[:9]:
    gradient['p'][4] = 0.0

# wasmgrad's names of PyTorch's keywords.
NAMES = {
    'weight_decay': 'weightDecay',
    'step_size': 'stepSize',
    'T_max': 'tMax',
    'eta_min': 'etaMin',
    'total_iters': 'totalIters',
}


def ours(options):
    return {NAMES.get(key, key): value for key, value in options.items()}


def trajectory(kind, options, schedule=None):
    """Parameters after some of the steps; a schedule moves once after every step."""
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in initial.items()}
    optimizer = kind(list(parameters.values()), **options)
    scheduler = schedule and schedule[0](optimizer, **schedule[1])
    after = []
    for step, gradient in enumerate(gradients, 1):
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(gradient[name])
        optimizer.step()
        if scheduler:
            scheduler.step()
        if step in RECORDED:
            after.append(
                {'step': step, **{name: numbers(parameter.detach()) for name, parameter in parameters.items()}}
            )
    entry = {'optimizer': kind.__name__, 'options': ours(options)}
    if schedule:
        entry['schedule'] = {'name': schedule[0].__name__, 'options': ours(schedule[1])}
    return {**entry, 'after': after}


def rates(kind, lr, options):
    """The learning rate of steps 0 to 99."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = kind(optimizer, **options)
    values = []
    for _ in range(100):
        values.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    return {'schedule': kind.__name__, 'lr': lr, 'options': ours(options), 'values': numbers(values)}


write(
    'optim.json',
    {
        'torch': torch.__version__,
        'initial': {name: tensor(value) for name, value in initial.items()},
        'gradients': [{name: numbers(value) for name, value in gradient.items()} for gradient in gradients],
        'trajectories': [
            trajectory(SGD, {'lr': 0.05}),
            trajectory(SGD, {'lr': 0.05, 'maximize': True}),
            trajectory(SGD, {'lr': 0.05, 'weight_decay': 0.1}),
            trajectory(SGD, {'lr': 0.05, 'momentum': 0.9}),
            trajectory(SGD, {'lr': 0.05, 'momentum': 0.9, 'dampening': 0.5}),
            trajectory(SGD, {'lr': 0.05, 'momentum': 0.9, 'nesterov': True}),
            trajectory(SGD, {'lr': 0.05, 'momentum': 0.8, 'weight_decay': 0.1, 'nesterov': True}),
            trajectory(SGD, {'lr': 0.05, 'momentum': 0.9, 'weight_decay': 0.1, 'maximize': True}),
            trajectory(SGD, {'lr': 0.05, 'momentum': 0.9}, (lr_scheduler.StepLR, {'step_size': 10, 'gamma': 0.5})),
            trajectory(Adam, {}),
            trajectory(Adam, {'lr': 0.1}),
            trajectory(Adam, {'lr': 0.1, 'betas': [0.8, 0.9]}),
            trajectory(Adam, {'lr': 0.1, 'betas': [0.0, 0.99]}),
            trajectory(Adam, {'lr': 0.1, 'eps': 0.01}),
            trajectory(Adam, {'lr': 0.1, 'weight_decay': 0.1}),
            trajectory(Adam, {'lr': 0.1, 'maximize': True}),
            trajectory(Adam, {'lr': 0.1}, (lr_scheduler.CosineAnnealingLR, {'T_max': 50, 'eta_min': 0.01})),
            trajectory(AdamW, {}),
            trajectory(AdamW, {'lr': 0.1}),
            trajectory(AdamW, {'lr': 0.1, 'weight_decay': 0.3}),
            trajectory(AdamW, {'lr': 0.1, 'weight_decay': 0.0}),
            trajectory(AdamW, {'lr': 0.1, 'betas': [0.8, 0.9], 'eps': 0.01, 'weight_decay': 0.1, 'maximize': True}),
        ],
        'schedules': [
            rates(lr_scheduler.ConstantLR, 0.1, {'factor': 1.0}),
            rates(lr_scheduler.ConstantLR, 0.1, {'factor': 0.25, 'total_iters': 7}),
            rates(lr_scheduler.StepLR, 0.1, {'step_size': 30}),
            rates(lr_scheduler.StepLR, 0.5, {'step_size': 7, 'gamma': 0.8}),
            rates(lr_scheduler.StepLR, 0.5, {'step_size': 1, 'gamma': 0.95}),
            rates(lr_scheduler.CosineAnnealingLR, 0.1, {'T_max': 100}),
            rates(lr_scheduler.CosineAnnealingLR, 0.1, {'T_max': 99, 'eta_min': 0.001}),
            # Past T_max the rate climbs again: the period is 2 T_max.
            rates(lr_scheduler.CosineAnnealingLR, 0.1, {'T_max': 30, 'eta_min': 0.01}),
            rates(lr_scheduler.CosineAnnealingLR, 0.3, {'T_max': 1}),
        ],
    },
)
