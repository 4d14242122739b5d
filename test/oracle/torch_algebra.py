"""algebra.json: what is composed for tensor algebra."""

import numpy as np
import torch
import torch.nn.functional as F

from cases import EDGES, INF, NAN, axes, booleans, case, f64, group, i32, integers, normal, record, with_tensors
from encoding import number


@group
def norms():
    for shape, options in [
        ((), {}),
        ((1,), {}),
        ((5,), {}),
        ((3, 4), {}),
        ((3, 4), {'axis': 1}),
        ((3, 4), {'axis': 0, 'keepDims': True}),
        ((2, 3, 2), {'axis': [0, 2]}),
        ((2, 3, 2), {'axis': -1, 'keepDims': True}),
    ]:
        for p in [2, 1, 3, 2.5, 0.5, -1, INF, -INF, 0] if shape == (3, 4) else [2, 1.5]:
            call = lambda x: torch.linalg.vector_norm(x, p, **axes(options))
            case('norm', [normal(*shape) + 0.0005], call, with_tensors({**options, 'p': float(p)}))
    case('norm', [normal(3, 4)], torch.linalg.vector_norm, note='p is 2')
    for p in [2.0, 1.0, 3.0, 1.5, INF]:
        x, options = f64([[0.0, 0.0], [3.0, 0.0]]), with_tensors({'p': p, 'axis': 1})
        case('norm', [x], lambda x: torch.linalg.vector_norm(x, p, dim=1), options, note='the slope of 0')
    for p in [2.0, 1.0, INF, 3.0]:
        options = with_tensors({'p': p})
        case('norm', [f64(EDGES)], lambda x: torch.linalg.vector_norm(x, p), options, grad=False)
    case('norm', [normal(0, 3)], lambda x: torch.linalg.vector_norm(x, 2, dim=0), {'axis': 0})


@group
def distances():
    for a, b in [((4, 3), (4, 3)), ((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3))]:
        for options in [{}, {'p': 1.0}, {'p': 3.0, 'eps': 1e-3}, {'p': INF, 'keepDims': True}, {'keepDims': True}]:
            names = {'keepDims': 'keepdim'}
            call = lambda x, y: F.pairwise_distance(x, y, **{names.get(key, key): one for key, one in options.items()})
            case('pairwiseDistance', [normal(*a), normal(*b)], call, with_tensors(options))
    same = normal(2, 3)
    case('pairwiseDistance', [same, same], F.pairwise_distance, note='they agree')
    for a, b, axis in [
        ((4, 3), (4, 3), 1),
        ((4, 3), (4, 3), 0),
        ((4, 3), (4, 3), -1),
        ((3,), (3,), 0),
        ((3,), (3,), -1),
        ((2, 3, 2), (2, 3, 2), 1),
        ((2, 3, 2), (2, 3, 2), 2),
        ((2, 3, 2), (2, 3, 2), 0),
        ((2, 3), (1, 3), 1),
        ((2, 1, 3), (4, 3), 2),
        ((2, 1, 3), (4, 3), -1),
        ((3,), (2, 3), 1),
        ((5, 2), (5, 1), 0),
        ((2, 2, 1, 3), (2, 2, 1, 3), 3),
        ((1, 6), (1, 6), 1),
        ((7, 2), (7, 2), 1),
    ]:
        call = lambda x, y: F.cosine_similarity(x, y, dim=axis)
        case('cosineSimilarity', [normal(*a), normal(*b)], call, {'axis': axis})
    case('cosineSimilarity', [normal(3, 4), normal(3, 4)], F.cosine_similarity, note='axis 1')
    for eps in [1e-8, 1e-3]:
        call = lambda x, y: F.cosine_similarity(x, y, eps=eps)
        case('cosineSimilarity', [normal(3, 4), normal(3, 4)], call, {'eps': eps})
    zero = [f64([[0.0, 0.0], [1e-5, -1e-5]]), normal(2, 2)]
    case('cosineSimilarity', zero, F.cosine_similarity, grad=False, note='no length')
    for a, b in [((3, 2), (4, 2)), ((1, 3), (2, 3)), ((2, 3, 2), (2, 2, 2)), ((2, 1, 3, 2), (3, 1, 2)), ((3, 1), (2, 1))]:
        for p in [2.0, 1.0, 3.0, INF]:
            call = lambda x, y: torch.cdist(x, y, p=p, compute_mode='donot_use_mm_for_euclid_dist')
            case('cdist', [normal(*a) + 0.0005, normal(*b)], call, with_tensors({'p': p}))
    case('cdist', [normal(3, 2), normal(4, 2)], torch.cdist, note='p is 2')
    same = normal(3, 2)
    case('cdist', [same, same], torch.cdist, note='the slope where rows agree')
    case('cdist', [normal(0, 2), normal(4, 2)], torch.cdist)


