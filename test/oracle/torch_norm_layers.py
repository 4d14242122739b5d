"""norm_layers.json: what torch.nn's layers with running statistics give, three batches in training, then one in evaluation."""

import numpy as np
import torch
from torch import nn

import cases
from cases import normal
from encoding import tensor, write

cases.rng = np.random.RandomState(5)

LAYERS = [
    ('BatchNorm1d', {}, (4, 3)),
    ('BatchNorm1d', {'momentum': 0.3, 'eps': 0.01}, (4, 3, 2)),
    ('BatchNorm1d', {'momentum': None}, (5, 2)),
    ('BatchNorm1d', {'affine': False}, (4, 3)),
    ('BatchNorm1d', {'trackRunningStats': False}, (4, 3)),
    ('BatchNorm2d', {}, (2, 3, 2, 2)),
    ('BatchNorm2d', {'momentum': None, 'affine': False}, (2, 3, 2, 2)),
    ('BatchNorm2d', {'momentum': 1.0}, (3, 1, 2, 2)),
    ('InstanceNorm1d', {}, (2, 3, 4)),
    ('InstanceNorm1d', {'affine': True, 'trackRunningStats': True}, (2, 3, 4)),
    ('InstanceNorm1d', {'trackRunningStats': True}, (3, 4)),
    ('InstanceNorm2d', {'eps': 0.1}, (2, 3, 2, 2)),
    ('InstanceNorm2d', {'trackRunningStats': True, 'momentum': 0.5}, (2, 3, 2, 2)),
    ('InstanceNorm2d', {'affine': True}, (3, 2, 2)),
]


def run(name, options, shape):
    keywords = {{'trackRunningStats': 'track_running_stats'}.get(key, key): one for key, one in options.items()}
    # A single example has no axis of the batch.
    single = name.startswith('Instance') and len(shape) == int(name[-2]) + 1
    features = shape[0 if single else 1]
    layer = getattr(nn, name)(features, **keywords).double()
    if layer.affine:
        with torch.no_grad():
            layer.weight.copy_(normal(features) + 1.5)
            layer.bias.copy_(normal(features))
    before = {key: tensor(value.clone()) for key, value in layer.state_dict().items()}
    inputs = [2 * normal(*shape) + 1 for _ in range(4)]
    outputs, slopes, states = [], [], []
    cotangent = normal(*shape)
    for i, x in enumerate(inputs):
        layer.train(i < 3)
        x.requires_grad_()
        output = layer(x)
        slopes.append(tensor(torch.autograd.grad(output, x, cotangent)[0]))
        outputs.append(tensor(output.detach()))
        states.append({key: tensor(value.clone()) for key, value in layer.state_dict().items()})
    return {
        'layer': name,
        'features': features,
        'options': options,
        'before': before,
        'inputs': [tensor(x.detach()) for x in inputs],
        'cotangent': tensor(cotangent),
        'outputs': outputs,
        'slopes': slopes,
        'states': states,
    }


write('norm_layers.json', {'torch': torch.__version__, 'cases': [run(*one) for one in LAYERS]})
