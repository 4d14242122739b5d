"""convolution.json: convolutions and their transposes, over shapes, strides, paddings, dilations and groups."""

import torch.nn.functional as F

from cases import INF, NAN, case, f64, group, normal, record

NAMES = {'outputPadding': 'output_padding'}


def cases(op, call, rows):
    """Rows of shapes of x and weight, options, and whether there is a bias."""
    for x, w, options, *bias in rows:
        plain = {NAMES.get(key, key): value for key, value in options.items()}
        plain = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
        outputs = w[1] * options.get('groups', 1) if 'ranspose' in op else w[0]
        inputs = [normal(*x), normal(*w)] + ([normal(outputs)] if bias else [])
        case(op, inputs, lambda *all: call(*all, **plain), options)


@group
def one_axis():
    cases(
        'conv1d',
        F.conv1d,
        [
            ((1, 1, 1), (1, 1, 1), {}),
            ((1, 1, 5), (1, 1, 3), {}),
            ((2, 3, 7), (4, 3, 2), {}),
            ((2, 3, 7), (4, 3, 2), {}, True),
            ((3, 9), (5, 3, 3), {}),
            ((3, 9), (5, 3, 3), {'padding': 1}, True),
            ((2, 2, 9), (3, 2, 3), {'stride': 2}),
            ((2, 2, 10), (3, 2, 3), {'stride': 3, 'padding': 2}, True),
            ((2, 2, 10), (3, 2, 3), {'stride': [3], 'padding': [1]}),
            ((1, 2, 11), (2, 2, 3), {'dilation': 3}),
            ((1, 2, 11), (2, 2, 4), {'dilation': 2, 'padding': 5, 'stride': 2}),
            ((2, 4, 6), (4, 1, 3), {'groups': 4}),
            ((2, 4, 6), (6, 2, 3), {'groups': 2, 'padding': 1}, True),
            ((1, 3, 8), (2, 3, 3), {'padding': 'same'}),
            ((1, 3, 8), (2, 3, 4), {'padding': 'same'}, True),
            ((1, 3, 8), (2, 3, 2), {'padding': 'same', 'dilation': 3}),
            ((1, 3, 8), (2, 3, 8), {'padding': 'valid'}),
            ((1, 1, 33), (9, 1, 5), {'padding': 2}),
            ((2, 17, 5), (5, 17, 1), {}),
            ((1, 2, 4), (1, 2, 9), {'padding': 3}),
            ((0, 2, 5), (3, 2, 2), {}),
            ((1, 1, 1), (1, 1, 3), {'padding': 1}, True),
        ],
    )
    # A tap of a kernel that sees neither NaN nor infinity knows nothing of them.
    wild = f64([[[1.0, 2.0, NAN, 3.0, 4.0, 5.0, INF, 6.0, 7.0, 8.0]]])
    case('conv1d', [wild, f64([[[1.0, -1.0]]])], F.conv1d, grad=False)


@group
def two_axes():
    cases(
        'conv2d',
        F.conv2d,
        [
            ((1, 1, 1, 1), (1, 1, 1, 1), {}),
            ((1, 1, 3, 3), (1, 1, 3, 3), {}),
            ((2, 1, 6, 5), (3, 1, 3, 2), {}),
            ((2, 1, 6, 5), (3, 1, 3, 2), {}, True),
            ((3, 5, 5), (4, 3, 3, 3), {}),
            ((3, 5, 5), (4, 3, 3, 3), {'padding': 1}, True),
            ((2, 3, 8, 8), (5, 3, 3, 3), {'padding': 1}, True),
            ((2, 2, 7, 9), (3, 2, 3, 3), {'stride': 2}),
            ((2, 2, 7, 9), (3, 2, 3, 3), {'stride': [2, 1], 'padding': [0, 2]}, True),
            ((1, 2, 7, 9), (3, 2, 2, 3), {'stride': [1, 3], 'padding': [2, 0]}),
            ((1, 2, 8, 8), (4, 2, 1, 1), {'stride': 2}),
            ((1, 2, 9, 9), (2, 2, 3, 3), {'stride': 3, 'padding': 1}),
            ((1, 1, 6, 6), (1, 1, 2, 2), {'stride': 4}),
            ((1, 2, 9, 8), (2, 2, 3, 3), {'dilation': 2}),
            ((1, 2, 9, 8), (2, 2, 3, 2), {'dilation': [3, 2], 'padding': [3, 1]}, True),
            ((1, 2, 9, 9), (2, 2, 3, 3), {'dilation': 2, 'stride': 2, 'padding': 2}),
            ((1, 1, 11, 10), (2, 1, 3, 3), {'dilation': [2, 3], 'stride': [3, 2], 'padding': 3}),
            ((2, 4, 5, 5), (4, 1, 3, 3), {'groups': 4, 'padding': 1}, True),
            ((1, 3, 6, 6), (6, 1, 3, 3), {'groups': 3, 'stride': 2}),
            ((2, 6, 4, 4), (9, 2, 2, 2), {'groups': 3}, True),
            ((1, 4, 5, 6), (6, 2, 3, 3), {'groups': 2, 'dilation': 2, 'padding': 2, 'stride': 2}),
            ((1, 2, 5, 6), (3, 2, 3, 3), {'padding': 'same'}),
            ((1, 2, 5, 6), (3, 2, 2, 4), {'padding': 'same'}, True),
            ((1, 2, 5, 6), (2, 2, 2, 3), {'padding': 'same', 'dilation': [2, 3]}),
            ((1, 2, 5, 6), (3, 2, 5, 6), {'padding': 'valid'}),
            ((2, 5, 4, 4), (7, 5, 1, 1), {}, True),
            ((1, 1, 12, 12), (8, 1, 5, 5), {}, True),
            ((3, 8, 4, 4), (5, 8, 3, 3), {'padding': 1}),
            ((1, 1, 2, 3), (1, 1, 4, 4), {'padding': 3}),
            ((1, 1, 2, 70), (2, 1, 2, 3), {}),
            ((0, 2, 4, 4), (3, 2, 2, 2), {}),
            ((2, 60, 3, 3), (2, 60, 3, 3), {'padding': 1}, True),
            ((2, 4, 6, 10), (8, 4, 3, 3), {}, True),
        ],
    )


