"""ops.json: every op that wasmgrad takes from PyTorch, but for what other scripts have. See cases.py."""

import numpy as np
import torch
import torch.nn.functional as F

from cases import (
    EDGES,
    INF,
    NAN,
    axes,
    booleans,
    case,
    f64,
    group,
    i32,
    integers,
    normal,
    record,
    uniform,
)


def unary(op, call, draw=normal, edges=EDGES, kinks=None):
    for shape in [(), (7,), (3, 5), (2, 1, 3, 2), (0, 3)]:
        case(op, [draw(*shape)], call)
    if kinks is not None:
        case(op, [f64(kinks)], call, note='where the slope jumps')
    case(op, [f64(edges)], call, grad=False, note='NaN, infinities, signed zeros')


def positive(*shape):
    return uniform(0.1, 4, *shape)


@group
def elementwise_unary():
    unary('neg', torch.neg)
    unary('abs', torch.abs, kinks=[-1.5, 0.0, 2.0])
    unary('sqrt', torch.sqrt, positive, edges=[NAN, INF, -1.0, 0.0, 4.0])
    unary('square', torch.square)
    unary('exp', torch.exp, edges=EDGES + [80.0, -80.0])
    unary('log', torch.log, positive, edges=EDGES + [-1.0, 1.0, 1e-30, 1e30])
    unary('log1p', torch.log1p, lambda *shape: uniform(-0.9, 3, *shape), edges=EDGES + [-1.0, -2.0, 1e-12, -1e-12])
    unary('expm1', torch.expm1, edges=EDGES + [1e-12, -1e-12, -60.0])
    unary('tanh', torch.tanh, edges=EDGES + [1e-12, 50.0, -50.0])
    unary('sigmoid', torch.sigmoid, edges=EDGES + [1e4, -1e4, 80.0, -80.0])
    unary('erf', torch.erf, edges=EDGES + [1e-12, 0.5, -3.0, 6.0])
    unary('sin', torch.sin, edges=EDGES + [100.0, -1000.0])
    unary('cos', torch.cos, edges=EDGES + [100.0, -1000.0])
    unary('reciprocal', torch.reciprocal, positive)
    unary('relu', F.relu, kinks=[-1.5, 0.0, 2.0])
    unary('floor', torch.floor, edges=EDGES + [-2.5, -2.0, 2.999])
    unary('ceil', torch.ceil, edges=EDGES + [-2.5, -2.0, 2.001])
    unary('round', torch.round, edges=EDGES + [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.25])
    unary('sign', torch.sign, kinks=[-1.5, 0.0, 2.0])
    for op, call in [('neg', torch.neg), ('abs', torch.abs), ('sign', torch.sign)]:
        case(op, [i32([-3, 0, 7])], call)


@group
def elementwise_unary_with_options():
    for shape, slope in [((), 0.01), ((7,), 0.2), ((3, 4), 0.0), ((2, 3, 2), 1.5)]:
        case('leakyRelu', [normal(*shape)], lambda x: F.leaky_relu(x, slope), {'negativeSlope': slope})
    case('leakyRelu', [f64([-1.5, 0.0, 2.0])], F.leaky_relu, note='the default slope is 0.01; at 0 it is the slope')
    case('leakyRelu', [f64(EDGES)], F.leaky_relu, grad=False)

    for shape, options in [
        ((), {'min': -0.5, 'max': 0.5}),
        ((3, 4), {'min': -0.5, 'max': 0.5}),
        ((6,), {'min': 0.0}),
        ((6,), {'max': 0.25}),
    ]:
        case('clamp', [normal(*shape)], lambda x: torch.clamp(x, **options), options)
    bounds = {'min': -0.5, 'max': 0.5}
    case(
        'clamp',
        [f64([-1.0, -0.5, 0.0, 0.5, 1.0])],
        lambda x: torch.clamp(x, **bounds),
        bounds,
        note='at a bound the gradient passes',
    )
    case('clamp', [f64(EDGES)], lambda x: torch.clamp(x, **bounds), bounds, grad=False)

    for shape, options in [((), {}), ((3, 4), {}), ((5,), {'beta': 2.0}), ((5,), {'beta': 0.5, 'threshold': 1.0})]:
        case('softplus', [normal(*shape, scale=2)], lambda x: F.softplus(x, **options), options)
    case('softplus', [f64([-1e4, -50.0, 0.0, 19.5, 20.5, 1e4])], F.softplus, note='linear above the threshold, 20')
    case('softplus', [f64(EDGES)], F.softplus, grad=False)


BROADCASTS = [
    ((), ()),
    ((5,), (5,)),
    ((4,), ()),
    ((2, 3), (3,)),
    ((2, 3), (2, 1)),
    ((3, 1), (1, 4)),
    ((4, 1, 3), (2, 1)),
    ((2, 1, 3, 1), (4, 1, 2)),
    ((0, 3), (3,)),
    ((1,), (0,)),
]


