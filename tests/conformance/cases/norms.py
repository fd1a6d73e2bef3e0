"""Norms and statistics as models spell them out, for inputs from 1e-4 to 1e4.

Squares, sums and exponentials of what fp16 holds need not fit into fp16.
"""

import numpy as np
from model import Graph

from ..case import Case

RANGES = (1e-4, 1e-2, 1.0, 1e2, 1e4)


def ints(g, *numbers):
    """A constant of integers."""
    return g.const(np.int32(numbers))


def number(g, x):
    """A constant float."""
    return g.const(np.float32(x))


def mean(g, x, *axes):
    """MEAN that keeps its dimensions."""
    return g.op("MEAN", x, ints(g, *axes), keep_dims=True)


def total(g, x, *axes):
    """SUM that keeps its dimensions."""
    return g.op("SUM", x, ints(g, *axes), keep_dims=True)


def inverse_root(g, x, epsilon):
    """1 / sqrt(x + epsilon)."""
    return g.op("RSQRT", g.op("ADD", x, number(g, epsilon)))


def standardised(g, x, axes, channels):
    """(x - mean) / sqrt(variance), with gain and bias for the last dimension."""
    centred = g.op("SUB", x, mean(g, x, *axes))
    variance = mean(g, g.op("SQUARE", centred), *axes)
    y = g.op("MUL", centred, inverse_root(g, variance, 1e-10))
    return g.op("ADD", g.op("MUL", y, g.weights(channels)), g.weights(channels))


def rms(g, x):
    """x / sqrt(mean x²)."""
    return g.op("MUL", x, inverse_root(g, mean(g, g.op("SQUARE", x), 3), 1e-10))


def rms_product(g, x):
    """The same with x · x."""
    return g.op("MUL", x, inverse_root(g, mean(g, g.op("MUL", x, x), 3), 1e-10))


def rms_power(g, x):
    """The same with powers."""
    square = g.op("POW", x, number(g, 2))
    shifted = g.op("ADD", mean(g, square, 3), number(g, 1e-10))
    return g.op("MUL", x, g.op("POW", shifted, number(g, -0.5)))


def instance(g, x):
    """Over rows and columns, with SQUARED_DIFFERENCE."""
    middle = mean(g, x, 1, 2)
    variance = mean(g, g.op("SQUARED_DIFFERENCE", x, middle), 1, 2)
    return g.op("MUL", g.op("SUB", x, middle), inverse_root(g, variance, 1e-10))


def batch(g, x):
    """Instance norm as x · s + (b - mean · s)."""
    middle = mean(g, x, 1, 2)
    variance = mean(g, g.op("SQUARED_DIFFERENCE", x, middle), 1, 2)
    scale = g.op("MUL", inverse_root(g, variance, 1e-10), g.weights(8))
    return g.op("ADD", g.op("MUL", x, scale), g.op("SUB", g.weights(8), g.op("MUL", middle, scale)))


def layer(g, x):
    """Over channels."""
    return standardised(g, x, (3,), 8)


def groups(g, x):
    """Over rows, columns and groups of channels."""
    y = g.op("RESHAPE", x, ints(g, 1, 6, 6, 2, 4))
    return g.op("RESHAPE", standardised(g, y, (1, 2, 4), 4), ints(g, 1, 6, 6, 8))


def l2(g, x):
    """x / sqrt(sum x²)."""
    length = g.op("SQRT", total(g, g.op("SQUARE", x), 3))
    return g.op("DIV", x, g.op("MAXIMUM", length, number(g, 1e-12)))


def l2_operator(g, x):
    """L2_NORMALIZATION."""
    return g.op("L2_NORMALIZATION", x)


def l1(g, x):
    """x / (mean |x| + epsilon)."""
    return g.op("DIV", x, g.op("ADD", mean(g, g.op("ABS", x), 1, 2, 3), number(g, 1e-8)))


def variance(g, x):
    """The variance itself."""
    return mean(g, g.op("SQUARED_DIFFERENCE", x, mean(g, x, 1, 2)), 1, 2)


def deviation(g, x):
    """E x² - (E x)², and its root."""
    squares = g.op("SUB", mean(g, g.op("SQUARE", x), 1, 2), g.op("SQUARE", mean(g, x, 1, 2)))
    return g.op("SQRT", g.op("MAXIMUM", squares, number(g, 1e-12)))


def energy(g, x):
    """The root of a sum of squares of two halves, read twice."""
    left, right = (
        g.op("STRIDED_SLICE", x, ints(g, 0, 0, 0, at), ints(g, 1, 6, 6, at + 4), ints(g, 1, 1, 1, 1))
        for at in (0, 4)
    )
    both = g.op("ADD", g.op("SQUARE", left), g.op("SQUARE", right))
    g.output(g.op("SQRT", both))
    return g.op("DIV", left, g.op("SQRT", g.op("ADD", both, number(g, 1e-10))))


def shared_sum(g, x):
    """A sum of squares with three readers."""
    squares = total(g, g.op("SQUARE", x), 3)
    g.output(squares)
    g.output(g.op("MUL", x, inverse_root(g, squares, 1e-10)))
    return g.op("DIV", g.op("SQUARE", x), squares)


def shared_addition(g, x):
    """A sum of two values with three readers."""
    y = g.op("ADD", x, g.op("MUL", x, number(g, 0.5)))
    g.output(y)
    return g.op("MUL", y, inverse_root(g, mean(g, g.op("MUL", y, y), 1, 2, 3), 1e-10))


def softmax(g, x):
    """SOFTMAX."""
    return g.op("SOFTMAX", x, beta=1.0)


def softmax_parts(g, x):
    """exp(x - most) over its sum."""
    most = g.op("REDUCE_MAX", x, ints(g, 3), keep_dims=True)
    powers = g.op("EXP", g.op("SUB", x, most))
    return g.op("DIV", powers, total(g, powers, 3))


def log_sum(g, x):
    """The logarithm of a sum of exponentials."""
    most = g.op("REDUCE_MAX", x, ints(g, 3), keep_dims=True)
    return g.op("ADD", g.op("LOG", total(g, g.op("EXP", g.op("SUB", x, most)), 3)), most)


NORMS = (
    rms,
    rms_product,
    rms_power,
    instance,
    batch,
    layer,
    groups,
    l2,
    l2_operator,
    l1,
    variance,
    deviation,
)
SUMS = (shared_sum, shared_addition, log_sum)
# A large logit that is rounded to 11 bits moves by whole units; a small element over its size has few bits.
JUMPS = (softmax, softmax_parts, energy)


def cases():
    """Every formula for every range."""
    for formula in (*NORMS, *SUMS, *JUMPS):
        for span in RANGES:
            g = Graph(f"{formula.__name__} {span:g}")
            g.output(formula(g, g.input(1, 6, 6, 8, low=-span, high=span)))
            yield Case(g, sensitive=formula in JUMPS)
