"""MEAN: axes in any number and order, negative ones, with and without kept dimensions."""

import numpy as np

from ..case import Case
from ..model import Graph

# input shape, axes
TABLE = [
    ((7,), [0]),
    ((3, 5), [1]),
    ((3, 5), [0]),
    ((1, 7, 7, 16), [1, 2]),
    ((3, 7, 5, 6), [1, 2]),
    ((2, 29, 11, 37), [2, 1]),
    ((2, 5, 7, 3), [-1]),
    ((2, 5, 7, 3), [3, 0]),
    ((2, 5, 7, 3), [-2]),
    ((2, 5, 7, 3), [0, 1, 2, 3]),
    ((1, 1, 1, 5), [1, 2]),
    ((1, 36, 64, 24), [1, 2]),
    ((2, 3, 4, 5, 6), [1, 3]),
    ((4, 1000), [1]),
]


def cases():
    """The table with both choices of keep_dims."""
    for shape, axes in TABLE:
        for keep in (False, True):
            g = Graph(f"{list(shape)} over {axes}{' kept' if keep else ''}")
            g.output(g.op("MEAN", g.input(*shape), g.const(np.int32(axes)), keep_dims=keep))
            yield Case(g)
    g = Graph("over one axis, as a scalar")
    g.output(g.op("MEAN", g.input(2, 6, 5), g.const(np.int32(1))))
    yield Case(g)