@group
def elementwise_binary():
    for a, b in BROADCASTS:
        case('add', [normal(*a), normal(*b)], torch.add)
        case('sub', [normal(*a), normal(*b)], torch.sub)
        case('mul', [normal(*a), normal(*b)], torch.mul)
        case('div', [normal(*a), positive(*b)], torch.div)
        case('pow', [positive(*a), uniform(-2, 2, *b)], torch.pow)
        case('maximum', [normal(*a), normal(*b)], torch.maximum)
        case('minimum', [normal(*a), normal(*b)], torch.minimum)
    ties = [f64([1.0, 2.0, -1.0]), f64([1.0, -2.0, 3.0])]
    case('maximum', ties, torch.maximum, note='a tie gives half to each')
    case('minimum', ties, torch.minimum, note='a tie gives half to each')
    left, right = f64([NAN, 1.0, INF, -INF, NAN, 0.0]), f64([1.0, NAN, -INF, INF, NAN, 0.0])
    for op, call in [
        ('add', torch.add),
        ('sub', torch.sub),
        ('mul', torch.mul),
        ('div', torch.div),
        ('maximum', torch.maximum),
        ('minimum', torch.minimum),
    ]:
        case(op, [left, right], call, grad=False, note='NaN and infinities')
    case('div', [f64([1.0, -1.0, 0.0]), f64([0.0, 0.0, 0.0])], torch.div, grad=False)
    for op, call in [
        ('add', torch.add),
        ('sub', torch.sub),
        ('mul', torch.mul),
        ('maximum', torch.maximum),
        ('minimum', torch.minimum),
    ]:
        case(op, [i32([[1, -2, 3], [4, 0, -7]]), i32([2, 5, -3])], call)


@group
def power():
    for shape, exponent in [((), 2), ((4,), 3), ((2, 3), 2), ((5,), -1), ((3,), 0), ((3,), 1)]:
        case('pow', [normal(*shape)], lambda x: torch.pow(x, exponent), positional=[exponent])
    for shape, exponent in [((4,), 0.5), ((2, 3), -1.5), ((5,), 2.3)]:
        case('pow', [positive(*shape)], lambda x: torch.pow(x, exponent), positional=[exponent])
    case('pow', [f64([-2.0, 0.0, 3.0])], lambda x: torch.pow(x, 2), positional=[2], note='the gradient at 0 is 0')
    case('pow', [f64([-2.0, 0.0, 3.0])], lambda x: torch.pow(x, 0), positional=[0], note='0 ** 0 is 1, its gradient 0')
    case(
        'pow',
        [
            f64([-2.0, -2.0, -2.0, 0.0, 0.0, 0.0, INF, -INF, NAN, NAN, 1.0, 0.5]),
            f64([3.0, 0.5, -2.0, -1.0, 0.0, 2.0, -1.0, 3.0, 0.0, 1.0, NAN, INF]),
        ],
        torch.pow,
        grad=False,
        note="C's special cases",
    )


@group
def comparisons_and_logic():
    compare = {'eq': torch.eq, 'ne': torch.ne, 'lt': torch.lt, 'le': torch.le, 'gt': torch.gt, 'ge': torch.ge}
    for op, call in compare.items():
        case(op, [integers(-2, 3, 2, 5).double(), integers(-2, 3, 5).double()], call)
        case(op, [normal(), normal(3, 1)], call)
        case(op, [integers(-2, 3, 2, 1, 3), integers(-2, 3, 4, 1)], call)
        case(op, [integers(0, 4, 6, dtype=torch.uint8), integers(0, 4, 6, dtype=torch.uint8)], call)
        case(op, [booleans(4), booleans(4)], call)
        case(op, [f64(EDGES + [INF, 0.0]), f64([NAN, INF, INF, -0.0, 0.0, NAN, 0.0])], call)
        case(op, [normal(0, 2), normal(2)], call)
    for op, call in [('logicalAnd', torch.logical_and), ('logicalOr', torch.logical_or)]:
        case(op, [torch.tensor([False, False, True, True]), torch.tensor([False, True, False, True])], call)
        case(op, [booleans(2, 3), booleans(3)], call)
        case(op, [booleans(), booleans(2, 1)], call)
        case(op, [booleans(0), booleans(1)], call)
    for shape in [(), (4,), (2, 3), (0,)]:
        case('logicalNot', [booleans(*shape)], torch.logical_not)


@group
def where():
    for condition, a, b in [
        ((), (), ()),
        ((5,), (5,), (5,)),
        ((2, 3), (3,), ()),
        ((2, 1), (1, 3), (4, 1, 1)),
        ((3,), (), (2, 1)),
        ((0, 2), (2,), (1,)),
    ]:
        case('where', [booleans(*condition), normal(*a), normal(*b)], torch.where)
    case(
        'where',
        [torch.tensor([True, False]), f64([1.0, NAN]), f64([INF, 2.0])],
        torch.where,
        note='the side that is not taken leaves no trace, in the gradient either',
    )
    case('where', [booleans(4), i32([1, 2, 3, 4]), i32([-1, -2, -3, -4])], torch.where)


@group
def products():
    for a, b in [
        ((3,), (3,)),
        ((1,), (1,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3, 4)),
        ((1, 1), (1, 1)),
        ((5, 1), (1, 4)),
        ((2, 3, 4), (2, 4, 2)),
        ((2, 3, 4), (4, 2)),
        ((3, 4), (2, 4, 2)),
        ((2, 1, 2, 3), (3, 3, 2)),
        ((2, 2, 3), (3,)),
        ((3,), (2, 3, 2)),
        ((2, 0), (0, 3)),
        ((0, 3), (3, 2)),
        ((0,), (0,)),
        ((0, 2, 3), (3, 2)),
    ]:
        case('matmul', [normal(*a), normal(*b)], torch.matmul)
    for x, w, bias in [
        ((3,), (2, 3), True),
        ((4, 3), (2, 3), True),
        ((4, 3), (2, 3), False),
        ((2, 3, 4), (5, 4), True),
        ((1, 1), (1, 1), True),
        ((0, 3), (2, 3), True),
        ((2, 2, 1, 3), (4, 3), False),
        ((7, 9), (3, 9), True),
    ]:
        case('linear', [normal(*x), normal(*w)] + ([normal(w[0])] if bias else []), F.linear)


