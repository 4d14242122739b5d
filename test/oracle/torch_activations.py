"""activations.json: the activations of torch.nn.functional, and what they are made of."""

import torch
import torch.nn.functional as F

from cases import EDGES, INF, NAN, case, f64, group, normal, record

SHAPES = [(), (1,), (3,), (2, 2), (2, 1, 2), (1, 2, 1, 2), (0, 3), (9,), (3, 1), (1, 4), (2, 5), (7,), (1, 1), (6,), (2, 3)]

# wasmgrad's names of PyTorch's keywords.
NAMES = {'negative_slope': 'negativeSlope', 'min_val': 'minVal', 'max_val': 'maxVal', 'dim': 'axis'}


def ours(options):
    return {NAMES.get(key, key): value for key, value in options.items()}


def draw(*shape, scale=2.0):
    """Never on a kink: these have at most three decimals."""
    return normal(*shape, scale=scale) + 0.0005


def activation(op, call, variants=({},), kinks=None, edges=EDGES, cancels=(), scale=2.0):
    """
    `edges` are those where PyTorch has the limit as well: 0 · ∞ is NaN there in places. `cancels`: of all numbers near 0, or
    far from it, float32 has no digits left, in PyTorch neither. `scale`: of most numbers.
    """

    def one(x, options, **rest):
        case(op, [x], lambda x: call(x, **options), ours(options), **rest)

    for i, shape in enumerate(SHAPES):
        one(draw(*shape, scale=scale), variants[i % len(variants)])
    for factor in [0.5 if 'near' in cancels else 0.005, 0.15] + ([0.7, 0.9] if 'far' in cancels else [4.0, 20.0]):
        for options in variants[:2]:
            one(draw(4, scale=factor * scale), options)
    if 'near' not in cancels:
        one(f64([1e-9, -1e-9, 1e-5, -1e-5]), variants[0], note='far in')
    if 'far' not in cancels:
        one(f64([-1e4, -700.0, -90.0, -25.0, 25.0, 90.0, 700.0, 1e4]), variants[0], note='far out')
        one(f64([-1e30, -1e12, 1e12, 1e30]), variants[-1], note='far out')
    for options, values in zip(variants, kinks or []):
        one(f64(values), options, note='where the slope jumps')
    for options in variants:
        one(f64(edges), options, grad=False, note='NaN, infinities, signed zeros')


@group
def piecewise():
    activation('relu6', F.relu6, kinks=[[-1.5, 0.0, 6.0, 7.0]])
    activation('leakyRelu', F.leaky_relu, [{}, {'negative_slope': 0.2}, {'negative_slope': -1.5}], [[0.0]] * 3)
    activation(
        'hardtanh',
        F.hardtanh,
        [{}, {'min_val': -2.0, 'max_val': 0.5}, {'min_val': 0.25}],
        [[-1.0, 0.0, 1.0], [-2.0, 0.5], [0.25, 1.0]],
    )
    # F.hardsigmoid's gradient has a float32 1/6 in it.
    activation('hardsigmoid', lambda x: F.relu6(x + 3) / 6, kinks=[[-3.0, 0.0, 3.0]])
    activation('hardswish', F.hardswish, kinks=[[-3.0, 0.0, 3.0]], edges=[NAN, INF, 0.0, -0.0])
    activation('hardshrink', F.hardshrink, [{}, {'lambd': 1.25}, {'lambd': 0.0}], [[-0.5, 0.5], [-1.25, 1.25], [0.0]])
    # PyTorch 1.13 makes 0 of NaN.
    activation(
        'softshrink',
        F.softshrink,
        [{}, {'lambd': 1.25}, {'lambd': 0.0}],
        [[-0.5, 0.5], [-1.25, 1.25], [0.0]],
        edges=[INF, -INF, 0.0, -0.0],
    )
    activation(
        'threshold',
        F.threshold,
        [{'threshold': 0.1, 'value': 20.0}, {'threshold': -1.0, 'value': -2.5}],
        [[0.1, 0.2], [-1.0, 0.0]],
    )


@group
def smooth():
    activation('elu', F.elu, [{}, {'alpha': 0.3}, {'alpha': -1.5}], [[0.0], [0.0], [0.0]])
    activation('selu', F.selu, kinks=[[0.0]])
    # F.celu's gradient has a float32 1/alpha in it.
    activation('celu', lambda x, alpha=1.0: alpha * F.elu(x / alpha), [{}, {'alpha': 0.75}, {'alpha': 2.5}], [[0.0], [0.0], [0.0]])
    activation('gelu', F.gelu, [{}, {'approximate': 'tanh'}], edges=[NAN, INF, 0.0, -0.0])
    activation('silu', F.silu, edges=[NAN, INF, 0.0, -0.0])
    activation('mish', F.mish, edges=[NAN, INF, 0.0, -0.0])
    activation('softplus', F.softplus, [{}, {'beta': 2.0}, {'beta': 0.5, 'threshold': 1.0}])
    activation('softsign', F.softsign, edges=[NAN, 0.0, -0.0], cancels=['far'])
    activation('tanhshrink', F.tanhshrink, cancels=['near'])
    activation('logSigmoid', F.logsigmoid)


@group
def with_kernels():
    activation('relu', F.relu, kinks=[[-1.5, 0.0, 2.0]])
    activation('sigmoid', torch.sigmoid, cancels=['far'], scale=1.0)
    activation('tanh', torch.tanh, cancels=['far'], scale=0.7)
    for op, call in [('softmax', F.softmax), ('logSoftmax', F.log_softmax)]:
        for shape, axis in [((1,), 0), ((9,), 0), ((2, 5), 1), ((5, 2), 0), ((2, 2, 2), 1), ((1, 3, 2), -1), ((2, 1), 1)]:
            case(op, [normal(*shape, scale=3)], lambda x: call(x, dim=axis), {'axis': axis})