@group
def matrices():
    for a, b in [(3, 4), (1, 1), (5, 1), (1, 5), (2, 2), (0, 3), (3, 0), (7, 2), (2, 7), (4, 4)]:
        case('outer', [normal(a), normal(b)], torch.outer)
        case('outer', [integers(-9, 9, a), integers(-9, 9, b)], torch.outer)
    for op, call in [('tril', torch.tril), ('triu', torch.triu)]:
        for shape in [(3, 3), (2, 4), (4, 2), (1, 3), (2, 3, 3), (2, 1, 2, 3)]:
            for diagonal in [0, 1, -1] if len(shape) == 2 else [0, 2]:
                case(op, [normal(*shape)], lambda x: call(x, diagonal), {'diagonal': diagonal})
        case(op, [normal(3, 3)], call, note='the main diagonal')
        case(op, [normal(3, 3)], lambda x: call(x, 9), {'diagonal': 9})
        case(op, [normal(3, 3)], lambda x: call(x, -9), {'diagonal': -9})
        case(op, [integers(-9, 9, 3, 4)], call)
        case(op, [booleans(3, 4)], call)
        case(op, [normal(0, 3)], call)
        case(op, [f64([[NAN, INF], [INF, NAN]])], call, grad=False)


@group
def orders():
    for shape, over in [
        ((5,), 0),
        ((1,), 0),
        ((3, 4), 0),
        ((3, 4), 1),
        ((3, 4), -1),
        ((3, 4), [0, 1]),
        ((3, 4), [1]),
        ((2, 3, 2), 1),
        ((2, 3, 2), [0, 2]),
        ((2, 3, 2), [-1, -2]),
        ((2, 1, 3, 2), [1, 3]),
        ((2, 1, 3, 2), [0, 1, 2, 3]),
        ((0, 3), 0),
        ((0, 3), 1),
        ((3, 0), [0, 1]),
    ]:
        dims = over if isinstance(over, list) else [over]
        case('flip', [normal(*shape)], lambda x: torch.flip(x, dims), {'axis': over})
    for shape in [(), (4,), (2, 3), (2, 2, 2)]:
        case('flip', [normal(*shape)], lambda x: torch.flip(x, list(range(x.dim()))), note='all axes')
    case('flip', [integers(0, 9, 2, 3)], lambda x: torch.flip(x, [1]), {'axis': 1})
    case('flip', [booleans(5)], lambda x: torch.flip(x, [0]), {'axis': 0})
    for shape, shifts, over in [
        ((5,), 2, 0),
        ((5,), -1, 0),
        ((5,), 7, 0),
        ((5,), 0, 0),
        ((5,), -13, -1),
        ((3, 4), 1, 0),
        ((3, 4), -1, 1),
        ((3, 4), [1, 2], [0, 1]),
        ((3, 4), [1, -2], [-1, 0]),
        ((3, 4), [1, 1], [0, 0]),
        ((2, 3, 2), 1, 1),
        ((2, 3, 2), [1, 1, 1], [0, 1, 2]),
        ((2, 1, 3), 2, 1),
        ((0, 3), 1, 1),
        ((0, 3), 1, 0),
    ]:
        case('roll', [normal(*shape)], lambda x: torch.roll(x, shifts, over), {'axis': over}, [shifts])
    for shape, shift in [((4,), 1), ((2, 3), 2), ((2, 3), -1), ((2, 2, 2), 3), ((1,), 1)]:
        case('roll', [normal(*shape)], lambda x: torch.roll(x, shift), positional=[shift], note='as one row')
    case('roll', [integers(0, 9, 2, 3)], lambda x: torch.roll(x, 1, 1), {'axis': 1}, [1])
    for shape, repeats in [
        ((), []),
        ((), [3]),
        ((3,), [2]),
        ((3,), [0]),
        ((3,), [1]),
        ((3,), [2, 1]),
        ((3,), [2, 2]),
        ((2, 3), [1, 2]),
        ((2, 3), [2, 1]),
        ((2, 3), [2, 3]),
        ((2, 1), [1, 4]),
        ((1, 2), [3, 1]),
        ((2, 3), [2, 1, 2]),
        ((2, 1, 2), [1, 3, 1]),
        ((2, 1, 2), [2, 1, 2]),
        ((1, 1), [2, 2]),
        ((0, 2), [2, 2]),
        ((2, 2), [1, 1]),
        ((2, 1, 1, 2), [1, 2, 2, 1]),
    ]:
        case('repeat', [normal(*shape)], lambda x: x.repeat(repeats), positional=[repeats])
        case('tile', [normal(*shape)], lambda x: torch.tile(x, repeats), positional=[repeats])
    case('repeat', [integers(0, 9, 2)], lambda x: x.repeat(2), positional=[[2]])
    for shape, repeats in [((2, 3), [2]), ((2, 3, 2), [2]), ((2, 3, 2), [2, 1]), ((2, 3), [])]:
        case('tile', [normal(*shape)], lambda x: torch.tile(x, repeats), positional=[repeats], note='of the last axes')


