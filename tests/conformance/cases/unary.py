"""Operators of one value: activations and arithmetic."""

import numpy as np
from model import Graph

from ..case import Case

SHAPES = [
    (1,),
    (37,),
    (3, 5),
    (2, 3, 7),
    (1, 1, 1, 1),
    (1, 7, 5, 3),
    (2, 8, 8, 16),
    (2, 29, 11, 37),
    (2, 3, 4, 5, 6),
    (2, 1, 3, 2, 3, 5),
]
ACTIVATIONS = ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LOGISTIC", "TANH", "HARD_SWISH")
# Operators with the range of their operand, and the step where they jump.
ARITHMETIC = {
    "ABS": (-3, 3),
    "NEG": (-3, 3),
    "EXP": (-4, 4),
    "LOG": (0.1, 9),
    "SQRT": (0, 9),
    "RSQRT": (0.1, 9),
    "SQUARE": (-3, 3),
    "SIN": (-8, 8),
    "COS": (-8, 8),
    "ELU": (-5, 3),
    "FLOOR": (-9, 9, 0.25),
    "CEIL": (-9, 9, 0.25),
    "ROUND": (-9, 9, 0.5),
    "SIGN": (-3, 3, 0.25),
}

INF, NAN = float("inf"), float("nan")
LARGE = (1e4, 1e5, -3e5, 1e6, 8388609.0, -1e7, 1e9, 2147483648.0, 1e30, -3.4e38)
# Values that functions treat in a way of their own, by case. The plain kernels are followed. The optimised
# ones take denormal numbers for 0 and give EXP(NaN) = 0, RSQRT(0) = NaN, LOG(3.4e38) = inf, SQRT(3.4e38) =
# 2.8e19 and, for large angles, numbers beyond 1 for SIN and COS. Devices may take denormal results for 0, and
# FLOOR and CEIL denormal operands, as the optimised kernels do.
VALUES = {
    "ABS": {"": (0.0, -0.0, 2.5, -2.5, INF, -INF, NAN), " small": (1e-30, -1e-30), " large": (1e30, -3.4e38)},
    "NEG": {"": (0.0, -0.0, 2.5, -2.5, INF, -INF, NAN), " small": (1e-30, -1e-30), " large": (1e30, -3.4e38)},
    "SIGN": {"": (0.0, -0.0, 2.5, -2.5, INF, -INF, NAN, 1e-40, -1e-40, 1e-30, -1e30)},
    "EXP": {"": (0.0, -0.0, 1e-40, 1.0, -INF, INF, NAN, -104.0, -1e30, 89.0, 1e30), " large": (88.0, 80.0)},
    "LOG": {"": (0.0, -0.0, 1e-40, -1e-40, 1e-30, 1.0, 1e30, 3.4e38, INF, -INF, NAN, -1.0, -1e30)},
    "SQRT": {"": (0.0, -0.0, 2.0, INF, -INF, NAN, -1.0, -1e-40), " small": (1e-40, 3e-39, 1e-38)},
    "RSQRT": {"": (0.0, -0.0, 2.0, INF, -INF, NAN, -1.0, -1e-40), " small": (1e-40, 3e-39, 1e-38)},
    "SQUARE": {"": (0.0, -0.0, 1e-30, -2.0, 1e30, INF, -INF, NAN)},
    "SIN": {"": (0.0, -0.0, 1.0, INF, -INF, NAN), " of large angles": LARGE},
    "COS": {"": (0.0, -0.0, 1.0, INF, -INF, NAN), " of large angles": LARGE},
    "ELU": {"": (0.0, -0.0, -1e-30, -1.0, -1e30, 2.0, INF, -INF, NAN)},
    "FLOOR": {"": (0.0, -0.0, 0.5, -0.5, 1e-30, -1e-30, INF, -INF, NAN), " large": (8388609.0, -4194303.5)},
    "CEIL": {"": (0.0, -0.0, 0.5, -0.5, 1e-30, -1e-30, INF, -INF, NAN), " large": (8388609.0, -4194303.5)},
    "ROUND": {"": (0.5, -0.5, 1.5, 2.5, -2.5, 0.49999997, INF, -INF, NAN), " large": (8388609.0, -4194303.5)},
}
# Where the stock kernels disagree, so that the plain ones alone are followed; elsewhere both.
PLAIN_ALONE = {
    *((operator, label) for operator in ("SQRT", "RSQRT") for label in ("", " small")),
    *((operator, " of large angles") for operator in ("SIN", "COS")),
    ("EXP", ""),
    ("LOG", ""),
}


def unary(operator, shape, span, label="", **options):
    """One node."""
    g = Graph(f"{operator} {list(shape)}{label}")
    g.output(g.op(operator, g.input(*shape, **dict(zip(("low", "high", "step"), span))), **options))
    return Case(g, sensitive=operator in ("FLOOR", "CEIL", "ROUND", "SIGN"))


def cases():
    """Every shape for the activations, and values far out on both sides; three shapes for the others."""
    for operator in ACTIVATIONS:
        for shape in SHAPES:
            yield unary(operator, shape, (-8, 8))
        yield unary(operator, (1, 9, 9, 5), (-200, 200), " large")
    for operator, span in ARITHMETIC.items():
        for shape in SHAPES[1::3]:
            yield unary(operator, shape, span)
    for alpha in (0.01, 0.3, 1.5):
        yield unary("LEAKY_RELU", (1, 7, 5, 3), (-5, 5), f" alpha {alpha}", alpha=alpha)
    for approximate in (False, True):
        for shape in ((37,), (2, 5, 7, 8)):
            yield unary("GELU", shape, (-5, 5), f" approximate {approximate}", approximate=approximate)
    for operator, lists in VALUES.items():
        for label, values in lists.items():
            g = Graph(f"{operator} of special values{label}")
            g.output(g.op(operator, g.input(len(values))))
            both = g.kernels == "plain" and (operator, label) not in PLAIN_ALONE
            follows = ("plain", "default") if both else ()
            yield Case(g, oldest=False, values=[np.float32(values)], follows=follows)
