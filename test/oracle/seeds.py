"""seeds.json: the loss of each seed document's network over 1,000 steps, by numpy in float64.

The mathematics is the corrected one (see ERRATA.md). A test starts from the same weights and data and follows the loss:
to 1e-9 relative in f64, to 1e-3 in f32.
"""

import csv
from pathlib import Path

import numpy as np

from encoding import numbers, tensor, write

STEPS = 1000
DATA = Path(__file__).parents[2] / 'data'


class Mulberry32:
    """Tommy Ettinger's mulberry32 (public domain): one 32-bit word of state that counts, and a hash of it.

    In JavaScript, where `imul` is Math.imul:

        state = (state + 0x6d2b79f5) | 0;
        let t = imul(state ^ (state >>> 15), state | 1);
        t ^= t + imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    """

    def __init__(self, seed):
        self.state = np.uint32(seed)

    def words(self, count):
        """The state only counts, so `count` draws are one vector operation. uint32 wraps as Math.imul does."""
        steps = np.arange(1, count + 1, dtype=np.uint32)
        states = self.state + steps * np.uint32(0x6D2B79F5)
        self.state = states[-1]
        t = (states ^ (states >> 15)) * (states | 1)
        t ^= t + (t ^ (t >> 7)) * (t | 61)
        return t ^ (t >> 14)

    def uniform(self, *shape):
        """Numbers in [0, 1), exact multiples of 2^-32; the last axis is drawn fastest."""
        return self.words(int(np.prod(shape))).reshape(shape) / 2.0**32


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def seed_000(real=np.float64):
    """Linear regression through a ReLU, 10 -> 2: a fresh uniform batch every step, mean squared error, plain SGD."""
    seed, batch, features, outputs, lr = 0, 512, 10, 2, 0.01
    random = Mulberry32(seed)
    w_real = random.uniform(outputs, features).astype(real)
    b_real = random.uniform(outputs).astype(real)
    w = random.uniform(outputs, features).astype(real)
    b = np.zeros(outputs, real)
    losses = []
    for _ in range(STEPS):
        x = random.uniform(batch, features).astype(real)
        target = x @ w_real.T + b_real
        z = x @ w.T + b
        error = np.maximum(z, 0) - target
        losses.append(np.mean(error**2))
        dz = real(2 / error.size) * error * (z > 0)
        w = w - real(lr) * (dz.T @ x)
        b = b - real(lr) * dz.sum(axis=0)
    return {
        'seed': seed,
        'batch': batch,
        'lr': lr,
        'firstWords': [int(word) for word in Mulberry32(seed).words(4)],
        'losses': losses,
        'final': {'w': w, 'b': b},
    }


def breast_cancer(train):
    """The first `train` rows, each feature less its mean and divided by its standard deviation (of the population)."""
    with open(DATA / 'breast_cancer.csv', newline='') as file:
        rows = np.array(list(csv.reader(file))[1:], dtype=np.float64)
    x, y = rows[:train, :-1], rows[:train, -1:]
    return (x - x.mean(axis=0)) / x.std(axis=0), y


def he_normal(rng, layers):
    """Weights [out, in] of variance 2 / fan-in, zero biases; four decimals, to be committed."""
    pairs = zip(layers[:-1], layers[1:])
    return [(np.round(rng.standard_normal((n, m)) * np.sqrt(2 / m), 4), np.zeros(n)) for m, n in pairs]


def seed_001(real=np.float64):
    """Binary classification, 30-16-8-1, ReLU and a sigmoid: mini-batches of 64 in file order, the tail kept."""
    train, batch, lr = 455, 64, 0.1
    x, y = (values.astype(real) for values in breast_cancer(train))
    initial = he_normal(np.random.RandomState(1), [30, 16, 8, 1])
    layers = [(w.astype(real), b.astype(real)) for w, b in initial]
    starts = range(0, train, batch)
    losses = []
    for step in range(STEPS):
        start = starts[step % len(starts)]
        activations, target = [x[start : start + batch]], y[start : start + batch]
        for w, b in layers:
            z = activations[-1] @ w.T + b
            activations.append(np.maximum(z, 0))
        # -[y log σ(z) + (1 - y) log(1 - σ(z))], finite for any z
        losses.append(np.mean(np.maximum(z, 0) - z * target + np.log1p(np.exp(-np.abs(z)))))
        dz = (sigmoid(z) - target) / real(len(target))
        updated = []
        for (w, b), a in zip(reversed(layers), reversed(activations[:-1])):
            updated.insert(0, (w - real(lr) * (dz.T @ a), b - real(lr) * dz.sum(axis=0)))
            dz = (dz @ w) * (a > 0)
        layers = updated
    return {'train': train, 'batch': batch, 'lr': lr, 'weights': [w for w, _ in initial], 'losses': losses}


def seed_002(real=np.float64):
    """Higham & Higham's netbp (arXiv 1801.05894, section 6): 10 points, 2-2-3-2, sigmoids, one random sample a step."""
    seed, lr = 2, 0.05
    x = np.array(
        [[0.1, 0.3, 0.1, 0.6, 0.4, 0.6, 0.5, 0.9, 0.4, 0.7], [0.1, 0.4, 0.5, 0.9, 0.2, 0.3, 0.6, 0.2, 0.4, 0.6]]
    ).T
    y = np.array([[1.0, 0.0]] * 5 + [[0.0, 1.0]] * 5)
    rng = np.random.RandomState(2)
    sizes = [2, 2, 3, 2]
    initial = [
        (np.round(0.5 * rng.standard_normal((n, m)), 4), np.round(0.5 * rng.standard_normal(n), 4))
        for m, n in zip(sizes[:-1], sizes[1:])
    ]
    layers = [(w.astype(real), b.astype(real)) for w, b in initial]
    x, y = x.astype(real), y.astype(real)

    def forward(inputs):
        activations = [inputs]
        for w, b in layers:
            activations.append(sigmoid(activations[-1] @ w.T + b))
        return activations

    def cost():
        return np.sum((forward(x)[-1] - y) ** 2) / real(2 * len(x))

    random = Mulberry32(seed)
    first, indices, losses = cost(), [], []
    for _ in range(STEPS):
        k = int(random.uniform(1)[0] * len(x))
        indices.append(k)
        activations = forward(x[k])
        delta = (activations[-1] - y[k]) * activations[-1] * (1 - activations[-1])
        updated = []
        for (w, b), a in zip(reversed(layers), reversed(activations[:-1])):
            updated.insert(0, (w - real(lr) * np.outer(delta, a), b - real(lr) * delta))
            delta = (w.T @ delta) * a * (1 - a)
        layers = updated
        losses.append(cost())
    return {
        'seed': seed,
        'lr': lr,
        'x': x,
        'y': y,
        'weights': [w for w, _ in initial],
        'biases': [b for _, b in initial],
        'indices': indices,
        'first': first,
        'losses': losses,
    }


def encoded(value):
    """Arrays as tensors, but a list of plain numbers as it is."""
    if isinstance(value, np.ndarray):
        return tensor(value)
    if isinstance(value, dict):
        return {key: encoded(member) for key, member in value.items()}
    if isinstance(value, list):
        return [encoded(member) for member in value] if isinstance(value[0], np.ndarray) else numbers(value)
    return float(value) if isinstance(value, np.floating) else value


if __name__ == '__main__':
    write(
        'seeds.json',
        {
            'numpy': np.__version__,
            'steps': STEPS,
            'seed-000': encoded(seed_000()),
            'seed-001': encoded(seed_001()),
            'seed-002': encoded(seed_002()),
        },
    )
