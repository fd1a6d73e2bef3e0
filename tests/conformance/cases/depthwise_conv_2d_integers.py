"""DEPTHWISE_CONV_2D of quantised integers: its windows, scales, zero points, saturation."""

import numpy as np
from model import Graph

from ..case import Case
from .conv_2d_integers import ACTIVATIONS, EXTREMES, values
from .depthwise_conv_2d import TABLE as WINDOWS

# More taps than a float holds the sum of.
MANY = [
    ((1, 40, 42, 4), 17, 16, {}),
    ((1, 40, 42, 3), 17, 16, {}),
    ((1, 3, 900, 4), 1, 700, {}),
    ((1, 3, 900, 3), 2, 300, {"padding": "VALID"}),
]


def depthwise(g, x, channels, kh, kw, *, dtype="int8", scales=(0.05, 0.02, 0.1), zeros=(3, 0, -5),
              per_channel=True, multiplier=1, stride=(1, 1), dilation=(1, 1), padding="SAME",
              activation="NONE", spread=1.0, full=False):  # fmt: skip
    """The node with random weights; scales and zero points are those of x, weights and y."""
    (sh, sw), (dh, dw), n = stride, dilation, channels * multiplier
    info = np.iinfo(dtype)
    least = -127 if dtype == "int8" else 0
    w = g.random.integers(least, info.max + 1, (1, kh, kw, n)).astype(dtype)
    if full:
        w = np.where(g.random.random(w.shape) < 0.5, least, info.max).astype(dtype)
    count = n if per_channel and dtype == "int8" else 1
    w_scales = np.float32(scales[1]) * np.float32(10 ** g.random.uniform(-spread, spread, count))
    w_scales = w_scales / np.sqrt(kh * kw)
    b = g.random.integers(-3000, 3000, n).astype("int32")
    w = g.const(w, (w_scales, [zeros[1]] * count, 3))
    b = g.const(b, (w_scales * scales[0], [0] * count, 0))
    return g.op("DEPTHWISE_CONV_2D", x, w, b, padding=padding, stride_h=sh, stride_w=sw,
                dilation_h_factor=dh, dilation_w_factor=dw, depth_multiplier=multiplier,
                activation=activation, version=3, dtype=dtype,
                quantisation=(scales[2], zeros[2], 0))  # fmt: skip


def case(shape, kh, kw, *, dtype="int8", integers="reference", **options):
    """One depthwise convolution."""
    text = "".join(f" {key} {value}" for key, value in options.items())
    g = Graph(f"{dtype} {list(shape)}, {kh}x{kw}{text}" + (" xnnpack" if integers == "xnnpack" else ""))
    scales, zeros = options.get("scales", (0.05, 0.02, 0.1)), options.get("zeros", (3, 0, -5))
    if dtype == "uint8" and "zeros" not in options:
        options["zeros"] = zeros = (130, 121, 100)
    x = g.input(*shape, dtype=dtype, quantisation=(scales[0], zeros[0], 0))
    g.output(depthwise(g, x, shape[3], kh, kw, dtype=dtype, **options))
    data = values(g, shape, dtype, options.get("full", False))
    follows = ("default",) if integers == "xnnpack" else ()
    return Case(g, oldest=False, values=[data], exact=True, follows=follows, options={"integers": integers})


def cases():
    """Windows, types, scales, zero points."""
    for n, (shape, kh, kw, options) in enumerate([*WINDOWS, *MANY]):
        for dtype in ("int8", "uint8"):
            yield case(shape, kh, kw, dtype=dtype, **options)
        if n % 3 == 0:
            for dtype in ("int8", "uint8"):
                yield case(shape, kh, kw, dtype=dtype, integers="xnnpack", **options)
    for activation in ACTIVATIONS:
        for dtype in ("int8", "uint8"):
            yield case((1, 7, 9, 8), 3, 3, dtype=dtype, activation=activation)
    for x, y in EXTREMES:
        for channels in (8, 5):
            yield case((1, 9, 7, channels), 3, 3, zeros=(x, 0, y))
            for w in (0, 255, 128, 7):
                yield case((1, 9, 7, channels), 3, 3, dtype="uint8", zeros=(x + 128, w, y + 128))
    for integers in ("reference", "xnnpack"):
        window = ((1, 9, 7, 12), 3, 3)
        yield case(*window, integers=integers, spread=3.0)
        yield case(*window, integers=integers, per_channel=False)
        yield case((1, 30, 36, 8), 16, 16, integers=integers, full=True)
        yield case((1, 30, 36, 8), 16, 17, integers=integers, full=True)
        yield case(*window, integers=integers, scales=(1.0, 1.0, 2.0), spread=0.0)
        yield case(*window, integers=integers, scales=(1e-4, 1e-3, 0.1))
    yield case((1, 9, 7, 12), 3, 3, scales=(0.5, 0.5, 0.002))
    yield case((1, 64, 48, 32), 3, 3, dtype="uint8", scales=(0.0173, 0.0039, 0.0271))
    g = Graph("int8 behind PAD")
    x = g.input(1, 9, 7, 8, dtype="int8", quantisation=(0.05, 3, 0))
    pads = g.const(np.int32([[0, 0], [0, 1], [0, 1], [0, 0]]))
    p = g.op("PAD", x, pads, version=2, dtype="int8", quantisation=(0.05, 3, 0))
    g.output(depthwise(g, p, 8, 3, 3, stride=(2, 2), padding="VALID"))
    yield Case(g, oldest=False, values=[values(g, (1, 9, 7, 8), "int8")], exact=True)
    g = Graph("int8 of open height, width and batch")
    x = g.input(1, 9, 7, 12, dtype="int8", quantisation=(0.05, 3, 0), low=-128, high=128)
    g.output(depthwise(g, x, 12, 3, 3, stride=(2, 2)))
    resizes = [[(2, 9, 7, 12)], [(1, 3, 13, 12)], [(1, 30, 2, 12)]]
    yield Case(g, oldest=False, resizes=resizes, exact=True)
