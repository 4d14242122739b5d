"""attention.json: attention by its formula, and torch.nn's attention and transformer layers with their gradients."""

import math

import torch
from torch import nn

from cases import booleans, case, group, normal, record
from encoding import tensor


def attention(q, k, v, mask=None, causal=False, scale=None):
    """softmax(q·kᵀ·scale + mask)·v; a bool mask is true where a row may attend."""
    scores = q @ k.transpose(-2, -1) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    if causal:
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -math.inf)
    return torch.softmax(scores, -1) @ v


SHAPES = [
    ((), 4, 4, 3, 3),
    ((), 1, 5, 2, 4),
    ((2,), 5, 3, 4, 2),
    ((2, 3), 4, 6, 2, 5),
    ((1, 2, 2), 3, 3, 1, 1),
    ((1,), 17, 19, 5, 9),
    ((2,), 66, 67, 4, 3),
    ((1,), 131, 1, 2, 2),
]


def operands(lead, t, s, e, ev):
    return [normal(*lead, t, e), normal(*lead, s, e), normal(*lead, s, ev)]


def seen(*shape):
    """Every row sees something."""
    mask = booleans(*shape)
    mask[..., 0] = True
    return mask


@group
def plain():
    for shape in SHAPES:
        case('scaledDotProductAttention', operands(*shape), attention)
        case('scaledDotProductAttention', operands(*shape), lambda *x: attention(*x, causal=True), {'isCausal': True})
    case('scaledDotProductAttention', operands((2,), 3, 4, 2, 2), lambda *x: attention(*x, scale=0.25), {'scale': 0.25})
    case('scaledDotProductAttention', operands((), 3, 4, 2, 2), lambda *x: attention(*x, scale=-2.0), {'scale': -2.0})


@group
def masked():
    for lead, t, s, e, ev in SHAPES:
        masks = [seen(*lead, 1, s), normal(t, s)]
        if t < 50:
            masks += [seen(t, s), normal(*lead, t, s)]
        for mask in masks:
            call = lambda *x: attention(*x, mask)
            case('scaledDotProductAttention', operands(lead, t, s, e, ev), call, {'attnMask': tensor(mask)})
    mask = seen(4, 5)
    call = lambda *x: attention(*x, mask, causal=True)
    case('scaledDotProductAttention', operands((2,), 4, 5, 3, 3), call, {'attnMask': tensor(mask), 'isCausal': True})
    # Leading axes that broadcast.
    case('scaledDotProductAttention', [normal(2, 3, 4, 2), normal(3, 5, 2), normal(2, 1, 5, 3)], attention)


@group
def mask_as_input():
    """The gradient of a real mask."""
    for lead, shape in [((), (3, 4)), ((2,), (3, 4)), ((2,), (2, 1, 4)), ((2, 2), (2, 1, 3, 4)), ((2,), (1, 4))]:
        q, k, v = operands(lead, 3, 4, 2, 3)
        case('scaledDotProductAttention', [q, k, v, normal(*shape)], attention)


layers = []


def layer(name, arguments, options, inputs, call_options=None, spread=0.5):
    """One of torch.nn's layers with weights of its own: its result, and the gradients of everything."""
    keywords = {
        'batchFirst': 'batch_first',
        'normFirst': 'norm_first',
        'dimFeedforward': 'dim_feedforward',
        'layerNormEps': 'layer_norm_eps',
    }
    module = getattr(nn, name)(*arguments, **{keywords.get(key, key): value for key, value in options.items()}).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(spread * normal(*parameter.shape))
        for key, parameter in module.named_parameters():
            if 'norm' in key and key.endswith('weight'):
                parameter.add_(1)
    call = {}
    for key, value in (call_options or {}).items():
        call[''.join('_' + letter.lower() if letter.isupper() else letter for letter in key)] = value
    leaves = [x.clone().requires_grad_() for x in inputs]
    output = module(*leaves, **call)
    if name == 'MultiheadAttention':
        output = output[0]
    cotangent = normal(*output.shape)
    names = [key for key, _ in module.named_parameters()]
    found = torch.autograd.grad(output, leaves + [p for _, p in module.named_parameters()], cotangent)
    layers.append(
        {
            'layer': name,
            'arguments': arguments,
            'options': options,
            'state': {key: tensor(value.detach()) for key, value in module.state_dict().items()},
            'inputs': [tensor(x) for x in inputs],
            'call': {key: tensor(value) for key, value in (call_options or {}).items()},
            'output': tensor(output.detach()),
            'cotangent': tensor(cotangent),
            'inputGradients': [tensor(x) for x in found[: len(inputs)]],
            'gradients': {key: tensor(x) for key, x in zip(names, found[len(inputs) :])},
        }
    )