@group
def bounds():
    for shape, options in [
        ((), {'min': 0.0}),
        ((), {'max': 0.0}),
        ((1,), {'min': -1.0, 'max': 1.0}),
        ((5,), {'min': -1.0, 'max': 1.0}),
        ((2, 3), {'min': 0.25}),
        ((2, 3), {'max': -0.25}),
        ((2, 3), {'min': 1.0, 'max': -1.0}),
        ((2, 2, 2), {'min': -3.0, 'max': 0.5}),
        ((1, 2, 1, 3), {'min': 0.0, 'max': 6.0}),
        ((0, 2), {'min': 0.0}),
        ((9,), {'min': -0.75}),
        ((9,), {'max': 0.75}),
    ]:
        case('clamp', [draw(*shape)], lambda x: torch.clamp(x, **options), options)
    case('clamp', [f64(EDGES)], lambda x: torch.clamp(x, min=0.0), {'min': 0.0}, grad=False)
    case('clamp', [f64([-1e30, -1.0, 1e30])], lambda x: torch.clamp(x, max=1.0), {'max': 1.0}, note='far out')


@group
def prelu():
    for shape, count in [
        ((), 1),
        ((1,), 1),
        ((5,), 1),
        ((2, 3), 1),
        ((2, 3), 3),
        ((3, 1), 1),
        ((1, 4), 4),
        ((4, 2), 2),
        ((2, 3, 2), 3),
        ((2, 3, 2), 1),
        ((1, 2, 5), 2),
        ((3, 2, 1), 2),
        ((2, 3, 2, 2), 3),
        ((2, 1, 2, 2), 1),
        ((1, 2, 3, 1), 2),
        ((2, 2, 1, 2, 2), 2),
        ((0, 3), 3),
        ((0, 3), 1),
    ]:
        case('prelu', [draw(*shape), draw(count, scale=0.5)], F.prelu)
    case('prelu', [f64([-1.5, 0.0, 2.0]), f64([0.25])], F.prelu, note='where the slope jumps')
    case('prelu', [f64([[-1e30, 1e30], [-1e4, 1e4]]), f64([0.25, -1.5])], F.prelu, note='far out')
    case('prelu', [f64(EDGES), f64([0.25])], F.prelu, grad=False, note='NaN, infinities, signed zeros')


@group
def halves():
    for shape, axis in [
        ((2,), -1),
        ((6,), 0),
        ((3, 4), 1),
        ((3, 4), -1),
        ((4, 3), 0),
        ((4, 3), -2),
        ((2, 2), 0),
        ((2, 2), 1),
        ((2, 3, 4), 2),
        ((2, 4, 3), 1),
        ((4, 1, 3), 0),
        ((1, 2, 1), 1),
        ((2, 1, 2, 2), 3),
        ((2, 2, 1, 2), 1),
        ((2, 2, 2, 1), -2),
        ((0, 4), 1),
        ((3, 0), 1),
        ((0, 2), 0),
    ]:
        case('glu', [draw(*shape)], lambda x: F.glu(x, dim=axis), {'axis': axis})
    case('glu', [draw(3, 2)], F.glu, note='the last axis')
    case('glu', [f64([[1e30, 1e4, -1e4, 5.0, 0.0, -90.0]])], F.glu, note='far out')
    case('glu', [f64([[NAN, INF, 1.0, 2.0, 0.0, NAN]])], F.glu, grad=False)


@group
def softmins():
    for shape, axis in [
        ((4,), 0),
        ((4,), -1),
        ((1,), 0),
        ((3, 4), 0),
        ((3, 4), 1),
        ((3, 4), -2),
        ((2, 1), 1),
        ((1, 5), 1),
        ((2, 3, 2), 1),
        ((2, 3, 2), -1),
        ((2, 3, 2), 0),
        ((2, 2, 1, 2), 1),
        ((2, 2, 1, 2), 3),
        ((2, 9), 1),
        ((0, 3), 1),
        ((), 0),
    ]:
        case('softmin', [normal(*shape, scale=2)], lambda x: F.softmin(x, dim=axis), {'axis': axis})
    last = {'dim': -1}
    case('softmin', [normal(3, 3)], lambda x: F.softmin(x, **last), note='the last axis')
    case('softmin', [f64([[1e4, 1e4 - 1, 0.0], [-1e4, -1e4, -1e4]])], lambda x: F.softmin(x, **last), note='far out')
    case('softmin', [f64([[INF, 0.0, 1.0], [0.5, INF, INF]])], lambda x: F.softmin(x, **last), grad=False)
    case('softmin', [f64([[NAN, 0.0, 1.0], [0.5, 1.0, 1.5]])], lambda x: F.softmin(x, **last), grad=False)


@group
def chunks():
    for shape, count, axis in [
        ((6,), 3, 0),
        ((7,), 3, 0),
        ((7,), 4, 0),
        ((5,), 1, 0),
        ((2,), 5, 0),
        ((3, 4), 2, 1),
        ((3, 4), 2, 0),
        ((3, 4), 3, -1),
        ((2, 5, 2), 2, 1),
        ((2, 3, 4), 4, -1),
        ((0, 3), 2, 0),
        ((3, 0), 3, 0),
    ]:
        for at in range(2 if count > 1 else 1):
            chunk = lambda x: torch.chunk(x, count, dim=axis)[at]
            if at < len(torch.chunk(torch.zeros(shape), count, dim=axis)):
                case('chunk', [normal(*shape)], chunk, {'axis': axis}, [count, at])


record('activations.json')
