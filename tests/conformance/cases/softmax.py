"""SOFTMAX, with several beta, and LOG_SOFTMAX, over the last dimension."""

from model import Graph

from ..case import Case

SHAPES = [(1,), (37,), (3, 5), (1, 1000), (2, 3, 7), (1, 1, 1, 1), (1, 7, 5, 3), (2, 8, 8, 16), (2, 3, 4, 5)]


def cases():
    """Every shape with beta 1, other betas, large values."""
    for shape in SHAPES:
        g = Graph(f"{list(shape)}")
        g.output(g.op("SOFTMAX", g.input(*shape, low=-5, high=5), beta=1.0))
        yield Case(g)
        g = Graph(f"LOG_SOFTMAX {list(shape)}")
        g.output(g.op("LOG_SOFTMAX", g.input(*shape, low=-5, high=5)))
        yield Case(g)
    for beta in (0.25, 2.0):
        g = Graph(f"beta {beta}")
        g.output(g.op("SOFTMAX", g.input(3, 11, low=-5, high=5), beta=beta))
        yield Case(g)
    g = Graph("large values")
    g.output(g.op("SOFTMAX", g.input(5, 21, low=-300, high=300), beta=1.0))
    yield Case(g)
