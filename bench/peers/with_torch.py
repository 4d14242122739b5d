"""PyTorch: autograd and its own optimizers, in the settings that were fastest; results into tensors allocated once."""

import itertools
import os

import torch
import torch.nn.functional as F
from peer import classification, layers, parameters, recurrent, regression, sequences, serve, uniform

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
    initial = [parameter.requires_grad_() for parameter in tensors(layers(sizes))]
    dense = list(zip(initial[0::2], initial[1::2]))

    def model(x):
        for w, b in dense[:-1]:
            x = F.linear(x, w, b).relu_()
        return F.linear(x, *dense[-1])

    return classifier((batch, sizes[0]), sizes[-1], initial, model)


def le_net(batch):
    initial = [parameter.requires_grad_() for parameter in tensors(parameters([(8, 1, 5, 5), (16, 8, 5, 5), (10, 256)]))]
    w1, b1, w2, b2, w3, b3 = initial

    def model(x):
        x = F.max_pool2d(F.conv2d(x, w1, b1).relu_(), 2)
        x = F.max_pool2d(F.conv2d(x, w2, b2).relu_(), 2)
        return F.linear(x.flatten(1), w3, b3)

    return classifier((batch, 1, 28, 28), 10, initial, model)


def recurrent_step(kind, steps, batch, inputs, hidden):
    layer = getattr(torch.nn, kind)(inputs, hidden)
    *own, w, b = tensors(recurrent(4 if kind == "LSTM" else 3, inputs, hidden, 10))
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), own):
            parameter.copy_(value)
    dense = [w.requires_grad_(), b.requires_grad_()]

    def model(x):
        return F.linear(layer(x)[0][-1], *dense)

    return classifier((steps, batch, inputs), 10, [*layer.parameters(), *dense], model, batch)


def classifier(shape, classes, initial, model, batch=None):
    return training(initial, map(tensors, classification(shape, classes, batch)), lambda x, y: F.cross_entropy(model(x), y))


def transformer(batch, length, width, heads):
    model = torch.nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, batch_first=True, norm_first=True)
    shapes = (3 * width, width), (width, width), (4 * width, width), (width, 4 * width)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), tensors(parameters(shapes))):
            parameter.copy_(value)
    batches = map(tensors, sequences((batch, length, width)))
    return training(list(model.parameters()), batches, lambda x, y: F.mse_loss(model(x), y))


def training(initial, batches, loss_of):
    xs, ys = batches
    optimizer = torch.optim.Adam(initial, lr=1e-3, foreach=True)
    batches = zip(itertools.cycle(xs), itertools.cycle(ys))

    def step():
        loss = loss_of(*next(batches))
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


serve(torch.__version__, sgd_step, adam_step, gemm, elementwise, convolution, le_net, recurrent_step, transformer)
