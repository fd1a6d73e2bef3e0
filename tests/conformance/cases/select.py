"""SELECT and SELECT_V2 of every type: conditions of fewer dimensions, broadcasting of all three operands."""

import numpy as np
from model import Graph

from ..case import Case

TYPES = ("float32", "int64", "int32", "int16", "int8", "uint8", "bool")
# Shapes of the condition and of both operands.
WHOLE = [
    ((), (), ()),
    ((7,), (7,), (7,)),
    ((3, 5), (3, 5), (3, 5)),
    ((1, 7, 5, 3), (1, 7, 5, 3), (1, 7, 5, 3)),
    ((2, 3, 2, 3, 2), (2, 3, 2, 3, 2), (2, 3, 2, 3, 2)),
]
LOW_RANK = [((), (3, 5), (3, 5)), ((3,), (3, 5), (3, 5)), ((2,), (2, 7, 5, 3), (2, 7, 5, 3))]
SPREAD = [
    ((1,), (3, 5), ()),
    ((3, 1), (5,), (3, 5)),
    ((3, 5), (1, 1), (1, 5)),
    ((5,), (3, 1), ()),
    ((2, 1, 5, 1), (7, 1, 3), (1, 1, 1, 3)),
    ((1, 1, 1, 4), (2, 3, 5, 1), (1, 3, 1, 4)),
    ((2, 3, 1, 5), (2, 3, 4, 5), (4, 1)),
]
INF, NAN = float("inf"), float("nan")
SPECIAL = np.float32([NAN, INF, -INF, -0.0, 0.0, 1e-40, -1e-40, 3e38])


def select(operator, shapes, dtype, kinds="vvv", label=""):
    """One node; kinds says of each operand whether it is a value "v" or a constant "c"."""
    g = Graph(f"{operator} {dtype} {' '.join(str(list(s)) for s in shapes)}{label}")
    operands = []
    for shape, kind, kept in zip(shapes, kinds, ("bool", dtype, dtype)):
        constant = g.random.integers(0, 100, shape).astype(kept)
        operands.append(g.input(*shape, dtype=kept) if kind == "v" else g.const(constant))
    g.output(g.op(operator, *operands, dtype=dtype))
    return Case(g, exact=True)


def cases():
    """Every type with some shapes, every shape with some types."""
    for operator, further in (("SELECT", LOW_RANK), ("SELECT_V2", SPREAD)):
        for shapes in WHOLE + further:
            for dtype in ("float32", "int8", "int64"):
                yield select(operator, shapes, dtype)
        for dtype in ("int32", "int16", "uint8", "bool"):
            for shapes in (WHOLE[3], further[1], further[2]):
                yield select(operator, shapes, dtype)
        yield select(operator, WHOLE[2], "float32", "vvc", " constant")
        yield select(operator, WHOLE[2], "int16", "cvv", " constant")
        g = Graph(f"{operator} of special values")
        g.output(g.op(operator, g.input(8, dtype="bool"), g.input(8), g.input(8)))
        c = np.array([True, False, True, True, False, False, True, False])
        yield Case(g, values=[c, SPECIAL, SPECIAL[::-1].copy()], exact=True)
    g = Graph("masks and integers of an open size")
    x = g.input(3, 7, signature=(-1, 7), dtype="int32")
    least = g.input(3, 1, signature=(-1, 1), dtype="int32")
    mask = g.op("GREATER_EQUAL", x, least, dtype="bool")
    double = g.op("ADD", x, x, dtype="int32", activation="NONE")
    g.output(g.op("SELECT_V2", mask, double, least, dtype="int32"), mask, g.op("CAST", mask, dtype="int8"))
    yield Case(g, resizes=[[(n, 7), (n, 1)] for n in (1, 10, 2)], exact=True)
    g = Graph("SELECT_V2 of a computed mask")
    x = g.input(3, 7, 5, low=-3, high=3, step=0.25)
    mask = g.op("GREATER", x, g.const(np.float32(0)), dtype="bool")
    g.output(g.op("SELECT_V2", mask, x, g.op("MUL", x, x, activation="NONE")))
    yield Case(g)
