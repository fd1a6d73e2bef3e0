"""SUM, MEAN and REDUCE_PROD of integers that are not quantised: axes, what wraps, rounding towards zero."""

import numpy as np
from model import Graph

from ..case import Case
from .sum_integers import AXES

TYPES = {
    "SUM": ("int32", "int64"),
    "MEAN": ("int32", "int64"),
    "REDUCE_PROD": ("int32", "int64", "int16", "int8", "uint8"),
}


def reduce(operator, dtype, shape, axes, keep_dims=False, full=False, **case):
    """One node of small numbers, or of all that the type has."""
    g = Graph(f"{operator} plain {dtype} {list(shape)} over {axes}, keep {keep_dims}{' full' * full}")
    info = np.iinfo(dtype)
    low, high = (info.min, info.max) if full else (max(info.min, -9), 10)
    x = g.input(*shape, dtype=dtype, low=low, high=high)
    g.output(g.op(operator, x, g.const(np.int32(axes)), keep_dims=keep_dims, dtype=dtype))
    return Case(g, oldest=False, exact=True, **case)


def cases():
    """Axes, full ranges, other shapes."""
    for operator, types in TYPES.items():
        for dtype in types:
            for n, (shape, axes) in enumerate(AXES):
                yield reduce(operator, dtype, shape, axes, bool(n % 2))
            for shape, axes in (((5, 7, 3), [1]), ((2, 900, 3), [1]), ((3, 4), [0, 1]), ((1, 40000), [1])):
                yield reduce(operator, dtype, shape, axes, full=True)
            resizes = [[(1, 3, 4, 8)], [(2, 9, 1, 8)], [(2, 3, 3, 5)]]
            yield reduce(operator, dtype, (2, 7, 5, 8), [1, 2], resizes=resizes)
