"""PRELU: slopes per channel, per position, one for all, and the shapes between."""

from model import Graph

from ..case import Case

# input shape, shape of the slopes
TABLE = [
    ((1, 1, 1, 1), (1, 1, 1)),
    ((1, 7, 5, 3), (1, 1, 3)),
    ((1, 7, 5, 4), (1, 1, 4)),
    ((3, 13, 11, 6), (1, 1, 6)),
    ((2, 29, 11, 37), (1, 1, 37)),
    ((1, 32, 32, 16), (1, 1, 16)),
    ((1, 7, 5, 8), (7, 5, 8)),
    ((1, 7, 5, 8), (1, 5, 1)),
    ((1, 7, 5, 8), (1, 1, 1)),
    ((1, 7, 5, 8), (8,)),
    ((2, 7, 5, 8), (1, 7, 1, 8)),
    ((3, 11), (11,)),
    ((2, 3, 11), (3, 1)),
]


def cases():
    """The table, slopes above one and below zero, fp16 slopes, slopes that are a value."""
    for shape, slopes in TABLE:
        g = Graph(f"{list(shape)}, slopes {list(slopes)}")
        g.output(g.op("PRELU", g.input(*shape), g.weights(*slopes, scale=0.5)))
        yield Case(g)
    g = Graph("slopes of size two")
    g.output(g.op("PRELU", g.input(1, 5, 5, 8), g.weights(1, 1, 8, scale=2)))
    yield Case(g)
    g = Graph("fp16 slopes")
    slopes = g.op("DEQUANTIZE", g.weights(1, 1, 8, scale=0.5, dtype="float16"), version=3)
    g.output(g.op("PRELU", g.input(1, 5, 5, 8), slopes))
    yield Case(g)
    g = Graph("slopes as a value")
    g.output(g.op("PRELU", g.input(1, 5, 5, 6), g.input(1, 1, 6)))
    yield Case(g)
