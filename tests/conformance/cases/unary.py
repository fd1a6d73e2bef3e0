"""Operators of one value: activations and arithmetic."""

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
ACTIVATIONS = ("RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "TANH", "HARD_SWISH")
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