@group
def stacks():
    for count, shape, axis in [
        (1, (), 0),
        (3, (), -1),
        (2, (4,), -1),
        (3, (1,), 1),
        (4, (3,), 0),
        (2, (2, 2), 2),
        (3, (2, 2), -3),
        (2, (1, 3), 1),
        (1, (2, 3), 0),
        (2, (2, 1, 2), 3),
        (2, (2, 1, 2), -2),
        (3, (1, 1, 1), 0),
        (2, (0, 2), 1),
    ]:
        case('stack', [normal(*shape) for _ in range(count)], lambda *all: torch.stack(all, dim=axis), {'axis': axis})


@group
def parts():
    for shape, sections, axis in [
        ((6,), 3, 0),
        ((7,), 3, 0),
        ((2,), 4, 0),
        ((5,), 1, 0),
        ((6,), [2, 5], 0),
        ((6,), [0, 3], 0),
        ((6,), [2, 2, 9], 0),
        ((6,), [-2], 0),
        ((6,), [], 0),
        ((3, 4), 2, 1),
        ((3, 4), [1], -1),
        ((2, 5, 2), [1, 3], 1),
        ((0, 3), 2, 0),
    ]:
        pieces = len(torch.tensor_split(torch.zeros(shape), sections, dim=axis))
        for at in sorted({0, pieces - 1}):
            call = lambda x: torch.tensor_split(x, sections, dim=axis)[at]
            case('tensorSplit', [normal(*shape)], call, {'axis': axis}, [sections, at])
    for shape, sizes, axis in [
        ((6,), 2, 0),
        ((7,), 3, 0),
        ((2,), 5, 0),
        ((6,), [1, 5], 0),
        ((6,), [0, 4, 2], 0),
        ((6,), [6], -1),
        ((3, 4), 3, 1),
        ((3, 4), [1, 1, 1], 0),
        ((2, 5, 2), [2, 1, 2], 1),
        ((2, 3, 4), 3, -1),
        ((2, 1, 2, 3), [2, 1], 3),
        ((0, 3), 2, 0),
        ((0, 3), [1, 2], 1),
    ]:
        pieces = len(torch.split(torch.zeros(shape), sizes, dim=axis))
        for at in sorted({0, pieces - 1}):
            call = lambda x: torch.split(x, sizes, dim=axis)[at]
            case('splitWithSizes', [normal(*shape)], call, {'axis': axis}, [sizes, at])
    case('splitWithSizes', [integers(0, 9, 5)], lambda x: torch.split(x, 2)[1], positional=[2, 1])
    for shape, axis in [
        ((3,), 0),
        ((1,), -1),
        ((2, 3), 0),
        ((2, 3), 1),
        ((2, 3), -1),
        ((2, 3, 2), 0),
        ((2, 3, 2), 1),
        ((2, 3, 2), -1),
        ((2, 1, 2, 2), 2),
        ((2, 0), 0),
        ((4, 1), 0),
    ]:
        for at in sorted({0, shape[axis] - 1}):
            case('unbind', [normal(*shape)], lambda x: torch.unbind(x, axis)[at], {'axis': axis}, [at])
    case('unbind', [integers(0, 9, 2, 3)], lambda x: torch.unbind(x)[1], positional=[1])


