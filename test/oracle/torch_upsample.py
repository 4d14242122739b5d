"""upsample.json: interpolation."""

import torch.nn.functional as F

from cases import NAN, case, f64, group, normal, record

NAMES = {'scaleFactor': 'scale_factor', 'alignCorners': 'align_corners'}


def torch_options(options):
    return {NAMES.get(key, key): tuple(value) if isinstance(value, list) else value for key, value in options.items()}


def resized(x, options):
    # Where a length times its factor is no whole number, PyTorch 1.13's gradient of 'nearest' is that of another factor.
    exact = options['mode'] != 'nearest' or options.get('scaleFactor') not in [1.7, [1.5, 2.3]]
    case('interpolate', [x], lambda x: F.interpolate(x, **torch_options(options)), options, grad=exact)


@group
def sizes():
    for at, options in enumerate(
        [
            {'size': 5},
            {'size': 3},
            {'size': 9},
            {'size': 1},
            {'scaleFactor': 2.0},
            {'scaleFactor': 0.5},
            {'scaleFactor': 1.7},
            {'scaleFactor': [3.0]},
            {'size': 5, 'alignCorners': True},
            {'size': 1, 'alignCorners': True},
            {'size': 12, 'alignCorners': True},
            {'scaleFactor': 2.5, 'alignCorners': True},
        ]
    ):
        shape = [(2, 2, 5), (1, 1, 7), (1, 3, 2), (2, 1, 1)][at % 4]
        for mode in ['nearest', 'linear']:
            if mode == 'nearest' and 'alignCorners' in options:
                continue
            resized(normal(*shape), {**options, 'mode': mode})
    for at, options in enumerate(
        [
            {'size': 5},
            {'size': [3, 2]},
            {'size': [2, 9]},
            {'size': 1},
            {'scaleFactor': 2.0},
            {'scaleFactor': 0.5},
            {'scaleFactor': [1.5, 2.3]},
            {'scaleFactor': [1.0, 3.0]},
            {'size': 5, 'alignCorners': True},
            {'size': [1, 6], 'alignCorners': True},
            {'size': [7, 2], 'alignCorners': True},
            {'scaleFactor': 2.5, 'alignCorners': True},
        ]
    ):
        shape = [(2, 2, 3, 4), (1, 1, 5, 2), (1, 2, 2, 3), (2, 1, 6, 5)][at % 4]
        for mode in ['nearest', 'bilinear']:
            if mode == 'nearest' and 'alignCorners' in options:
                continue
            resized(normal(*shape), {**options, 'mode': mode})
    # Products with the scale that should be whole, and in float64 are a little less.
    for length, size in [(2, 98), (3, 147)]:
        case('interpolate', [normal(1, 1, length)], lambda x: F.interpolate(x, size), {'size': size})
    case('interpolate', [normal(1, 2, 3)], lambda x: F.interpolate(x, scale_factor=2.0), {'scaleFactor': 2.0}, note='nearest')
    nans = f64([[[NAN, 1.0, 2.0]]])
    written = {'size': 6, 'mode': 'linear'}
    case('interpolate', [nans], lambda x: F.interpolate(x, **written), written, grad=False)


record('upsample.json')
