"""How a table of op cases is recorded: forward values and gradients of PyTorch in float64.

Inputs are rounded to a few decimals and stay inside float32's range, so that one table serves both precisions. A case
whose inputs hold NaN or infinities is forward only: `cotangent` and `grads` are null.
"""

import zlib

import numpy as np
import torch

from encoding import number, tensor, write

cases = []
groups = []
rng = np.random.RandomState()


def group(function):
    """Each group draws from a generator of its own: a new case moves the numbers of its own group only."""
    groups.append(function)
    return function


def normal(*shape, scale=1.0):
    return torch.tensor(np.round(scale * rng.standard_normal(shape), 3), dtype=torch.float64)


def uniform(low, high, *shape):
    return torch.tensor(np.round(rng.uniform(low, high, shape), 3), dtype=torch.float64)


def integers(low, high, *shape, dtype=torch.int32):
    return torch.tensor(rng.randint(low, high, shape), dtype=dtype)


def booleans(*shape):
    return integers(0, 2, *shape, dtype=torch.bool)


def f64(values):
    return torch.tensor(values, dtype=torch.float64)


def i32(values):
    return torch.tensor(values, dtype=torch.int32)


def axes(options):
    """wasmgrad's `axis` and `keepDims` as PyTorch's keywords."""
    names = {'axis': 'dim', 'keepDims': 'keepdim'}
    return {names[key]: value for key, value in options.items()}


def case(op, inputs, call, options=None, positional=None, grad=True, note=None):
    """Records `op(...inputs, ...positional, options)`; `call` is PyTorch's version, a function of the inputs."""
    differentiable = [grad and value.dtype == torch.float64 for value in inputs]
    leaves = [value.clone().requires_grad_(wanted) for value, wanted in zip(inputs, differentiable)]
    output = call(*leaves)
    entry = {'op': op, 'inputs': [tensor(value) for value in inputs], 'options': options or {}}
    if positional is not None:
        entry['positional'] = positional
    entry['output'] = tensor(output.detach())
    entry['cotangent'] = entry['grads'] = None
    if output.requires_grad:
        cotangent = torch.tensor(np.round(rng.standard_normal(tuple(output.shape)), 2), dtype=output.dtype)
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        found = iter(torch.autograd.grad(output, wanted, cotangent, allow_unused=True))
        grads = [next(found) if leaf.requires_grad else None for leaf in leaves]
        entry['cotangent'] = tensor(cotangent)
        entry['grads'] = [None if value is None else tensor(value) for value in grads]
    if note is not None:
        entry['note'] = note
    cases.append(entry)


NAN, INF = float('nan'), float('inf')
EDGES = [NAN, INF, -INF, 0.0, -0.0]


def with_tensors(options):
    """Options as JSON: a tensor among them looks like an input, infinity is a string."""
    written = {torch.Tensor: tensor, float: number}
    return {key: written.get(type(value), lambda same: same)(value) for key, value in options.items()}


def record(name, **more):
    """Runs the groups and writes their cases, and what else there is."""
    global rng
    for run in groups:
        rng = np.random.RandomState(zlib.crc32(run.__name__.encode()))
        run()
    write(name, {'torch': torch.__version__, 'cases': cases, **more})
    print(f'{len(cases)} cases of {len({entry["op"] for entry in cases})} ops')