def forbidden(*shape):
    """A mask as the layers take it: true forbids."""
    return ~seen(*shape)


@group
def multihead():
    x = normal(5, 2, 6)
    layer('MultiheadAttention', [6, 2], {}, [x, x, x])
    layer('MultiheadAttention', [6, 3], {'batchFirst': True}, [normal(2, 4, 6), normal(2, 5, 6), normal(2, 5, 6)])
    layer('MultiheadAttention', [4, 2], {'bias': False}, [normal(3, 2, 4) for _ in range(3)])
    layer('MultiheadAttention', [4, 2], {'kdim': 3, 'vdim': 5}, [normal(3, 2, 4), normal(6, 2, 3), normal(6, 2, 5)])
    own = [normal(4, 3, 4) for _ in range(3)]
    layer('MultiheadAttention', [4, 1], {}, own, {'attnMask': forbidden(4, 4)})
    layer('MultiheadAttention', [4, 2], {}, own, {'attnMask': normal(4, 4)})
    layer('MultiheadAttention', [4, 2], {}, own, {'attnMask': forbidden(6, 4, 4)})
    layer('MultiheadAttention', [4, 2], {}, own, {'keyPaddingMask': forbidden(3, 4)})
    own = [normal(3, 4, 4) for _ in range(3)]
    masks = {'keyPaddingMask': forbidden(3, 4), 'attnMask': forbidden(4, 4)}
    layer('MultiheadAttention', [4, 2], {'batchFirst': True}, own, masks)
    layer('MultiheadAttention', [4, 2], {}, [normal(5, 4) for _ in range(3)])


@group
def encoders():
    for options in [
        {},
        {'activation': 'gelu'},
        {'normFirst': True},
        {'normFirst': True, 'activation': 'gelu', 'batchFirst': True, 'layerNormEps': 0.01},
    ]:
        own = {'dimFeedforward': 5, 'dropout': 0.0, **options}
        layer('TransformerEncoderLayer', [4, 2], own, [normal(3, 2, 4)])
    own = {'dimFeedforward': 5, 'dropout': 0.0, 'batchFirst': True}
    masks = {'srcMask': forbidden(3, 3), 'srcKeyPaddingMask': forbidden(2, 3)}
    layer('TransformerEncoderLayer', [4, 2], own, [normal(2, 3, 4)], masks)


@group
def decoders():
    for options in [{}, {'activation': 'gelu'}, {'normFirst': True}, {'normFirst': True, 'activation': 'gelu', 'batchFirst': True}]:
        own = {'dimFeedforward': 5, 'dropout': 0.0, **options}
        shapes = [(2, 3, 4), (2, 5, 4)] if 'batchFirst' in options else [(3, 2, 4), (5, 2, 4)]
        layer('TransformerDecoderLayer', [4, 2], own, [normal(*shape) for shape in shapes])
    masks = {
        'tgtMask': forbidden(3, 3),
        'memoryMask': forbidden(3, 5),
        'tgtKeyPaddingMask': forbidden(2, 3),
        'memoryKeyPaddingMask': forbidden(2, 5),
    }
    layer('TransformerDecoderLayer', [4, 2], {'dimFeedforward': 5, 'dropout': 0.0}, [normal(3, 2, 4), normal(5, 2, 4)], masks)


record('attention.json', layers=layers)
