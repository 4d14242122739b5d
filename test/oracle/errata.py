"""errata.json: for each erratum of the seed documents a small example, the number as written and the number corrected.

S0, S1 and S2 are the three documents (see ERRATA.md). What they print as code runs here as they print it, indented;
gradients that are called correct have passed a comparison with central differences.
"""

import numpy as np

from encoding import number, numbers, write
from seeds import seed_002, sigmoid

rng = np.random.RandomState(7)
errata = []


def plain(value):
    """Arrays as nested lists, NaN and infinities as strings."""
    if isinstance(value, np.ndarray):
        return [plain(row) for row in value] if value.ndim > 1 else numbers(value) if value.ndim else number(value)
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    return value if value is None or isinstance(value, str) else number(value)


def erratum(id, seed, says, does, example, as_written, corrected, **more):
    entry = {'id': id, 'seed': seed, 'says': says, 'does': does, 'example': plain(example)}
    errata.append({**entry, 'asWritten': plain(as_written), 'corrected': plain(corrected), **plain(more)})


def normal(*shape):
    return np.round(rng.standard_normal(shape), 2)


def difference(f, x, step=1e-6):
    """The gradient of the scalar f(x) by central differences."""
    gradient = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        nudge = np.zeros_like(x)
        nudge[at] = step
        gradient[at] = (f(x + nudge) - f(x - nudge)) / (2 * step)
    return gradient


def off(a, b):
    return float(np.max(np.abs(a - b)))


def failure(run):
    """The name of the exception that `run` raises, or null."""
    try:
        run()
    except Exception as exception:
        return type(exception).__name__
    return None


# ---- S0 ----

S0 = '''
def Dense(x, w, b):
    x = np.expand_dims(x, -1)
    matmul = np.matmul(w, x)
    matmul = np.squeeze(matmul, -1)
    return matmul + b

def dDense(dy, y, x, w, b):
    db = dy
    dw = np.matmul(np.expand_dims(dy, -1), np.expand_dims(x, -2))
    dx = np.matmul(np.moveaxis(w, -1, -2), np.expand_dims(y, -1))
    dx = np.squeeze(dx, -1)
    # Mean over batch dim
    return dx, np.mean(dw, 0), np.mean(db, 0)

def Relu(x):
    return x * (x>0)

def dRelu(dy, y, x):
    return dy * (y>0)

def dMSE(dy, y, y_pred, y_label):
    return y_pred - y_label
'''
s0 = {'np': np}
exec(S0, s0)


def gradient_of_the_loss():
    w, b, x, label, lr = 1.0, 0.0, 2.0, 6.0, 0.05

    def loss(w, b):
        return (w * x + b - label) ** 2

    error = w * x + b - label
    model = np.array([w, b]) - lr * np.array([x, 1.0])
    descent = np.array([w, b]) - lr * 2 * error * np.array([x, 1.0])
    erratum(
        's0-gradient-of-the-loss',
        'S0',
        'θ=θ−lr∗∇θf(x)',
        'θ = θ − lr·∇θ loss(f(x; θ), ŷ)',
        {
            'w': w,
            'b': b,
            'x': x,
            'label': label,
            'lr': lr,
            'model': 'w·x + b',
            'loss': '(w·x + b − label)²',
            'before': loss(w, b),
        },
        loss(*model),
        loss(*descent),
        parameters={'asWritten': model, 'corrected': descent},
    )


def dense_dx():
    x, w, b, dy = normal(2, 3), normal(2, 3), normal(2), normal(2, 2)
    y = s0['Dense'](x, w, b)
    as_written = s0['dDense'](dy, y, x, w, b)[0]
    corrected = dy @ w
    central = difference(lambda x: np.sum(dy * s0['Dense'](x, w, b)), x)
    assert off(corrected, central) < 1e-8
    erratum(
        's0-dense-dx',
        'S0',
        'dx = np.matmul(np.moveaxis(w, -1, -2), np.expand_dims(y, -1))',
        'dx = Wᵀ·dy',
        {'x': x, 'w': w, 'b': b, 'dy': dy},
        as_written,
        corrected,
        errors={'asWritten': off(as_written, central), 'corrected': off(corrected, central)},
    )


