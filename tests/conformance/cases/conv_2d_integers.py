"""CONV_2D of quantised integers: the windows of CONV_2D, scales, zero points, saturation, ties."""

import numpy as np
from model import Graph

from ..case import Case
from .conv_2d import TABLE as WINDOWS

# What only words of four channels and their border can get wrong.
WORDS = [
    ((1, 5, 6, 12), 18, 3, 3, {}),
    ((2, 5, 7, 4), 6, 3, 3, {"groups": 2}),
    ((1, 6, 7, 8), 8, 3, 3, {"groups": 2}),
    ((1, 6, 7, 24), 12, 3, 3, {"groups": 3}),
    ((1, 6, 7, 6), 9, 2, 3, {"groups": 3, "stride": (1, 2)}),
    ((1, 6, 7, 5), 10, 1, 1, {"groups": 5}),
    ((1, 5, 3, 8), 7, 5, 3, {"padding": "VALID"}),
    ((3, 5, 3, 9), 8, 5, 3, {"padding": "VALID"}),
    ((1, 4, 3, 512), 8, 3, 3, {}),
    ((1, 3, 2, 520), 34, 1, 1, {}),
    ((1, 2, 2, 1096), 9, 1, 1, {}),
    ((1, 9, 2, 3), 4, 7, 7, {}),
    ((1, 2, 9, 2), 4, 3, 9, {"stride": (2, 3)}),
    ((1, 7, 9, 3), 4, 3, 3, {"dilation": (2, 1)}),
    ((1, 7, 9, 3), 4, 3, 3, {"dilation": (1, 3)}),
]
ACTIVATIONS = ["RELU", "RELU6", "RELU_N1_TO_1"]
EXTREMES = ((-128, -128), (127, 127), (-128, 127), (5, -3))


def convolution(g, x, channels, kh, kw, depth, *, dtype="int8", scales=(0.05, 0.02, 0.1), zeros=(3, 0, -5),
                per_channel=True, stride=(1, 1), dilation=(1, 1), padding="SAME",
                activation="NONE", spread=1.0, full=False):  # fmt: skip
    """The node with random weights; scales and zero points are those of x, weights and y."""
    (sh, sw), (dh, dw) = stride, dilation
    info = np.iinfo(dtype)
    least = -127 if dtype == "int8" else 0
    w = g.random.integers(least, info.max + 1, (channels, kh, kw, depth)).astype(dtype)
    if full:
        w = np.where(g.random.random(w.shape) < 0.5, least, info.max).astype(dtype)
    count = channels if per_channel and dtype == "int8" else 1
    w_scales = np.float32(scales[1]) * np.float32(10 ** g.random.uniform(-spread, spread, count))
    w_scales = w_scales / np.sqrt(kh * kw * depth)
    b = g.random.integers(-3000, 3000, channels).astype("int32")
    w, b = g.const(w, (w_scales, [zeros[1]] * count, 0)), g.const(b, (w_scales * scales[0], [0] * count, 0))
    return g.op("CONV_2D", x, w, b, padding=padding, stride_h=sh, stride_w=sw, dilation_h_factor=dh,
                dilation_w_factor=dw, activation=activation, version=3, dtype=dtype,
                quantisation=(scales[2], zeros[2], 0))  # fmt: skip


def values(g, shape, dtype, full=False):
    """All numbers of the type, or those at its ends."""
    info = np.iinfo(dtype)
    if full:
        return np.where(g.random.random(shape) < 0.5, info.min, info.max).astype(dtype)
    return g.random.integers(info.min, info.max + 1, shape).astype(dtype)


