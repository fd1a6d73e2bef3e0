"""Largest and smallest integers, where they are, and indices, computed or spread; equal to the byte."""

import numpy as np
from model import Graph

from ..case import Case
from .movement_types import EVERY, ints, limits, source

# input shape, axes
REDUCED = [
    ((7,), [0]),
    ((3, 5), [0]),
    ((3, 5), [1]),
    ((2, 7, 5, 3), [1, 2]),
    ((2, 7, 5, 8), [1, 2]),
    ((2, 7, 5, 3), [-1]),
    ((2, 3, 4, 5, 3), [0, 2, 4]),
    ((1, 3, 1, 5), [2]),
    ((2, 3, 2, 3, 2, 3), [0, 2, 4]),
    ((3, 1000), [1]),
    ((1000, 3), [0]),
]
# input shape, window, stride, padding
POOLS = [
    ((1, 5, 7, 3), (2, 2), (2, 2), "SAME"),
    ((2, 5, 7, 4), (3, 2), (1, 2), "VALID"),
    ((1, 6, 5, 8), (3, 3), (1, 1), "SAME"),
    ((2, 7, 9, 1), (3, 3), (2, 2), "SAME"),
    ((1, 1, 1, 5), (1, 1), (1, 1), "VALID"),
    ((1, 12, 13, 5), (9, 10), (2, 1), "SAME"),
    ((1, 12, 13, 6), (12, 13), (1, 1), "VALID"),
    ((1, 3, 3, 2), (20, 20), (1, 1), "SAME"),
]
# input shape, axis
ARGS = [((7,), 0), ((3, 5), 1), ((3, 5), 0), ((2, 7, 5, 3), -1), ((2, 7, 5, 3), 1), ((2, 2, 2, 2, 3), 2)]
ARGS += [((1000,), 0), ((2, 70000), 1), ((700, 3), 0)]


def cases():
    """All of it."""
    yield from reductions()
    yield from pools()
    yield from arguments()
    yield from indices()


def reductions():
    """REDUCE_MAX, REDUCE_MIN, REDUCE_ANY and REDUCE_ALL."""
    for name in ("REDUCE_MAX", "REDUCE_MIN"):
        for shape, axes in REDUCED:
            for dtype in EVERY:
                g = Graph(f"{name} {dtype}{list(shape)} over {axes}")
                x, keep = source(g, *shape, dtype=dtype), len(shape) == 4
                g.output(g.op(name, x, ints(g, axes), keep_dims=keep, dtype=dtype))
                yield Case(g)
        for dtype, zero in (("int8", -7), ("uint8", 9), ("int16", 0)):
            g = Graph(f"{name} {dtype} from {zero}")
            x = source(g, 2, 5, 3, dtype=dtype, quantisation=(0.25, zero, 0))
            g.output(g.op(name, x, ints(g, [1]), dtype=dtype, quantisation=(0.25, zero, 0)))
            yield Case(g)
        g = Graph(f"{name} of more than a loop has rounds")
        g.output(g.op(name, source(g, 300000, 3, dtype="uint8"), ints(g, [0]), dtype="uint8"))
        yield Case(g)
        g = Graph(f"{name} of other sizes")
        g.output(g.op(name, source(g, 2, 5, 3, dtype="int8"), ints(g, [1]), dtype="int8"))
        yield Case(g, [[(1, 300, 3)], [(3, 5, 4)], [(2, 0, 3)], [(0, 5, 3)]])
    for name in ("REDUCE_ANY", "REDUCE_ALL"):
        for shape, axes in REDUCED[:9]:
            g = Graph(f"{name} {list(shape)} over {axes}")
            g.output(g.op(name, g.input(*shape, dtype="bool"), ints(g, axes), dtype="bool"))
            yield Case(g)


def pools():
    """MAX_POOL_2D, with activations where the tensor is quantised."""
    for shape, window, stride, padding in POOLS:
        for dtype in ("int16", "int8", "uint8"):
            for activation, zero in (
                ("NONE", None),
                ("NONE", 3),
                ("RELU", 3),
                ("RELU6", 3),
                ("RELU_N1_TO_1", 3),
            ):
                if zero is not None and (window != (3, 3) or padding != "SAME"):
                    continue
                kind = None if zero is None else (0.1, 0 if dtype == "int16" else zero, 0)
                text = f"MAX_POOL_2D {dtype}{list(shape)} by {window} {padding}"
                g = Graph(f"{text} {activation} {'plain' if zero is None else 'quantised'}")
                y = g.op(
                    "MAX_POOL_2D",
                    source(g, *shape, dtype=dtype, quantisation=kind),
                    dtype=dtype,
                    quantisation=kind,
                    padding=padding,
                    activation=activation,
                    **dict(zip(("filter_height", "filter_width"), window)),
                    **dict(zip(("stride_h", "stride_w"), stride)),
                )
                g.output(y)
                yield Case(g)

    g = Graph("MAX_POOL_2D of other sizes")
    x = source(g, 1, 6, 7, 3, dtype="int8")
    window = dict(filter_height=3, filter_width=2, stride_h=2, stride_w=1, padding="SAME")
    g.output(g.op("MAX_POOL_2D", x, dtype="int8", **window))
    yield Case(g, [[(2, 3, 5, 4)], [(0, 6, 7, 3)]])


