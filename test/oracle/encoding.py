"""How an oracle is written: JSON that JavaScript reads back to the same float64, one entry a line."""

import json
import math
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent

DTYPES = {
    'float64': 'f64',
    'float32': 'f32',
    'int64': 'i32',  # PyTorch's indices are int64, wasmgrad's are i32
    'int32': 'i32',
    'uint8': 'u8',
    'bool': 'bool',
}


def number(value):
    """JSON has no NaN and no infinity: they are strings. A bool is 0 or 1."""
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    value = float(value)
    if math.isnan(value):
        return 'NaN'
    if math.isinf(value):
        return 'Infinity' if value > 0 else '-Infinity'
    # A whole number needs no '.0', but JavaScript reads '-0.0' as -0 and '0' as +0.
    whole = value.is_integer() and abs(value) < 2**53 and str(value) != '-0.0'
    return int(value) if whole else value


def numbers(values):
    """A flat list, the last axis fastest."""
    return [number(value) for value in np.asarray(values).reshape(-1)]


def tensor(values):
    """Of a numpy array or a detached torch tensor."""
    array = np.asarray(values)
    return {'shape': list(array.shape), 'dtype': DTYPES[array.dtype.name], 'data': numbers(array)}


def compact(value):
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False, allow_nan=False)


def write(name, document):
    """Writes an object beside this file, the entries of a list a line each: a diff shows which of them changed."""
    members = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = '[\n' + ',\n'.join(compact(entry) for entry in value) + '\n]'
        else:
            text = compact(value)
        members.append(f'{compact(key)}:{text}')
    (HERE / name).write_text('{\n' + ',\n'.join(members) + '\n}\n', encoding='utf-8')
