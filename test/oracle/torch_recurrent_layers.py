"""recurrent_layers.json: torch.nn's recurrent layers and cells: output, last states, and the gradients of all that goes in."""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import cases
from cases import normal
from encoding import tensor, write

cases.rng = np.random.RandomState(7)

SIZES = (4, 3, 2, 3)  # steps, batch, inputs, hidden
NAMES = {'numLayers': 'num_layers', 'batchFirst': 'batch_first'}
RELU = {'nonlinearity': 'relu'}

# Options, whether states are given, lengths.
COMMON = [
    ({}, False, None),
    ({}, True, None),
    ({'bias': False}, True, None),
    ({'batchFirst': True}, True, None),
    ({'numLayers': 2}, True, None),
    ({'bidirectional': True}, True, None),
    ({'numLayers': 2, 'bidirectional': True, 'batchFirst': True}, False, None),
    ({}, True, [4, 2, 1]),
    ({'bidirectional': True}, False, [2, 4, 3]),
    ({'numLayers': 2, 'bidirectional': True, 'batchFirst': True}, True, [1, 3, 4]),
    ({'numLayers': 3, 'bidirectional': True, 'bias': False}, True, [4, 4, 1]),
]
LAYERS = [(name, *one) for name in ('RNN', 'LSTM', 'GRU') for one in COMMON]
LAYERS += [('RNN', RELU, True, None), ('RNN', {'numLayers': 2, **RELU}, False, [3, 1, 4])]


def joined(value):
    return list(value) if isinstance(value, tuple) else [value]


def made(module):
    """The module with parameters of few digits, which are therefore the same in the file."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(normal(*parameter.shape, scale=0.5))
    return module


def described(module, call, inputs, results):
    """Results, and gradients of inputs and parameters by cotangents of all of them."""
    outputs = results(call(*inputs))
    cotangents = [normal(*output.shape) for output in outputs]
    sources = [*inputs, *module.parameters()]
    slopes = torch.autograd.grad(outputs, sources, cotangents)
    return {
        'parameters': {key: tensor(value) for key, value in module.state_dict().items()},
        'inputs': [tensor(one.detach()) for one in inputs],
        'outputs': [tensor(one.detach()) for one in outputs],
        'cotangents': [tensor(one) for one in cotangents],
        'slopes': [tensor(one) for one in slopes],
    }


def layer(name, options, given, lengths, single=False):
    steps, n, inputs, hidden = SIZES
    module = made(getattr(nn, name)(inputs, hidden, **{NAMES.get(key, key): one for key, one in options.items()}).double())
    first = options.get('batchFirst', False)
    shape = (steps, inputs) if single else (n, steps, inputs) if first else (steps, n, inputs)
    count = options.get('numLayers', 1) * (2 if options.get('bidirectional') else 1)
    kept = (count, hidden) if single else (count, n, hidden)
    states = [normal(*kept).requires_grad_() for _ in range((2 if name == 'LSTM' else 1) if given else 0)]

    def call(x, *states):
        hx = (states if name == 'LSTM' else states[0]) if states else None
        if not lengths:
            return module(x, hx)
        packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=first, enforce_sorted=False)
        y, last = module(packed, hx)
        return pad_packed_sequence(y, batch_first=first, total_length=steps)[0], last

    inputs = [normal(*shape).requires_grad_(), *states]
    own = described(module, call, inputs, lambda made: [made[0], *joined(made[1])])
    return {'layer': name, 'options': options, 'lengths': lengths, **own}


def cell(name, options, given, single):
    _, n, inputs, hidden = SIZES
    module = made(getattr(nn, name)(inputs, hidden, **options).double())
    batch = () if single else (n,)
    states = [normal(*batch, hidden).requires_grad_() for _ in range((2 if name == 'LSTMCell' else 1) if given else 0)]

    def call(x, *states):
        return module(x, (states if name == 'LSTMCell' else states[0]) if states else None)

    own = described(module, call, [normal(*batch, inputs).requires_grad_(), *states], joined)
    return {'layer': name, 'options': options, 'lengths': None, **own}


entries = [layer(*one) for one in LAYERS]
entries += [layer(name, {'bidirectional': True}, True, None, single=True) for name in ('RNN', 'LSTM', 'GRU')]
for name in ('RNNCell', 'LSTMCell', 'GRUCell'):
    entries += [cell(name, {}, True, False), cell(name, {'bias': False}, False, False), cell(name, {}, True, True)]
entries.append(cell('RNNCell', RELU, True, False))
write('recurrent_layers.json', {'torch': torch.__version__, 'cases': entries})
print(f'{len(entries)} cases')
