"""norms.json: normalisation. RMSNorm, which PyTorch 1.13 has not, is its formula."""

import torch
import torch.nn.functional as F

from cases import NAN, case, f64, group, normal, record, uniform

# Of two numbers alone the gradient is all rounding.
BATCHES = [(4, 3), (7, 1), (5, 18), (2, 3, 4), (3, 2, 1), (1, 3, 5), (2, 3, 2, 2), (2, 1, 3, 1), (3, 2, 2, 1, 2), (70, 2)]


def rows(op, inputs, call, options=None, positional=None, note=None):
    """With neither, one, and both of the affine tensors that `inputs` ends in."""
    *own, weight, bias = inputs
    for affine in [[], [weight], [weight, bias]]:
        case(op, own + affine, lambda *all: call(*all, *[None] * (2 - len(affine))), options, positional, note=note)


def affine(shape):
    return [normal(*shape) + 1.5, normal(*shape)]


@group
def batches():
    for shape in BATCHES:
        c = shape[1]
        for options in [{'training': True}, {'training': False, 'eps': 0.1}]:
            call = lambda x, m, v, w, b: with_running(x, m, v, w, b, options['eps'])
            if options['training']:
                # PyTorch changes the running statistics where they lie.
                call = lambda x, m, v, w, b: F.batch_norm(x, m.detach().clone(), v.detach().clone(), w, b, True)
            rows('batchNorm', [normal(*shape), normal(c), uniform(0.3, 2, c), *affine((c,))], call, options)
    x, m, v = normal(3, 2), normal(2), uniform(0.3, 2, 2)
    case('batchNorm', [x, m, v], lambda x, m, v: F.batch_norm(x, m.detach(), v.detach()), grad=False, note='defaults')
    call = lambda x, m, v: F.batch_norm(x, m.detach().clone(), v.detach().clone(), training=True)
    case('batchNorm', [far(5, 2), m, v], call, {'training': True}, note='far from 0')


def far(*shape):
    """A large mean, and numbers that float32 has."""
    return torch.round(64 * normal(*shape)) / 64 + 1000


def with_running(x, mean, variance, weight, bias, eps):
    """As F.batch_norm in evaluation, which has no gradients of the statistics."""
    along = lambda one: one.reshape(1, -1, *[1] * (x.dim() - 2))
    y = (x - along(mean)) / torch.sqrt(along(variance) + eps)
    y = y if weight is None else y * along(weight)
    return y if bias is None else y + along(bias)


@group
def layers():
    for shape, last in [
        ((4,), 1),
        ((3, 4), 1),
        ((3, 4), 2),
        ((2, 3, 4), 1),
        ((2, 3, 4), 2),
        ((5, 3), 1),
        ((1, 9), 1),
        ((3, 67), 1),
        ((2, 2, 2, 3), 3),
    ]:
        own = list(shape[-last:])
        call = lambda x, w, b: F.layer_norm(x, own, w, b)
        rows('layerNorm', [normal(*shape), *affine(own)], call, positional=[own])
    for eps in [0.1, 1e-3]:
        call = lambda x, w, b: F.layer_norm(x, [4], w, b, eps=eps)
        rows('layerNorm', [normal(3, 4), *affine([4])], call, {'eps': eps}, [[4]])
    case('layerNorm', [normal(0, 3)], lambda x: F.layer_norm(x, [3]), positional=[[3]])
    case('layerNorm', [f64([[1.0, NAN], [2.0, 3.0]])], lambda x: F.layer_norm(x, [2]), positional=[[2]], grad=False)
    case('layerNorm', [far(2, 5)], lambda x: F.layer_norm(x, [5]), positional=[[5]], note='far from 0')


@group
def groups():
    for shape, count in [
        ((2, 6), 2),
        ((2, 4, 3), 1),
        ((2, 4, 3), 2),
        ((2, 4, 3), 4),
        ((1, 6, 2, 2), 3),
        ((3, 6, 2, 1), 2),
        ((2, 3, 2, 2), 1),
        ((2, 2, 2, 1, 2), 2),
    ]:
        c = shape[1]
        call = lambda x, w, b: F.group_norm(x, count, w, b)
        rows('groupNorm', [normal(*shape), *affine((c,))], call, positional=[count])
    call = lambda x, w, b: F.group_norm(x, 2, w, b, eps=0.1)
    rows('groupNorm', [normal(2, 4, 3), *affine((4,))], call, {'eps': 0.1}, [2])


@group
def instances():
    for shape in [(2, 3, 4), (1, 2, 5), (3, 1, 3), (2, 3, 2, 2), (1, 1, 3, 4), (2, 2, 9), (2, 2, 2, 1, 2)]:
        c = shape[1]
        call = lambda x, w, b: F.instance_norm(x, weight=w, bias=b)
        rows('instanceNorm', [normal(*shape), *affine((c,))], call)
    call = lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=0.1)
    rows('instanceNorm', [normal(2, 3, 4), *affine((3,))], call, {'eps': 0.1})


def rms_norm(x, shape, weight=None, eps=None):
    axes = tuple(range(-len(shape), 0))
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    y = x / torch.sqrt((x * x).mean(axes, keepdim=True) + eps)
    return y if weight is None else y * weight


@group
def root_mean_squares():
    for shape, last in [
        ((4,), 1),
        ((3, 4), 1),
        ((3, 4), 2),
        ((2, 3, 4), 1),
        ((2, 3, 4), 2),
        ((5, 3), 1),
        ((1, 9), 1),
        ((3, 67), 1),
        ((2, 2, 2, 3), 3),
    ]:
        own = list(shape[-last:])
        for eps in [{}, {'eps': 0.1}]:
            call = lambda x, *w: rms_norm(x, own, *w, **eps)
            case('rmsNorm', [normal(*shape)], call, eps, [own])
            case('rmsNorm', [normal(*shape), affine(own)[0]], call, eps, [own])
    case('rmsNorm', [normal(0, 3)], lambda x: rms_norm(x, [3]), positional=[[3]])


record('norms.json')
