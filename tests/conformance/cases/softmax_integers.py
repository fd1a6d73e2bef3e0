"""SOFTMAX, LOG_SOFTMAX and L2_NORMALIZATION of integers: rows of any length, scales, all differences."""

import numpy as np
from model import Graph

from ..case import Case
from .pool_integers import spread

SHAPES = [
    (1,),
    (7,),
    (1, 1000),
    (1, 1001),
    (5, 4),
    (3, 9),
    (2, 3, 5),
    (2, 4, 3, 8),
    (1, 2, 3, 2, 6),
    (40, 257),
]
SCALES = [1e-6, 1e-4, 0.003, 0.05, 0.1, 0.25, 1.0, 5.0, 60.0]
RESULTS = {
    ("SOFTMAX", "int8", "int8"): (1 / 256, -128, 0),
    ("SOFTMAX", "uint8", "uint8"): (1 / 256, 0, 0),
    ("SOFTMAX", "int8", "int16"): (1 / 65536, -32768, 0),
    ("SOFTMAX", "uint8", "int16"): (1 / 65536, -32768, 0),
    ("SOFTMAX", "int16", "int16"): (1 / 32768, 0, 0),
    ("LOG_SOFTMAX", "int8", "int8"): (16 / 256, 127, 0),
    ("LOG_SOFTMAX", "uint8", "uint8"): (16 / 256, 255, 0),
    ("L2_NORMALIZATION", "int8", "int8"): (1 / 128, 0, 0),
    ("L2_NORMALIZATION", "uint8", "uint8"): (1 / 128, 128, 0),
}


def row(kind, shape, scale, zero, beta=None, values=(), label="", **case):
    """One node."""
    operator, source, target = kind
    options = {} if operator != "SOFTMAX" else {"beta": 1.0 if beta is None else beta}
    label += "" if beta is None else f" beta {beta}"
    g = Graph(f"{operator} {source} to {target} {list(shape)} x {scale} from {zero}{label}")
    x = spread(g, shape, source, (scale, zero, 0))
    g.output(g.op(operator, x, dtype=target, quantisation=RESULTS[kind], **options))
    return Case(g, oldest=len(shape) <= 4, exact=True, values=values, **case)


def patterns(dtype):
    """Rows with every difference to the largest number, and rows of one number."""
    info = np.iinfo(dtype)
    step = 1 if info.bits == 8 else 251
    x = np.arange(info.min, info.max + 1, step)
    rows = [
        np.stack([x, np.full_like(x, info.max), x[::-1], x, x, np.full_like(x, top)], 1) for top in x[::37]
    ]
    return np.concatenate([*rows, [[n] * 6 for n in (info.min, 0, info.max)]]).astype(dtype)


def cases():
    """Every pair of types."""
    for kind in RESULTS:
        operator, source, _ = kind
        zeros = {"int8": (3, -128, 127), "uint8": (128, 0, 255), "int16": (0,)}[source]
        for shape in SHAPES:
            yield row(kind, shape, 0.05 if source != "int16" else 1e-3, zeros[0])
        x = patterns(source)
        for scale in SCALES:
            if operator == "LOG_SOFTMAX" and scale > 15 or source == "int16" and scale > 3:
                continue
            yield row(kind, x.shape, scale, zeros[-1], values=[x], label=" patterns")
        for zero in zeros[1:]:
            yield row(kind, (6, 5), 0.1, zero)
        if operator == "SOFTMAX":
            for beta in (0.1, 0.5, 3.0):
                yield row(kind, (6, 5), 0.04, zeros[0], beta=beta)
        resizes = [[(1, 3)], [(7, 4)], [(2, 1000)], [(0, 8)]]
        yield row(kind, (5, 8), 0.02, zeros[0], label=" of other sizes later on", resizes=resizes)