def argument(g, name, x, axis, dtype, wide=False):
    """ARG_MAX or ARG_MIN."""
    code = 4 if wide else 2
    return g.op(name, x, ints(g, [axis], "int64" if wide else "int32"), dtype=dtype, output_type=code)


def arguments():
    """ARG_MAX and ARG_MIN; many elements are equal."""
    for name in ("ARG_MAX", "ARG_MIN"):
        for shape, axis in ARGS:
            for dtype in ("float32", "int32", "int8", "uint8", "bool"):
                wide = len(shape) == 2
                g = Graph(f"{name} {dtype}{list(shape)} along {axis}")
                low, high = (-4, 4) if dtype == "float32" else limits(dtype)
                x = g.input(*shape, dtype=dtype, low=low, high=high, step=0.5 if dtype == "float32" else None)
                g.output(argument(g, name, x, axis, "int64" if wide else "int32", wide))
                # The largest random inputs may be equal in fp16.
                yield Case(g, sensitive=dtype == "float32")
        for dtype, zero in (("int8", -7), ("uint8", 9)):
            g = Graph(f"{name} {dtype} from {zero}")
            x = source(g, 2, 50, 3, dtype=dtype, quantisation=(0.25, zero, 0))
            g.output(argument(g, name, x, 1, "int32"))
            yield Case(g)
        g = Graph(f"{name} of NaN, infinities and zeros")
        x = g.input(8, 4)
        g.output(argument(g, name, x, 1, "int32"))
        nan, inf = np.nan, np.inf
        values = [
            *([nan, 1, 2, 3], [1, nan, 2, 0], [nan, nan, nan, nan], [inf, nan, inf, -inf]),
            *([-inf, nan, -inf, -inf], [0.0, -0.0, -0.0, 0.0], [-0.0, 1e-40, -1e-40, 0.0], [-1, -2, -2, -1]),
        ]
        yield Case(g, values=[np.array(values, "float32")])
        g = Graph(f"{name} of other sizes")
        g.output(argument(g, name, source(g, 2, 5, 3, dtype="uint8"), 1, "int64", True))
        yield Case(g, [[(1, 700, 3)], [(3, 1, 4)], [(0, 5, 3)]])


def indices():
    """GATHER and GATHER of GATHER with indices that are an input or computed."""
    for dtype in ("float32", *EVERY):
        for index in ("int16", "int32", "int64"):
            g = Graph(f"GATHER {dtype} at {index}")
            x = g.input(3, 7, 5) if dtype == "float32" else source(g, 3, 7, 5, dtype=dtype)
            at = g.input(2, 3, dtype=index, low=0, high=7)
            g.output(g.op("GATHER", x, at, axis=1, dtype=dtype))
            yield Case(g)
    for dtype in ("float32", *EVERY):
        for shape, depth, index in (
            ((3, 4, 5), 2, "int32"),
            ((2, 3, 4, 8), 1, "int64"),
            ((4, 3), 2, "int16"),
        ):
            g = Graph(f"GATHER_ND {dtype}{list(shape)} at {depth} of {index}")
            x = g.input(*shape) if dtype == "float32" else source(g, *shape, dtype=dtype)
            at = g.input(2, 3, depth, dtype=index, low=0, high=min(shape))
            g.output(g.op("GATHER_ND", x, at, dtype=dtype))
            yield Case(g)
    for dtype in ("float32", "int64", "int32", "int8", "uint8", "bool"):
        for shape, axis, index in (((7,), -1, "int32"), ((2, 3), 1, "int64"), ((3, 1, 5), 0, "int32")):
            g = Graph(f"ONE_HOT {dtype} of {index}{list(shape)} along {axis}")
            at = g.input(*shape, dtype=index, low=-1, high=6)
            high, low = (1.5, -0.25) if dtype == "float32" else (limits(dtype)[1] - 1, limits(dtype)[0])
            values = g.const(np.array(high, dtype)), g.const(np.array(low, dtype))
            g.output(g.op("ONE_HOT", at, ints(g, 5), *values, axis=axis, dtype=dtype))
            yield Case(g)
    g = Graph("GATHER_ND at constant indices")
    g.output(g.op("GATHER_ND", source(g, 3, 4, 5, dtype="int8"), ints(g, [[2, 3], [0, 1]]), dtype="int8"))
    yield Case(g)
    g = Graph("GATHER at indices of each image, in other sizes")
    x, at = source(g, 3, 7, 5, dtype="int8"), g.input(3, 2, dtype="int32", low=0, high=5)
    g.output(g.op("GATHER", x, at, axis=1, batch_dims=1, dtype="int8"))
    yield Case(g, [[(2, 5, 5), (2, 9)], [(1, 7, 8), (1, 1)], [(0, 5, 5), (0, 2)]])
    g = Graph("GATHER at the largest")
    x = source(g, 5, 7, dtype="uint8")
    at = argument(g, "ARG_MAX", x, 0, "int32")
    g.output(g.op("GATHER", source(g, 5, 3, dtype="int16"), at, axis=0, dtype="int16"))
    yield Case(g)
