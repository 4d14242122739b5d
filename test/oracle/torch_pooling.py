"""pooling.json: maxima and means over windows."""

import numpy as np
import torch
import torch.nn.functional as F

import cases
from cases import INF, NAN, case, f64, group, record

NAMES = {'ceilMode': 'ceil_mode', 'countIncludePad': 'count_include_pad'}


def torch_options(options):
    return {NAMES.get(key, key): tuple(value) if isinstance(value, list) else value for key, value in options.items()}


def spaced(*shape):
    """No two elements closer than 0.05: no difference that a test takes moves a maximum."""
    size = int(np.prod(shape))
    return f64(np.round(0.05 * (cases.rng.permutation(size) - size / 2), 3).reshape(shape))


def windows(op, call, shapes, variants):
    for at, (size, options) in enumerate(variants):
        shape = shapes[at % len(shapes)]
        pooled = lambda x: call(x, tuple(size) if isinstance(size, list) else size, **torch_options(options))
        case(op, [spaced(*shape)], pooled, options, [size])


LINES = [
    (2, {}),
    (3, {}),
    (3, {'stride': 1}),
    (2, {'stride': 3}),
    (3, {'stride': 2, 'padding': 1}),
    (5, {'padding': 2}),
    (2, {'ceilMode': True}),
    (3, {'stride': 2, 'ceilMode': True}),
    (4, {'stride': 3, 'padding': 2, 'ceilMode': True}),
    (1, {}),
    (1, {'stride': 2}),
    (7, {}),
    (3, {'stride': 5, 'padding': 1, 'ceilMode': True}),
]
PLANES = [
    (2, {}),
    ([2, 2], {'stride': [2, 2]}),
    (3, {}),
    (3, {'stride': 1}),
    ([3, 2], {}),
    ([2, 3], {'stride': [1, 2]}),
    (3, {'stride': 2, 'padding': 1}),
    ([3, 4], {'stride': 2, 'padding': [1, 2]}),
    (2, {'ceilMode': True}),
    (3, {'stride': 2, 'ceilMode': True}),
    (3, {'stride': 2, 'padding': 1, 'ceilMode': True}),
    ([1, 3], {}),
    (1, {}),
    (5, {}),
]


@group
def maxima():
    lines = [(1, 2, 9), (2, 8), (1, 1, 7), (2, 1, 10)]
    dilated = [(2, {'dilation': 2}), (3, {'dilation': 3, 'stride': 1}), (3, {'dilation': 2, 'padding': 1}),
               (2, {'dilation': 4, 'stride': 2}), (3, {'dilation': 2, 'padding': 1, 'ceilMode': True}),
               (2, {'dilation': 3, 'padding': 1, 'stride': 1})]
    windows('maxPool1d', F.max_pool1d, lines, LINES + dilated)
    planes = [(1, 2, 8, 8), (2, 6, 9), (1, 1, 5, 7), (2, 1, 6, 7), (1, 6, 6)]
    wide = [(2, {'dilation': 2}), ([2, 3], {'dilation': [3, 1]}), (3, {'dilation': 2, 'padding': 1, 'stride': 1}),
            ([2, 2], {'dilation': [1, 2], 'stride': [2, 1], 'padding': 1})]
    windows('maxPool2d', F.max_pool2d, planes, PLANES + wide)
    case('maxPool1d', [f64([[1.0, 1.0, 1.0, 0.0, 1.0, 1.0]])], lambda x: F.max_pool1d(x, 3), {}, [3], note='a tie')
    case('maxPool1d', [f64([[NAN, 1.0, -INF, -INF, INF, 2.0]])], lambda x: F.max_pool1d(x, 2), {}, [2], grad=False)
    case('maxPool2d', [torch.ones(1, 4, 8, dtype=torch.float64)], lambda x: F.max_pool2d(x, 2), {}, [2], note='a tie')
    x = spaced(1, 4, 20)
    x[0, 1, 3], x[0, 2, 5], x[0, 0, 9], x[0, 3, 19] = NAN, INF, -INF, NAN
    case('maxPool2d', [x], lambda x: F.max_pool2d(x, 2), {}, [2], grad=False)
    # Full vectors and what is left of a row.
    for shape in [(1, 2, 18), (1, 6, 9), (2, 2, 3, 11)]:
        case('maxPool2d', [spaced(*shape)], lambda x: F.max_pool2d(x, 2), {}, [2])


@group
def means():
    lines = [(1, 2, 9), (2, 8), (1, 1, 7), (2, 1, 10)]
    without = [(3, {'stride': 2, 'padding': 1, 'countIncludePad': False}), (5, {'padding': 2, 'countIncludePad': False}),
               (4, {'stride': 3, 'padding': 2, 'ceilMode': True, 'countIncludePad': False}),
               (2, {'ceilMode': True, 'countIncludePad': False}), (3, {'countIncludePad': False})]
    windows('avgPool1d', F.avg_pool1d, lines, LINES + without)
    more = [(2, {'padding': 1}), (6, {'padding': 3, 'stride': 2})]
    windows('avgPool1d', F.avg_pool1d, [(2, 2, 12)], more)
    planes = [(1, 2, 8, 8), (2, 6, 9), (1, 1, 5, 7), (2, 1, 6, 7), (1, 6, 6)]
    wide = [(3, {'stride': 2, 'padding': 1, 'countIncludePad': False}),
            ([3, 4], {'stride': 2, 'padding': [1, 2], 'countIncludePad': False}),
            (3, {'stride': 2, 'padding': 1, 'ceilMode': True, 'countIncludePad': False}),
            ([2, 3], {'padding': 1, 'countIncludePad': False}), (4, {'padding': 2}), ([2, 1], {'stride': [3, 1]})]
    windows('avgPool2d', F.avg_pool2d, planes, PLANES + wide)
    x = f64([[[1.0, NAN, 2.0, 3.0], [0.0, 1.0, INF, 1.0]]])
    case('avgPool2d', [x], lambda x: F.avg_pool2d(x, 2), {}, [2], grad=False)


@group
def adaptive():
    for op, call in [('adaptiveMaxPool1d', F.adaptive_max_pool1d), ('adaptiveAvgPool1d', F.adaptive_avg_pool1d)]:
        for shape in [(1, 2, 9), (2, 8), (1, 1, 7), (2, 1, 10)]:
            for size in [1, 2, 3, 5, 7]:
                case(op, [spaced(*shape)], lambda x: call(x, size), {}, [size])
    for op, call in [('adaptiveMaxPool2d', F.adaptive_max_pool2d), ('adaptiveAvgPool2d', F.adaptive_avg_pool2d)]:
        for shape in [(1, 2, 8, 8), (2, 5, 7), (1, 1, 6, 9), (2, 1, 4, 4)]:
            for size in [1, 2, [3, 2], [1, 4], [4, 5]]:
                sizes = tuple(size) if isinstance(size, list) else size
                case(op, [spaced(*shape)], lambda x: call(x, sizes), {}, [size])


record('pooling.json')
