"""losses.json: the losses of torch.nn.functional, and three that it lacks: halfMseLoss, hingeLoss, squaredHingeLoss."""

import torch
import torch.nn.functional as F

from cases import NAN, INF, booleans, case, f64, group, i32, integers, normal, record, uniform, with_tensors

# wasmgrad's names of PyTorch's keywords.
NAMES = {
    'ignore_index': 'ignoreIndex',
    'label_smoothing': 'labelSmoothing',
    'log_input': 'logInput',
    'log_target': 'logTarget',
}


def ours(options):
    return with_tensors({NAMES.get(key, key): value for key, value in options.items()})


def loss(op, inputs, call, options, **rest):
    case(op, inputs, lambda *all: call(*all, **options), ours(options), **rest)


def signs(*shape):
    """1 and -1."""
    return booleans(*shape).double() * 2 - 1


SHAPES = [(3, 2), (4,), (2, 3, 2), (), (1,), (0, 2), (1, 3), (2, 2, 1, 2)]


def elementwise(op, call, variants, inputs):
    """Every reduction of every variant of options, on one shape after the other."""
    at = 0
    for variant in variants:
        for reduction in [None, 'sum', 'none']:
            for _ in range(4 if len(variants) < 3 else 3):
                shape = SHAPES[at % len(SHAPES)]
                at += 1
                # A mean of nothing is NaN.
                plain = variant if reduction is None else {**variant, 'reduction': reduction}
                if 0 in shape and reduction is None:
                    plain = {**variant, 'reduction': 'sum'}
                loss(op, inputs(*shape), call, plain)


def half_mse(input, target, reduction='mean'):
    """Half the squared distance of each sample, summed over its outputs; axis 0 counts samples."""
    distance = 0.5 * ((input - target) ** 2).reshape(len(input), -1).sum(dim=1)
    return {'none': distance, 'sum': distance.sum(), 'mean': distance.mean()}[reduction]


REDUCED = [{}, {'reduction': 'mean'}, {'reduction': 'sum'}, {'reduction': 'none'}]


@group
def regression_losses():
    for op, call in [('mseLoss', F.mse_loss), ('l1Loss', F.l1_loss), ('halfMseLoss', half_mse)]:
        for shape in [(3, 2), (4,), (2, 3, 2)]:
            for options in REDUCED if shape == (3, 2) else REDUCED[1:]:
                case(op, [normal(*shape), normal(*shape)], lambda x, y: call(x, y, **options), options)
    case('mseLoss', [normal(), normal()], F.mse_loss)
    case('l1Loss', [normal(), normal()], F.l1_loss)
    case('l1Loss', [f64([1.0, 2.0, 3.0]), f64([1.0, 0.0, 5.0])], F.l1_loss, note='0 where they agree')


