"""Operators that move values, in every element type that the plain kernels take, equal to the byte.

Inner sizes are odd, so that elements of 8 and 16 bits do not begin at words; values reach the limits of
their type.
"""

import numpy as np
from model import Graph

from ..case import Case

EVERY = ("int64", "int32", "int16", "int8", "uint8", "bool")
NUMBERS = EVERY[:-1]
WITHOUT = {
    "DEPTH_TO_SPACE": {"int16", "bool"},
    "PACK": {"bool"},
    "RESIZE_NEAREST_NEIGHBOR": {"int64"},
    "SPACE_TO_DEPTH": {"int16", "bool"},
    "SPLIT": {"bool"},
    "SPLIT_V": {"bool"},
    "UNPACK": {"int64"},
}
# What stands for zero in the quantised cases.
ZERO_POINTS = {"int16": 0, "int8": -7, "uint8": 131}


def limits(dtype):
    """The smallest number of a type, and the one behind its largest."""
    if dtype == "bool":
        return 0, 2
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max) + 1


def source(g, *shape, dtype, quantisation=None):
    """An input with numbers of the whole range of its type."""
    low, high = limits(dtype)
    return g.input(*shape, dtype=dtype, low=low, high=high, quantisation=quantisation)


def ints(g, numbers, dtype="int32"):
    """A constant of integers."""
    return g.const(np.array(numbers, dtype))


def resized(g, x, size, dtype, **options):
    """A nearest-neighbour resize."""
    return g.op("RESIZE_NEAREST_NEIGHBOR", x, ints(g, size), dtype=dtype, **options)


