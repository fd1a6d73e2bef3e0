"""BATCH_MATMUL: transposed operands, broadcast batches, a constant operand; and L2_NORMALIZATION."""

import numpy as np
from model import Graph

from ..case import Case

# shapes of both operands
TABLE = [
    ((1, 1), (1, 1)),
    ((3, 5), (5, 7)),
    ((17, 64), (64, 29)),
    ((2, 3, 5), (2, 5, 4)),
    ((3, 7, 16), (16, 8)),
    ((2, 4, 9, 8), (2, 4, 8, 9)),
    ((2, 1, 5, 6), (1, 3, 6, 7)),
    ((1, 12, 49, 32), (1, 12, 32, 49)),
]
NORMALISED = [(7,), (3, 5), (2, 3, 37), (1, 7, 5, 16), (2, 8, 8, 6)]


def swapped(shape, swap):
    """The last two dimensions the other way round, if asked for."""
    return (*shape[:-2], shape[-1], shape[-2]) if swap else shape


def cases():
    """The table, plain and with both transpositions."""
    for x, y in TABLE:
        for adj_x, adj_y in ((False, False), (True, False), (False, True), (True, True)):
            g = Graph(f"{list(x)} {list(y)}{' x transposed' * adj_x}{' y transposed' * adj_y}")
            operands = g.input(*swapped(x, adj_x)), g.input(*swapped(y, adj_y))
            g.output(g.op("BATCH_MATMUL", *operands, adj_x=adj_x, adj_y=adj_y))
            yield Case(g)
    for adj_y in (False, True):
        g = Graph(f"constant second{' transposed' * adj_y}")
        w = g.weights(*swapped((2, 16, 10), adj_y), scale=0.25)
        g.output(g.op("BATCH_MATMUL", g.input(2, 7, 16), w, adj_y=adj_y))
        yield Case(g)
    for shape in NORMALISED:
        g = Graph(f"L2_NORMALIZATION {list(shape)}")
        g.output(g.op("L2_NORMALIZATION", g.input(*shape)))
        yield Case(g)
    # The length is at least 1e-6.
    for size in (1.0, 3e-4, 1e-5, 1e-6, 1e-7, 1e-30, 1e30, float("inf"), float("nan")):
        g = Graph(f"L2_NORMALIZATION of length {size:g}")
        g.output(g.op("L2_NORMALIZATION", g.input(2, 5)))
        yield Case(g, oldest=False, values=[np.float32([[0, 0.6 * size, 0, -0.8 * size, 0], [0] * 5])])
