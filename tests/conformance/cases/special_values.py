"""Zeros, NaN, infinities and numbers far out, for every operator that computes on floats or moves them.

unary.py and binary.py have those of arithmetic functions, and of division, powers and extremes.

Each case says which stock kernels it must equal: both, unless they disagree.  They disagree where

- a result without activation, or with RELU, is infinite: the plain kernels cut it to the largest finite
  number, in ADD, SUB, MUL, DIV, pooling and everything with weights.  XNNPACK does not, and is followed.
- XNNPACK takes minima and maxima: the largest of [1, 2, 3, NaN] is NaN, the smallest of [1, 2, NaN, 3] is 3,
  a mean of a window with NaN is -inf.  The plain kernels leave NaN out of the largest and the smallest, and
  keep it in means; they are followed.
- XNNPACK computes LOGISTIC of 1e30: NaN.  The plain kernels are followed.

Left out: of NaN alone the largest is the lowest finite number to the plain kernels, NaN to XNNPACK, -inf to
the delegate.  Results that are denormal may be 0 to a device, as they are to XNNPACK.  Winograd's algorithm
(3x3, many channels) spreads NaN and infinities over a tile of 4x4 pixels.
"""

import numpy as np
from model import Graph

from ..case import Case
from .empty import of_constants, simple

INF, NAN = float("inf"), float("nan")
BOTH, PLAIN, DEFAULT = ("plain", "default"), ("plain",), ("default",)
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
ZEROS = (0.0, -0.0)
USUAL = (*ZEROS, 0.5, -0.5, 1.0, -1.0, 2.5, -2.5, 3.0, -3.0, 6.0, 7.0)
SMALL = (1e-30, -1e-30, 1e-25, 3e-20, -1e-10)
LARGE = (1e30, -1e30, 1e20, -3e25)
# Activations of one value: label, values, the kernels that are followed.
UNARY = {
    "RELU": [("", (*USUAL, INF, -INF, NAN), BOTH), (" small", SMALL, BOTH), (" large", LARGE, BOTH)],
    "RELU6": [("", (*USUAL, INF, -INF, NAN, *LARGE), BOTH), (" small", SMALL, BOTH)],
    "RELU_N1_TO_1": [("", (*USUAL, INF, -INF, NAN, *LARGE), BOTH), (" small", SMALL, BOTH)],
    "LOGISTIC": [("", (*USUAL, *SMALL, INF, -INF, NAN), BOTH), (" far out", (*LARGE, 88.0, -80.0), PLAIN)],
    "TANH": [("", (*USUAL, *LARGE, INF, -INF, NAN), BOTH), (" small", SMALL, BOTH)],
    "HARD_SWISH": [("", (*USUAL, INF, -INF, NAN), BOTH), (" small", SMALL, BOTH), (" large", LARGE, BOTH)],
    "GELU": [("", (*USUAL, NAN), BOTH), (" small", SMALL, BOTH), (" large", (*LARGE, INF), BOTH)],
}
SLOPES = (0.25, 2.0, -1.0, INF, -INF, NAN, 1e30, 0.5)
# Operands whose results are finite, NaN, or cut by an activation.
TERMS = (*ZEROS, 1.0, -2.5, 7.0, INF, -INF, NAN)
ROWS = (
    (1, 2, NAN, 3),
    (NAN, 1, 2, 3),
    (1, 2, 3, NAN),
    (INF, 1, 2, 3),
    (-INF, 1, 2, 3),
    (INF, INF, 1, 2),
    (INF, -INF, 0, 1),
    (NAN, -INF, 1, 2),
    (-INF, -INF, -INF, -INF),
    (0, 0, -0.0, 0),
    (5, 5, 5, 5),
    (1e20, 1e20, 1, 2),
    (1e-30, 1e-25, 0, 0),
)
WITH_NAN, NO_NAN = ROWS[:3], ROWS[3:7] + ROWS[8:12]
# Reductions: label, rows, the kernels that are followed.
REDUCTIONS = {
    "MEAN": [("", ROWS[:11], BOTH)],
    "SUM": [("", ROWS[:11], BOTH)],
    "REDUCE_PROD": [("", ROWS[:11], BOTH)],
    "REDUCE_MAX": [(" with NaN", WITH_NAN, PLAIN), ("", (ROWS[1], *NO_NAN), DEFAULT)],
    "REDUCE_MIN": [(" with NaN", WITH_NAN, PLAIN), ("", (ROWS[1], *NO_NAN), DEFAULT)],
}
POOLS = {
    "MAX_POOL_2D": [(" with NaN", WITH_NAN, PLAIN), ("", NO_NAN, DEFAULT)],
    "AVERAGE_POOL_2D": [(" with NaN", WITH_NAN, PLAIN), ("", (ROWS[3], ROWS[5], ROWS[4], ROWS[10]), DEFAULT)],
}
STRIDES = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
DILATED = {"dilation_h_factor": 1, "dilation_w_factor": 1, **STRIDES}