def mse_gradient():
    batch, outputs, lr, decay, upstream = 3, 4, 0.1, 0.5, 3.0
    x, w, b, label = normal(batch, 2), normal(outputs, 2), normal(outputs), normal(batch, outputs)
    prediction = s0['Dense'](x, w, b)

    def mse(w):
        return np.mean((s0['Dense'](x, w, b) - label) ** 2)

    _, as_written, _ = s0['dDense'](s0['dMSE'](upstream, None, prediction, label), prediction, x, w, b)
    once = 2 * (prediction - label).T @ x / (batch * outputs)
    corrected = upstream * once
    assert off(once, difference(mse, w)) < 1e-8
    # lr·O/2 makes up for the factor, until a second term joins the gradient.
    erratum(
        's0-mse-gradient',
        'S0',
        'return y_pred - y_label',
        '2·(p − y)/(B·O)·dy',
        {'x': x, 'w': w, 'b': b, 'label': label, 'dy': upstream, 'gradientOf': 'w, through p = x·Wᵀ + b'},
        as_written,
        corrected,
        ratio={'dy': 1, 'trueOverSeed': 2 / outputs, 'corrected': once},
        step={
            'lrAsWritten': lr,
            'lrCorrected': lr * outputs / 2,
            'weightDecay': decay,
            'plain': {'asWritten': w - lr * as_written, 'corrected': w - lr * outputs / 2 * once},
            'decayed': {
                'asWritten': w - lr * (as_written + decay * w),
                'corrected': w - lr * outputs / 2 * (once + decay * w),
            },
        },
    )


def relu_at_infinity():
    x = np.array([-np.inf, -1.0, 0.0, 2.0, np.inf])
    with np.errstate(invalid='ignore'):
        as_written = s0['Relu'](x)
    erratum(
        's0-relu-infinity',
        'S0',
        'return x * (x>0)',
        'max(0, x); the slope at 0 is 0',
        {'x': x},
        as_written,
        np.maximum(x, 0),
        gradient={'dy': [1, 1, 1, 1, 1], 'dx': s0['dRelu'](1.0, np.maximum(x, 0), x)},
    )


