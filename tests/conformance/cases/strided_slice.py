"""STRIDED_SLICE and SLICE: begins, ends and strides of either sign, and each of the masks."""

import numpy as np
from model import Graph

from ..case import Case

# input shape, begin, end, strides, masks
TABLE = [
    ((9,), [2], [7], [1], {}),
    ((9,), [1], [9], [3], {}),
    ((9,), [8], [0], [-2], {}),
    ((9,), [-4], [-1], [1], {}),
    ((5, 7), [0, 2], [5, 6], [1, 2], {}),
    ((5, 7), [0, 2], [5, 100], [2, 1], {}),
    ((1, 4, 4, 64), [0, 0, 0, 0], [1, 4, 4, 32], [1, 1, 1, 1], {}),
    ((1, 1, 1, 1404), [0, 0, 0, 0], [1, 1, 1, 1404], [1, 1, 1, 1], {}),
    ((2, 7, 5, 6), [0, 1, 0, 1], [2, 6, 5, 5], [1, 2, 2, 1], {}),
    ((2, 7, 5, 6), [0, 0, 0, 3], [0, 0, 0, 6], [1, 1, 1, 1], {"begin_mask": 7, "end_mask": 7}),
    ((2, 7, 5, 6), [0, 6, 0, 0], [2, 0, 5, 6], [1, -1, 1, 1], {"end_mask": 2}),
    ((2, 7, 5, 6), [1, 0, 0, 2], [2, 7, 5, 3], [1, 1, 1, 1], {"shrink_axis_mask": 1}),
    ((2, 7, 5, 6), [1, 0, 0, 2], [2, 7, 5, 3], [1, 1, 1, 1], {"shrink_axis_mask": 9}),
    ((2, 7, 5, 6), [1, 2], [2, 4], [1, 1], {"ellipsis_mask": 1}),
    ((2, 7, 6), [0, 0, 1, 2], [2, 1, 6, 5], [1, 1, 1, 1], {"new_axis_mask": 2}),
    ((2, 3, 4, 5, 6), [0, 1, 0, 1, 0], [2, 3, 4, 4, 6], [1, 1, 2, 1, 3], {}),
]

# input shape, begin, size; -1 is all that is left
SLICES = [
    ((9,), [2], [5]),
    ((5, 7), [1, 0], [3, -1]),
    ((2, 7, 5, 6), [0, 1, 2, 0], [2, 5, -1, 6]),
    ((2, 7, 5, 8), [1, 0, 0, 4], [1, 7, 5, 4]),
    ((2, 3, 4, 5, 6), [0, 1, 0, 2, 0], [2, 2, 4, 2, 5]),
]


def cases():
    """The tables."""
    for shape, begin, end, strides, masks in TABLE:
        text = "".join(f" {k} {v}" for k, v in masks.items())
        g = Graph(f"{list(shape)} from {begin} to {end} by {strides}{text}")
        bounds = [g.const(np.int32(v)) for v in (begin, end, strides)]
        g.output(g.op("STRIDED_SLICE", g.input(*shape), *bounds, **masks))
        yield Case(g)
    for shape, begin, size in SLICES:
        g = Graph(f"SLICE {list(shape)} from {begin}, {size}")
        g.output(g.op("SLICE", g.input(*shape), g.const(np.int32(begin)), g.const(np.int32(size))))
        yield Case(g)
    g = Graph("a new dimension beyond the entries")
    bounds = [g.const(np.int32([n])) for n in (8, 0, -2)]
    g.output(g.op("STRIDED_SLICE", g.input(9), *bounds, new_axis_mask=3))
    yield Case(g, left={"STRIDED_SLICE": 1}, partitions=0)
