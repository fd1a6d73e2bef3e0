"""PAD with zeros: any dimension, ranks 1 to 5."""

import numpy as np

from ..case import Case
from ..model import Graph

# input shape, (before, after) of each dimension
TABLE = [
    ((5,), [(1, 2)]),
    ((3, 5), [(0, 0), (2, 1)]),
    ((2, 3, 5), [(1, 0), (0, 2), (3, 0)]),
    ((1, 1, 1, 1), [(0, 0), (1, 1), (1, 1), (0, 0)]),
    ((1, 7, 5, 3), [(0, 0), (1, 1), (1, 1), (0, 0)]),
    ((1, 7, 5, 4), [(0, 0), (0, 1), (0, 1), (0, 0)]),
    ((1, 12, 12, 16), [(0, 0), (0, 0), (0, 0), (0, 16)]),
    ((1, 7, 5, 3), [(0, 0), (0, 0), (0, 0), (0, 5)]),
    ((1, 7, 5, 8), [(0, 0), (0, 0), (0, 0), (4, 4)]),
    ((1, 7, 5, 3), [(0, 0), (0, 0), (0, 0), (2, 1)]),
    ((3, 7, 5, 6), [(1, 2), (3, 0), (0, 4), (1, 1)]),
    ((2, 29, 11, 37), [(0, 1), (2, 2), (2, 3), (0, 3)]),
    ((1, 7, 5, 4), [(0, 0), (0, 0), (0, 0), (0, 0)]),
    ((2, 3, 4, 5, 6), [(0, 1), (1, 0), (2, 2), (0, 0), (1, 1)]),
]


def cases():
    """The table, and amounts of 64 bits."""
    for shape, amounts in TABLE:
        g = Graph(f"{list(shape)} by {amounts}")
        g.output(g.op("PAD", g.input(*shape), g.const(np.int32(amounts))))
        yield Case(g)
    g = Graph("amounts of 64 bits")
    g.output(g.op("PAD", g.input(1, 5, 7, 4), g.const(np.int64([(0, 0), (1, 2), (3, 0), (0, 0)]))))
    yield Case(g)