@group
def binary_losses():
    for shape in [(4,), (3, 2), (2, 2, 2)]:
        for options in REDUCED:
            case(
                'binaryCrossEntropy',
                [uniform(0.05, 0.95, *shape), booleans(*shape).double()],
                lambda p, y: F.binary_cross_entropy(p, y, **options),
                options,
            )
            case(
                'binaryCrossEntropyWithLogits',
                [normal(*shape, scale=3), booleans(*shape).double()],
                lambda z, y: F.binary_cross_entropy_with_logits(z, y, **options),
                options,
            )
    soft = uniform(0, 1, 3, 2)
    case(
        'binaryCrossEntropy',
        [uniform(0.05, 0.95, 3, 2), soft],
        F.binary_cross_entropy,
        note='targets need not be 0 or 1',
    )
    case('binaryCrossEntropyWithLogits', [normal(3, 2), soft], F.binary_cross_entropy_with_logits)
    case(
        'binaryCrossEntropy',
        [f64([0.0, 0.0, 1.0, 1.0]), f64([0.0, 1.0, 0.0, 1.0])],
        lambda p, y: F.binary_cross_entropy(p, y, reduction='none'),
        {'reduction': 'none'},
        grad=False,
        note='the logarithm is clamped at -100',
    )
    extreme = [f64([1e4, 1e4, -1e4, -1e4, 0.0, 60.0]), f64([1.0, 0.0, 1.0, 0.0, 0.5, 1.0])]
    for options in [{'reduction': 'none'}, {'reduction': 'mean'}]:
        case(
            'binaryCrossEntropyWithLogits',
            extreme,
            lambda z, y: F.binary_cross_entropy_with_logits(z, y, **options),
            options,
        )
    for weight in [(3, 2), (2,), (3, 1)]:
        for reduction in ['mean', 'sum', 'none']:
            options = {'weight': uniform(0.2, 2, *weight), 'reduction': reduction}
            case(
                'binaryCrossEntropy',
                [uniform(0.05, 0.95, 3, 2), booleans(3, 2).double()],
                lambda p, y: F.binary_cross_entropy(p, y, **options),
                with_tensors(options),
            )
            case(
                'binaryCrossEntropyWithLogits',
                [normal(3, 2), booleans(3, 2).double()],
                lambda z, y: F.binary_cross_entropy_with_logits(z, y, **options),
                with_tensors(options),
            )
    for reduction in ['mean', 'sum', 'none']:
        options = {'pos_weight': uniform(0.2, 3, 2), 'reduction': reduction}
        case(
            'binaryCrossEntropyWithLogits',
            [normal(3, 2, scale=2), booleans(3, 2).double()],
            lambda z, y: F.binary_cross_entropy_with_logits(z, y, **options),
            with_tensors({'posWeight': options['pos_weight'], 'reduction': reduction}),
        )
    both = {'weight': uniform(0.2, 2, 3, 1), 'pos_weight': uniform(0.2, 3, 2)}
    case(
        'binaryCrossEntropyWithLogits',
        [normal(3, 2, scale=2), booleans(3, 2).double()],
        lambda z, y: F.binary_cross_entropy_with_logits(z, y, **both),
        with_tensors({'weight': both['weight'], 'posWeight': both['pos_weight']}),
    )


@group
def cross_entropies():
    def classes(z, y, **options):
        return F.cross_entropy(z, y.long(), **options)

    for options in REDUCED:
        case('crossEntropy', [normal(4, 3, scale=2), integers(0, 3, 4)], lambda z, y: classes(z, y, **options), options)
        probabilities = F.softmax(normal(4, 3), dim=1).mul(1000).round().div(1000)
        case(
            'crossEntropy',
            [normal(4, 3, scale=2), probabilities],
            lambda z, p: F.cross_entropy(z, p, **options),
            options,
            note='probabilities',
        )
    for options in REDUCED[1:]:
        case(
            'crossEntropy',
            [normal(2, 3, 4), integers(0, 3, 2, 4)],
            lambda z, y: classes(z, y, **options),
            options,
            note='classes on axis 1',
        )
        weighted = {'weight': uniform(0.2, 2, 3), **options}
        case(
            'crossEntropy',
            [normal(5, 3, scale=2), integers(0, 3, 5)],
            lambda z, y: classes(z, y, **weighted),
            with_tensors(weighted),
            note='mean divides by the sum of the weights of the targets',
        )
        probabilities = F.softmax(normal(4, 3), dim=1).mul(1000).round().div(1000)
        case(
            'crossEntropy',
            [normal(4, 3, scale=2), probabilities],
            lambda z, p: F.cross_entropy(z, p, **weighted),
            with_tensors(weighted),
            note='probabilities: mean divides by the number of samples',
        )
    case(
        'crossEntropy',
        [normal(2, 3, 2), uniform(0, 0.5, 2, 3, 2)],
        F.cross_entropy,
        note='probabilities, classes on axis 1',
    )
    case('crossEntropy', [normal(3), i32(1)], classes, note='one sample, no batch axis')
    case(
        'crossEntropy',
        [normal(3), uniform(0, 0.5, 3)],
        F.cross_entropy,
        note='one sample, no batch axis, probabilities',
    )
    case('crossEntropy', [normal(1, 10), i32([7])], classes)
    case('crossEntropy', [f64([[1e4, 0.0, -1e4], [-1e4, 1e4, 0.0]]), i32([2, 1])], classes)


