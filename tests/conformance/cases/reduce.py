"""MEAN, SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD: axes in any number and order, kept dimensions."""

import numpy as np
from model import Graph

from ..case import Case

# input shape, axes
TABLE = [
    ((7,), [0]),
    ((3, 5), [1]),
    ((3, 5), [0]),
    ((1, 7, 7, 16), [1, 2]),
    ((3, 7, 5, 6), [1, 2]),
    ((2, 29, 11, 37), [2, 1]),
    ((2, 5, 7, 3), [-1]),
    ((2, 5, 7, 3), [3, 0]),
    ((2, 5, 7, 3), [-2]),
    ((2, 5, 7, 3), [0, 1, 2, 3]),
    ((1, 1, 1, 5), [1, 2]),
    ((1, 36, 64, 24), [1, 2]),
    ((2, 3, 4, 5, 6), [1, 3]),
    ((4, 1000), [1]),
]


def reduce(operator, shape, axes, keep):
    """One node."""
    g = Graph(f"{operator} {list(shape)} over {axes}{' kept' if keep else ''}")
    # A product of many numbers stays in range if they are near one.
    span = {"low": 0.8, "high": 1.2} if operator == "REDUCE_PROD" else {}
    g.output(g.op(operator, g.input(*shape, **span), g.const(np.int32(axes)), keep_dims=keep))
    return Case(g, sensitive=operator == "REDUCE_PROD")


def cases():
    """The table with both choices of keep_dims; some of it for the other operators."""
    for shape, axes in TABLE:
        for keep in (False, True):
            yield reduce("MEAN", shape, axes, keep)
    for operator in ("SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"):
        for number, (shape, axes) in enumerate(TABLE[1:10]):
            yield reduce(operator, shape, axes, keep=number % 2 == 0)
    for operator, axes in (
        ("SUM", [0]),
        ("SUM", [1, 2]),
        ("MEAN", [1]),
        ("REDUCE_PROD", [0, 2]),
        ("REDUCE_MAX", [2]),
    ):
        g = Graph(f"{operator} over {axes} of a batch that becomes empty")
        x = g.input(2, 3, 8, signature=(-1, 3, 8), low=0.8, high=1.2)
        g.output(
            g.op(
                "ADD", g.op(operator, x, g.const(np.int32(axes)), keep_dims=True), g.const(np.float32([1.5]))
            )
        )
        yield Case(g, resizes=[[(n, 3, 8)] for n in (0, 4, 0)], sensitive=operator == "REDUCE_PROD")
    g = Graph("MEAN over one axis, as a scalar")
    g.output(g.op("MEAN", g.input(2, 6, 5), g.const(np.int32(1))))
    yield Case(g)
