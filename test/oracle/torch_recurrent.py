"""recurrent.json: one recurrent layer over a sequence, by PyTorch's own, sequence by sequence where lengths differ."""

import torch
from torch import _VF

from cases import case, group, i32, normal, record

PARTS = {'rnn': 1, 'lstm': 4, 'gru': 3}


def sequence(op, x, weights, states, reverse, nonlinearity):
    """One direction over [T, N, I]: its output [T, N, H], and the states [N, H] that it ends with."""
    function = getattr(_VF, f'rnn_{nonlinearity}' if op == 'rnn' else op)
    x = x.flip(0) if reverse else x
    hx = [state.unsqueeze(0) for state in states]
    has_biases = len(weights) > 2
    y, *last = function(x, hx if op == 'lstm' else hx[0], weights, has_biases, 1, 0.0, False, False, False)
    return y.flip(0) if reverse else y, [state[0] for state in last]


def part_of(op, part, x, weights, states, lengths, reverse=False, nonlinearity='tanh'):
    """The output, h or c."""
    t, n, _ = x.shape
    states = states or [torch.zeros(n, weights[1].shape[1], dtype=x.dtype)] * (2 if op == 'lstm' else 1)
    outputs, last = [], []
    for i, length in enumerate(lengths):
        own = [state[i : i + 1] for state in states]
        y = x.new_zeros(0, 1, own[0].shape[1])
        if length > 0:
            y, own = sequence(op, x[:length, i : i + 1], weights, own, reverse, nonlinearity)
        outputs.append(torch.cat([y, y.new_zeros(t - length, *y.shape[1:])]))
        last.append(own)
    whole = {'output': lambda: torch.cat(outputs, 1)}
    return whole.get(part, lambda: torch.cat([one['hc'.index(part)] for one in last]))()


def row(op, part, shape, biases=True, given=False, lengths=None, traced=False, **options):
    """`traced`: lengths are an operand, behind all others. Positional are which result it is, and how many operands are biases."""
    t, n, inputs, h = shape
    wide = PARTS[op] * h
    weights = [normal(wide, inputs), normal(wide, h), *([normal(wide), normal(wide)] if biases else [])]
    states = [normal(n, h) for _ in range((2 if op == 'lstm' else 1) if given else 0)]
    count = len(weights)

    def call(x, *others):
        own = lengths or [t] * n
        return part_of(op, part, x, list(others[:count]), list(others[count : count + len(states)]), own, **options)

    given_lengths = {'lengths': lengths} if lengths and not traced else {}
    operands = [normal(t, n, inputs), *weights, *states, *([i32(lengths)] if traced else [])]
    case(op, operands, call, {**options, **given_lengths}, [part, count - 2])


SHAPES = [(1, 1, 1, 1), (3, 2, 4, 3), (2, 5, 3, 4), (4, 3, 2, 5), (2, 17, 1, 2), (3, 4, 2, 8)]


def rows(op):
    for shape in SHAPES:
        row(op, 'output', shape)
        row(op, 'h', shape, given=True)
    row(op, 'output', (3, 2, 2, 3), biases=False)
    row(op, 'h', (3, 2, 2, 3), biases=False, given=True, reverse=True)
    row(op, 'output', (4, 3, 2, 3), reverse=True)
    row(op, 'output', (4, 3, 2, 3), given=True, reverse=True)
    for reverse in [{}, {'reverse': True}]:
        row(op, 'output', (4, 5, 2, 3), given=True, lengths=[4, 1, 3, 0, 2], **reverse)
        row(op, 'h', (4, 5, 2, 3), given=True, lengths=[2, 1, 3, 0, 2], **reverse)
        row(op, 'output', (3, 2, 3, 4), lengths=[1, 3], traced=True, **reverse)


@group
def rnn():
    rows('rnn')
    for options in [{}, {'reverse': True}]:
        row('rnn', 'output', (3, 2, 4, 3), given=True, nonlinearity='relu', **options)
        row('rnn', 'h', (4, 3, 2, 3), lengths=[4, 2, 1], nonlinearity='relu', **options)


@group
def lstm():
    rows('lstm')
    row('lstm', 'c', (3, 2, 4, 3), given=True)
    row('lstm', 'c', (3, 2, 4, 3), reverse=True)
    row('lstm', 'c', (4, 3, 2, 3), given=True, lengths=[3, 1, 4])
    row('lstm', 'c', (4, 3, 2, 3), given=True, lengths=[3, 1, 4], reverse=True)


@group
def gru():
    rows('gru')


record('recurrent.json')