def zeros_and_epochs():
    shape, examples, batch, epochs = (2, 3), 455, 64, 3
    loop = 'step = 0\nwhile step < epoch:\n    step += 1'
    scope = {'epoch': epochs}
    exec(loop, scope)
    erratum(
        's0-zeros-and-epochs',
        'S0',
        'b = np.zeros(*b_real.shape); while step < epoch',
        'zeros(shape); an epoch is one pass over the data, a step one batch',
        {'shape': shape, 'examples': examples, 'batchSize': batch, 'epochs': epochs},
        {'zeros': failure(lambda: np.zeros(*shape)), 'steps': scope['step']},
        {'zeros': np.zeros(shape), 'steps': epochs * -(-examples // batch)},
    )


# ---- S1 ----


def he_fan_in():
    layers = [4, 3, 5, 1]
    x, draws = normal(4), [normal(n, m) for m, n in zip(layers[:-1], layers[1:])]

    def output(fan):
        """The last pre-activation, with weights sqrt(2 / fan) times the same draws and zero biases."""
        a = x
        for draw in draws:
            z = np.sqrt(2 / fan(*draw.shape)) * draw @ a
            a = np.maximum(z, 0)
        return z

    as_written, corrected = output(lambda n, m: n), output(lambda n, m: m)
    wide = [64, 512, 512, 512, 512, 1]
    # A network of ReLUs without biases is homogeneous in each weight: the factors multiply up, and all but two cancel.
    assert np.allclose(as_written / corrected, np.sqrt(layers[0] / layers[-1]))
    erratum(
        's1-he-fan-in',
        'S1',
        'Var(W^{l}) = \\frac{2}{n_{l}}',
        'Var(Wˡ) = 2 / n_{l−1}, the fan-in',
        {'layers': layers, 'x': x, 'draws': draws, 'of': 'the last pre-activation'},
        as_written,
        corrected,
        wide={
            'layers': wide,
            'weightStd': {
                'asWritten': [np.sqrt(2 / n) for n in wide[1:]],
                'corrected': [np.sqrt(2 / m) for m in wide[:-1]],
            },
            'outputRatio': np.sqrt(wide[0] / wide[-1]),
            # Of the last pre-activation, over draws, for inputs of mean square 1: each ReLU halves the mean square.
            'outputRms': {'asWritten': np.sqrt(2 * wide[0] / wide[-1]), 'corrected': np.sqrt(2)},
        },
    )


S1_FORWARD = '''
def linear_combination(A_prev, W, b):
    Z = W.dot(A_prev) + b
    return Z

def relu(Z):
    A = np.maximum(0,Z)
    return A

def sigmoid(Z):
    A = 1/(1+np.exp(-Z))
    return A

activation, final_activation = relu, sigmoid

def forward_propagation(X, parameters):
    for l in range(1, L):
        # grab the weight matrix and bias vector of the layer
        W = parameters["W" + str(l)]
        b = parameters["b" + str(l)]
        A_prev = A
        # compute linear combination
        Z = linear_combination(A_prev, W, b)
        # cache values for later use in backprop
        cache_list.append((A_prev, W, b, Z))
        # compute non-linear activation
        A = activation(Z)

    # Output Layer Forward Propagation
    W = params["W" + str(L)]
    b = params["b" + str(L)]
    A_prev = A
    Z = linear_combination(A_prev, W, b)
    AL = final_activation(Z)
    cache_list.append((A_prev, W, b, Z))

    return AL, cache_list
'''


def forward_pass():
    x = normal(2, 4)
    parameters = {'W1': normal(3, 2), 'b1': np.abs(normal(3, 1)), 'W2': normal(1, 3), 'b2': normal(1, 1)}
    # Mend one name after the other and see what is missing next.
    mends = [
        ('nothing', '', ''),
        ('L = 2', '', ''),
        ('A = X', 'parameters):\n', 'parameters):\n    A = X\n'),
        ('cache_list = []', '', ''),
        ('params is parameters', 'params[', 'parameters['),
    ]
    source, scope, failures = S1_FORWARD, {'np': np}, []
    for name, old, new in mends:
        source = source.replace(old, new) if old else source
        scope.update({'L = 2': {'L': 2}, 'cache_list = []': {'cache_list': []}}.get(name, {}))
        exec(source, scope)
        if 'cache_list' in scope:
            scope['cache_list'].clear()
        failures.append(failure(lambda: scope['forward_propagation'](x, parameters)))
    assert failures[-1] is None
    scope['cache_list'].clear()
    output, caches = scope['forward_propagation'](x, parameters)
    erratum(
        's1-forward-pass',
        'S1',
        'A_prev = A',
        'A⁰ = X; the graph keeps what the backward pass reads, and no longer than that',
        {'x': x, 'columns': 'one example each', **parameters},
        failures,
        output,
        mended=[name for name, _, _ in mends],
        preActivations=[cache[3] for cache in caches],
    )


S1_ERROR = '''
def compute_error(AL, Y):
    m = Y.shape[1]  # number of examples

    error = -(1./m) * np.sum(np.dot(Y,np.log(AL).T) - np.dot(1-Y, np.log(1-AL).T))

    return error
'''
s1 = {'np': np}
exec(S1_ERROR, s1)


def cross_entropy(a, y):
    return -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))