def pair(scale=1.0):
    return lambda *shape: [normal(*shape, scale=scale) + 0.0005, normal(*shape, scale=scale)]


def reduced(losses, reduction):
    return {'none': losses, 'sum': losses.sum(), 'mean': losses.mean()}[reduction]


def hinge(input, target, reduction='mean'):
    return reduced(F.relu(1 - input * target), reduction)


def squared_hinge(input, target, reduction='mean'):
    return reduced(F.relu(1 - input * target) ** 2, reduction)


def scored(*shape):
    return [normal(*shape, scale=2) + 0.0005, signs(*shape)]


@group
def more_regression_losses():
    for op, call in [('mseLoss', F.mse_loss), ('l1Loss', F.l1_loss)]:
        elementwise(op, call, [{}], pair(2))
    for shape in [(4,), (1,), (3, 2), (1, 3), (2, 1), (2, 2, 1, 2)]:
        for options in [{}, {'reduction': 'none'}]:
            loss('halfMseLoss', [normal(*shape), normal(*shape)], half_mse, options)
    elementwise('smoothL1Loss', F.smooth_l1_loss, [{}, {'beta': 0.25}, {'beta': 3.0}, {'beta': 0.0}], pair())
    elementwise('huberLoss', F.huber_loss, [{}, {'delta': 0.25}, {'delta': 3.0}], pair())
    for op, call, border in [('smoothL1Loss', F.smooth_l1_loss, 'beta'), ('huberLoss', F.huber_loss, 'delta')]:
        x, y = f64([-2.0, -0.5, 0.0, 0.5, 2.0, 1e15, -1e15]), torch.zeros(7, dtype=torch.float64)
        loss(op, [x, y], call, {border: 0.5, 'reduction': 'none'}, note='the slope at the border, and far out')
        loss(op, [f64([NAN, INF, -INF]), f64([0.0, 0.0, 0.0])], call, {'reduction': 'none'}, grad=False)


@group
def margins():
    elementwise('hingeLoss', hinge, [{}, {}], scored)
    elementwise('squaredHingeLoss', squared_hinge, [{}, {}], scored)
    elementwise('hingeEmbeddingLoss', F.hinge_embedding_loss, [{}, {'margin': 0.25}, {'margin': 2.5}], scored)
    for op, call in [
        ('hingeLoss', hinge),
        ('squaredHingeLoss', squared_hinge),
        ('hingeEmbeddingLoss', F.hinge_embedding_loss),
    ]:
        x, y = f64([1.0, -1.0, 1.0, -1.0, 1e15, 1e15]), f64([1.0, -1.0, -1.0, 1.0, 1.0, -1.0])
        loss(op, [x, y], call, {'reduction': 'none'}, note='the slope at the border, and far out')


@group
def classes_of_log_probabilities():
    def nll(x, y, **options):
        return F.nll_loss(x, y.long(), **options)

    def logs(*shape):
        return F.log_softmax(normal(*shape, scale=2), dim=1).mul(1000).round().div(1000)

    for shape in [(4, 3), (2, 3, 2), (1, 5), (2, 2, 1, 3)]:
        rest = shape[:1] + shape[2:]
        for reduction in ['mean', 'sum', 'none']:
            loss('nllLoss', [logs(*shape), integers(0, shape[1], *rest)], nll, {'reduction': reduction})
            options = {'weight': uniform(0.2, 2, shape[1]), 'reduction': reduction}
            loss('nllLoss', [logs(*shape), integers(0, shape[1], *rest)], nll, options)
    for ignored in [-100, 1]:
        for weight in [{}, {'weight': uniform(0.2, 2, 3)}]:
            for reduction in ['mean', 'sum', 'none']:
                options = {'ignore_index': ignored, 'reduction': reduction, **weight}
                target = i32([0, ignored, 2, ignored, 0])
                loss('nllLoss', [logs(5, 3), target], nll, options)
    loss('nllLoss', [normal(3), i32(1)], nll, {}, note='one sample, no batch axis')
    loss('nllLoss', [normal(2, 3), i32([-7, -7])], nll, {'ignore_index': -7, 'reduction': 'sum'}, note='all ignored')
    loss('nllLoss', [normal(2, 3), i32([1, 1])], nll, {'ignore_index': 1}, grad=False, note='the mean of none')


