"""RESHAPE: new shape as tensor, as option, with -1; to and from scalars; between other nodes."""

import numpy as np
from model import Graph

from ..case import Case

# input shape, the wanted shape
TABLE = [
    ((1, 4, 6, 8), (1, 24, 8)),
    ((1, 4, 6, 8), (-1, 8)),
    ((2, 3, 5, 7), (2, -1)),
    ((2, 3, 5, 7), (210,)),
    ((12,), (1, 3, 1, 4)),
    ((1, 1, 1, 37), (1, 37)),
    ((2, 3, 4, 5, 6), (6, 4, 30)),
    ((6, 4, 30), (1, 2, 3, 4, 5, 6)),
]


def cases():
    """The table alone and with a node on each side, the two ways to state the shape."""
    for shape, wanted in TABLE:
        g = Graph(f"{list(shape)} to {list(wanted)}")
        g.output(g.op("RESHAPE", g.input(*shape), g.const(np.int32(wanted)), new_shape=list(wanted)))
        yield Case(g)
        g = Graph(f"{list(shape)} to {list(wanted)} between nodes")
        x = g.op("RELU", g.input(*shape))
        x = g.op("RESHAPE", x, g.const(np.int32(wanted)), new_shape=list(wanted))
        g.output(g.op("TANH", x))
        yield Case(g)
    g = Graph("shape in the options only")
    g.output(g.op("RESHAPE", g.op("RELU", g.input(2, 3, 4)), new_shape=[4, 6]))
    yield Case(g)
    g = Graph("one value to a scalar")
    g.output(g.op("TANH", g.op("RESHAPE", g.input(1, 1), g.const(np.zeros(0, "int32")), new_shape=[])))
    yield Case(g)
    g = Graph("twice in a row, both outputs")
    a = g.op("RESHAPE", g.op("RELU", g.input(2, 3, 4)), g.const(np.int32([6, 4])), new_shape=[6, 4])
    b = g.op("RESHAPE", a, g.const(np.int32([24])), new_shape=[24])
    g.output(a, b)
    yield Case(g)
    g = Graph("of an input, beside another use of it")
    x = g.input(2, 3, 4)
    g.output(g.op("RESHAPE", x, g.const(np.int32([6, 4])), new_shape=[6, 4]), g.op("TANH", x))
    yield Case(g)
