"""ADD, SUB and MUL: broadcasting of either operand, constants, fused activations, ranks 1 to 6."""

import numpy as np
from model import Graph

from ..case import Case

# Shapes of the two operands.
PAIRS = [
    ((1,), (1,)),
    ((7,), (7,)),
    ((29,), (1,)),
    ((3, 5), (3, 5)),
    ((3, 5), (5,)),
    ((3, 1), (1, 5)),
    ((2, 3, 7), (3, 7)),
    ((1, 1, 1, 1), (1, 1, 1, 1)),
    ((1, 7, 5, 3), (1, 7, 5, 3)),
    ((1, 7, 5, 3), (3,)),
    ((1, 7, 5, 4), (1, 1, 1, 4)),
    ((2, 29, 11, 37), (2, 29, 11, 37)),
    ((2, 13, 11, 37), (2, 1, 1, 37)),
    ((3, 8, 8, 16), (3, 1, 1, 16)),
    ((3, 8, 8, 16), (1, 8, 8, 1)),
    ((3, 8, 8, 16), (8, 1, 16)),
    ((1, 4, 6, 8), (1, 4, 6, 1)),
    ((1, 4, 6, 8), (1, 1, 6, 8)),
    ((1, 4, 6, 8), ()),
    ((3, 1, 5, 1), (1, 7, 1, 4)),
    ((2, 3, 4, 5, 6), (2, 3, 4, 5, 6)),
    ((2, 3, 4, 5, 6), (1, 3, 1, 5, 1)),
    ((2, 3, 2, 3, 2, 4), (2, 3, 2, 3, 2, 4)),
    ((1, 56, 56, 64), (1, 56, 56, 64)),
]
SIX_WIDE = ((2, 3, 2, 3, 2, 4), (3, 1, 3, 1, 4))  # what SUB and MUL broadcast on a recent host, ADD does not
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


# Operators without a fused activation, with the ranges of both operands.
PLAIN = {
    "MAXIMUM": ((-3, 3), (-3, 3)),
    "MINIMUM": ((-3, 3), (-3, 3)),
    "SQUARED_DIFFERENCE": ((-3, 3), (-3, 3)),
    "POW": ((0.2, 3), (-2, 2)),
    "FLOOR_DIV": ((-9, 9, 0.25), (-3, 3, 0.5)),
    "FLOOR_MOD": ((-9, 9, 0.25), (-3, 3, 0.5)),
}
BOTH = ("plain", "default")
INF, NAN = float("inf"), float("nan")
ZEROS = (0.0, -0.0)
SPECIAL = (1e-40, -1e-40, INF, -INF, NAN, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.5, -0.5, 12.0, 9.9, 3.3)
# First operands that are divided by further ones. The stock kernels take the floor of the quotient in 64 bits
# (9.9 / 3.3 < 3) and refuse a divisor of 0, where the delegate gives an infinity or NaN.
DIVISIONS = {
    "": (ZEROS + SPECIAL, SPECIAL),
    " of hard quotients": ((9.9, 6.6, -9.9, 19.8, -7.0), (3.3, 2.2, -3.3, 0.1, -0.1)),
    " of large quotients": ((33333.0, 1e5, -1e5, 1e7, 16777217.0), (0.1, 0.3, -6.2831855, 1e-3, 1e-5)),
    " far apart": ((1e30, -1e30, 3.4e38, 1e-30), (3.0, -7.0, 1e-3, 1e-30, 1e30)),
}
# The plain kernels give the second operand where one is NaN (x > y ? x : y), and are followed; XNNPACK puts a
# constant second, and gives NaN where the plain kernels give the constant.
EXTREMES = (0.0, -1.0, 2.0, INF, -INF, NAN)
# Powers that fp32 holds.
WHOLE = [(x, n) for x in range(-16, 17) for n in range(7) if abs(x) ** n < 2**24] + [(-2, 127), (2, -126)]
FEW = PAIRS[4:17:4] + PAIRS[20:22]