REDUCED = [
    ((5,), {}),
    ((3, 4), {}),
    ((3, 4), {'axis': 0}),
    ((3, 4), {'axis': 1, 'keepDims': True}),
    ((2, 3, 4), {'axis': -1}),
    ((2, 3, 4), {'axis': [0, 2]}),
    ((2, 3, 4), {'axis': [0, 1, 2], 'keepDims': True}),
    ((2, 2, 2, 2), {'axis': [1, 3]}),
]


@group
def spreads():
    for op, call in [('variance', torch.var), ('std', torch.std)]:
        for shape, options in REDUCED:
            for correction in [1, 0]:
                plain = axes({'axis': tuple(range(len(shape))), **options})
                written = {**options, 'correction': correction}
                case(op, [normal(*shape)], lambda x: call(x, unbiased=bool(correction), **plain), written)
        case(op, [normal(3, 4)], call, note='the correction is 1')
        case(op, [normal(4, 3)], lambda x: call(x, dim=0, correction=2), {'axis': 0, 'correction': 2})
        case(op, [f64([[1e6, 1e6 + 1, 1e6 + 2]])], lambda x: call(x, dim=1), {'axis': 1}, note='far from 0')
        case(op, [normal(1, 3)], lambda x: call(x, dim=0), {'axis': 0}, grad=False, note='of one')
        case(op, [normal(0, 3)], lambda x: call(x, dim=0), {'axis': 0}, grad=False, note='of none')
        case(op, [f64([1.0, NAN, 2.0])], call, grad=False)
        case(op, [f64([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])], lambda x: call(x, dim=1), {'axis': 1}, note='the slope of 0')


@group
def sums():
    for shape, options in REDUCED:
        plain = axes({'axis': tuple(range(len(shape))), **options})
        for scale in [1.0, 30.0]:
            case('logsumexp', [normal(*shape, scale=scale)], lambda x: torch.logsumexp(x, **plain), options)
    case('logsumexp', [normal()], lambda x: torch.logsumexp(x, dim=0), {})
    case('logsumexp', [f64([1e4, 1e4 - 1.0])], lambda x: torch.logsumexp(x, dim=0), {'axis': 0}, note='far out')
    edges = f64([[-INF, -INF], [-INF, 1.0], [INF, 1.0], [NAN, 1.0]])
    case('logsumexp', [edges], lambda x: torch.logsumexp(x, dim=1), {'axis': 1}, grad=False)
    case('logsumexp', [normal(0, 3)], lambda x: torch.logsumexp(x, dim=0), {'axis': 0}, grad=False, note='of none')
    for shape, axis in [
        ((), 0),
        ((1,), 0),
        ((2,), 0),
        ((3,), -1),
        ((7,), 0),
        ((8,), 0),
        ((9,), 0),
        ((33,), 0),
        ((3, 4), 0),
        ((3, 4), 1),
        ((5, 2), -2),
        ((2, 3, 2), 1),
        ((2, 5, 2), -1),
        ((2, 5, 2), 1),
        ((3, 2, 2), 0),
        ((2, 1, 3, 2), 2),
        ((0, 3), 0),
        ((0, 3), 1),
        ((1, 1), 1),
    ]:
        case('cumsum', [normal(*shape)], lambda x: torch.cumsum(x, axis), {'axis': axis})
    case('cumsum', [integers(-9, 9, 11)], lambda x: torch.cumsum(x, 0, dtype=torch.int32), {'axis': 0})
    case('cumsum', [f64([1.0, INF, 2.0, NAN, 3.0])], lambda x: torch.cumsum(x, 0), {'axis': 0}, grad=False)


