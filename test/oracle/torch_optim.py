"""optim.json: what PyTorch's optimizers make of a fixed list of gradients."""

import numpy as np
import torch
from torch.optim import (
    LBFGS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
    lr_scheduler,
    nadam,
)

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
    'momentum_decay': 'momentumDecay',
    'lr_decay': 'lrDecay',
    'initial_accumulator_value': 'initialAccumulatorValue',
    'step_sizes': 'stepSizes',
    'max_iter': 'maxIter',
    'max_eval': 'maxEval',
    'history_size': 'historySize',
    'line_search_fn': 'lineSearchFn',
    'tolerance_grad': 'toleranceGrad',
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


def nadam_of_2_0(params, grads, exp_avgs, exp_avg_sqs, mu_products, state_steps, **options):
    """1.13 has the present μ twice in the next product, and keeps products in float32; later versions do as the paper."""
    beta1, beta2, lr = options['beta1'], options['beta2'], options['lr']
    for param, grad, m, v, product, step in zip(params, grads, exp_avgs, exp_avg_sqs, mu_products, state_steps):
        step += 1
        t = step.item()
        grad = grad + options['weight_decay'] * param
        mu, after = (beta1 * (1 - 0.5 * 0.96 ** (at * options['momentum_decay'])) for at in (t, t + 1))
        product *= mu
        m.mul_(beta1).add_(grad, alpha=1 - beta1)
        v.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denom = (v / (1 - beta2**t)).sqrt() + options['eps']
        param.addcdiv_(grad, denom, value=-lr * (1 - mu) / (1 - product.item()))
        param.addcdiv_(m, denom, value=-lr * after / (1 - product.item() * after))


nadam._single_tensor_nadam = nadam_of_2_0
torch.set_default_dtype(torch.float64)


def grouped(kind, options, own):
    """p and q with options of their own."""
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in initial.items()}
    optimizer = kind([{'params': [parameters[name]], **own[name]} for name in parameters], **options)
    scheduler = lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)
    after = []
    for step, gradient in enumerate(gradients, 1):
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(gradient[name])
        optimizer.step()
        scheduler.step()
        if step in RECORDED:
            after.append(
                {'step': step, **{name: numbers(parameter.detach()) for name, parameter in parameters.items()}}
            )
    return {
        'optimizer': kind.__name__,
        'options': ours(options),
        'groups': {name: ours(own[name]) for name in parameters},
        'schedule': {'name': 'StepLR', 'options': {'stepSize': 10, 'gamma': 0.5}},
        'after': after,
    }


def search(options):
    """L-BFGS on a valley of five numbers, p, and a bowl of a matrix, q: values before each step, and where it leads."""
    p, q = [torch.tensor(value, requires_grad=True) for value in initial.values()]
    optimizer = LBFGS([p, q], **options)

    def closure():
        optimizer.zero_grad()
        valley = (10 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2).sum()
        loss = valley + ((q @ q.T) ** 2).sum() - q.sum() + torch.exp(q).mean()
        loss.backward()
        return loss

    after = []
    for step in range(1, 13):
        value = optimizer.step(closure).item()
        after.append({'step': step, 'value': value, 'p': numbers(p.detach()), 'q': numbers(q.detach())})
    written = {**options, **({'line_search_fn': 'strongWolfe'} if 'line_search_fn' in options else {})}
    return {'options': ours(written), 'after': after}


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
            trajectory(Adam, {'lr': 0.1, 'amsgrad': True}),
            trajectory(Adam, {'lr': 0.1, 'amsgrad': True, 'betas': [0.8, 0.9], 'eps': 0.01, 'weight_decay': 0.1}),
            trajectory(Adam, {'lr': 0.1, 'amsgrad': True, 'betas': [0.0, 0.5], 'maximize': True}),
            trajectory(AdamW, {'lr': 0.1, 'amsgrad': True, 'weight_decay': 0.3}),
            trajectory(NAdam, {}),
            trajectory(NAdam, {'lr': 0.1}),
            trajectory(NAdam, {'lr': 0.1, 'betas': [0.8, 0.9], 'eps': 0.01, 'weight_decay': 0.1, 'momentum_decay': 0.1}),
            trajectory(RAdam, {}),
            trajectory(RAdam, {'lr': 0.1}),
            trajectory(RAdam, {'lr': 0.1, 'betas': [0.8, 0.9], 'eps': 0.01, 'weight_decay': 0.1}),
            trajectory(RAdam, {'lr': 0.1, 'betas': [0.5, 0.6]}),
            trajectory(Adamax, {}),
            trajectory(Adamax, {'lr': 0.1}),
            trajectory(
                Adamax, {'lr': 0.1, 'betas': [0.8, 0.9], 'eps': 0.01, 'weight_decay': 0.1, 'maximize': True}
            ),
            trajectory(RMSprop, {}),
            trajectory(RMSprop, {'lr': 0.05, 'alpha': 0.8, 'eps': 0.01, 'weight_decay': 0.1}),
            trajectory(RMSprop, {'lr': 0.05, 'momentum': 0.9}),
            trajectory(RMSprop, {'lr': 0.05, 'alpha': 0.9, 'centered': True, 'eps': 0.001}),
            trajectory(RMSprop, {'lr': 0.01, 'alpha': 0.9, 'centered': True, 'eps': 0.001, 'momentum': 0.8}),
            trajectory(RMSprop, {'lr': 0.05, 'momentum': 0.9}, (lr_scheduler.StepLR, {'step_size': 10, 'gamma': 0.5})),
            trajectory(Rprop, {}),
            trajectory(Rprop, {'lr': 0.1, 'etas': [0.3, 1.5], 'step_sizes': [0.01, 0.3]}),
            trajectory(Rprop, {'lr': 0.1, 'maximize': True}),
            trajectory(Adagrad, {}),
            trajectory(Adagrad, {'lr': 0.5, 'lr_decay': 0.1, 'weight_decay': 0.1, 'eps': 0.01}),
            trajectory(Adagrad, {'lr': 0.5, 'initial_accumulator_value': 0.5, 'maximize': True}),
            trajectory(Adadelta, {}),
            trajectory(Adadelta, {'lr': 0.5, 'rho': 0.7, 'eps': 0.01, 'weight_decay': 0.1}),
            grouped(
                SGD,
                {'lr': 0.05, 'momentum': 0.9},
                {'p': {'lr': 0.1, 'weight_decay': 0.1}, 'q': {'nesterov': True}},
            ),
            grouped(Adam, {'lr': 0.05}, {'p': {'amsgrad': True}, 'q': {'lr': 0.01, 'betas': [0.8, 0.9]}}),
            grouped(RMSprop, {'momentum': 0.5}, {'p': {'centered': True, 'eps': 0.01}, 'q': {'lr': 0.02}}),
        ],
        'searches': [
            search({'max_iter': 4, 'line_search_fn': 'strong_wolfe'}),
            search({'max_iter': 3, 'line_search_fn': 'strong_wolfe', 'history_size': 2, 'lr': 0.5}),
            search({'max_iter': 1, 'line_search_fn': 'strong_wolfe', 'max_eval': 3}),
            search({'lr': 0.05, 'max_iter': 5}),
            search({'lr': 0.1, 'max_iter': 4, 'max_eval': 3, 'history_size': 3}),
            search({'line_search_fn': 'strong_wolfe', 'tolerance_grad': 1e-3}),
        ],
    },
)