@group
def options_of_cross_entropy():
    def classes(z, y, **options):
        return F.cross_entropy(z, y.long(), **options)

    for reduction in ['mean', 'sum', 'none']:
        for weight in [{}, {'weight': uniform(0.2, 2, 3)}]:
            for options in [
                {'label_smoothing': 0.1},
                {'ignore_index': 1},
                {'ignore_index': -100, 'label_smoothing': 0.3},
            ]:
                options = {**options, **weight, 'reduction': reduction}
                target = integers(0, 3, 4)
                target[1] = options.get('ignore_index', 0)
                loss('crossEntropy', [normal(4, 3, scale=2), target], classes, options)
            options = {'label_smoothing': 0.2, **weight, 'reduction': reduction}
            loss('crossEntropy', [normal(2, 3, 2), uniform(0, 0.5, 2, 3, 2)], F.cross_entropy, options)
    # With 1.0 the target does not matter, in PyTorch neither.
    loss('crossEntropy', [normal(3, 4), integers(0, 4, 3)], classes, {'label_smoothing': 1.0})
    loss('crossEntropy', [normal(2, 4, 3), integers(0, 4, 2, 3)], classes, {'label_smoothing': 0.1})
    loss('crossEntropy', [normal(4), i32(2)], classes, {'label_smoothing': 0.1})


@group
def multi_margins():
    def call(x, y, **options):
        return F.multi_margin_loss(x, y.long(), **options)

    for options in [{}, {'p': 2}, {'margin': 0.25}, {'p': 2, 'margin': 2.5}]:
        for reduction in ['mean', 'sum', 'none']:
            loss('multiMarginLoss', [normal(4, 3), integers(0, 3, 4)], call, {**options, 'reduction': reduction})
            weighted = {**options, 'weight': uniform(0.2, 2, 5), 'reduction': reduction}
            loss('multiMarginLoss', [normal(2, 5, scale=2), integers(0, 5, 2)], call, weighted)
    loss('multiMarginLoss', [normal(4), i32(2)], call, {}, note='one sample, no batch axis')
    loss('multiMarginLoss', [normal(3, 1), i32([0, 0, 0])], call, {}, note='one class')
    loss('multiMarginLoss', [f64([[0.5, 1.5, 0.5], [1e15, 0.0, -1e15]]), i32([1, 2])], call, {}, note='the slope at 0')


