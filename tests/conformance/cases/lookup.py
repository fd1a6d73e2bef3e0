"""Functions of one quantised integer: all 256 values of 8 bits, and of 16 bits many."""

import numpy as np
from model import Graph

from ..case import Case

XNNPACK = {"integers": "xnnpack"}
BYTES = ("int8", "uint8")
ALL = ("int8", "uint8", "int16")
# The types that TFLite has of each function, and those that XNNPACK takes.
TYPES = {
    "RELU": ALL,
    "RELU6": ALL,
    "RELU_N1_TO_1": BYTES,
    "RELU_0_TO_1": BYTES,
    "LOGISTIC": ALL,
    "TANH": ALL,
    "HARD_SWISH": BYTES,
    "GELU": ALL,
    "ELU": ("int8",),
    "EXP": ("int8", "int16"),
    "LOG": ("int8", "int16"),
    "SQRT": ("int8", "int16"),
    "RSQRT": ("int8", "int16"),
    "ABS": ("int8", "int16"),
    "NEG": ("int8", "int16"),
    "LEAKY_RELU": ALL,
}
# What runtimes from 2.20 on have.
RECENT = {
    "GELU": ("int16",),
    "LOG": ("int8", "int16"),
    "NEG": ("int8", "int16"),
    "RSQRT": ("int16",),
    "SQRT": ("int8", "int16"),
}
TAKEN = {"LOGISTIC": BYTES, "TANH": BYTES, "ELU": ("int8",), "LEAKY_RELU": BYTES}
OPTIONS = {
    "GELU": ({"approximate": False}, {"approximate": True}),
    "LEAKY_RELU": ({"alpha": 0.1}, {"alpha": 1.5}, {"alpha": 0.3}),
}
SHAPES = [(), (1,), (3,), (7, 1), (2, 3, 5), (1, 7, 5, 3), (2, 29, 11, 37), (2, 1, 3, 1, 5)]
# Scales over six orders of magnitude.
SCALES = [0.05, 0.1, 1.0, 0.003921569, 3.7, 1e-3, 0.017, 40.0]


def zeros(dtype):
    """Zero points at both ends, in the middle and elsewhere."""
    return {"int8": (0, -128, 127, 5, -7), "uint8": (128, 0, 255, 133, 3), "int16": (0,)}[dtype]


def result(operator, dtype, scale, zero):
    """The result's scale and zero point; TFLite asks for a certain one of some functions."""
    if operator == "LOGISTIC":
        return (1 / 32768, 0) if dtype == "int16" else (1 / 256, -128 if dtype == "int8" else 0)
    if operator == "TANH" and dtype == "int16":
        return 1 / 32768, 0
    return scale, zero


def numbers(operator, dtype, zero):
    """All integers of 8 bits; those that TFLite computes roots of."""
    info = np.iinfo(dtype)
    x = np.arange(info.min, info.max + 1, 1 if info.bits == 8 else 7).astype(dtype)
    x = np.unique(np.concatenate([x, np.array([info.min, info.max, zero], dtype)]))
    return x[x >= zero] if operator in ("SQRT", "RSQRT") else x


def unary(operator, dtype, x_quantisation, y_quantisation, n, options, kernels="plain"):
    """One node over all integers."""
    xnnpack = kernels == "default"
    label = f"{x_quantisation} {y_quantisation} {list(options.values())}{' by XNNPACK' if xnnpack else ''}"
    g = Graph(f"{operator} {dtype} {label} {n}")
    x = numbers(operator, dtype, x_quantisation[1])
    node = g.input(len(x), dtype=dtype, quantisation=(*x_quantisation, 0))
    g.output(g.op(operator, node, dtype=dtype, quantisation=(*y_quantisation, 0), **options))
    follows = (kernels,) if operator != "ELU" or xnnpack else ("optimised",)
    oldest = not xnnpack and dtype not in RECENT.get(operator, ())
    return Case(g, oldest=oldest, values=[x], exact=True, follows=follows, options=XNNPACK if xnnpack else {})


def shaped(operator, dtype, shape):
    """Few elements, and some that do not fill a word."""
    g = Graph(f"{operator} {dtype} {list(shape)}")
    scale, zero = result(operator, dtype, 0.02, 0)
    low = 0 if dtype == "uint8" else -100
    node = g.input(*shape, dtype=dtype, low=low, high=100, quantisation=(0.03, 0, 0))
    g.output(
        g.op(operator, node, dtype=dtype, quantisation=(scale, zero, 0), **OPTIONS.get(operator, ({},))[0])
    )
    return Case(g, exact=True, follows=("plain",))


def cases():
    """Scales, zero points and shapes of every function."""
    for operator, types in TYPES.items():
        for dtype in types:
            points = zeros(dtype)
            for n, scale in enumerate(SCALES):
                for options in OPTIONS.get(operator, ({},)):
                    zero = points[n % len(points)]
                    for k in (n % 4, (n + 1) % 4):
                        factor = (1, 0.7, 0.013, 5.9)[k]
                        if operator == "HARD_SWISH" and factor < 0.5:
                            continue
                        if dtype == "int16" and operator in ("LOGISTIC", "TANH") and scale > 2:
                            scale = 2.0 ** -(n + 8)
                        y_zero = points[(n + k) % len(points)]
                        quantisations = (scale, zero), result(operator, dtype, scale * factor, y_zero)
                        yield unary(operator, dtype, *quantisations, (n, k), options)
                        if dtype in TAKEN.get(operator, ()):
                            yield unary(operator, dtype, *quantisations, (n, k), options, "default")
    for dtype in ("int8", "int16"):
        yield unary("SQRT", dtype, (1e4, 0), (1e-9, 0), "large", {})
        yield unary("ABS", dtype, (0.5, 0), (3e-8, 0), "large", {})
    for shape in SHAPES:
        for operator, dtype in (
            ("TANH", "int8"),
            ("LOGISTIC", "uint8"),
            ("RELU", "int16"),
            ("TANH", "int16"),
        ):
            yield shaped(operator, dtype, shape)