def case(name, arrays, fill, follows):
    """One operator of values; `fill` gets the graph and the inputs."""
    g = Graph(name)
    arrays = [np.float32(a) for a in arrays]
    g.output(fill(g, *(g.input(*a.shape) for a in arrays)))
    return Case(g, oldest=False, values=arrays, follows=follows)


def of_two(name, **options):
    """An operator of two values."""
    return lambda g, x, y: g.op(name, x, y, **options)


def activations():
    """Functions of one value, slopes, fused activations behind two operands."""
    for name, lists in UNARY.items():
        for label, values, follows in lists:
            yield case(f"{name}{label}", [values], simple(name), follows)
    for alpha in (0.1, 2.0, -0.5):
        for label, values in (("", (*USUAL, INF, -INF, NAN)), (" small", SMALL), (" large", LARGE)):
            fill = simple("LEAKY_RELU", alpha=alpha)
            yield case(f"LEAKY_RELU alpha {alpha}{label}", [values], fill, BOTH)
    x = np.repeat(np.float32([*USUAL, INF, -INF, NAN])[:, None], len(SLOPES), axis=1)
    yield case("PRELU", [x], of_constants("PRELU", SLOPES), BOTH)
    a, b = (np.ravel(x) for x in np.meshgrid(TERMS, TERMS))
    for name in ("ADD", "SUB", "MUL", "DIV"):
        for activation in ACTIVATIONS:
            follows = BOTH if activation in ("RELU6", "RELU_N1_TO_1") else DEFAULT
            fill = of_two(name, activation=activation)
            yield case(f"{name} {activation}", [a, b], fill, follows)
    far = [(x, y) for x in (*LARGE, *SMALL) for y in (1.0, -0.5, 2.0)]
    for name in ("ADD", "SUB", "MUL", "DIV"):
        yield case(f"{name} far out", np.float32(far).T, of_two(name, activation="NONE"), BOTH)
    yield case("SQUARED_DIFFERENCE", [a, b], of_two("SQUARED_DIFFERENCE"), BOTH)


def rows():
    """Softmax, norms, reductions and pools of rows; with four channels and with one."""
    for name, options in (("SOFTMAX", {"beta": 1.0}), ("SOFTMAX", {"beta": 0.5}), ("LOG_SOFTMAX", {})):
        yield case(f"{name} {options}", [ROWS], simple(name, **options), BOTH)
    yield case("L2_NORMALIZATION", [ROWS], simple("L2_NORMALIZATION"), BOTH)
    for name, lists in REDUCTIONS.items():
        for label, values, follows in lists:
            for axis, array in ((1, np.float32(values)), (0, np.float32(values).T.copy())):
                fill = of_constants(name, [axis])
                yield case(f"{name}{label} over {axis}", [array], fill, follows)
            array = np.repeat(np.float32(values)[:, :, None], 8, axis=2)
            fill = of_constants(name, [1])
            yield case(f"{name}{label} of eight channels", [array], fill, follows)
    for name, lists in POOLS.items():
        for label, values, follows in lists:
            for channels in (1, 4):
                array = np.repeat(np.float32(values)[None, :, :, None], channels, axis=3)
                for h, w in ((1, 4), (2, 2)):
                    options = {"filter_height": h, "filter_width": w, "stride_h": h, "stride_w": w}
                    fill = simple(name, padding="SAME", **options)
                    yield case(f"{name}{label} {h}x{w}, {channels} channels", [array], fill, follows)


