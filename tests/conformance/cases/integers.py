"""Arithmetic of integers, from ADD to SIGN."""

import numpy as np
from model import Graph

from ..case import Case

TYPES = {
    "ADD": ("int32", "int64"),
    "SUB": ("int32", "int64"),
    "MUL": ("int32", "int64"),
    "DIV": ("int32",),
    "MAXIMUM": ("int64", "int32", "int16", "int8", "uint8"),
    "MINIMUM": ("int64", "int32", "int16", "int8", "uint8"),
    "SQUARED_DIFFERENCE": ("int32",),
    "POW": ("int32",),
    "FLOOR_DIV": ("int32", "int16", "int8"),
    "FLOOR_MOD": ("int64", "int32", "int16", "int8"),
    "ABS": ("int32",),
    "NEG": ("int64", "int32"),
    "SIGN": ("int32",),
}
ACTIVATED = ("ADD", "SUB", "MUL", "DIV")
DIVISIONS = ("DIV", "FLOOR_DIV", "FLOOR_MOD")
UNARY = ("ABS", "NEG", "SIGN")
PAIRS = [
    ((), ()),
    ((7,), (7,)),
    ((3, 5), (5,)),
    ((3, 5), ()),
    ((3, 1), (1, 5)),
    ((2, 3, 7), (3, 7)),
    ((1, 7, 5, 3), (1, 7, 5, 3)),
    ((2, 1, 5, 1), (1, 7, 1, 4)),
    ((2, 29, 11, 37), (1, 1, 1, 37)),
]


def node(operator, shapes, dtype, kinds="vv", label="", **options):
    """One node; kinds says of each operand whether it is a value "v" or a constant "c"."""
    g = Graph(f"{operator} {dtype} {' '.join(str(list(s)) for s in shapes)}{label}")
    operands = []
    for place, (shape, kind) in enumerate(zip(shapes, kinds)):
        low = (
            1 if operator in DIVISIONS and place == 1 else 0 if operator == "POW" or dtype == "uint8" else -9
        )
        if kind == "v":
            operands.append(g.input(*shape, dtype=dtype, low=low, high=6 if operator == "POW" else 10))
        else:
            operands.append(g.const(g.random.integers(max(low, 1), 6, shape).astype(dtype)))
    g.output(g.op(operator, *operands, dtype=dtype, **options))
    return Case(g, exact=True)


def ends(dtype):
    """Numbers at the ends of a type and around 0."""
    info = np.iinfo(dtype)
    wide = [0, 1, -1, 2, -2, 3, -7, 10, info.max, info.max - 1, info.min, info.min + 1]
    wide += [2**31, -(2**31) - 1, 2**32 + 5, -(2**40), 2**53 + 1, 46341, -65536, 1000003]
    return [n for n in wide if info.min <= n <= info.max]


def pairs(operator, dtype):
    """Every number with every one that TFLite defines; where sums or products overflow, it wraps."""
    info, found = np.iinfo(dtype), []
    for a in ends(dtype):
        for b in ends(dtype):
            if operator in DIVISIONS and (b == 0 or (a == info.min and b == -1)):
                continue
            if operator == "POW" and (b < 0 or b > 31 or abs(a) ** b > info.max):
                continue
            found.append((a, b))
    return np.array(found, dtype).T


def values(operator, dtype, **options):
    """One node with the numbers at the ends of the type."""
    g = Graph(f"{operator} {dtype} at the ends of the type{''.join(f' {v}' for v in options.values())}")
    if operator in UNARY:
        info = np.iinfo(dtype)
        inputs = [np.array([n for n in ends(dtype) if n != info.min or operator == "SIGN"], dtype)]
    else:
        inputs = [x.copy() for x in pairs(operator, dtype)]
    g.output(g.op(operator, *[g.input(len(x), dtype=dtype) for x in inputs], dtype=dtype, **options))
    return Case(g, values=inputs, exact=True)


def cases():
    """Every function in every type."""
    for operator, types in TYPES.items():
        plain = {"activation": "NONE"} if operator in ACTIVATED else {}
        for dtype in types:
            yield values(operator, dtype, **plain)
            if operator in UNARY:
                yield from (node(operator, [a], dtype) for a in dict(PAIRS))
                continue
            for a, b in PAIRS:
                yield node(operator, (a, b), dtype, **plain)
                if a != b:
                    yield node(operator, (b, a), dtype, **plain)
            yield node(operator, ((1, 7, 5, 3), (3,)), dtype, "vc", " constant second", **plain)
            yield node(operator, ((), (3, 5)), dtype, "cv", " constant first", **plain)
        for activation in ("RELU", "RELU6", "RELU_N1_TO_1") if operator in ACTIVATED else ():
            for dtype in types:
                yield values(operator, dtype, activation=activation)
    g = Graph("integers between floats")
    x = g.input(2, 5, 3, low=-9, high=9, step=1)
    i = g.op("CAST", x, dtype="int32")
    i = g.op(
        "FLOOR_DIV", g.op("MUL", i, i, dtype="int32", activation="NONE"), g.const(np.int32(4)), dtype="int32"
    )
    g.output(g.op("ADD", g.op("CAST", i), x, activation="NONE"))
    yield Case(g)
