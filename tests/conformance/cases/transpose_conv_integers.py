"""TRANSPOSE_CONV of integers: windows, strides, zero points, ties, scales per channel."""

import numpy as np
from model import Graph

from ..case import Case
from .fully_connected_int16 import SUMS
from .fully_connected_integers import ENDS, TIES
from .transpose_conv import TABLE, output_shape

SHAPES = [
    *TABLE,
    ((2, 5, 3, 8), 16, 3, 2, "SAME"),
    ((1, 9, 4, 12), 6, 5, 3, "VALID"),
    ((1, 3, 17, 4), 4, 2, 2, "SAME"),
    ((1, 2, 3, 7), 2, 7, 1, "VALID"),
]


def node(name, row, dtype, scales=None, zeros=None, bias=True, xnnpack=False, activation="NONE", sums=None):
    """The node with random integers, all of them also at the ends of the range.

    Sums of int16 are those of the bias, unless there is none and they are named.
    """
    shape, channels, kernel, stride, padding = row
    g = Graph(name)
    info = np.iinfo(dtype)
    weights_type = "int8" if dtype == "int16" else dtype
    zeros = (
        {"int8": (3, 0, -7), "uint8": (125, 131, 120), "int16": (0, 0, 0)}[dtype] if zeros is None else zeros
    )
    x_scale = 2e-4 if dtype == "int16" else 0.021
    terms = np.sqrt(shape[3] * max(kernel // stride, 1) ** 2)
    w_scale = 0.013 if scales is None else scales[1]
    scales = (x_scale, w_scale, x_scale * 0.013 * 40 * terms) if scales is None else scales
    x = g.random.integers(info.min, info.max + 1, shape).astype(dtype)
    low, high = np.iinfo(weights_type).min, np.iinfo(weights_type).max
    w = g.random.integers(low + (low < 0), high + 1, (channels, kernel, kernel, shape[3])).astype(
        weights_type
    )
    x.flat[0], x.flat[-1] = info.min, info.max
    size = g.const(np.int32(output_shape(*row)))
    per_channel = np.ndim(w_scale) > 0
    weights = g.const(w, (w_scale, np.zeros(channels) if per_channel else zeros[1], 0))
    inputs = [size, weights, g.input(*shape, dtype=dtype, quantisation=(scales[0], zeros[0], 0))]
    more, says = {}, dtype == "int16" and bias != "int64"
    if bias:
        numbers = g.random.integers(-5000, 5000, channels).astype("int64" if bias == "int64" else "int32")
        b_scale = np.float32(scales[0]) * np.float32(w_scale)
        inputs.append(g.const(numbers, (b_scale, np.zeros(np.shape(w_scale)), 0)))
    if says:
        more["quantized_bias_type"] = SUMS["int32" if bias else sums]
    options = {"padding": padding, "stride_h": stride, "stride_w": stride, "activation": activation} | more
    options |= {"dtype": dtype, "quantisation": (scales[2], zeros[2], 0)}
    version = 5 if says else 3 if activation == "NONE" else 4
    g.output(g.op("TRANSPOSE_CONV", *inputs, version=version, **options))
    oldest = activation == "NONE" and not xnnpack and not more
    case = Case(g, oldest=oldest, values=[x], exact=True, options={"integers": "xnnpack"} if xnnpack else {})
    case.follows = ("default",) if xnnpack else ()
    return case


def label(row):
    """A row of the table, for people."""
    shape, channels, kernel, stride, padding = row
    return f"{list(shape)} to {channels}, {kernel}x{kernel} by {stride} {padding}"


def cases():
    """The table, ties, factors, zero points, activations, channels of their own scale."""
    some = SHAPES[10]
    for dtype in ENDS:
        for xnnpack in (False, True):
            end = ", XNNPACK" * xnnpack
            for row in SHAPES:
                yield node(f"{dtype} {label(row)}{end}", row, dtype, xnnpack=xnnpack)
            yield node(f"{dtype} no bias{end}", some, dtype, bias=False, xnnpack=xnnpack)
            for scales in TIES:
                row = ((2, 5, 7, 1), 8, 2, 2, "SAME")
                zeros = (1, 0, 5) if dtype == "int8" else (127, 128, 130)
                yield node(f"{dtype} scales {scales}{end}", row, dtype, scales, zeros, xnnpack=xnnpack)
            for activation in ("RELU", "RELU6"):
                scales = (0.5, 0.01, 0.05)
                name = f"{dtype} {activation}{end}"
                yield node(name, some, dtype, scales, xnnpack=xnnpack, activation=activation)
            if dtype == "int8":
                for channels in (8, 5):
                    row = ((1, 5, 4, 6), channels, 3, 2, "SAME")
                    scales = (0.02, np.geomspace(1e-5, 10, channels), 0.04)
                    name = f"{channels} channels over six orders of magnitude{end}"
                    yield node(name, row, dtype, scales, xnnpack=xnnpack)
        # The product of one scale for all is a float: the quotient is a power of two with it alone.
        product = float(np.float32(0.0371) * np.float32(0.0519))
        row = ((1, 1, 300, 3), 16, 1, 1, "VALID")
        yield node(f"{dtype} scales whose product is rounded", row, dtype, (0.0371, 0.0519, product * 256))
        low, high = ENDS[dtype]
        for zeros in (
            (low, 0 if dtype == "int8" else low, high),
            (high, 0 if dtype == "int8" else high, low),
        ):
            yield node(f"{dtype} zero points {zeros}", some, dtype, zeros=zeros)
        for exponent in range(-6, 2):
            yield node(f"{dtype} factor 1e{exponent}", some, dtype, (0.02, 10.0**exponent, 0.02))
    for sums in ("int32", "int64"):
        for row in SHAPES:
            yield node(f"int16 {label(row)}, sums of {sums}", row, "int16", bias=False, sums=sums)
        scales = (2e-4, np.geomspace(1e-5, 10, 5), 1e-3)
        row = ((1, 5, 4, 6), 5, 3, 2, "SAME")
        name = f"int16 channels over six orders of magnitude, sums of {sums}"
        yield node(name, row, "int16", scales, bias=False, sums=sums)
    for bias in (False, "int32", "int64"):
        for row in SHAPES:
            yield node(f"int16 {label(row)}, bias {bias}", row, "int16", bias=bias)
        for exponent in range(-8, 1):
            scales = (0.02, 10.0**exponent, 0.02)
            yield node(f"int16 factor 1e{exponent}, bias {bias}", some, "int16", scales, bias=bias)
        row = ((1, 5, 4, 6), 5, 3, 2, "SAME")
        scales = (2e-4, np.geomspace(1e-5, 10, 5), 1e-3)
        yield node(
            f"int16 channels over six orders of magnitude, bias {bias}", row, "int16", scales, bias=bias
        )
        name = f"int16 RELU6, bias {bias}"
        yield node(name, some, "int16", (1e-3, 0.01, 4e-4), bias=bias, activation="RELU6")
