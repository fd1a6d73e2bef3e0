"""Operators of one value: RELU, RELU6, RELU_N1_TO_1, LOGISTIC, TANH, HARD_SWISH."""

from ..case import Case
from ..model import Graph

SHAPES = [
    (1,),
    (37,),
    (3, 5),
    (2, 3, 7),
    (1, 1, 1, 1),
    (1, 7, 5, 3),
    (2, 8, 8, 16),
    (2, 29, 11, 37),
    (2, 3, 4, 5, 6),
    (2, 1, 3, 2, 3, 5),
]
OPERATORS = ("RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "TANH", "HARD_SWISH")


def cases():
    """Every shape, and values far out on both sides."""
    for operator in OPERATORS:
        for shape in SHAPES:
            g = Graph(f"{operator} {list(shape)}")
            g.output(g.op(operator, g.input(*shape, low=-8, high=8)))
            yield Case(g)
        g = Graph(f"{operator} of large values")
        g.output(g.op(operator, g.input(1, 9, 9, 5, low=-200, high=200)))
        yield Case(g)
