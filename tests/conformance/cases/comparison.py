"""EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS and LESS_EQUAL of every type; LOGICAL_AND, _OR and _NOT."""

import numpy as np
from model import Graph

from ..case import Case

OPERATORS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
LOGICAL = ("LOGICAL_AND", "LOGICAL_OR")
PAIRS = [
    ((), ()),
    ((1,), (7,)),
    ((3, 5), (3, 5)),
    ((3, 5), ()),
    ((3, 1), (1, 5)),
    ((2, 3, 7), (3, 7)),
    ((1, 7, 5, 3), (3,)),
    ((2, 1, 5, 1), (1, 7, 1, 4)),
    ((1, 29, 11, 37), (1, 29, 11, 37)),
]
INTEGERS = ("int64", "int32", "int16")
INF, NAN = float("inf"), float("nan")
FLOATS = [0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, 1e-40, -1e-40, 2e-40, 3e38, 1.0000001]
# Scales and zero points of both operands: alike, different, and so small that neighbours are equal.
SCALES = [
    ((0.5, 0), (0.5, 0)),
    ((0.02, 3), (0.05, -7)),
    ((0.001, 0), (0.0011, 2)),
    ((0.999, -128), (0.25, 127)),
]


def compare(operator, a, b, dtype, kinds="vv", label="", **options):
    """One node; kinds says of each operand whether it is a value "v" or a constant "c"."""
    g = Graph(f"{operator} {dtype} {list(a)} {list(b)}{label}")
    operands = []
    for shape, kind in zip((a, b), kinds):
        if kind == "v":
            operands.append(
                g.input(*shape, dtype=dtype, low=-3, high=4, step=1 if dtype == "float32" else None)
            )
        else:
            operands.append(g.const(g.random.integers(-3, 4, shape).astype(dtype)))
    g.output(g.op(operator, *operands, dtype="bool"))
    # Random inputs that are near each other may change places in fp16.
    return Case(g, oldest=False, exact=True, sensitive=dtype == "float32", **options)


def values(operator, x, dtype, label="", scales=((), ())):
    """Every value with every one."""
    a, b = (np.array(v, dtype).ravel() for v in np.meshgrid(np.array(x, dtype), np.array(x, dtype)))
    g = Graph(f"{operator} {dtype} of special values{label}")
    operands = [g.input(len(a), dtype=dtype, quantisation=(s[0], s[1], 0) if s else None) for s in scales]
    g.output(g.op(operator, *operands, dtype="bool"))
    return Case(g, oldest=False, values=[a, b], exact=True)


def cases():
    """Shapes for some types, special values for all."""
    for operator in OPERATORS:
        for a, b in PAIRS:
            for dtype in ("float32", "int32") + (
                ("bool",) if "EQUAL" in operator[-9:] and operator[0] in "EN" else ()
            ):
                yield compare(operator, a, b, dtype)
                if a != b:
                    yield compare(operator, b, a, dtype)
        yield compare(operator, (1, 7, 5, 3), (3,), "float32", "vc", " constant")
        yield compare(operator, (), (3, 5), "int64", "cv", " constant")
        for dtype in INTEGERS:
            # The plain kernel leaves this result as it was.
            if (operator, dtype) == ("NOT_EQUAL", "int16"):
                continue
            info = np.iinfo(dtype)
            yield values(operator, [0, 1, -1, info.max, info.min, info.max - 1, info.min + 1, 255], dtype)
        for dtype in ("float32", "float16"):
            with np.errstate(over="ignore"):
                yield values(operator, FLOATS, dtype)
        for n, scales in enumerate(SCALES):
            yield values(operator, np.arange(-128, 128, 5), "int8", f" scaled {n}", scales)
            unsigned = tuple((scale, zero + 128) for scale, zero in scales)
            yield values(operator, np.arange(0, 256, 5), "uint8", f" scaled {n}", unsigned)
            wide = [-32768, -32767, -300, -255, -1, 0, 1, 2, 3, 254, 255, 256, 4000, 32766, 32767]
            yield values(operator, [*wide, *range(-40, 40, 3)], "int16", f" scaled {n}", scales)
    for operator in LOGICAL:
        for a, b in PAIRS:
            yield compare(operator, a, b, "bool")
            if a != b:
                yield compare(operator, b, a, "bool")
    for shape in dict(PAIRS):
        g = Graph(f"LOGICAL_NOT {list(shape)}")
        g.output(g.op("LOGICAL_NOT", g.input(*shape, dtype="bool"), dtype="bool"))
        yield Case(g, oldest=False, exact=True)
    g = Graph("a mask between floats")
    x, y = g.input(2, 5, 3), g.input(2, 5, 3)
    mask = g.op(
        "LOGICAL_OR",
        g.op("LESS", x, y, dtype="bool"),
        g.op("GREATER", x, g.const(np.float32(1)), dtype="bool"),
        dtype="bool",
    )
    g.output(g.op("MUL", g.op("CAST", mask), x, activation="NONE"), mask)
    yield Case(g, oldest=False, sensitive=True)
    g = Graph("EQUAL of no elements")
    a, b = g.input(0, 3, dtype="int32"), g.input(1, 3, dtype="int32")
    g.output(g.op("EQUAL", a, b, dtype="bool"))
    yield Case(g, oldest=False, left={"EQUAL": 1}, partitions=0)
    g = Graph("a mask that the model calls an integer")
    x = g.input(2, 3)
    g.output(g.op("CAST", g.op("EQUAL", x, g.const(np.float32(1)), dtype="int8")))
    yield Case(g, oldest=False, left={"EQUAL": 1, "CAST": 1}, partitions=0)
