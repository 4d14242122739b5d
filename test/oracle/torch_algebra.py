"""algebra.json: what is composed for tensor algebra."""

import torch
import torch.nn.functional as F

from cases import EDGES, INF, axes, case, f64, group, normal, record, with_tensors


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


record('algebra.json')