# operator, input shape, what it does: a function of graph, input and element type
TABLE = [
    ("RESHAPE", (2, 3, 5), lambda g, x, t: g.op("RESHAPE", x, ints(g, [5, -1]), dtype=t)),
    ("RESHAPE", (1,), lambda g, x, t: g.op("RESHAPE", x, ints(g, [1, 1, 1]), dtype=t)),
    ("SQUEEZE", (1, 3, 1, 5), lambda g, x, t: g.op("SQUEEZE", x, squeeze_dims=[2], dtype=t)),
    ("EXPAND_DIMS", (3, 5), lambda g, x, t: g.op("EXPAND_DIMS", x, ints(g, 1), dtype=t)),
    ("TRANSPOSE", (7,), lambda g, x, t: g.op("TRANSPOSE", x, ints(g, [0]), dtype=t)),
    ("TRANSPOSE", (3, 5), lambda g, x, t: g.op("TRANSPOSE", x, ints(g, [1, 0]), dtype=t)),
    ("TRANSPOSE", (1, 7, 5, 3), lambda g, x, t: g.op("TRANSPOSE", x, ints(g, [0, 3, 1, 2]), dtype=t)),
    ("TRANSPOSE", (2, 3, 4, 8), lambda g, x, t: g.op("TRANSPOSE", x, ints(g, [2, 0, 1, 3]), dtype=t)),
    (
        "TRANSPOSE",
        (2, 3, 2, 1, 3, 5),
        lambda g, x, t: g.op("TRANSPOSE", x, ints(g, [5, 2, 0, 3, 4, 1]), dtype=t),
    ),
    ("SLICE", (9,), lambda g, x, t: g.op("SLICE", x, ints(g, [3]), ints(g, [5]), dtype=t)),
    (
        "SLICE",
        (2, 4, 5, 7),
        lambda g, x, t: g.op("SLICE", x, ints(g, [1, 0, 2, 1]), ints(g, [1, 3, -1, 5]), dtype=t),
    ),
    (
        "STRIDED_SLICE",
        (11,),
        lambda g, x, t: g.op("STRIDED_SLICE", x, ints(g, [9]), ints(g, [0]), ints(g, [-2]), dtype=t),
    ),
    (
        "STRIDED_SLICE",
        (2, 6, 5, 7),
        lambda g, x, t: g.op(
            "STRIDED_SLICE",
            *(x, ints(g, [0, 1, 0, 6]), ints(g, [2, 6, 5, 0]), ints(g, [1, 2, 3, -1])),
            dtype=t,
            shrink_axis_mask=1,
        ),
    ),
    ("CONCATENATION", (7,), lambda g, x, t: g.op("CONCATENATION", x, x, axis=0, dtype=t)),
    (
        "CONCATENATION",
        (2, 3, 5),
        lambda g, x, t: g.op("CONCATENATION", x, source(g, 2, 3, 1, dtype=t), x, axis=-1, dtype=t),
    ),
    (
        "CONCATENATION",
        (1, 3, 5, 8),
        lambda g, x, t: g.op("CONCATENATION", x, source(g, 1, 2, 5, 8, dtype=t), axis=1, dtype=t),
    ),
    ("SPLIT", (9,), lambda g, x, t: g.op("SPLIT", ints(g, 0), x, outputs=3, num_splits=3, dtype=t)),
    ("SPLIT", (2, 3, 6), lambda g, x, t: g.op("SPLIT", ints(g, 2), x, outputs=2, num_splits=2, dtype=t)),
    (
        "SPLIT_V",
        (2, 9, 5),
        lambda g, x, t: g.op("SPLIT_V", x, ints(g, [1, 6, 2]), ints(g, 1), outputs=3, num_splits=3, dtype=t),
    ),
    (
        "PACK",
        (5,),
        lambda g, x, t: g.op("PACK", x, x, source(g, 5, dtype=t), values_count=3, axis=0, dtype=t),
    ),
    ("PACK", (2, 3, 5), lambda g, x, t: g.op("PACK", x, x, values_count=2, axis=-1, dtype=t)),
    ("UNPACK", (3, 5), lambda g, x, t: g.op("UNPACK", x, outputs=3, num=3, axis=0, dtype=t)),
    ("UNPACK", (2, 3, 5), lambda g, x, t: g.op("UNPACK", x, outputs=5, num=5, axis=2, dtype=t)),
    ("PAD", (5,), lambda g, x, t: g.op("PAD", x, ints(g, [[2, 1]]), dtype=t)),
    (
        "PAD",
        (1, 7, 5, 3),
        lambda g, x, t: g.op("PAD", x, ints(g, [[0, 0], [1, 2], [0, 1], [0, 0]]), dtype=t),
    ),
    (
        "PAD",
        (2, 3, 1, 3, 5),
        lambda g, x, t: g.op("PAD", x, ints(g, [[0, 1], [1, 0], [0, 0], [2, 1], [1, 3]]), dtype=t),
    ),
    (
        "PADV2",
        (2, 3, 5),
        lambda g, x, t: g.op(
            "PADV2", x, ints(g, [[1, 0], [0, 2], [3, 1]]), ints(g, [limits(t)[1] - 1], t), dtype=t
        ),
    ),
    (
        "MIRROR_PAD",
        (2, 5, 3),
        lambda g, x, t: g.op("MIRROR_PAD", x, ints(g, [[1, 0], [3, 4], [2, 1]]), mode="REFLECT", dtype=t),
    ),
    (
        "MIRROR_PAD",
        (2, 5, 3),
        lambda g, x, t: g.op("MIRROR_PAD", x, ints(g, [[1, 2], [0, 5], [3, 1]]), mode="SYMMETRIC", dtype=t),
    ),
    ("GATHER", (7,), lambda g, x, t: g.op("GATHER", x, ints(g, [3, 0, 6, 3]), axis=0, dtype=t)),
    (
        "GATHER",
        (2, 7, 5),
        lambda g, x, t: g.op("GATHER", x, ints(g, [[4, 0], [6, 1]], "int64"), axis=1, dtype=t),
    ),
    ("TILE", (3,), lambda g, x, t: g.op("TILE", x, ints(g, [4]), dtype=t)),
    ("TILE", (2, 3, 5), lambda g, x, t: g.op("TILE", x, ints(g, [2, 1, 3]), dtype=t)),
    ("TILE", (2, 1, 3, 2, 1, 2), lambda g, x, t: g.op("TILE", x, ints(g, [2, 3, 2, 2, 3, 2]), dtype=t)),
    (
        "MIRROR_PAD",
        (2, 2, 3, 2, 2, 3),
        lambda g, x, t: g.op(
            "MIRROR_PAD",
            x,
            ints(g, [[1, 0], [1, 1], [2, 1], [0, 1], [1, 1], [0, 2]]),
            mode="REFLECT",
            dtype=t,
        ),
    ),
    ("BROADCAST_TO", (1,), lambda g, x, t: g.op("BROADCAST_TO", x, ints(g, [7]), version=2, dtype=t)),
    (
        "BROADCAST_TO",
        (3, 1, 5),
        lambda g, x, t: g.op("BROADCAST_TO", x, ints(g, [2, 3, 4, 5]), version=2, dtype=t),
    ),
    (
        "SPACE_TO_BATCH_ND",
        (1, 3, 5, 3),
        lambda g, x, t: g.op("SPACE_TO_BATCH_ND", x, ints(g, [2, 3]), ints(g, [[1, 0], [0, 1]]), dtype=t),
    ),
    (
        "SPACE_TO_BATCH_ND",
        (2, 6, 5),
        lambda g, x, t: g.op("SPACE_TO_BATCH_ND", x, ints(g, [3]), ints(g, [[1, 2]]), dtype=t),
    ),
    (
        "BATCH_TO_SPACE_ND",
        (12, 2, 3, 3),
        lambda g, x, t: g.op("BATCH_TO_SPACE_ND", x, ints(g, [2, 3]), ints(g, [[1, 0], [0, 2]]), dtype=t),
    ),
    ("SPACE_TO_DEPTH", (1, 6, 4, 3), lambda g, x, t: g.op("SPACE_TO_DEPTH", x, block_size=2, dtype=t)),
    ("DEPTH_TO_SPACE", (2, 3, 5, 12), lambda g, x, t: g.op("DEPTH_TO_SPACE", x, block_size=2, dtype=t)),
    ("REVERSE_V2", (7,), lambda g, x, t: g.op("REVERSE_V2", x, ints(g, [0]), dtype=t)),
    ("REVERSE_V2", (2, 3, 5, 8), lambda g, x, t: g.op("REVERSE_V2", x, ints(g, [1, 2]), dtype=t)),
    ("RESIZE_NEAREST_NEIGHBOR", (2, 3, 5, 3), lambda g, x, t: resized(g, x, [7, 4], t)),
    ("RESIZE_NEAREST_NEIGHBOR", (1, 4, 5, 4), lambda g, x, t: resized(g, x, [9, 3], t, align_corners=True)),
    (
        "RESIZE_NEAREST_NEIGHBOR",
        (1, 6, 5, 1),
        lambda g, x, t: resized(g, x, [4, 11], t, half_pixel_centers=True),
    ),
]


