"""PyTorch: autograd and its own optimizers, in the settings that were fastest; results into tensors allocated once."""

import itertools
import os

import torch
import torch.nn.functional as F
from peer import classification, layers, regression, serve, uniform

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def tensors(arrays):
    return [torch.from_numpy(array) for array in arrays]


def sgd_step(batch=512, inputs=10, outputs=2, lr=0.01):
    xs, ys = map(tensors, regression(batch, inputs, outputs))
    w, b = (parameter.requires_grad_() for parameter in tensors(layers([inputs, outputs])))
    batches = itertools.cycle(zip(xs, ys))

    def step():
        x, y = next(batches)
        loss = F.mse_loss(F.linear(x, w, b).relu_(), y)
        dw, db = torch.autograd.grad(loss, (w, b))
        with torch.no_grad():  # optim.SGD does the same, later
            w.sub_(dw, alpha=lr)
            b.sub_(db, alpha=lr)
        return loss

    return step


def adam_step(batch, sizes):
    xs, ys = map(tensors, classification(batch, sizes[0], sizes[-1]))
    parameters = [parameter.requires_grad_() for parameter in tensors(layers(sizes))]
    optimizer = torch.optim.Adam(parameters, lr=1e-3, foreach=True)
    batches = zip(itertools.cycle(xs), itertools.cycle(ys))
    dense = list(zip(parameters[0::2], parameters[1::2]))

    def step():
        x, y = next(batches)
        for w, b in dense[:-1]:
            x = F.linear(x, w, b).relu_()
        loss = F.cross_entropy(F.linear(x, *dense[-1]), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss

    return step


def elementwise(op, size):
    x, y = tensors([uniform((size,), 1) - 0.5, uniform((size,), 2)])
    out, total = torch.empty_like(x), torch.empty(())
    calls = {
        "relu": lambda: torch.clamp_min(x, 0, out=out)[0],
        "add": lambda: torch.add(x, y, out=out)[0],
        "sum": lambda: torch.sum(x, 0, out=total),
        "exp": lambda: torch.exp(x, out=out)[0],
        "tanh": lambda: torch.tanh(x, out=out)[0],
    }
    return calls[op]


def gemm(m, k, n, layout):
    def matrix(rows, columns, stream, transposed):
        shape = (columns, rows) if transposed else (rows, columns)
        x = torch.from_numpy(uniform(shape, stream)) - 0.5
        return x.T if transposed else x

    a, b = matrix(m, k, 1, layout[0] == "T"), matrix(k, n, 2, layout[1] == "T")
    c = torch.empty(m, n)
    return lambda: torch.mm(a, b, out=c)[0, 0]


def convolution(batch, channels, outputs, size, kernel):
    shapes = (batch, channels, size, size), (outputs, channels, kernel, kernel), (batch, outputs, size, size)
    x, w, g = (torch.from_numpy(uniform(shape, 1 + i)) - 0.5 for i, shape in enumerate(shapes))
    x.requires_grad_()
    w.requires_grad_()

    def call():
        y = F.conv2d(x, w, padding=kernel // 2)
        dx, dw = torch.autograd.grad(y, (x, w), g)
        return sum(one.view(-1)[0].item() for one in (y, dx, dw))

    return call


serve(torch.__version__, sgd_step, adam_step, gemm, elementwise, convolution)
