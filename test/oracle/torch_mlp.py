"""mlp.json: networks 4-5-3 with given weights: logits, crossEntropy and every gradient, in float64."""

import numpy as np
import torch
import torch.nn.functional as F

from encoding import numbers, tensor, write

rng = np.random.RandomState(4)


def normal(*shape):
    return torch.tensor(np.round(rng.standard_normal(shape), 3))


x = normal(6, 4)
target = torch.tensor([0, 2, 1, 1, 0, 2])
# Named as in nn.Sequential(Linear(4, 5), activation, Linear(5, 3)).
parameters = {'0.weight': normal(5, 4), '0.bias': normal(5), '2.weight': normal(3, 5), '2.bias': normal(3)}


def network(hidden, activation):
    w0, b0, w2, b2 = leaves = [value.clone().requires_grad_() for value in parameters.values()]
    logits = F.linear(activation(F.linear(x, w0, b0)), w2, b2)
    loss = F.cross_entropy(logits, target)
    loss.backward()
    return {
        'hidden': hidden,
        'logits': tensor(logits.detach()),
        'loss': loss.item(),
        'grads': {name: tensor(leaf.grad) for name, leaf in zip(parameters, leaves)},
    }


write(
    'mlp.json',
    {
        'torch': torch.__version__,
        'x': tensor(x),
        'target': {'shape': [6], 'dtype': 'i32', 'data': numbers(target)},
        'parameters': {name: tensor(value) for name, value in parameters.items()},
        'networks': [network('ReLU', F.relu), network('Tanh', torch.tanh), network('Sigmoid', torch.sigmoid)],
    },
)
