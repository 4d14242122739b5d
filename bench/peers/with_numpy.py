"""numpy: steps written by hand, in place, into arrays that are allocated once; products by its BLAS."""

import itertools

import numpy as np
from peer import classification, layers, regression, serve, uniform


def views(flat, shapes):
    """One array for all parameters, and a view of it for each."""
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    return [flat[end - np.prod(shape) : end].reshape(shape) for shape, end in zip(shapes, ends)]


def sgd_step(batch=512, inputs=10, outputs=2, lr=0.01):
    xs, ys = regression(batch, inputs, outputs)
    w, b = layers([inputs, outputs])
    z, active = np.empty((batch, outputs), np.float32), np.empty((batch, outputs), bool)
    dw, db, ones = np.empty_like(w), np.empty_like(b), np.ones(batch, np.float32)
    scale = np.float32(lr * 2 / z.size)
    batches = itertools.cycle(zip(xs, ys))

    def step():
        x, y = next(batches)
        np.matmul(x, w.T, out=z)
        np.add(z, b, out=z)
        np.greater(z, 0, out=active)
        np.maximum(z, 0, out=z)
        np.subtract(z, y, out=z)
        flat = z.reshape(-1)
        loss = flat.dot(flat) / flat.size
        np.multiply(z, active, out=z)
        np.matmul(z.T, x, out=dw)
        np.matmul(ones, z, out=db)  # faster than z.sum(0)
        np.multiply(dw, scale, out=dw)
        np.multiply(db, scale, out=db)
        np.subtract(w, dw, out=w)
        np.subtract(b, db, out=b)
        return loss

    return step


# Elements of the parameters that one pass of Adam takes at a time, so that its arrays stay in the cache.
BLOCK = 16384


def adam(p, g, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Moments are kept without their factors 1 - beta: constants of the last line, and two passes fewer. Overwrites g."""
    m, v, t = np.zeros_like(p), np.zeros_like(p), np.empty(BLOCK, p.dtype)
    blocks = [[a[i : i + BLOCK] for a in (p, g, m, v)] for i in range(0, p.size, BLOCK)]
    steps = itertools.count(1)

    def update():
        n = next(steps)
        s = ((1 - beta2) / (1 - beta2**n)) ** 0.5
        rate, epsilon = np.float32(lr * (1 - beta1) / (1 - beta1**n) / s), np.float32(eps / s)
        b1, b2 = np.float32(beta1), np.float32(beta2)
        for pi, gi, mi, vi in blocks:
            ti = t[: pi.size]
            np.multiply(mi, b1, out=mi)
            np.add(mi, gi, out=mi)
            np.multiply(gi, gi, out=gi)
            np.multiply(vi, b2, out=vi)
            np.add(vi, gi, out=vi)
            np.sqrt(vi, out=ti)
            np.add(ti, epsilon, out=ti)
            np.divide(mi, ti, out=ti)
            np.multiply(ti, rate, out=ti)
            np.subtract(pi, ti, out=pi)

    return update


def adam_step(batch, sizes):
    xs, ys = classification((batch, sizes[0]), sizes[-1])
    initial = layers(sizes)
    shapes = [parameter.shape for parameter in initial]
    p = np.concatenate([parameter.ravel() for parameter in initial])
    g = np.empty_like(p)
    parameters, gradients = views(p, shapes), views(g, shapes)
    weights, biases = parameters[0::2], parameters[1::2]
    dweights, dbiases = gradients[0::2], gradients[1::2]
    outs = [np.empty((batch, size), np.float32) for size in sizes[1:]]
    douts = [np.empty_like(out) for out in outs]
    masks = [np.empty(out.shape, bool) for out in outs]
    rows, ones = np.arange(batch), np.ones(batch, np.float32)
    row = np.empty((batch, 1), np.float32)
    update = adam(p, g)
    batches = zip(itertools.cycle(xs), itertools.cycle(ys))
    last = len(weights) - 1

    def step():
        x, y = next(batches)
        ins = [x, *outs]
        for i, (w, b) in enumerate(zip(weights, biases)):
            np.matmul(ins[i], w.T, out=outs[i])
            np.add(outs[i], b, out=outs[i])
            if i < last:
                np.maximum(outs[i], 0, out=outs[i])
        z, dz = outs[-1], douts[-1]
        np.max(z, axis=1, keepdims=True, out=row)
        np.subtract(z, row, out=z)
        np.exp(z, out=dz)
        np.sum(dz, axis=1, keepdims=True, out=row)
        loss = (np.log(row).sum() - z[rows, y].sum()) / batch
        np.multiply(row, np.float32(batch), out=row)
        np.divide(dz, row, out=dz)
        dz[rows, y] -= np.float32(1 / batch)
        for i in range(last, -1, -1):
            np.matmul(douts[i].T, ins[i], out=dweights[i])
            np.matmul(ones, douts[i], out=dbiases[i])
            if i > 0:
                np.matmul(douts[i], weights[i], out=douts[i - 1])
                np.greater(outs[i - 1], 0, out=masks[i - 1])
                np.multiply(douts[i - 1], masks[i - 1], out=douts[i - 1])
        update()
        return loss

    return step


def gemm(m, k, n, layout):
    def matrix(rows, columns, stream, transposed):
        shape = (columns, rows) if transposed else (rows, columns)
        x = uniform(shape, stream) - np.float32(0.5)
        return x.T if transposed else x

    a, b = matrix(m, k, 1, layout[0] == "T"), matrix(k, n, 2, layout[1] == "T")
    c = np.empty((m, n), np.float32)

    def call():
        np.matmul(a, b, out=c)
        return c[0, 0]

    return call


def elementwise(op, size):
    x, y = uniform((size,), 1) - np.float32(0.5), uniform((size,), 2)
    out = np.empty_like(x)
    calls = {
        "relu": lambda: np.maximum(x, 0, out=out)[0],
        "add": lambda: np.add(x, y, out=out)[0],
        "sum": lambda: np.sum(x),
        "exp": lambda: np.exp(x, out=out)[0],
        "tanh": lambda: np.tanh(x, out=out)[0],
    }
    return calls[op]


serve(np.__version__, sgd_step, adam_step, gemm, elementwise)
