"""dynamic.json: blocks at a place that values say, which PyTorch 1.13 takes by slicing."""

from cases import case, group, i32, normal, record

# Shape, start as it is given, where that is, shape of the block.
BLOCKS = [
    ((7,), (2,), (2,), (3,)),
    ((7,), (6,), (4,), (3,)),
    ((7,), (-2,), (5,), (1,)),
    ((7,), (-100,), (0,), (4,)),
    ((3, 5), (1, 2), (1, 2), (2, 2)),
    ((3, 5), (2, -1), (1, 1), (2, 4)),
    ((3, 5), (-1, 9), (2, 4), (1, 1)),
    ((2, 3, 4), (1, 1, 1), (1, 1, 1), (1, 2, 3)),
    ((2, 3, 4), (-1, -1, -1), (1, 2, 3), (1, 1, 1)),
    ((2, 2, 5, 3), (1, 0, 3, 0), (1, 0, 3, 0), (1, 2, 1, 3)),
]


def region(place, size):
    return tuple(slice(start, start + count) for start, count in zip(place, size))


def updated(x, block, at):
    y = x.clone()
    y[at] = block
    return y


@group
def blocks():
    for shape, start, place, size in BLOCKS:
        at = region(place, size)
        case('dynamicSlice', [normal(*shape), i32(start)], lambda x, s: x[at] * 1, positional=[list(size)])
        inputs = [normal(*shape), normal(*size), i32(start)]
        case('dynamicUpdateSlice', inputs, lambda x, block, s: updated(x, block, at))


record('dynamic.json')