def bce_sign():
    a, y = np.array([[0.9, 0.2, 0.3, 0.6]]), np.array([[1.0, 0.0, 1.0, 0.0]])
    # Two outputs a sample: np.dot pairs every output with every other.
    a2, y2 = np.array([[0.9, 0.2, 0.3], [0.4, 0.7, 0.1]]), np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    plus = s1.copy()
    exec(S1_ERROR.replace(' - np.dot', ' + np.dot'), plus)
    assert np.isclose(plus['compute_error'](a, y), cross_entropy(a, y))
    z, target = np.array([[1e4, -1e4, 1e4, -1e4]]), np.array([[1.0, 0.0, 0.0, 1.0]])
    with np.errstate(all='ignore'):
        overflowed = plus['compute_error'](sigmoid(z), target)
    erratum(
        's1-bce-sign',
        'S1',
        'error = -(1./m) * np.sum(np.dot(Y,np.log(AL).T) - np.dot(1-Y, np.log(1-AL).T))',
        '−mean(y·log a + (1 − y)·log(1 − a)), elementwise',
        {'a': a, 'y': y},
        s1['compute_error'](a, y),
        cross_entropy(a, y),
        twoOutputs={
            'a': a2,
            'y': y2,
            'reduction': 'sum over outputs, mean over samples',
            'asWritten': s1['compute_error'](a2, y2),
            'plusButDot': plus['compute_error'](a2, y2),
            'corrected': 2 * cross_entropy(a2, y2),
        },
        logits={'z': z, 'y': target, 'asWritten': overflowed, 'corrected': np.mean(np.maximum(z, 0) - z * target)},
    )


def bce_gradient():
    a, y = np.array([0.9, 0.2, 0.6]), np.array([1.0, 0.0, 0.0])
    as_written = y / a - (1 - y) / (1 - a)
    corrected = -as_written
    central = difference(lambda a: len(a) * cross_entropy(a, y), a)
    assert off(corrected, central) < 1e-7
    slope = a * (1 - a)
    erratum(
        's1-bce-gradient',
        'S1',
        '\\frac{\\partial E}{\\partial A^{[L]}} =  \\frac{Y}{A^{[L]}} - \\frac{1-Y}{1-A^{[L]}}',
        '∂E/∂A = (1 − Y)/(1 − A) − Y/A',
        {'a': a, 'y': y, 'reduction': 'sum'},
        as_written,
        corrected,
        errors={'asWritten': off(as_written, central), 'corrected': off(corrected, central)},
        dz={'asWritten': as_written * slope, 'corrected': corrected * slope, 'fused': a - y},
    )


S1_BATCHES = '''
def generate_mini_batches(X, Y, batch_size=64, seed=0):
    np.random.seed(seed)
    m = X.shape[1]    # number of training examples
    mini_batches = []

    # Randomly shuffle the dataset
    permutation = list(np.random.permutation(m))
    shuffled_X = X[:, permutation]
    shuffled_Y = Y[:, permutation].reshape((1,m))

    # Partition the shuffled data into mini-batches of size batch_size
    for k in range(0, num_complete_minibatches):

        mini_batch_X = shuffled_X[:,k * batch_size:(k + 1) * batch_size]
        mini_batch_Y = shuffled_Y[:,k * batch_size:(k + 1) * batch_size]

        mini_batch = (mini_batch_X, mini_batch_Y)
        mini_batches.append(mini_batch)
    return mini_batches
'''


def mini_batches():
    examples, batch = 10, 4
    x = np.arange(examples)[None]
    scope = {'np': np}
    exec(S1_BATCHES, scope)
    undefined = failure(lambda: scope['generate_mini_batches'](x, x, batch))
    scope['num_complete_minibatches'] = examples // batch
    epochs = [[part[0] for part, _ in scope['generate_mini_batches'](x, x, batch)] for _ in range(2)]
    seen = len(set(np.concatenate(epochs[0]).tolist()))
    erratum(
        's1-mini-batches',
        'S1',
        'np.random.seed(seed); for k in range(0, num_complete_minibatches)',
        'an order for every (seed, epoch); the tail is a batch too, unless dropLast',
        {'examples': examples, 'batchSize': batch, 'epochs': 2},
        {'sizes': [len(part) for part in epochs[0]], 'seen': seen, 'sameOrder': int(np.array_equal(*epochs))},
        {'sizes': [4, 4, 2], 'seen': examples, 'sameOrder': 0},
        undefined=undefined,
        epochsAsWritten=epochs,
    )