TRANSPOSED = [
    ((1, 1), (1, 1), {}),
    ((2, 3), (3, 4), {}),
    ((2, 3), (3, 4), {}, True),
    ((3,), (3, 2), {'padding': 1}),
    ((3,), (3, 2), {'stride': 2}, True),
    ((1, 2), (2, 3), {'stride': 2}),
    ((1, 2), (2, 3), {'stride': 2, 'padding': 1, 'outputPadding': 1}, True),
    ((1, 2), (2, 3), {'stride': 3}),
    ((1, 2), (2, 3), {'stride': 4}, True),
    ((1, 2), (2, 3), {'stride': 4, 'outputPadding': 3}),
    ((1, 2), (2, 3), {'dilation': 2}),
    ((1, 2), (2, 3), {'dilation': 2, 'stride': 2, 'padding': 1}),
    ((1, 2), (2, 3), {'dilation': 3, 'stride': 2, 'outputPadding': 2}, True),
    ((1, 2), (2, 1), {'dilation': 2, 'stride': 4, 'padding': 1}),
    ((2, 4), (4, 1), {'groups': 4}),
    ((1, 4), (4, 3), {'groups': 2, 'stride': 2}, True),
    ((1, 6), (6, 2), {'groups': 3, 'padding': 1, 'dilation': 2}),
    ((1, 9), (9, 5), {'padding': 1}),
    ((2, 1), (1, 9), {'stride': 2}),
    ((0, 2), (2, 3), {'stride': 2}),
]


@group
def transposed():
    for op, call, area, kernel in [
        ('convTranspose1d', F.conv_transpose1d, (5,), (3,)),
        ('convTranspose2d', F.conv_transpose2d, (4, 3), (3, 2)),
    ]:
        # Of two axes, a kernel of 2 with padding 1 on both sides needs more than one element.
        cases(op, call, [(x + area, w + kernel, *rest) for x, w, *rest in TRANSPOSED])
    cases(
        'convTranspose2d',
        F.conv_transpose2d,
        [
            ((1, 2, 3, 4), (2, 3, 3, 3), {'stride': [2, 3], 'padding': [1, 0], 'outputPadding': [1, 2]}, True),
            ((1, 2, 3, 4), (2, 3, 2, 3), {'stride': [1, 2], 'dilation': [3, 1]}),
            ((1, 2, 4, 4), (2, 3, 4, 4), {'stride': 2, 'padding': 1}, True),
            ((1, 2, 4, 4), (2, 3, 1, 1), {'stride': 2}),
            ((1, 2, 7, 7), (2, 3, 5, 5), {'padding': 4}),
            ((2, 8, 3, 4), (8, 4, 3, 3), {}, True),
            ((1, 16, 2, 8), (16, 4, 2, 5), {'groups': 2, 'dilation': [3, 1]}),
        ],
    )
    cases(
        'convTranspose1d',
        F.conv_transpose1d,
        [
            ((1, 2, 20), (2, 3, 4), {'stride': 2, 'padding': 1}, True),
            ((1, 2, 6), (2, 3, 2), {'stride': [2], 'padding': [1], 'dilation': [2]}),
            ((2, 9, 8), (9, 8, 4), {'dilation': 2}, True),
        ],
    )


record('convolution.json')
