"""Operators that move values: TRANSPOSE, SPLIT, PACK, GATHER, SQUEEZE, SPACE_TO_BATCH_ND and their kin."""

import numpy as np
from model import Graph

from ..case import Case

# input shape, order
TRANSPOSES = [
    ((7,), [0]),
    ((3, 5), [1, 0]),
    ((2, 3, 7), [2, 0, 1]),
    ((1, 7, 5, 3), [0, 3, 1, 2]),
    ((2, 8, 8, 16), [0, 2, 1, 3]),
    ((2, 29, 11, 37), [3, 1, 0, 2]),
    ((2, 3, 4, 5, 6), [4, 0, 3, 1, 2]),
    ((2, 3, 2, 3, 2, 4), [5, 3, 1, 0, 2, 4]),
]
# input shape, axis, parts
SPLITS = [
    ((6,), 0, 3),
    ((4, 6), 1, 2),
    ((1, 7, 5, 8), 3, 2),
    ((1, 7, 6, 9), -1, 3),
    ((4, 3, 2, 5), 0, 4),
    ((2, 3, 4, 5, 6), 2, 2),
]
# input shape, axis, sizes
SPLITS_V = [((7,), 0, [2, 5]), ((1, 7, 5, 8), 3, [1, 3, 4]), ((2, 9, 5), 1, [3, 3, -1]), ((2, 6, 4), -1, [4])]
# shape, axis, count
PACKS = [
    ((5,), 0, 3),
    ((3, 5), 1, 2),
    ((3, 5), -1, 4),
    ((2, 3, 5, 4), 2, 2),
    ((2, 3, 4, 5), 4, 3),
    ((), 0, 4),
]
# input shape, axis, indices, batch dimensions
GATHERS = [
    ((7,), 0, [3, 0, 3], 0),
    ((5, 6), 0, [[1, 4], [0, 2]], 0),
    ((5, 6), 1, [5, 0, 1], 0),
    ((2, 7, 5, 3), 2, [4, 0], 0),
    ((2, 7, 5, 4), -1, [3, 3, 0, 1, 2], 0),
    ((3, 5, 4), 1, [[0, 4], [2, 2], [1, 0]], 1),
]
# input shape, dimensions to squeeze
SQUEEZES = [((1, 1, 5), [0]), ((1, 7, 1, 3), []), ((1, 7, 1, 3), [2]), ((1, 1, 1, 8), [1, 2])]
# input shape, wanted shape
BROADCASTS = [
    ((1,), (5,)),
    ((3, 1), (3, 5)),
    ((1, 1, 4), (2, 3, 4)),
    ((7, 1, 3), (2, 7, 5, 3)),
    ((1, 3, 1, 5), (2, 3, 4, 5)),
]
# picture, block, amounts at each side
BLOCKS = [
    ((1, 4, 6, 3), [2, 2], [(0, 0), (0, 0)]),
    ((2, 5, 7, 4), [2, 3], [(1, 0), (0, 2)]),
    ((1, 9, 9, 8), [4, 4], [(2, 1), (1, 2)]),
    ((2, 6, 5), [3], [(1, 2)]),
]


def constant(g, numbers):
    """A constant of 32-bit integers."""
    return g.const(np.int32(numbers))


def cases():
    """The tables."""
    for shape, order in TRANSPOSES:
        g = Graph(f"TRANSPOSE {list(shape)} by {order}")
        g.output(g.op("TRANSPOSE", g.input(*shape), constant(g, order)))
        yield Case(g)
    for shape, axis, parts in SPLITS:
        g = Graph(f"SPLIT {list(shape)} into {parts} along {axis}")
        g.output(*g.op("SPLIT", constant(g, axis), g.input(*shape), outputs=parts, num_splits=parts))
        yield Case(g)
    for shape, axis, sizes in SPLITS_V:
        g = Graph(f"SPLIT_V {list(shape)} into {sizes} along {axis}")
        inputs = g.input(*shape), constant(g, sizes), constant(g, axis)
        parts = g.op("SPLIT_V", *inputs, outputs=len(sizes), num_splits=len(sizes))
        g.output(*(parts if len(sizes) > 1 else [parts]))
        yield Case(g)
    g = Graph("PACK of what is made inside")
    parts = [g.op("TANH", g.input(4, 8)) for _ in range(3)]
    g.output(g.op("PACK", *parts, values_count=3, axis=0), g.op("NEG", parts[1]))
    yield Case(g)
    for shape, axis, count in PACKS:
        g = Graph(f"PACK {count} of {list(shape)} along {axis}")
        g.output(g.op("PACK", *[g.input(*shape) for _ in range(count)], values_count=count, axis=axis))
        yield Case(g)
        whole = [*shape[: axis % (len(shape) + 1)], count, *shape[axis % (len(shape) + 1) :]]
        g = Graph(f"UNPACK {whole} along {axis}")
        g.output(*g.op("UNPACK", g.input(*whole), outputs=count, num=count, axis=axis))
        yield Case(g)
    for shape, axis, indices, batch in GATHERS:
        g = Graph(f"GATHER {list(shape)}, {indices} along {axis}, batch {batch}")
        g.output(g.op("GATHER", g.input(*shape), constant(g, indices), axis=axis, batch_dims=batch))
        yield Case(g)
    for shape, dims in SQUEEZES:
        g = Graph(f"SQUEEZE {list(shape)} {dims}")
        g.output(g.op("RELU", g.op("SQUEEZE", g.input(*shape), squeeze_dims=dims)))
        yield Case(g)
    for axis in (0, 2, -1):
        g = Graph(f"EXPAND_DIMS at {axis}")
        g.output(g.op("RELU", g.op("EXPAND_DIMS", g.input(5, 3, 4), constant(g, axis))))
        yield Case(g)
    for shape, wanted in BROADCASTS:
        g = Graph(f"BROADCAST_TO {list(shape)} to {list(wanted)}")
        g.output(g.op("BROADCAST_TO", g.input(*shape), constant(g, wanted), version=2))
        yield Case(g)
    for shape, block, amounts in BLOCKS:
        g = Graph(f"SPACE_TO_BATCH_ND {list(shape)} by {block}, {amounts}")
        x = g.op("SPACE_TO_BATCH_ND", g.input(*shape), constant(g, block), constant(g, amounts))
        g.output(x)
        yield Case(g)
        g = Graph(f"BATCH_TO_SPACE_ND {list(shape)} by {block}, {amounts}")
        x = g.op("SPACE_TO_BATCH_ND", g.input(*shape), constant(g, block), constant(g, amounts))
        g.output(g.op("BATCH_TO_SPACE_ND", g.op("RELU", x), constant(g, block), constant(g, amounts)))
        yield Case(g)