# ---- S2 ----


def parameter_count():
    layers, samples = [2, 2, 3, 2], 2

    def total(last):
        return sum(layers[l] * (layers[l - 1] + 1) for l in range(1, last + 1))

    erratum(
        's2-parameter-count',
        'S2',
        '\\sum_{l=1}^N n_l ( n_{l-1}+1)',
        'summed to L, the number of layers; N counts samples',
        {'layers': layers, 'N': samples},
        total(samples),
        total(len(layers) - 1),
        tenSamples={'N': 10, 'asWritten': failure(lambda: total(10)), 'corrected': total(3)},
    )


def backprop_on_averages():
    start = seed_002()
    x, y = start['x'], start['y']
    # Weights wider than netbp's own 0.5·N(0, 1): where sigmoids are nearly straight, averaging does little harm.
    weights = [np.round(4 * w, 2) for w in start['weights']]
    biases = start['biases']

    def forward(weights, biases):
        activations = [x]
        for w, b in zip(weights, biases):
            activations.append(sigmoid(activations[-1] @ w.T + b))
        return activations

    def loss(weights, biases):
        return np.sum((forward(weights, biases)[-1] - y) ** 2) / (2 * len(x))

    activations = forward(weights, biases)
    slopes = [a * (1 - a) for a in activations]
    # As written: an average at layer L; from there on the recursion knows no sample, so f'(z) and a are averages too.
    literal = {'w': [], 'b': []}
    db = np.mean(slopes[-1] * (activations[-1] - y), axis=0)
    for l in range(len(weights), 0, -1):
        if l < len(weights):
            db = slopes[l].mean(axis=0) * (weights[l].T @ db)
        literal['b'].insert(0, db)
        literal['w'].insert(0, np.outer(db, activations[l - 1].mean(axis=0)))
    corrected = {'w': [], 'b': []}
    delta = slopes[-1] * (activations[-1] - y)
    for l in range(len(weights), 0, -1):
        if l < len(weights):
            delta = slopes[l] * (delta @ weights[l])
        corrected['b'].insert(0, delta.mean(axis=0))
        corrected['w'].insert(0, delta.T @ activations[l - 1] / len(x))

    def replaced(values, at, value):
        return [*values[:at], value, *values[at + 1 :]]

    for at, (w, b) in enumerate(zip(weights, biases)):
        assert off(corrected['w'][at], difference(lambda w: loss(replaced(weights, at, w), biases), w)) < 1e-8
        assert off(corrected['b'][at], difference(lambda b: loss(weights, replaced(biases, at, b)), b)) < 1e-8

    def relative(kind):
        true = np.concatenate([value.ravel() for value in corrected[kind]])
        return np.linalg.norm(np.concatenate([value.ravel() for value in literal[kind]]) - true) / np.linalg.norm(true)

    erratum(
        's2-backprop-on-averages',
        'S2',
        '\\frac{\\partial L}{\\partial {\\bf W}^l} & = '
        '\\frac{\\partial L}{\\partial {\\bf b}^l} \\cdotp ({\\bf a}^{l-1})^T',
        'the recursion for every sample; the mean of its results',
        {'x': x, 'y': y, 'weights': weights, 'biases': biases},
        literal,
        corrected,
        relativeErrors={'w': relative('w'), 'b': relative('b')},
    )


for show in [
    gradient_of_the_loss,
    dense_dx,
    mse_gradient,
    relu_at_infinity,
    zeros_and_epochs,
    he_fan_in,
    forward_pass,
    bce_sign,
    bce_gradient,
    mini_batches,
    parameter_count,
    backprop_on_averages,
]:
    show()
write('errata.json', {'numpy': np.__version__, 'errata': errata})