@group
def einsums():
    for equation, *operands in [
        ('ij,jk->ik', (2, 3), (3, 4)),
        ('ij,jk', (2, 3), (3, 4)),
        ('ij,kj->ik', (2, 3), (4, 3)),
        ('ji,jk->ki', (3, 2), (3, 4)),
        ('i,i->', (4,), (4,)),
        ('i,j->ij', (3,), (2,)),
        ('i,j->ji', (3,), (2,)),
        ('ij->ji', (2, 3)),
        ('ij->', (2, 3)),
        ('ij->j', (2, 3)),
        ('ba', (2, 3)),
        ('ii->i', (3, 3)),
        ('ii', (3, 3)),
        ('iij->ij', (3, 3, 2)),
        ('iii->i', (2, 2, 2)),
        ('ij,ij->ij', (2, 3), (2, 3)),
        ('ij,ij->i', (2, 3), (2, 3)),
        ('bij,bjk->bik', (2, 2, 3), (2, 3, 2)),
        ('bhqd,bhkd->bhqk', (2, 1, 3, 2), (2, 1, 2, 2)),
        ('bqhd,bkhd->bhqk', (2, 3, 1, 2), (2, 2, 1, 2)),
        ('ij,jk,kl->il', (2, 3), (3, 2), (2, 4)),
        ('ij,jk,ik->i', (2, 3), (3, 2), (2, 2)),
        ('i,ij,j->', (2,), (2, 3), (3,)),
        ('bn,anm,bm->ba', (2, 3), (4, 3, 2), (2, 2)),
        ('ij,kl->il', (2, 3), (2, 4)),
        ('ij,i->j', (2, 3), (2,)),
        ('...ij,...jk->...ik', (2, 2, 3), (2, 3, 2)),
        ('...ij,...jk->...ik', (4, 1, 2, 3), (2, 3, 2)),
        ('...ij,jk->...ik', (2, 2, 3), (3, 2)),
        ('...,...->...', (2, 3), (3,)),
        ('i...,i...->...', (2, 3), (2, 1)),
        ('...ij->...ji', (2, 2, 3)),
        ('...i,...i', (2, 3), (2, 3)),
        ('i...->i', (2, 3, 2)),
        ('ij,jk->ik', (2, 0), (0, 3)),
        (' i j , j k -> i k ', (2, 3), (3, 2)),
        ('A,aA->a', (2,), (3, 2)),
        (',i->i', (), (3,)),
        ('...->...', ()),
    ]:
        call = lambda *all: torch.einsum(equation, *all)
        case('einsum', [normal(*shape) for shape in operands], call, positional=[equation])


ORDERED = [
    ((), {}),
    ((1,), {}),
    ((6,), {}),
    ((9,), {'descending': True}),
    ((33,), {}),
    ((3, 4), {}),
    ((3, 4), {'axis': 0}),
    ((3, 4), {'axis': 0, 'descending': True}),
    ((3, 5), {'axis': -1, 'descending': True}),
    ((2, 3, 4), {'axis': 1}),
    ((2, 3, 4), {'axis': -3, 'descending': True}),
    ((2, 5, 2), {'axis': 1, 'descending': True}),
    ((2, 0, 3), {'axis': 1}),
    ((0, 3), {}),
]


def ordered(x, part, axis=-1, descending=False):
    """torch.sort, stable; of rank 0 its indices are 0."""
    return torch.sort(x, stable=True, dim=axis, descending=descending)[part]


@group
def orders():
    for shape, options in ORDERED:
        for part, which in enumerate(['values', 'indices']):
            case('sort', [normal(*shape)], lambda x: ordered(x, part, **options), options, [which])
        case('argsort', [normal(*shape)], lambda x: ordered(x, 1, **options), options)
    for descending in [False, True]:
        for x in [integers(-3, 3, 12), integers(0, 4, 3, 6, dtype=torch.uint8), booleans(9), f64([1.0, NAN, -INF, INF, 0.0, -0.0, NAN])]:
            options = {'descending': descending}
            case('argsort', [x], lambda x: ordered(x, 1, **options), options, note='a tie')
            for part, which in enumerate(['values', 'indices']):
                call = lambda x: ordered(x, part, **options)
                case('sort', [x], call, options, [which], grad=False, note='a tie')
    for shape, k, options in [
        ((), 1, {}),
        ((5,), 0, {}),
        ((5,), 2, {}),
        ((5,), 5, {}),
        ((5,), 3, {'largest': False}),
        ((3, 4), 2, {}),
        ((3, 4), 2, {'axis': 0}),
        ((3, 4), 1, {'axis': 0, 'largest': False}),
        ((2, 5, 2), 3, {'axis': 1}),
        ((2, 5, 2), 2, {'axis': -2, 'largest': False}),
        ((0, 3), 2, {}),
    ]:
        for part, which in enumerate(['values', 'indices']):
            call = lambda x: torch.topk(x, k, **{'dim' if key == 'axis' else key: one for key, one in options.items()})[part]
            case('topk', [normal(*shape)], call, options, [k, which])
    case('topk', [integers(0, 100, 5)], lambda x: torch.topk(x, 2)[0], positional=[2, 'values'])
    case('topk', [f64([1.0, NAN, 3.0, -INF])], lambda x: torch.topk(x, 2)[1], positional=[2, 'indices'], grad=False)