def conv(shape, channels, kh, kw, *, dtype="int8", groups=1, integers="reference", label="", **options):
    """One convolution."""
    text = "".join(f" {key} {value}" for key, value in options.items())
    text += (f" groups {groups}" if groups > 1 else "") + (f" {integers}" if integers != "reference" else "")
    g = Graph(f"{dtype} {list(shape)} to {channels}, {kh}x{kw}{text}{label}")
    scales, zeros = options.get("scales", (0.05, 0.02, 0.1)), options.get("zeros", (3, 0, -5))
    if dtype == "uint8" and "zeros" not in options:
        options["zeros"] = zeros = (130, 121, 100)
    x = g.input(*shape, dtype=dtype, quantisation=(scales[0], zeros[0], 0))
    g.output(convolution(g, x, channels, kh, kw, shape[3] // groups, dtype=dtype, **options))
    data = values(g, shape, dtype, options.get("full", False))
    follows = ("default",) if integers == "xnnpack" else ()
    return Case(g, oldest=False, values=[data], exact=True, follows=follows, options={"integers": integers})


def cases():
    """Windows, types, scales, zero points."""
    for n, (shape, channels, kh, kw, options) in enumerate([*WORDS, *WINDOWS]):
        for dtype in ("int8", "uint8"):
            yield conv(shape, channels, kh, kw, dtype=dtype, **options)
        if n < len(WORDS) or n % 4 == 0:
            yield conv(shape, channels, kh, kw, integers="xnnpack", **options)
    window = ((1, 9, 7, 12), 20, 3, 3)
    for activation in ACTIVATIONS:
        for dtype in ("int8", "uint8"):
            yield conv(*window, dtype=dtype, activation=activation)
    for x, y in EXTREMES:
        yield conv(*window, zeros=(x, 0, y))
        yield conv((1, 7, 6, 3), 5, 3, 3, zeros=(x, 0, y))
        for w in (0, 255, 128, 7):
            yield conv(*window, dtype="uint8", zeros=(x + 128, w, y + 128))
            yield conv((1, 7, 6, 3), 5, 3, 3, dtype="uint8", zeros=(x + 128, w, y + 128))
    for integers in ("reference", "xnnpack"):
        yield conv(*window, integers=integers, spread=3.0)
        yield conv(*window, integers=integers, per_channel=False)
        # Sums at the ends of what products can reach, small multipliers and products, ties.
        yield conv((1, 6, 6, 600), 12, 3, 3, integers=integers, full=True, scales=(0.05, 0.02, 0.9))
        yield conv(*window, integers=integers, scales=(1.0, 1.0, 2.0), spread=0.0)
        yield conv((1, 9, 7, 4), 8, 1, 1, integers=integers, scales=(0.5, 0.5, 0.25), spread=0.0)
        yield conv(*window, integers=integers, scales=(1e-4, 1e-3, 0.1))
        yield conv((1, 9, 7, 4), 8, 1, 1, integers=integers, scales=(0.5, 0.5, 0.002))
    yield conv((1, 64, 48, 8), 64, 1, 1, dtype="uint8", scales=(0.0173, 0.0039, 0.0271))
    g = Graph("int8 with two convolutions of the same weights and another scale")
    x = g.input(1, 6, 5, 8, dtype="int8", quantisation=(0.05, 1, 0))
    w = g.const(g.random.integers(-127, 128, (8, 1, 1, 8)).astype("int8"), (0.01, 0, 0))
    b = g.const(g.random.integers(-99, 99, 8).astype("int32"), (0.0005, 0, 0))
    options = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "version": 3, "dtype": "int8"}
    y = g.op("CONV_2D", x, w, b, quantisation=(0.05, -7, 0), **options)
    g.output(g.op("CONV_2D", y, w, b, quantisation=(0.03, 4, 0), **options), y)
    yield Case(g, oldest=False, values=[values(g, (1, 6, 5, 8), "int8")], exact=True)
    for dtype, zeros in (("int8", (3, 0, -5)), ("uint8", (130, 121, 100))):
        g = Graph(f"{dtype} behind PAD")
        x = g.input(2, 9, 7, 6, dtype=dtype, quantisation=(0.05, zeros[0], 0))
        pads = g.const(np.int32([[0, 0], [1, 2], [0, 3], [0, 0]]))
        p = g.op("PAD", x, pads, version=2, dtype=dtype, quantisation=(0.05, zeros[0], 0))
        g.output(convolution(g, p, 8, 3, 3, 6, dtype=dtype, zeros=zeros, stride=(2, 2), padding="VALID"))
        yield Case(g, oldest=False, values=[values(g, (2, 9, 7, 6), dtype)], exact=True)
    g = Graph("int8 of open height, width and batch")
    x = g.input(1, 9, 7, 12, dtype="int8", quantisation=(0.05, 3, 0), low=-128, high=128)
    g.output(convolution(g, x, 20, 3, 3, 12))
    resizes = [[(2, 9, 7, 12)], [(1, 3, 13, 12)], [(1, 30, 2, 12)]]
    yield Case(g, oldest=False, resizes=resizes, exact=True)
