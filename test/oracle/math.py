"""math.json: elementary functions at doubles of every kind, correctly rounded from 200 bits by mpmath (1.2 or newer).

One entry a function: `x` (and `y`, the exponents of pow) and `value`, each double as the 16 hexadecimal digits of its bits.
A test compares the f64 core's results bit by bit; the f32 core is swept against JavaScript's Math.
`python3-mpmath` is Debian's package.
"""

import math
import random
import struct

from mpmath import mp, mpf

from encoding import write

mp.prec = 200
draw = random.Random(1)


def bits(value):
    return struct.pack('>d', value).hex()


def rounded(value):
    """To the nearest double; float() alone rounds what becomes subnormal twice."""
    if abs(value) < mpf(2) ** -1022:
        return math.ldexp(int(mp.nint(value * mpf(2) ** 1074)), -1074)
    return float(value)


def uniform(low, high, count):
    return [draw.uniform(low, high) for _ in range(count)]


def octaves(low, high, count, signs=(1,)):
    """Sizes from 2^low to 2^high, each octave as likely as any other."""
    return [draw.choice(signs) * math.ldexp(draw.uniform(1, 2), draw.randint(low, high - 1)) for _ in range(count)]


def either_sign(low, high, count):
    return octaves(low, high, count, (-1, 1))


def near_quarter_turns(count):
    return [draw.randint(1, 10**6) * (math.pi / 2) for _ in range(count)]


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


# Where the reductions and polynomials of assembly/math.ts end, the domain's edges, and sizes of every kind.
POINTS = {
    'EXP': (mp.exp, uniform(-745.2, 709.8, 60) + uniform(-2, 2, 60) + either_sign(-60, 9, 20) + [709.782712893384, -745.1332191019411]),
    'EXPM1': (mp.expm1, uniform(-40, 709.8, 30) + uniform(-2, 2, 80) + either_sign(-60, 9, 30)),
    'LOG': (mp.log, octaves(-1074, 1023, 40) + uniform(0.3, 3, 80) + [1 + d for d in either_sign(-52, -2, 20)]),
    'LOG1P': (mp.log1p, octaves(-1074, 1023, 30) + uniform(-0.999, 3, 80) + either_sign(-60, 0, 30)),
    'TANH': (mp.tanh, uniform(-25, 25, 30) + uniform(-2, 2, 80) + either_sign(-60, 5, 30)),
    'SIGMOID': (sigmoid, uniform(-745, 45, 30) + uniform(-10, 10, 80) + either_sign(-60, 5, 30)),
    'ERF': (mp.erf, uniform(-6.1, 6.1, 60) + uniform(0.9, 1.5, 40) + either_sign(-60, 2, 40)),
    'SIN': (mp.sin, uniform(-10, 10, 40) + either_sign(-30, 20, 50) + near_quarter_turns(50)),
    'COS': (mp.cos, uniform(-10, 10, 40) + either_sign(-30, 20, 50) + near_quarter_turns(50)),
}


def pow_points():
    """Exponents that take the result anywhere in a double's range, and ordinary ones."""
    for x in octaves(-1074, 1023, 60) + octaves(-2, 2, 40) + [1 + d for d in either_sign(-40, -2, 40)]:
        for _ in range(2):
            y = draw.choice([draw.uniform(-1070, 1023) / math.log2(x), draw.uniform(-5, 5)])
            # Only results within the range.
            if -1070 < y * math.log2(x) < 1023:
                yield x, y


entries = []
for name, (function, points) in POINTS.items():
    values = [rounded(function(mpf(x))) for x in points]
    entries.append({'fn': name, 'x': [bits(x) for x in points], 'value': [bits(value) for value in values]})

pairs = list(pow_points())
entries.append(
    {
        'fn': 'POW',
        'x': [bits(x) for x, _ in pairs],
        'y': [bits(y) for _, y in pairs],
        'value': [bits(rounded(mp.power(mpf(x), mpf(y)))) for x, y in pairs],
    }
)
write('math.json', {'functions': entries})
