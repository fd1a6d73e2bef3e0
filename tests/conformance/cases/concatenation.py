"""CONCATENATION: every axis, two to many values, constants among them, the same value twice, activations."""

from model import Graph

from ..case import Case

# shapes, axis
TABLE = [
    ([(3,), (5,)], 0),
    ([(3, 5), (2, 5)], 0),
    ([(3, 5), (3, 2)], -1),
    ([(1, 7, 5, 3), (1, 7, 5, 4)], 3),
    ([(1, 7, 5, 4), (1, 7, 5, 8)], 3),
    ([(1, 7, 5, 3), (1, 7, 2, 3)], 2),
    ([(1, 7, 5, 3), (1, 1, 5, 3), (1, 4, 5, 3)], 1),
    ([(2, 3, 5, 7), (1, 3, 5, 7)], 0),
    ([(2, 3, 5, 7), (2, 3, 5, 2)], -1),
    ([(1, 512, 16), (1, 384, 16)], 1),
    ([(2, 3, 5), (2, 1, 5), (2, 2, 5), (2, 7, 5)], 1),
    ([(1, 6, 6, 5)] * 9, 3),
    ([(2, 3, 4, 5, 6), (2, 3, 1, 5, 6)], 2),
    ([(4, 1)], 1),
]


def cases():
    """The table with plain inputs and with values made inside, then the other choices."""
    for shapes, axis in TABLE:
        g = Graph(f"{len(shapes)} of {list(shapes[0])} along {axis}")
        g.output(g.op("CONCATENATION", *[g.input(*s) for s in shapes], axis=axis))
        yield Case(g)
        g = Graph(f"{len(shapes)} of {list(shapes[0])} along {axis}, made inside")
        y = g.op("CONCATENATION", *[g.op("TANH", g.input(*s)) for s in shapes], axis=axis)
        g.output(g.op("RELU", y))
        yield Case(g)
    g = Graph("a constant first")
    g.output(g.op("CONCATENATION", g.weights(1, 5, 7, 2, scale=1), g.input(1, 5, 7, 3), axis=3))
    yield Case(g)
    g = Graph("the same value three times")
    x = g.op("TANH", g.input(1, 5, 7, 3))
    g.output(g.op("CONCATENATION", x, x, x, axis=1))
    yield Case(g)
    g = Graph("a value with other uses")
    x = g.op("TANH", g.input(1, 5, 7, 4))
    y = g.op("CONCATENATION", x, g.op("RELU", x), axis=3)
    g.output(g.op("ADD", x, x), y, x)
    yield Case(g)
    g = Graph("of concatenations")
    x = g.op("TANH", g.input(1, 5, 7, 4))
    y = g.op("CONCATENATION", x, g.op("RELU", x), axis=1)
    z = g.op("CONCATENATION", y, g.op("LOGISTIC", y), axis=1)
    g.output(z)
    yield Case(g)