def regular(*shape):
    """Square matrices far from singular ones."""
    return normal(*shape) + 3 * torch.eye(shape[-1], dtype=torch.float64)


def definite(*shape):
    x = normal(*shape)
    return torch.round(x @ x.transpose(-1, -2) + 2 * torch.eye(shape[-1], dtype=torch.float64), decimals=3)


@group
def equations():
    for a, b in [
        ((1, 1), (1, 1)),
        ((2, 2), (2,)),
        ((3, 3), (3,)),
        ((5, 5), (5,)),
        ((1, 1), (1, 3)),
        ((2, 2), (2, 1)),
        ((3, 3), (3, 4)),
        ((4, 4), (4, 9)),
        ((6, 6), (6, 6)),
        ((2, 3, 3), (2, 3)),
        ((2, 3, 3), (2, 3, 1)),
        ((2, 3, 3), (2, 3, 2)),
        ((2, 3, 3), (3, 2)),
        ((3, 3), (2, 3, 2)),
        ((2, 1, 2, 2), (3, 2, 3)),
        ((3, 1, 2, 2), (1, 2, 2, 1)),
        ((0, 2, 2), (0, 2, 3)),
        ((2, 2), (2, 0)),
        ((0, 0), (0,)),
    ]:
        case('solve', [regular(*a), normal(*b)], torch.linalg.solve)
    swapped = f64([[0.0, 2.0, 1.0], [1.0, 0.0, 0.5], [4.0, 1.0, 0.0]])
    case('solve', [swapped, normal(3, 2)], torch.linalg.solve, note='rows change places')
    case('solve', [f64([[1e-9, 1.0], [1.0, 1.0]]), f64([1.0, 2.0])], torch.linalg.solve, note='far from 1')
    case('solve', [regular(17, 17), normal(17, 5)], torch.linalg.solve)
    for shape in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (8, 8), (9, 9), (1, 2, 2), (2, 3, 3), (3, 1, 1)]:
        case('inverse', [regular(*shape)], torch.linalg.inv)
    for shape in [(2, 2, 2, 2), (1, 3, 2, 2), (0, 2, 2), (2, 0, 0), (0, 0), (5, 2, 2), (16, 16)]:
        case('inverse', [regular(*shape)], torch.linalg.inv)
    case('inverse', [swapped], torch.linalg.inv, note='rows change places')
    for values in [[[2.0]], [[0.0, 1.0], [1.0, 0.0]], [[1.0, 2.0], [3.0, 4.0]], [[-1.0, 0.0], [0.5, 8.0]]]:
        case('inverse', [f64(values)], torch.linalg.inv)
    for shape in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (8, 8), (9, 9), (1, 2, 2), (2, 3, 3), (3, 1, 1)]:
        case('cholesky', [definite(*shape)], torch.linalg.cholesky)
    for shape in [(2, 2, 2, 2), (1, 3, 2, 2), (0, 2, 2), (2, 0, 0), (0, 0), (5, 2, 2), (16, 16)]:
        case('cholesky', [definite(*shape)], torch.linalg.cholesky)
    for values in [[[4.0]], [[1.0, 0.0], [0.0, 9.0]], [[4.0, 2.0], [2.0, 3.0]], [[1.0, 0.9], [0.9, 1.0]]]:
        case('cholesky', [f64(values)], torch.linalg.cholesky)


def distinct(n, *shape, axis):
    """Indices below n without duplicates along an axis."""
    rows = np.argsort(np.random.RandomState(n + len(shape)).rand(*[n if at == axis else one for at, one in enumerate(shape)]), axis=axis)
    return i32(np.take(rows, range(shape[axis]), axis=axis))


