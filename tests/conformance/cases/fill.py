"""FILL of every type."""

import numpy as np
from model import Graph

from ..case import Case

TYPES = ("float32", "int64", "int32", "int16", "int8", "bool")
SHAPES = [(1,), (7,), (3, 5), (1, 7, 5, 3), (2, 3, 1, 2, 1, 5)]


def cases():
    """Every shape in every type, the element computed or constant."""
    for dtype in TYPES:
        for shape in SHAPES:
            g = Graph(f"FILL {dtype} {list(shape)}")
            x = g.input(dtype=dtype)
            g.output(g.op("FILL", g.const(np.int32(shape)), x, dtype=dtype))
            yield Case(g, oldest=False, exact=True)
    g = Graph("FILL of no dimensions")
    g.output(g.op("FILL", g.const(np.zeros(0, "int64")), g.input()))
    yield Case(g, oldest=False, exact=True)
    g = Graph("FILL of an open shape")
    x = g.input(2, 5, signature=(-1, 5))
    half = g.const(np.float32(0.5))
    g.tensors[half].shape = []
    filled = g.op("FILL", g.op("SHAPE", x, dtype="int32", out_type=2), half)
    g.output(g.op("MUL", x, filled, activation="NONE"))
    yield Case(g, resizes=[[(3, 5)], [(1, 5)]])