@group
def distances():
    for shape in [(4, 3), (1, 2), (5,), (2, 4), (3, 2)]:
        for options in [{}, {'margin': 0.3}, {'margin': -0.5, 'reduction': 'sum'}, {'reduction': 'none'}]:
            vectors = [normal(*shape), normal(*shape)]
            loss('cosineEmbeddingLoss', [*vectors, signs(*shape[:-1])], F.cosine_embedding_loss, options)
    for target in [1.0, -1.0]:
        zeros = torch.zeros(1, 3, dtype=torch.float64)
        # Its gradient has a float32 1e-12 in it.
        inputs = [zeros, normal(1, 3), f64([target])]
        loss('cosineEmbeddingLoss', inputs, F.cosine_embedding_loss, {}, grad=False, note='no length')
    far = [f64([[1e9, 2e9], [1e-2, 1e-2]]), f64([[2e9, -1e9], [1e9, 0.0]]), f64([1.0, 1.0])]
    loss('cosineEmbeddingLoss', far, F.cosine_embedding_loss, {}, note='far apart')
    for shape in [(4, 3), (5,), (2, 4)]:
        for options in [
            {},
            {'margin': 0.3, 'swap': True},
            {'p': 1.0, 'reduction': 'sum'},
            {'p': 3.0, 'reduction': 'none'},
            {'p': 2.5, 'eps': 1e-3, 'swap': True},
            {'p': INF, 'margin': 2.0},
        ]:
            loss('tripletMarginLoss', [normal(*shape) for _ in range(3)], F.triplet_margin_loss, options)
    same = normal(2, 3)
    loss('tripletMarginLoss', [same, same, same], F.triplet_margin_loss, {}, note='all agree')
    loss('tripletMarginLoss', [same, same, same + 50], F.triplet_margin_loss, {}, note='far apart: no slope')


@group
def likelihoods():
    def beliefs(*shape):
        return [normal(*shape) - 1, uniform(0.05, 1, *shape)]

    def logarithms(*shape):
        return [normal(*shape) - 1, normal(*shape) - 1]

    elementwise('klDiv', F.kl_div, [{}], beliefs)
    elementwise('klDiv', F.kl_div, [{'log_target': True}], logarithms)
    for shape in [(3, 2), (4,), (2, 3, 2)]:
        loss('klDiv', beliefs(*shape), F.kl_div, {'reduction': 'batchmean'})
        loss('klDiv', logarithms(*shape), F.kl_div, {'reduction': 'batchmean', 'log_target': True})
    nothing = [f64([-1.0, -2.0, -0.5]), f64([0.0, 1.0, 0.0])]
    loss('klDiv', nothing, F.kl_div, {'reduction': 'none'}, grad=False, note='a probability of 0')

    # Not whole: the slope jumps at 1.
    def counts(*shape):
        return [normal(*shape), integers(0, 6, *shape).double() + 0.5]

    def rates(*shape):
        return [uniform(0.1, 4, *shape), integers(0, 6, *shape).double() + 0.5]

    elementwise('poissonNllLoss', F.poisson_nll_loss, [{}, {'full': True}], counts)
    elementwise(
        'poissonNllLoss',
        F.poisson_nll_loss,
        [{'log_input': False}, {'log_input': False, 'full': True, 'eps': 0.01}],
        rates,
    )

    several = [f64([0.5, -1.0, 2.0, 0.25]), f64([0.0, 1.0, 2.0, 9.0])]
    loss('poissonNllLoss', several, F.poisson_nll_loss, {'full': True}, grad=False, note='whole counts')

    def normals(*shape):
        return [normal(*shape), normal(*shape), uniform(0.1, 2, *shape)]

    elementwise('gaussianNllLoss', F.gaussian_nll_loss, [{}, {'full': True}], lambda *shape: normals(*(shape or (2,))))
    for variance in [(3,), (3, 1)]:
        for reduction in ['mean', 'sum', 'none']:
            inputs = [normal(3, 2), normal(3, 2), uniform(0.1, 2, *variance)]
            loss('gaussianNllLoss', inputs, F.gaussian_nll_loss, {'reduction': reduction})
    held = [f64([1.0, 2.0, 0.5]), f64([0.5, 2.0, 1.0]), f64([0.0, 0.05, 0.1])]
    loss('gaussianNllLoss', held, F.gaussian_nll_loss, {'eps': 0.1}, note='the slope passes the bound')