def binary(operator, a, b, kinds="vv", *, ranges=((), ()), label="", oldest=True, **options):
    """One node; kinds says of each operand whether it is a value "v" or a constant "c"."""
    g = Graph(f"{operator} {list(a)} {list(b)}{label}")
    operands = []
    for shape, kind, span in zip((a, b), kinds, ranges):
        values = dict(zip(("low", "high", "step"), span))
        operands.append(g.input(*shape, **values) if kind == "v" else g.weights(*shape, scale=1))
    g.output(g.op(operator, *operands, **options))
    return Case(g, oldest=oldest, sensitive=operator in ("FLOOR_DIV", "FLOOR_MOD"))


def with_activation(operator, pairs, ranges=((), ())):
    """Shapes, both ways round, then constants and activations."""
    for a, b in pairs:
        # MUL of the oldest host aborts where it has to broadcast five dimensions.
        oldest = operator != "MUL" or a == b or len(a) < 5
        yield binary(operator, a, b, ranges=ranges, oldest=oldest)
        if a != b:
            yield binary(operator, b, a, ranges=ranges, oldest=oldest)
    for a, b in (((1, 7, 5, 3), (1, 7, 5, 3)), ((1, 7, 5, 4), (4,)), ((2, 3, 5, 8), (1,))):
        yield binary(operator, a, b, "vc", ranges=ranges, label=" constant second")
        yield binary(operator, b, a, "cv", ranges=ranges, label=" constant first")
    for activation in ACTIVATIONS:
        settings = {"ranges": ranges, "activation": activation}
        yield binary(operator, (2, 3, 5, 7), (2, 3, 5, 7), label=f" {activation}", **settings)
        yield binary(operator, (2, 3, 5, 8), (8,), "vc", label=f" constant {activation}", **settings)
    g = Graph(f"{operator} of a value with itself")
    x = g.input(1, 5, 7, 6, **dict(zip(("low", "high"), ranges[1])))
    g.output(g.op(operator, x, x))
    yield Case(g)


def cases():
    """Every shape for ADD, fewer for the others."""
    yield from with_activation("ADD", PAIRS)
    yield from with_activation("SUB", FEW)
    yield from with_activation("MUL", FEW)
    yield from with_activation("DIV", FEW, ranges=((-3, 3), (0.5, 4)))
    for operator in ("SUB", "MUL"):
        yield binary(operator, *SIX_WIDE, oldest=False)
    for operator, ranges in PLAIN.items():
        for a, b in FEW[:-2] + PAIRS[:1]:
            yield binary(operator, a, b, ranges=ranges)
            if a != b:
                yield binary(operator, b, a, ranges=ranges)
    for operator in ("MAXIMUM", "MINIMUM"):
        yield binary(operator, (2, 3, 5, 8), (8,), "vc", label=" constant")
    g = Graph("POW with exponent two")
    g.output(g.op("POW", g.input(1, 5, 7, 6, low=0.1, high=3), g.const(np.float32(2))))
    yield Case(g)
    for label, (a, b) in DIVISIONS.items():
        for operator in ("FLOOR_DIV", "FLOOR_MOD"):
            yield values(operator, a, b, label)
    for operator in ("MAXIMUM", "MINIMUM"):
        yield values(operator, EXTREMES, EXTREMES)
    for label, bases in (("", ZEROS + SPECIAL), (" large", (1e30, -1e30, 1e5))):
        yield values("POW", bases, ZEROS + SPECIAL, label)
    yield whole_powers()


def values(operator, a, b, label=""):
    """Every value of a with every one of b."""
    a, b = (np.float32(x).ravel() for x in np.meshgrid(a, b))
    g = Graph(f"{operator} of special values{label}")
    g.output(g.op(operator, g.input(len(a)), g.input(len(a))))
    return Case(g, oldest=False, values=[a, b], follows=BOTH)


def whole_powers():
    """Whole exponents, less what they give: 0 everywhere."""
    x, n = np.float32(WHOLE).T
    g = Graph("POW of whole exponents, exactly")
    powers = np.float32([float(x) ** n for x, n in WHOLE])
    y = g.op("POW", g.input(len(x)), g.input(len(x)))
    g.output(g.op("SUB", y, g.const(powers)))
    return Case(g, oldest=False, values=[x.copy(), n.copy()], follows=BOTH)