@group
def sets():
    for x in [
        integers(-3, 3, 12),
        integers(0, 5, 3, 4),
        integers(0, 4, 2, 3, 2, dtype=torch.uint8),
        booleans(7),
        f64([2.0, -1.0, 2.0, INF, -INF, 0.5, -1.0]),
        f64([[1.5, 0.0], [1.5, -2.0]]),
        f64(3.0),
        i32([]),
        normal(0, 2),
    ]:
        for part, which in enumerate(['values', 'inverse', 'counts']):
            call = lambda x: torch.unique(x, return_inverse=True, return_counts=True)[part]
            case('unique', [x], call, positional=[which], grad=False)
    for x in [
        normal(5),
        integers(0, 2, 6),
        integers(-1, 2, 3, 4),
        integers(0, 2, 2, 3, 2),
        integers(0, 2, 4, dtype=torch.uint8),
        booleans(5),
        booleans(3, 3),
        booleans(2, 1, 3),
        f64([[0.0, -0.0], [NAN, INF]]),
        i32(0),
        i32(2),
        i32([]),
        torch.zeros(3, 4, dtype=torch.float64),
        torch.zeros(0, 4, dtype=torch.float64),
        torch.ones(2, 2, 2, 2, dtype=torch.float64),
        integers(0, 2, 1, 1),
        integers(0, 3, 7, 2),
        integers(0, 2, 2, 5),
        booleans(2, 2, 2),
        integers(0, 2, 33),
    ]:
        case('nonzero', [x], torch.nonzero, grad=False)


@group
def masks():
    for x, mask in [
        ((), ()),
        ((1,), (1,)),
        ((5,), (5,)),
        ((5,), ()),
        ((), (4,)),
        ((3, 4), (3, 4)),
        ((3, 4), (4,)),
        ((3, 4), (3, 1)),
        ((3, 1), (1, 4)),
        ((4,), (3, 4)),
        ((2, 3, 2), (2, 3, 2)),
        ((2, 3, 2), (3, 1)),
        ((2, 1, 2), (3, 1)),
        ((0, 3), (3,)),
        ((33,), (33,)),
    ]:
        case('maskedSelect', [normal(*x), booleans(*mask)], torch.masked_select)
        for value in [0.5, -INF]:
            call = lambda x, mask: torch.where(mask, torch.tensor(value, dtype=x.dtype), x)
            case('maskedFill', [normal(*x), booleans(*mask)], call, positional=[number(value)], grad=value == 0.5)
        call = lambda x, mask, value: torch.where(mask, value, x)
        case('maskedFill', [normal(*x), booleans(*mask), normal()], call)
    for x in [integers(0, 9, 6), integers(0, 9, 6, dtype=torch.uint8), booleans(6), f64([NAN, INF, -0.0, 1.0, 2.0, 3.0])]:
        case('maskedSelect', [x, booleans(6)], torch.masked_select, grad=False)
        case('maskedFill', [x, booleans(6)], lambda x, mask: x.masked_fill(mask, 1), positional=[1], grad=False)
    case('maskedSelect', [normal(4), torch.zeros(4, dtype=torch.bool)], torch.masked_select, note='none')