REDUCTIONS = [
    ((), {}),
    ((5,), {}),
    ((3, 4), {}),
    ((3, 4), {'axis': 0}),
    ((3, 4), {'axis': 1, 'keepDims': True}),
    ((2, 3, 4), {'axis': -1}),
    ((2, 3, 4), {'axis': 1}),
    ((2, 1, 3, 2), {'axis': 2, 'keepDims': True}),
]
SEVERAL_AXES = [
    ((2, 3, 4), {'axis': [0, 2]}),
    ((2, 3, 4), {'axis': [-1, 0], 'keepDims': True}),
    ((2, 3, 2, 2), {'axis': [1, 3]}),
]


def every_axis(call):
    """amax and amin want their axes named; none at all, as of rank 0, means every axis to PyTorch."""

    def reduce(x, **options):
        return call(x, **axes({'axis': tuple(range(x.dim())), **options}))

    return reduce


@group
def reductions():
    for op, call in [
        ('sum', every_axis(torch.sum)),
        ('mean', every_axis(torch.mean)),
        ('max', every_axis(torch.amax)),
        ('min', every_axis(torch.amin)),
    ]:
        for shape, options in REDUCTIONS + SEVERAL_AXES:
            case(op, [normal(*shape)], lambda x: call(x, **options), options)
    for shape, options in [
        ((0,), {}),
        ((0, 3), {'axis': 0}),
        ((0, 3), {'axis': 1}),
        ((2, 0), {'axis': 1, 'keepDims': True}),
    ]:
        case('sum', [normal(*shape)], lambda x: torch.sum(x, **axes(options)) if options else torch.sum(x), options)
        case(
            'mean',
            [normal(*shape)],
            lambda x: torch.mean(x, **axes(options)) if options else torch.mean(x),
            options,
            grad=False,
            note='the mean of nothing is NaN',
        )
    case('sum', [i32([[1, -2, 3], [4, 5, -6]])], lambda x: torch.sum(x, dim=0), {'axis': 0})
    tied = f64([[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, 2.0], [-1.0, -1.0, -5.0, -5.0]])
    for op, call in [('max', torch.amax), ('min', torch.amin)]:
        case(op, [tied], lambda x: call(x, dim=1), {'axis': 1}, note='ties share the gradient equally')
        case(op, [tied], lambda x: call(x, dim=(0, 1)), {}, note='ties share the gradient equally')
        case(op, [f64([[1.0, NAN, 3.0], [INF, -INF, 0.0]])], lambda x: call(x, dim=1), {'axis': 1}, grad=False)
        case(op, [normal(0, 3)], lambda x: call(x, dim=1), {'axis': 1})
    for shape, options in [
        ((), {}),
        ((5,), {}),
        ((3, 4), {}),
        ((3, 4), {'axis': 0}),
        ((2, 3, 4), {'axis': -1, 'keepDims': True}),
        ((2, 3, 2, 2), {'axis': 1}),
    ]:
        case('prod', [normal(*shape)], lambda x: torch.prod(x, **axes(options)), options)
    case(
        'prod',
        [f64([[2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [1.0, -2.0, 4.0]])],
        lambda x: torch.prod(x, dim=1),
        {'axis': 1},
        note='one zero, two zeros, none: the gradient is no product divided by x',
    )
    case('prod', [normal(0)], torch.prod, note='the product of nothing is 1')
    for op, call in [('argmax', torch.argmax), ('argmin', torch.argmin)]:
        for shape, options in REDUCTIONS:
            case(op, [normal(*shape)], lambda x: call(x, **axes(options)), options)
        case(op, [tied], lambda x: call(x, dim=1), {'axis': 1}, note='the first of ties')
        case(op, [f64([[1.0, NAN, 3.0], [INF, -INF, 0.0]])], lambda x: call(x, dim=1), {'axis': 1}, note='NaN wins')


@group
def softmaxes():
    for op, call in [('softmax', F.softmax), ('logSoftmax', F.log_softmax)]:
        for shape, axis in [
            ((5,), 0),
            ((1,), 0),
            ((3, 4), 1),
            ((3, 4), -1),
            ((3, 4), 0),
            ((2, 3, 4), 1),
            ((2, 3, 2, 2), 0),
            ((2, 11), 1),
            ((0, 3), 1),
            ((), 0),
        ]:
            case(op, [normal(*shape, scale=2)], lambda x: call(x, dim=axis), {'axis': axis})
        case(op, [f64([[1e4, 1e4 - 1, 0.0], [-1e4, -1e4, -1e4]])], lambda x: call(x, dim=1), {'axis': 1})
        case(
            op,
            [f64([[-INF, 0.0, 1.0], [0.5, -INF, -INF]])],
            lambda x: call(x, dim=1),
            {'axis': 1},
            grad=False,
            note='-Infinity masks',
        )
        case(
            op,
            [f64([[NAN, 0.0, 1.0], [0.5, 1.0, 1.5]])],
            lambda x: call(x, dim=1),
            {'axis': 1},
            grad=False,
            note='NaN stays in its row',
        )


@group
def shapes():
    for shape, pair in [
        ((2, 3), None),
        ((2, 3, 4), None),
        ((2, 3, 4), (0, 2)),
        ((2, 3, 4), (-3, 1)),
        ((2, 1, 3, 2), (1, 3)),
        ((0, 3), None),
    ]:
        case(
            'transpose',
            [normal(*shape)],
            lambda x: torch.transpose(x, *(pair or (-2, -1))),
            positional=list(pair or []),
        )
    for shape, order in [
        ((), []),
        ((4,), [0]),
        ((2, 3), [1, 0]),
        ((2, 3, 4), [2, 0, 1]),
        ((2, 3, 4), [0, -1, 1]),
        ((2, 1, 3, 2), [3, 1, 0, 2]),
        ((2, 0, 3), [1, 2, 0]),
    ]:
        case('permute', [normal(*shape)], lambda x: x.permute(order), positional=[order])
    for shape, size in [
        ((6,), [2, 3]),
        ((2, 3), [6]),
        ((2, 3, 4), [4, -1]),
        ((1,), []),
        ((), [1, 1]),
        ((2, 3, 2), [3, 2, 2]),
        ((0, 3), [3, 0]),
    ]:
        case('reshape', [normal(*shape)], lambda x: x.reshape(size), positional=[size])
    for shape, size in [
        ((), [3]),
        ((), [2, 2]),
        ((3,), [2, 3]),
        ((2, 1), [2, 3]),
        ((1, 3, 1), [2, 2, 3, 2]),
        ((2, 3), [2, 3]),
        ((1, 2), [0, 2]),
    ]:
        case('broadcastTo', [normal(*shape)], lambda x: x.expand(size), positional=[size])
    for shape, axis in [
        ((1, 3, 1), None),
        ((1, 3, 1), 0),
        ((1, 3, 1), -1),
        ((1, 1), None),
        ((2, 1, 3), [1]),
        ((2, 3), None),
    ]:
        options = {} if axis is None else {'axis': axis}
        case(
            'squeeze',
            [normal(*shape)],
            lambda x: x.squeeze(*np.atleast_1d(axis).tolist()) if options else x.squeeze(),
            options,
        )
    for shape, axis in [((), 0), ((3,), 0), ((3,), -1), ((2, 3), 1), ((2, 3, 2), -4), ((0,), 1)]:
        case('unsqueeze', [normal(*shape)], lambda x: x.unsqueeze(axis), {'axis': axis})
    for shape, options in [
        ((), {}),
        ((4,), {}),
        ((2, 3), {}),
        ((2, 3, 4), {'startAxis': 1}),
        ((2, 3, 2, 2), {'startAxis': 1, 'endAxis': 2}),
        ((2, 3, 2, 2), {'endAxis': -2}),
        ((0, 3), {}),
    ]:
        names = {'startAxis': 'start_dim', 'endAxis': 'end_dim'}
        case(
            'flatten',
            [normal(*shape)],
            lambda x: torch.flatten(x, **{names[key]: value for key, value in options.items()}),
            options,
        )


def sliced(x, text):
    """Numpy's rules. PyTorch has no negative steps: flip the axis and count from its other end."""
    items = []
    parts = [part.strip() for part in text.split(',')]
    if '...' in parts:
        at = parts.index('...')
        parts[at : at + 1] = [':'] * (x.dim() - len(parts) + 1)
    for axis, part in enumerate(parts):
        if ':' not in part:
            items.append(int(part))
            continue
        chosen = range(x.shape[axis])[slice(*(int(bound) if bound else None for bound in part.split(':')))]
        if chosen.step < 0 and len(chosen) > 0:
            x = x.flip(axis)
            first = x.shape[axis] - 1 - chosen[0]
            items.append(slice(first, first + (len(chosen) - 1) * -chosen.step + 1, -chosen.step))
        else:
            items.append(slice(chosen.start, chosen.stop, max(chosen.step, 1)) if len(chosen) else slice(0, 0))
    return x[tuple(items)]


@group
def slices():
    for shape, text in [
        ((6,), '1:'),
        ((6,), ':-2'),
        ((6,), '::2'),
        ((6,), '1:5:3'),
        ((6,), '2'),
        ((6,), '-1'),
        ((6,), '4:2'),
        ((6,), '2:100'),
        ((3, 5), '1:, ::2'),
        ((3, 5), '1'),
        ((3, 5), ':, -1'),
        ((3, 5), '0, 1:4'),
        ((2, 3, 4), ':, 1, 1::2'),
        ((2, 3, 4), '-1:'),
        ((2, 3, 2, 2), '1, :2, 0, :'),
        ((2, 3, 4), '1, 2, 3'),
    ]:
        case('slice', [normal(*shape)], lambda x: sliced(x, text), positional=[text])
    for shape, text in [((6,), '::-1'), ((6,), '4:1:-2'), ((3, 4), '::-1, 2::-1')]:
        case('slice', [normal(*shape)], lambda x: sliced(x, text), positional=[text], note='negative step')
    for shape, text in [((2, 3, 4), '..., 0'), ((2, 3, 4), '0, ..., 1:3')]:
        case('slice', [normal(*shape)], lambda x: sliced(x, text), positional=[text], note='ellipsis')


@group
def joins_and_pads():
    for shape, widths, options in [
        ((3,), [[1, 2]], {}),
        ((2, 3), [[0, 0], [1, 1]], {}),
        ((2, 3), [[1, 0], [0, 2]], {'value': -1.5}),
        ((2, 2, 2), [[0, 1], [1, 0], [1, 1]], {'value': 2.0}),
        ((1, 2, 2, 2), [[0, 0], [0, 0], [1, 1], [1, 1]], {}),
        ((0, 2), [[1, 1], [0, 0]], {'value': 7.0}),
        ((2,), [[0, 0]], {}),
    ]:
        # F.pad lists the last axis first, all in one row.
        flat = [width for before_after in reversed(widths) for width in before_after]
        case('pad', [normal(*shape)], lambda x: F.pad(x, flat, value=options.get('value', 0.0)), options, [widths])
    for parts, axis in [
        ([(2,), (3,)], 0),
        ([(2, 3), (1, 3)], 0),
        ([(2, 1), (2, 3), (2, 2)], 1),
        ([(2, 1, 3), (2, 2, 3)], -2),
        ([(2, 3)], 0),
        ([(0, 3), (2, 3)], 0),
        ([(2, 0), (2, 0)], 1),
        ([(1, 2, 2, 2), (1, 2, 2, 1)], 3),
    ]:
        case('concat', [normal(*part) for part in parts], lambda *all: torch.cat(all, dim=axis), {'axis': axis})
    case('concat', [i32([1, 2]), i32([3])], lambda *all: torch.cat(all, dim=0), {'axis': 0})
    for count, shape, axis in [
        (2, (), 0),
        (3, (2,), 0),
        (2, (3,), 1),
        (2, (2, 3), 1),
        (2, (2, 3), -1),
        (1, (2,), 0),
        (2, (0,), 0),
    ]:
        case('stack', [normal(*shape) for _ in range(count)], lambda *all: torch.stack(all, dim=axis), {'axis': axis})


@group
def indexing():
    for shape, index_shape, axis in [
        ((5,), (7,), 0),
        ((3, 4), (2, 4), 0),
        ((3, 4), (3, 2), 1),
        ((3, 4), (2, 3), -1),
        ((2, 3, 4), (2, 2, 4), 1),
        ((2, 3, 4), (1, 2, 5), 2),
        ((3, 2), (0, 2), 0),
    ]:
        index = integers(0, shape[axis], *index_shape)
        case('gather', [normal(*shape), index], lambda x, index: torch.gather(x, axis, index.long()), {'axis': axis})
    for shape, count, axis in [((5,), 3, 0), ((3, 4), 5, 0), ((3, 4), 2, 1), ((2, 3, 4), 4, -2), ((3, 4), 0, 0)]:
        index = integers(0, shape[axis], count)
        case(
            'indexSelect',
            [normal(*shape), index],
            lambda x, index: torch.index_select(x, axis, index.long()),
            {'axis': axis},
        )
    for index, weight in [((4,), (5, 3)), ((2, 3), (4, 2)), ((), (3, 4)), ((9,), (3, 2)), ((0,), (3, 2))]:
        case(
            'embedding',
            [integers(0, weight[0], *index), normal(*weight)],
            lambda index, w: F.embedding(index.long(), w),
        )
    for index, classes in [((4,), 3), ((2, 3), 5), ((), 4), ((0,), 3)]:
        case(
            'oneHot',
            [integers(0, classes, *index)],
            lambda index: F.one_hot(index.long(), classes),
            {'numClasses': classes},
            note='PyTorch gives whole numbers; compare values, not dtypes',
        )


@group
def casts():
    case(
        'cast',
        [f64([-2.9, -0.5, 0.0, 0.5, 2.9, 1e6])],
        lambda x: x.to(torch.int32),
        positional=['i32'],
        note='towards zero',
    )
    case('cast', [f64([0.0, -0.0, 0.5, -3.0, NAN, INF])], lambda x: x.to(torch.bool), positional=['bool'])
    case('cast', [f64([0.0, 1.9, 255.0])], lambda x: x.to(torch.uint8), positional=['u8'])
    case('cast', [f64([[0.1, -1e30, 3.0], [1e-3, 16777217.0, 2.5]])], lambda x: x.to(torch.float32), positional=['f32'])
    case('cast', [i32([[1, -2], [3, 2147483647]])], lambda x: x.to(torch.float64), positional=['f64'])
    case('cast', [i32([0, 5, -1])], lambda x: x.to(torch.bool), positional=['bool'])
    case('cast', [torch.tensor([True, False])], lambda x: x.to(torch.float64), positional=['f64'])
    case('cast', [torch.tensor([True, False])], lambda x: x.to(torch.int32), positional=['i32'])
    case('cast', [torch.tensor([0, 7, 255], dtype=torch.uint8)], lambda x: x.to(torch.float64), positional=['f64'])
    case('cast', [torch.tensor([0, 7, 255], dtype=torch.uint8)], lambda x: x.to(torch.int32), positional=['i32'])
    case('cast', [i32(3)], lambda x: x.to(torch.float64), positional=['f64'])
    case('cast', [normal(2, 3)], lambda x: x.to(torch.float64), positional=['f64'])


MORE = [
    (1,),
    (4,),
    (8,),
    (17,),
    (1, 1),
    (2, 3),
    (5, 1),
    (1, 6),
    (4, 4),
    (2, 2, 3),
    (3, 1, 2),
    (1, 2, 1, 3),
    (2, 1, 2, 1, 2),
    (2, 0),
]


@group
def more_elementwise_unary():
    def slope(*shape):
        """None is 0 or whole, where some slopes jump."""
        return normal(*shape, scale=2) + 0.0005

    for op, call, draw in [
        ('neg', torch.neg, normal),
        ('abs', torch.abs, slope),
        ('sign', torch.sign, slope),
        ('floor', torch.floor, slope),
        ('ceil', torch.ceil, slope),
        ('round', torch.round, slope),
        ('square', torch.square, normal),
        ('exp', torch.exp, normal),
        ('expm1', torch.expm1, normal),
        ('erf', torch.erf, normal),
        ('sin', torch.sin, slope),
        ('cos', torch.cos, slope),
        ('sqrt', torch.sqrt, positive),
        ('reciprocal', torch.reciprocal, positive),
        ('log', torch.log, positive),
        ('log1p', torch.log1p, positive),
        ('isFinite', torch.isfinite, normal),
    ]:
        for shape in MORE:
            case(op, [draw(*shape)], call)
    for at in [(), (3,), (2, 2), (1, 3), (0,)]:
        for value in [NAN, INF, -INF]:
            x = normal(*at)
            x[tuple(length - 1 for length in at) if 0 not in at else ...] = value
            case('isFinite', [x], torch.isfinite)


MORE_BROADCASTS = [
    ((1,), (1,)),
    ((), (2, 2)),
    ((3,), (2, 3)),
    ((2, 1), (1, 3)),
    ((2, 2, 2), (2, 2, 2)),
    ((1, 2, 3), (2, 1, 1)),
    ((2, 1, 1, 3), (2, 2, 1)),
    ((17,), (1,)),
]


@group
def more_elementwise_binary():
    for a, b in MORE_BROADCASTS:
        for op, call in [('add', torch.add), ('sub', torch.sub), ('mul', torch.mul)]:
            case(op, [normal(*a), normal(*b)], call)
        case('div', [normal(*a), -positive(*b)], torch.div)
        for op, call in [('maximum', torch.maximum), ('minimum', torch.minimum)]:
            case(op, [normal(*a), normal(*b) + 0.0005], call)


@group
def more_comparisons_and_logic():
    compare = {'eq': torch.eq, 'ne': torch.ne, 'lt': torch.lt, 'le': torch.le, 'gt': torch.gt, 'ge': torch.ge}
    for op, call in compare.items():
        for a, b in MORE_BROADCASTS:
            case(op, [integers(-1, 2, *a).double(), integers(-1, 2, *b).double()], call)
        for a, b in MORE_BROADCASTS[:5]:
            case(op, [integers(-1, 2, *a), integers(-1, 2, *b)], call)
    binary = {'logicalAnd': torch.logical_and, 'logicalOr': torch.logical_or, 'logicalXor': torch.logical_xor}
    for op, call in binary.items():
        for a, b in BROADCASTS + MORE_BROADCASTS + [((3, 1, 2), (2,))]:
            case(op, [booleans(*a), booleans(*b)], call)
    for shape in MORE + [(3, 2, 4), (33,)]:
        case('logicalNot', [booleans(*shape)], torch.logical_not)
    for condition, a, b in [
        ((4,), (), ()),
        ((), (3,), (3,)),
        ((1,), (2, 2), (2,)),
        ((2, 2), (2, 2), (2, 2)),
        ((2, 1, 3), (4, 1), (1, 1)),
        ((1, 1), (2, 3), (3,)),
        ((17,), (17,), (1,)),
        ((2, 1, 2, 1), (3, 1, 2), (2, 1, 1, 1)),
    ]:
        case('where', [booleans(*condition), normal(*a), normal(*b)], torch.where)
    for shape in [(3,), (2, 2)]:
        case('where', [booleans(*shape), integers(-9, 9, *shape), integers(-9, 9, *shape)], torch.where)


@group
def more_casts():
    for to, name in [(torch.float64, 'f64'), (torch.int32, 'i32'), (torch.uint8, 'u8'), (torch.bool, 'bool')]:
        for shape in [(), (5,), (2, 1, 3)]:
            case('cast', [uniform(0, 200, *shape)], lambda x: x.to(to), positional=[name])


@group
def more_products():
    for a, b in [((1, 4), (4, 1)), ((2, 1, 3), (3,))]:
        case('matmul', [normal(*a), normal(*b)], torch.matmul)
    for x, w, bias in [
        ((1,), (1, 1), True),
        ((1,), (3, 1), False),
        ((4,), (1, 4), False),
        ((2, 5), (5, 5), True),
        ((1, 2), (7, 2), True),
        ((9, 1), (2, 1), False),
        ((3, 1, 2), (2, 2), True),
        ((1, 1, 3), (1, 3), True),
        ((2, 2, 3), (4, 3), False),
        ((2, 0), (3, 0), True),
        ((5, 8), (1, 8), True),
    ]:
        case('linear', [normal(*x), normal(*w)] + ([normal(w[0])] if bias else []), F.linear)


MORE_REDUCTIONS = [
    ((1,), {}),
    ((17,), {'axis': 0}),
    ((1, 4), {'axis': 0}),
    ((4, 1), {'axis': 1, 'keepDims': True}),
    ((2, 3), {'axis': -2}),
    ((2, 3, 2), {'axis': 0, 'keepDims': True}),
    ((2, 2, 3, 2), {'axis': 3}),
    ((2, 3), {'keepDims': True}),
    ((1, 1, 1), {}),
    ((3, 2, 2), {'axis': 1}),
]


@group
def more_reductions():
    for op, call in [
        ('sum', every_axis(torch.sum)),
        ('mean', every_axis(torch.mean)),
        ('max', every_axis(torch.amax)),
        ('min', every_axis(torch.amin)),
    ]:
        for shape, options in MORE_REDUCTIONS:
            case(op, [normal(*shape)], lambda x: call(x, **options), options)

    def single(call):
        """Those that take one axis or none keep no dims of all."""
        return lambda x, options: call(x, **axes(options)) if 'axis' in options else call(x)

    one_axis = [row for row in MORE_REDUCTIONS if 'axis' in row[1] or not row[1]]
    for op, call in [('prod', torch.prod), ('argmax', torch.argmax), ('argmin', torch.argmin)]:
        for shape, options in one_axis + [((3, 3), {'axis': 1}), ((2, 1, 2, 2), {'axis': -3})]:
            case(op, [normal(*shape)], lambda x: single(call)(x, options), options)
    for op, call in [('any', torch.any), ('all', torch.all)]:
        for shape, options in REDUCTIONS + one_axis + [((2, 0), {'axis': 0})]:
            case(op, [booleans(*shape)], lambda x: single(call)(x, options), options)


@group
def more_shapes():
    for shape, order in [
        ((1,), [0]),
        ((1, 4), [1, 0]),
        ((3, 3), [0, 1]),
        ((5, 2), [-1, -2]),
        ((2, 3, 4), [0, 1, 2]),
        ((2, 3, 4), [1, 0, 2]),
        ((2, 3, 4), [1, 2, 0]),
        ((2, 3, 4), [2, 1, 0]),
        ((1, 1, 3), [2, 0, 1]),
        ((2, 2, 2, 2), [0, 2, 1, 3]),
        ((2, 2, 1, 3), [-1, 0, 1, -2]),
        ((2, 1, 2, 1, 2), [4, 2, 0, 3, 1]),
        ((0, 2), [1, 0]),
    ]:
        case('permute', [normal(*shape)], lambda x: x.permute(order), positional=[order])
    for shape, pair in [
        ((1, 1), None),
        ((4, 1), None),
        ((3, 3), (0, 1)),
        ((2, 3), (1, 1)),
        ((2, 3), (-2, 1)),
        ((2, 3, 4), (0, 1)),
        ((2, 3, 4), (1, 2)),
        ((1, 3, 2), (0, -1)),
        ((2, 2, 2, 2), None),
        ((2, 3, 1, 2), (0, 3)),
        ((2, 1, 2, 1, 2), (0, 4)),
        ((2, 0, 3), (0, 1)),
    ]:
        case('transpose', [normal(*shape)], lambda x: torch.transpose(x, *(pair or (-2, -1))), positional=list(pair or []))
    for shape, size in [
        ((4,), [2, 2]),
        ((4,), [4]),
        ((4,), [-1]),
        ((2, 3), [3, 2]),
        ((2, 3), [1, 6, 1]),
        ((3, 4), [2, 6]),
        ((3, 4), [2, 2, 3]),
        ((2, 2, 3), [4, 3]),
        ((2, 2, 3), [2, -1]),
        ((1, 1), []),
        ((2, 1, 3, 1), [2, 3]),
        ((0,), [0, 5]),
    ]:
        case('reshape', [normal(*shape)], lambda x: x.reshape(size), positional=[size])
    for shape, size in [
        ((1,), [1]),
        ((1,), [4]),
        ((3,), [3]),
        ((3,), [1, 3]),
        ((3, 1), [3, 2]),
        ((1, 1), [2, 3]),
        ((2, 1, 2), [2, 3, 2]),
        ((1, 2, 1), [3, 2, 3]),
        ((1, 2), [2, 3, 2]),
        ((), [1, 1, 1]),
        ((2, 1, 1, 2), [2, 2, 3, 2]),
        ((1,), [0]),
    ]:
        case('broadcastTo', [normal(*shape)], lambda x: x.expand(size), positional=[size])
    for shape, axis in [
        ((1,), None),
        ((1,), 0),
        ((1,), -1),
        ((), None),
        ((3,), None),
        ((1, 3), 0),
        ((3, 1), 1),
        ((3, 1), -1),
        ((1, 2, 1, 2), None),
        ((1, 2, 1, 2), 2),
        ((1, 2, 1, 2), -4),
        ((1, 1, 1), None),
        ((1, 0), 0),
        ((2, 1, 2, 1, 2), None),
    ]:
        options = {} if axis is None else {'axis': axis}
        case('squeeze', [normal(*shape)], lambda x: x.squeeze() if axis is None else x.squeeze(axis), options)
    for shape, axis in [
        ((), -1),
        ((1,), 0),
        ((1,), 1),
        ((4,), 1),
        ((4,), -2),
        ((2, 3), 0),
        ((2, 3), 2),
        ((2, 3), -1),
        ((2, 3), -3),
        ((2, 1, 2), 1),
        ((2, 1, 2), 3),
        ((2, 2, 1, 2), 2),
        ((2, 2, 1, 2), -5),
        ((0, 2), 1),
    ]:
        case('unsqueeze', [normal(*shape)], lambda x: x.unsqueeze(axis), {'axis': axis})
    names = {'startAxis': 'start_dim', 'endAxis': 'end_dim'}
    for shape, options in [
        ((1,), {}),
        ((1, 1), {}),
        ((3, 2), {'startAxis': 1}),
        ((3, 2), {'startAxis': -1}),
        ((3, 2), {'endAxis': 0}),
        ((2, 2, 3), {}),
        ((2, 2, 3), {'endAxis': 1}),
        ((2, 2, 3), {'startAxis': -2}),
        ((2, 1, 3), {'startAxis': 0, 'endAxis': 2}),
        ((2, 1, 2, 3), {}),
        ((2, 1, 2, 3), {'startAxis': 2}),
        ((2, 1, 2, 3), {'startAxis': 1, 'endAxis': -1}),
        ((2, 0, 3), {'startAxis': 1}),
    ]:
        call = lambda x: torch.flatten(x, **{names[key]: value for key, value in options.items()})
        case('flatten', [normal(*shape)], call, options)
    for shape in MORE + [(), (3, 3), (2, 3, 1), (33,), (3, 2, 1, 2)]:
        case('detach', [normal(*shape)], torch.detach, grad=False)


@group
def more_joins_and_pads():
    for shape, widths, options in [
        ((1,), [[0, 3]], {}),
        ((4,), [[2, 0]], {'value': 0.5}),
        ((3,), [[5, 5]], {}),
        ((1, 1), [[1, 1], [1, 1]], {}),
        ((2, 3), [[0, 0], [0, 0]], {}),
        ((2, 3), [[3, 0], [0, 0]], {'value': -1.0}),
        ((3, 1), [[0, 1], [2, 0]], {}),
        ((2, 2, 2), [[0, 0], [0, 0], [2, 1]], {}),
        ((2, 1, 3), [[1, 1], [0, 0], [0, 1]], {'value': 3.0}),
        ((1, 2, 1, 2), [[0, 1], [1, 0], [0, 0], [1, 1]], {}),
        ((2, 0), [[0, 0], [1, 2]], {'value': 1.5}),
        ((1, 1, 2, 2, 1), [[0, 0], [0, 1], [1, 0], [0, 0], [1, 1]], {}),
    ]:
        flat = [width for before_after in reversed(widths) for width in before_after]
        case('pad', [normal(*shape)], lambda x: F.pad(x, flat, value=options.get('value', 0.0)), options, [widths])
    for parts, axis in [
        ([(1,), (1,), (1,)], 0),
        ([(4,)], -1),
        ([(3, 2), (3, 2)], 1),
        ([(1, 3), (2, 3), (3, 3)], 0),
        ([(2, 2, 1), (2, 2, 3)], 2),
        ([(1, 2, 2), (3, 2, 2)], 0),
        ([(2, 1, 2), (2, 4, 2), (2, 1, 2)], 1),
        ([(2, 3, 1, 1), (2, 1, 1, 1)], -3),
        ([(5,)] * 7, 0),
    ]:
        case('concat', [normal(*part) for part in parts], lambda *all: torch.cat(all, dim=axis), {'axis': axis})


@group
def more_indexing():
    for shape, index_shape, axis in [
        ((1,), (3,), 0),
        ((4,), (1,), -1),
        ((2, 3), (2, 3), 0),
        ((2, 3), (1, 3), 0),
        ((2, 3), (2, 5), 1),
        ((2, 3), (1, 1), 1),
        ((3, 2, 2), (4, 2, 2), 0),
        ((3, 2, 2), (3, 1, 2), 1),
        ((3, 2, 2), (2, 1, 3), -1),
        ((2, 2, 3, 1), (2, 2, 2, 1), 2),
        ((2, 2, 1, 3), (1, 2, 1, 4), 3),
        ((2, 3), (2, 0), 1),
    ]:
        index = integers(0, shape[axis], *index_shape)
        case('gather', [normal(*shape), index], lambda x, index: torch.gather(x, axis, index.long()), {'axis': axis})
    for shape, count, axis in [
        ((1,), 4, 0),
        ((4,), 1, -1),
        ((2, 3), 2, 0),
        ((2, 3), 6, 1),
        ((2, 3), 1, -2),
        ((5, 1), 3, 0),
        ((2, 3, 2), 3, 0),
        ((2, 3, 2), 3, 1),
        ((2, 3, 2), 2, 2),
        ((2, 2, 3, 2), 4, 2),
        ((2, 1, 2, 3), 2, -1),
        ((3, 0), 2, 0),
        ((3, 2), 0, 1),
    ]:
        index = integers(0, shape[axis], count)
        select = lambda x, index: torch.index_select(x, axis, index.long())
        case('indexSelect', [normal(*shape), index], select, {'axis': axis})
    for index, weight in [
        ((1,), (1, 1)),
        ((3,), (1, 4)),
        ((2,), (6, 1)),
        ((7,), (2, 2)),
        ((1, 1), (3, 2)),
        ((3, 2), (5, 3)),
        ((2, 1, 2), (3, 2)),
        ((1, 4), (4, 4)),
        ((2, 2, 2), (2, 1)),
        ((1, 2, 1, 2), (3, 2)),
        ((), (1, 1)),
        ((2, 0), (2, 3)),
        ((5,), (17, 2)),
    ]:
        case(
            'embedding',
            [integers(0, weight[0], *index), normal(*weight)],
            lambda index, w: F.embedding(index.long(), w),
        )
    for index, classes in [
        ((1,), 1),
        ((1,), 8),
        ((5,), 2),
        ((7,), 7),
        ((), 1),
        ((1, 1), 3),
        ((3, 2), 2),
        ((2, 3), 4),
        ((2, 1, 2), 3),
        ((1, 2, 1, 2), 2),
        ((2, 0), 5),
        ((17,), 4),
        ((2, 2, 2), 1),
        ((4, 1), 6),
    ]:
        case(
            'oneHot',
            [integers(0, classes, *index)],
            lambda index: F.one_hot(index.long(), classes),
            {'numClasses': classes},
            note='PyTorch gives whole numbers; compare values, not dtypes',
        )


record('ops.json')
