"""PAD, PADV2, MIRROR_PAD and TILE: any dimension, ranks 1 to 5."""

import numpy as np
from model import Graph

from ..case import Case

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

# amounts at most the size less one
MIRRORS = [
    ((5,), [(4, 2)]),
    ((3, 5), [(2, 1), (0, 3)]),
    ((1, 7, 5, 3), [(0, 0), (1, 1), (2, 2), (0, 0)]),
    ((2, 7, 5, 4), [(0, 1), (3, 0), (0, 4), (2, 2)]),
]
# input shape, repetitions
TILES = [
    ((5,), [3]),
    ((3, 5), [1, 4]),
    ((1, 7, 5, 3), [2, 1, 3, 1]),
    ((2, 1, 3, 4), [1, 5, 1, 2]),
]


def cases():
    """The table, amounts of 64 bits, other values, mirrors, repetitions."""
    for shape, amounts in TABLE:
        g = Graph(f"{list(shape)} by {amounts}")
        g.output(g.op("PAD", g.input(*shape), g.const(np.int32(amounts))))
        yield Case(g)
    g = Graph("amounts of 64 bits")
    g.output(g.op("PAD", g.input(1, 5, 7, 4), g.const(np.int64([(0, 0), (1, 2), (3, 0), (0, 0)]))))
    yield Case(g)
    for shape, amounts in TABLE[1:13:3]:
        g = Graph(f"PADV2 {list(shape)} by {amounts}")
        g.output(g.op("PADV2", g.input(*shape), g.const(np.int32(amounts)), g.const(np.float32(-1.5))))
        yield Case(g)
    for mode in ("REFLECT", "SYMMETRIC"):
        for shape, amounts in MIRRORS:
            g = Graph(f"MIRROR_PAD {mode} {list(shape)} by {amounts}")
            g.output(g.op("MIRROR_PAD", g.input(*shape), g.const(np.int32(amounts)), mode=mode))
            yield Case(g)
    for shape, times in TILES:
        g = Graph(f"TILE {list(shape)} by {times}")
        g.output(g.op("TILE", g.input(*shape), g.const(np.int32(times))))
        yield Case(g)