@group
def penalties():
    def l1(*parameters, weight):
        return weight * sum(x.abs().sum() for x in parameters)

    def l2(*parameters, weight):
        return weight * sum(x.square().sum() for x in parameters) / 2

    for op, call in [('l1Penalty', l1), ('l2Penalty', l2)]:
        for shapes in [
            [()],
            [(4,)],
            [(1,)],
            [(3, 2)],
            [(0, 2)],
            [(2, 1, 3)],
            [(3, 2), (3,)],
            [(2, 3), (), (4,)],
            [(2, 2, 1, 2), (0,), (1, 3)],
        ]:
            for weight in [0.3, -2.0]:
                inputs = [normal(*shape) + 0.0005 for shape in shapes]
                case(op, inputs, lambda *all: call(*all, weight=weight), positional=[weight])
        case(op, [f64([-1.5, 0.0, 2.0])], lambda x: call(x, weight=1.0), positional=[1], note='the slope at 0 is 0')
        case(op, [normal(2, 2)], lambda x: call(x, weight=0.0), positional=[0])


def ctc(op_inputs, lengths, options, targets, **rest):
    """Rows start from logits: PyTorch's gradient is the right one only together with that of log_softmax."""

    def call(logits, targets, *given):
        probabilities = F.log_softmax(logits, dim=-1)
        own = given or tuple(torch.tensor(one) for one in lengths)
        keys = {'zeroInfinity': 'zero_infinity'}
        named = {keys.get(key, key): value for key, value in options.items()}
        return F.ctc_loss(probabilities, targets.long(), *(one.long() for one in own), **named)

    case('ctcLoss', [*op_inputs[:1], targets, *op_inputs[1:]], call, options, None if len(op_inputs) > 1 else lengths, **rest)


def classes_of(blank, count, *shape):
    """Classes other than the blank."""
    drawn = integers(0, count - 1, *shape)
    return drawn + (drawn >= blank).int()


@group
def sequences():
    for steps, n, count, most, inputs, targets in [
        (5, 2, 4, 2, [5, 4], [2, 1]),
        (6, 3, 3, 3, [6, 6, 5], [3, 2, 2]),
        (5, 1, 5, 4, [5], [3]),
        (7, 2, 3, 3, [7, 3], [3, 0]),
    ]:
        for reduction in ['mean', 'sum', 'none']:
            for blank in [0, count - 1]:
                options = {'reduction': reduction, **({'blank': blank} if blank else {})}
                logits = normal(steps, n, count, scale=2)
                ctc([logits], [inputs, targets], options, classes_of(blank, count, n, most))
        rows = classes_of(0, count, sum(targets))
        ctc([normal(steps, n, count)], [inputs, targets], {}, rows, note='one after another')
        given = [i32(inputs), i32(targets)]
        ctc([normal(steps, n, count), *given], None, {'reduction': 'sum'}, classes_of(0, count, n, most))
    again = i32([[1, 1, 2], [2, 2, 2]])
    ctc([normal(6, 2, 3)], [[6, 5], [3, 3]], {'reduction': 'none'}, again, note='a class twice needs a blank')
    ctc([normal(6, 2, 3)], [[6, 5], [0, 0]], {'reduction': 'none'}, again, note='nothing to spell')
    short = [[3, 6], [3, 3]]
    ctc([normal(6, 2, 3)], short, {'reduction': 'none'}, again, grad=False, note='no path')
    for reduction in ['none', 'mean']:
        options = {'reduction': reduction, 'zeroInfinity': True}
        ctc([normal(6, 2, 3)], short, options, again, note='no path')
    ctc([normal(1, 1, 2)], [[1], [1]], {}, i32([[1]]), note='one step')
    ctc([normal(5, 3)], [[5], [2]], {'reduction': 'none'}, i32([1, 2]), note='no batch axis')
    ctc([normal(5, 3)], [[4], [2]], {}, i32([2, 2]), note='no batch axis')
    ctc([normal(30, 2, 4, scale=3)], [[30, 21], [6, 9]], {'reduction': 'sum'}, classes_of(0, 4, 2, 9))
    ctc([normal(30, 1, 3, scale=20)], [[30], [4]], {}, i32([[1, 2, 2, 1]]), note='far from certain')


record('losses.json')
