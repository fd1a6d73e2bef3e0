"""BATCH_MATMUL of int8 and int16: transposed operands, broadcast batches, zero points, ties, constants."""

import numpy as np
from model import Graph

from ..case import Case
from .batch_matmul import TABLE, swapped

SHAPES = [*TABLE, ((2, 8, 12), (2, 12, 16)), ((5, 1, 6, 4), (3, 4, 8)), ((2, 1, 3, 4, 20), (1, 3, 3, 20, 4))]


def node(name, shapes, swap=(False, False), scales=None, zeros=None, constant=None, types=("int8", "int8")):
    """The node with random integers of all the range."""
    g = Graph(name)
    depth, dtype = shapes[0][-1], types[0]
    zeros = ((3, -7, 5) if dtype == "int8" else (0, 0, 0)) if zeros is None else zeros
    small = 50 if types[1] == "int8" else 1e4
    scales = (0.02, 0.013, 0.02 * 0.013 * small * np.sqrt(depth)) if scales is None else scales
    operands, values = [], []
    for i, shape in enumerate(shapes):
        info = np.iinfo(types[i])
        x = g.random.integers(info.min, info.max + 1, swapped(shape, swap[i])).astype(types[i])
        x.flat[0], x.flat[-1] = info.min, info.max
        quantisation = (scales[i], zeros[i], 0)
        if i == constant:
            operands.append(g.const(x, quantisation))
        else:
            operands.append(g.input(*x.shape, dtype=types[i], quantisation=quantisation))
            values.append(x)
    options = {"adj_x": swap[0], "adj_y": swap[1], "version": 2}
    g.output(g.op("BATCH_MATMUL", *operands, dtype=dtype, quantisation=(scales[2], zeros[2], 0), **options))
    return Case(g, values=values, exact=True)


def wide():
    """int16 by int16 and by int8."""
    for second in ("int16", "int8"):
        types = ("int16", second)
        for x, w in SHAPES:
            for swap in ((False, False), (True, True)):
                name = f"{' '.join(types)} {list(x)} {list(w)}{' transposed' * swap[0]}"
                yield node(name, (x, w), swap, types=types)
        for exponent in range(-9, 1, 2):
            scales = (0.02, 10.0**exponent, 0.02)
            yield node(f"{' '.join(types)} factor 1e{exponent}", ((4, 7), (7, 5)), scales=scales, types=types)
        yield node(f"{' '.join(types)} constant", ((2, 7, 16), (2, 16, 12)), constant=1, types=types)


def resized(types):
    """Other numbers of matrices and rows, none among them."""
    case = node(f"{' '.join(types)}, rows come and go", ((2, 3, 8), (2, 8, 12)), types=types)
    case.values, case.oldest = [], False
    case.resizes = [[(0, 3, 8), (0, 8, 12)], [(3, 0, 8), (3, 8, 12)], [(3, 9, 8), (1, 8, 12)]]
    return case


def cases():
    """The table, plain and with both transpositions; zero points and ties; either operand constant."""
    yield from wide()
    yield from map(resized, (("int8", "int8"), ("int16", "int16")))
    swaps = [(False, False), (True, False), (False, True), (True, True)]
    for x, w in SHAPES:
        for swap in swaps:
            name = f"{list(x)} {list(w)}{' x transposed' * swap[0]}{' y transposed' * swap[1]}"
            yield node(name, (x, w), swap)
    for zeros in ((0, 0, 0), (-128, 127, 0), (127, -128, 127), (0, 5, -128), (-6, 0, 1)):
        yield node(f"zero points {zeros}", ((3, 6, 9), (3, 9, 8)), zeros=zeros)
    for scales in ((1, 1, 2), (1, 1, 10), (0.3, 1, 1), (0.1, 0.3, 0.2), (0.02, 1e-5, 0.02), (1, 3, 0.5)):
        yield node(f"scales {scales}", ((40, 3), (3, 20)), scales=scales)
    # The product of both scales is a float: the quotient is a power of two with it alone.
    product = float(np.float32(0.0371) * np.float32(0.0519))
    scales = (0.0371, 0.0519, float(np.float32(product)) * 256)
    yield node("scales whose product is rounded", ((300, 3), (3, 300)), scales=scales)
    for constant in (0, 1):
        for swap in swaps:
            name = f"constant {constant}{' x transposed' * swap[0]}{' y transposed' * swap[1]}"
            yield node(name, ((2, 7, 16), (2, 16, 12)), swap, constant=constant)