def cases():
    """The table in every type; borders of quantised tensors; sizes that change, to none too."""
    for number, (name, shape, build) in enumerate(TABLE):
        for dtype in EVERY:
            if dtype in WITHOUT.get(name, ()):
                continue
            g = Graph(f"{name} {dtype}{list(shape)}, {number}")
            y = build(g, source(g, *shape, dtype=dtype), dtype)
            g.output(*(y if isinstance(y, tuple) else [y]))
            yield Case(g)
    g = Graph("REVERSE_V2 float32")
    g.output(g.op("REVERSE_V2", g.input(2, 7, 3), ints(g, [1])))
    yield Case(g)
    for dtype in ("int64", "int16", "int8", "bool"):
        g = Graph(f"CONCATENATION of {dtype} made inside")
        x = source(g, 1, 2, 64, dtype=dtype)
        parts = [
            g.op("REDUCE_MAX", x, ints(g, [1]), dtype=dtype),
            g.op("REVERSE_V2", g.op("REDUCE_MIN", x, ints(g, [1]), dtype=dtype), ints(g, [1]), dtype=dtype),
            g.op("REDUCE_MAX", source(g, 1, 3, 5, dtype=dtype), ints(g, [1]), dtype=dtype),
        ]
        g.output(g.op("CONCATENATION", *parts, axis=1, dtype=dtype))
        yield Case(g)
    yield from quantised()
    yield from open_sizes()


def quantised():
    """Borders of quantised tensors hold the zero point."""
    for dtype, zero in ZERO_POINTS.items():
        kind = 0.25, zero, 0
        g = Graph(f"PAD {dtype} from {zero}")
        amounts = ints(g, [[0, 0], [1, 2], [2, 0], [0, 1]])
        x = source(g, 1, 4, 3, 5, dtype=dtype, quantisation=kind)
        g.output(g.op("PAD", x, amounts, dtype=dtype, quantisation=kind))
        yield Case(g)
        g = Graph(f"PADV2 {dtype} from {zero}")
        amounts, border = ints(g, [[0, 1], [1, 2]]), g.const(np.array([5], dtype), kind)
        x = source(g, 4, 3, dtype=dtype, quantisation=kind)
        g.output(g.op("PADV2", x, amounts, border, dtype=dtype, quantisation=kind))
        yield Case(g)
        g = Graph(f"SPACE_TO_BATCH_ND {dtype} from {zero}")
        x = source(g, 1, 5, 4, 3, dtype=dtype, quantisation=kind)
        block, amounts = ints(g, [2, 2]), ints(g, [[1, 0], [1, 1]])
        g.output(g.op("SPACE_TO_BATCH_ND", x, block, amounts, dtype=dtype, quantisation=kind))
        yield Case(g)


def open_sizes():
    """One type of each width in several sizes, also without elements."""
    for dtype in ("int64", "int32", "int16", "uint8"):
        g = Graph(f"sizes of {dtype} change")
        x = source(g, 2, 3, 5, dtype=dtype)
        y = g.op(
            "TRANSPOSE", g.op("CONCATENATION", x, x, axis=1, dtype=dtype), ints(g, [2, 0, 1]), dtype=dtype
        )
        g.output(g.op("PAD", y, ints(g, [[1, 0], [0, 0], [0, 3]]), dtype=dtype))
        yield Case(g, [[(1, 3, 7)], [(4, 3, 5)], [(0, 3, 5)]])