def products():
    """What has weights, with every activation."""
    x = np.float32([(a, b) for a in (1, INF, -INF, NAN, 0, 1e10) for b in (1, INF, -INF, NAN)])
    w = np.float32([(1, 0), (0, 1), (1, 1), (-1, 1)])
    picture = x.reshape(1, 6, 4, 2)
    for activation in ACTIVATIONS:
        follows = BOTH if activation in ("RELU6", "RELU_N1_TO_1") else DEFAULT
        for rows in (1, 24):

            def dense(g, x, activation=activation):
                return g.op("FULLY_CONNECTED", x, g.const(w), -1, activation=activation)

            yield case(
                f"FULLY_CONNECTED {activation}, {rows} rows",
                [x[3 : 3 + rows] if rows == 1 else x],
                dense,
                follows,
            )

        def pointwise(g, x, activation=activation):
            bias = g.const(np.float32([0.5, -0.5, 1, 0]))
            return g.op("CONV_2D", x, g.const(w.reshape(4, 1, 1, 2)), bias, activation=activation, **DILATED)

        def convolution(g, x, activation=activation):
            ones = g.const(np.ones((4, 3, 3, 2), "float32"))
            return g.op("CONV_2D", x, ones, g.const(np.zeros(4, "float32")), activation=activation, **DILATED)

        def depthwise(g, x, activation=activation):
            taps = g.const(np.float32([1, 2] * 9).reshape(1, 3, 3, 2))
            options = {"depth_multiplier": 1, "activation": activation, **DILATED}
            return g.op("DEPTHWISE_CONV_2D", x, taps, g.const(np.zeros(2, "float32")), **options)

        for name, fill in (("1x1", pointwise), ("3x3", convolution), ("by channel", depthwise)):
            yield case(f"CONV_2D {name} {activation}", [picture], fill, follows)
    for adj_y in (False, True):
        b = np.float32([(1, 0, INF, NAN), (1, 1, 0, 0)])
        yield case(
            f"BATCH_MATMUL adj_y {adj_y}",
            [x, b.T.copy() if adj_y else b],
            of_two("BATCH_MATMUL", adj_y=adj_y),
            BOTH,
        )

    def transposed(g, x):
        shape, taps = g.const(np.int32([1, 12, 8, 4])), g.const(np.ones((4, 2, 2, 2), "float32"))
        return g.op("TRANSPOSE_CONV", shape, taps, x, padding="SAME", stride_h=2, stride_w=2)

    yield case("TRANSPOSE_CONV", [picture], transposed, DEFAULT)
    for name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        fill = of_constants(name, [11, 7], version=3)
        yield case(name, [picture], fill, PLAIN)


def moves():
    """Operators that move numbers keep them all."""
    x = np.float32([*ZEROS, INF, -INF, NAN, 1e-30, -1e30, 3.4e38] * 2).reshape(2, 2, 2, 2)
    amounts = [(0, 0), (1, 1), (0, 1), (0, 0)]
    table = {
        "TRANSPOSE": of_constants("TRANSPOSE", [3, 1, 0, 2]),
        "PAD": of_constants("PAD", amounts),
        "PADV2": of_constants("PADV2", amounts, INF),
        "MIRROR_PAD": of_constants("MIRROR_PAD", amounts, mode="REFLECT"),
        "TILE": of_constants("TILE", [1, 2, 1, 2]),
        "CONCATENATION": lambda g, x: g.op("CONCATENATION", x, x, axis=2),
        "PACK": lambda g, x: g.op("PACK", x, x, values_count=2, axis=1),
        "GATHER": of_constants("GATHER", [1, 0, 1], axis=1),
        "SLICE": of_constants("SLICE", [0, 1, 0, 0], [2, 1, 2, 2]),
        "STRIDED_SLICE": of_constants("STRIDED_SLICE", [0, 0, 0, 1], [2, 2, 2, 2], [1, 1, 1, 1]),
        "SPACE_TO_DEPTH": simple("SPACE_TO_DEPTH", block_size=2),
        "SPACE_TO_BATCH_ND": of_constants("SPACE_TO_BATCH_ND", [2, 1], [(0, 0), (1, 0)]),
        "BROADCAST_TO": of_constants("BROADCAST_TO", [3, 2, 2, 2, 2], version=2),
    }
    for name, fill in table.items():
        yield case(f"{name} keeps all numbers", [x], fill, BOTH)


def cases():
    """All of them."""
    yield from activations()
    yield from rows()
    yield from products()
    yield from moves()
