"""What the peers in Python share: the same numbers as bench/data.ts, and the conversation with bench/processes.ts."""

import json
import sys
import time

import numpy as np

BATCHES = 16


def uniform(shape, stream):
    """Numbers in [0, 1): the bits of `uniform` in bench/data.ts."""
    h = np.arange(np.prod(shape), dtype=np.uint32) + np.uint32(stream * 0x9E3779B1 & 0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h ^= h >> np.uint32(shift)
        h *= np.uint32(factor)
    h ^= h >> np.uint32(16)
    return (h / 2**32).astype(np.float32).reshape(shape)


def layers(sizes):
    """Weights [out, in] and biases of dense layers."""
    return parameters([(outputs, inputs) for inputs, outputs in zip(sizes, sizes[1:])])


def parameters(shapes):
    """Weights of these shapes, [out, in, ...], and biases."""
    return initial([shape for weight in shapes for shape in (weight, weight[:1])])


def initial(shapes):
    """Weights, and biases behind those whose inputs they share."""
    made = []
    for shape in shapes:
        inputs = np.prod(shape[1:]) if len(shape) > 1 else inputs
        made.append((uniform(shape, 100 + len(made)) * 2 - 1) * np.float32(inputs**-0.5))
    return made


def recurrent(parts, inputs, hidden, classes):
    """A recurrent layer of so many gates, as torch.nn has its parameters, and a dense one."""
    wide = parts * hidden
    return initial([(wide, inputs), (wide, hidden), (wide,), (wide,), (classes, hidden), (classes,)])


def regression(batch, inputs, outputs):
    """Batches of x and what a layer with other weights makes of them."""
    w, b = uniform((outputs, inputs), 1), uniform((outputs,), 2)
    xs = [uniform((batch, inputs), 10 + i) for i in range(BATCHES)]
    return xs, [x @ w.T + b for x in xs]


def classification(shape, classes, batch=None):
    """One batch of classes more than of x: every x meets many classes, so that a network never knows them by heart."""
    xs = [uniform(shape, 10 + i) for i in range(BATCHES)]
    labels = (batch or shape[0],)
    return xs, [(uniform(labels, 50 + i) * classes).astype(np.int64) for i in range(BATCHES + 1)]


def sequences(shape):
    """Numbers, and others to be made of them, one batch more."""
    return [[uniform(shape, first + i) for i in range(count)] for first, count in ((10, BATCHES), (50, BATCHES + 1))]


def builder(sgd_step, adam_step, gemm, elementwise, convolution=None, le_net=None, recurrent_step=None, transformer=None):
    """The workloads by name, of a library's kinds."""

    def build(name):
        kind, *arguments = name.split()
        if kind == "W1":
            return sgd_step()
        if kind == "W2":
            return adam_step(64, [784, 128, 10])
        if kind == "W2b":
            return adam_step(128, [784, 512, 512, 10])
        if kind == "W3":
            m, k, n = (int(size) for size in arguments[0].split("×"))
            return gemm(m, k, n, arguments[1])
        if kind == "W4":
            return le_net(32)
        if kind in ("W5", "W5g"):
            return recurrent_step("LSTM" if kind == "W5" else "GRU", 32, 16, 32, 128)
        if kind == "W6":
            return transformer(8, 64, 64, 4)
        if kind == "W7":
            return elementwise(arguments[0], 4_000_000)
        if kind == "conv":
            channels, outputs = (int(count) for count in arguments[1].split("→"))
            return convolution(32, channels, outputs, 32, int(arguments[0].split("×")[0]))
        raise ValueError(name)

    return build


def serve(version, *kinds):
    """
    Greets with {"version": …, "unfit": null or a reason}, then answers requests, JSON a line:
    {"workload": name, "repeats": n} → {"wall": s, "cpu": s, "value": of the last call}.
    The kinds make the functions that are timed; see `builder`.
    """
    build = builder(*kinds)
    print(json.dumps({"version": version, "unfit": unfit()}), flush=True)
    current, call = None, None
    for line in sys.stdin:
        request = json.loads(line)
        if request["workload"] != current:
            current = request["workload"]
            call = build(current)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(request["repeats"]):
            value = call()
        answer = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "value": float(value)}
        print(json.dumps(answer), flush=True)


def unfit():
    """Debian's reference BLAS is twenty times slower than OpenBLAS, and is what numpy and PyTorch find without it."""
    try:
        with open("/proc/self/maps") as maps:
            slow = any("/blas/libblas" in line for line in maps)
    except FileNotFoundError:
        return None
    return "its BLAS is the slow reference one; install libopenblas0-pthread" if slow else None