@group
def places():
    def at(x, *indices):
        return x[tuple(one if one.dtype == torch.bool else one.long() for one in indices)]

    for shape, *indices in [
        ((5,), ()),
        ((5,), (3,)),
        ((5,), (2, 3)),
        ((5,), (0,)),
        ((4, 3), (2,)),
        ((4, 3), (2, 2)),
        ((4, 3), (5,), (5,)),
        ((4, 3), (), ()),
        ((4, 3), (2, 1), (3,)),
        ((4, 3), (), (4,)),
        ((4, 3), (2, 2), (2, 2)),
        ((2, 3, 4), (3,)),
        ((2, 3, 4), (3,), (3,)),
        ((2, 3, 4), (3,), (3,), (3,)),
        ((2, 3, 4), (2, 1), (1, 3)),
        ((2, 3, 4), (2, 1, 1), (3, 1), (4,)),
        ((2, 1, 2, 2), (6,), (1,), (6,)),
        ((3, 0), (2,)),
    ]:
        case('index', [normal(*shape), *[integers(0, shape[i], *one) for i, one in enumerate(indices)]], at)
    case('index', [normal(3), i32([1, 1, 1, 0])], at, note='one thrice')
    case('index', [integers(0, 9, 3, 2), i32([2, 0]), i32([1, 1])], at)
    case('index', [booleans(3, 2), i32([2, 0])], at)
    case('index', [normal(5), booleans(5)], at)
    case('index', [normal(3, 4), booleans(3)], at)
    case('index', [normal(3, 4), booleans(3, 4)], at)
    case('index', [normal(2, 3, 2), booleans(2, 3)], at)
    case('index', [normal(2, 3), i32([1]), f64([1, 0, 1]).bool()], at)
    for x, places, axis in [
        ((5,), (3,), 0),
        ((5,), (5,), -1),
        ((5,), (0,), 0),
        ((1,), (1,), 0),
        ((3, 4), (2, 4), 0),
        ((3, 4), (3, 2), 1),
        ((3, 4), (2, 3), 1),
        ((3, 4), (1, 1), 0),
        ((3, 4), (3, 4), -2),
        ((2, 3, 4), (2, 2, 4), 1),
        ((2, 3, 4), (1, 3, 2), 1),
        ((2, 3, 4), (2, 3, 4), 2),
        ((2, 3, 4), (1, 2, 3), 0),
        ((2, 3, 4), (2, 2, 2), -1),
        ((33,), (20,), 0),
    ]:
        over = {'axis': axis}
        own = axis % len(x)
        index = distinct(x[own], *places, axis=own)
        call = lambda x, index, src: torch.scatter(x, axis, index.long(), src)
        case('scatter', [normal(*x), index, normal(*places)], call, over)
        twice = integers(0, x[own], *places)
        call = lambda x, index: torch.scatter(x, axis, index.long(), 0.25)
        case('scatter', [normal(*x), twice], call, over, [0.25])
        call = lambda x, index, src: torch.scatter_add(x, axis, index.long(), src)
        case('scatterAdd', [normal(*x), twice, normal(*places)], call, over)
        row = integers(0, x[own], places[own])
        source = [places[own] if one == own else length for one, length in enumerate(x)]
        call = lambda x, index, src: torch.index_add(x, axis, index, src)
        case('indexAdd', [normal(*x), row, normal(*source)], call, over)
    larger = [normal(3, 4), i32([[0, 2], [1, 1]]), normal(3, 3)]
    case('scatter', larger[:1] + [i32([[0, 2], [1, 0]])] + larger[2:], lambda x, i, s: torch.scatter(x, 0, i.long(), s[:2, :2]), {'axis': 0}, note='a larger src')
    case('scatterAdd', larger, lambda x, i, s: torch.scatter_add(x, 0, i.long(), s[:2, :2]), {'axis': 0}, note='a larger src')
    last = [f64([1.0, 2.0, 3.0]), i32([1, 1, 0, 1, 0]), f64([4.0, 5.0, NAN, -0.0, -1.0])]
    case('scatter', last, lambda x, i, s: f64([-1.0, -0.0, 3.0]), {'axis': 0}, grad=False, note='the last one holds')
    for x, src in [
        (integers(0, 9, 3), integers(0, 9, 2)),
        (integers(0, 9, 3, dtype=torch.uint8), integers(0, 9, 2, dtype=torch.uint8)),
        (booleans(3), booleans(2)),
    ]:
        case('scatter', [x, i32([2, 0]), src], lambda x, i, s: torch.scatter(x, 0, i.long(), s), {'axis': 0})
        if x.dtype == torch.int32:
            case('scatterAdd', [x, i32([2, 2]), src], lambda x, i, s: torch.scatter_add(x, 0, i.long(), s), {'axis': 0})
            case('indexAdd', [x, i32([2, 2]), src], lambda x, i, s: torch.index_add(x, 0, i, s), {'axis': 0})
    for n in [2, 3, 4]:
        index = integers(0, 2, n)
        call = lambda x, i, s: torch.scatter_add(x, 0, i.long(), s)
        case('scatterAdd', [normal(2), index, normal(n)], call, {'axis': 0}, note='more than there are places')
        for alpha in [2.0, -0.5]:
            call = lambda x, i, s: torch.index_add(x, 0, i, s, alpha=alpha)
            case('indexAdd', [normal(2, 3), index, normal(n, 3)], call, {'axis': 0, 'alpha': alpha})
    case('indexAdd', [normal(2, 3), i32([1, 1]), normal(2, 3)], lambda x, i, s: torch.index_add(x, 0, i, s), note='axis is 0')


record('algebra.json')
