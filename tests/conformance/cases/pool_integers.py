"""AVERAGE_POOL_2D of integers: windows, padding, ties, activations; the largest windows and whole images."""

import numpy as np
from model import Graph

from ..case import Case
from .pool_2d import TABLE, pool

QUANTISATIONS = {
    "int8": [(0.05, 3, 0), (1.0, -128, 0), (1e-4, 127, 0)],
    "uint8": [(0.05, 130, 0), (1.0, 0, 0), (1e-4, 255, 0)],
    "int16": [(0.001, 0, 0), (3.0, 0, 0), (1e-6, 0, 0)],
}
FURTHER = [
    ((1, 7, 7, 1280), 7, 7, 1, 1, "VALID"),
    ((2, 8, 8, 3), 8, 8, 1, 1, "VALID"),
    ((1, 40, 37, 5), 31, 29, 3, 2, "SAME"),
    ((1, 40, 37, 4), 40, 37, 2, 2, "SAME"),
    ((1, 65, 90, 2), 65, 90, 1, 1, "VALID"),
]


def spread(g, shape, dtype, quantisation):
    """An input of all the numbers of its type."""
    info = np.iinfo(dtype)
    return g.input(*shape, dtype=dtype, low=info.min, high=info.max + 1, quantisation=quantisation)


def ties(dtype):
    """Windows of two and four elements whose means lie halfway between integers."""
    info = np.iinfo(dtype)
    x = np.arange(-64, 64) if info.min < 0 else np.arange(0, 128)
    pairs = np.stack([x, x + 1, x, x], 1)
    ends = np.array([[info.min, info.min + 1, info.max, info.max - 1]])
    return np.concatenate([pairs, ends]).reshape(1, -1, 4, 1).astype(dtype)


def cases():
    """Every type."""
    for dtype, quantisations in QUANTISATIONS.items():
        for shape, fh, fw, sh, sw, padding in TABLE + FURTHER:
            q = quantisations[0]
            g = Graph(f"AVERAGE_POOL_2D {dtype} {list(shape)}, {fh}x{fw} by {sh}x{sw} {padding}")
            x = spread(g, shape, dtype, q)
            g.output(pool(g, "AVERAGE_POOL_2D", x, fh, fw, sh, sw, padding, dtype=dtype, quantisation=q))
            yield Case(g, exact=True)
        for q in quantisations:
            for activation in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
                g = Graph(f"AVERAGE_POOL_2D {dtype} {activation} {q}")
                x = spread(g, (1, 9, 7, 6), dtype, q)
                options = {"dtype": dtype, "quantisation": q}
                g.output(pool(g, "AVERAGE_POOL_2D", x, 2, 3, 2, 2, "SAME", activation, **options))
                yield Case(g, exact=True)
        q, x = quantisations[0], ties(dtype)
        for fw in (2, 4):
            g = Graph(f"AVERAGE_POOL_2D {dtype} ties of {fw}")
            node = g.input(*x.shape, dtype=dtype, quantisation=q)
            g.output(pool(g, "AVERAGE_POOL_2D", node, 1, fw, 1, 2, "SAME", dtype=dtype, quantisation=q))
            yield Case(g, values=[x], exact=True)
        g = Graph(f"AVERAGE_POOL_2D {dtype} of other sizes later on")
        x = spread(g, (1, 7, 9, 6), dtype, q)
        g.output(pool(g, "AVERAGE_POOL_2D", x, 3, 3, 2, 2, "VALID", dtype=dtype, quantisation=q))
        yield Case(g, [[(1, 1, 9, 6)], [(2, 7, 2, 6)], [(1, 3, 3, 6)], [(0, 7, 9, 6)]], exact=True)
    g = Graph("AVERAGE_POOL_2D int8 to another scale")
    x = spread(g, (1, 5, 5, 4), "int8", (0.05, 3, 0))
    options = {"dtype": "int8", "quantisation": (0.06, 3, 0)}
    g.output(pool(g, "AVERAGE_POOL_2D", x, 3, 3, 1, 1, "SAME", **options))
    yield Case(g, left={"AVERAGE_POOL_2D": 1}, partitions=0)
