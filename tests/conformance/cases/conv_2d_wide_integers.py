"""CONV_2D and DEPTHWISE_CONV_2D of int16 with weights of int8: windows, scales, biases of 64 and 32 bits."""

import numpy as np
from model import Graph, schema

from ..case import Case
from .conv_2d import TABLE as WINDOWS
from .depthwise_conv_2d import TABLE as DEPTHWISE_WINDOWS


def conv(shape, channels, kh, kw, *, groups=1, multiplier=0, scales=(1e-4, 0.02, 3e-4), bits=64, full=False,
         spread=1.0, per_channel=True, stride=(1, 1), dilation=(1, 1), padding="SAME",
         activation="NONE", label=""):  # fmt: skip
    """One convolution; with a multiplier it is a depthwise one."""
    name = "DEPTHWISE_CONV_2D" if multiplier else "CONV_2D"
    text = (
        f"{name} {list(shape)} to {channels}, {kh}x{kw} {stride} {dilation} {padding} {activation} {groups}"
    )
    g = Graph(f"{text} {scales} bias of {bits}{label}")
    x = g.input(*shape, dtype="int16", quantisation=(scales[0], 0, 0))
    w_shape = (1, kh, kw, channels) if multiplier else (channels, kh, kw, shape[3] // groups)
    w = g.random.integers(-127, 128, w_shape).astype("int8")
    data = g.random.integers(-32768, 32768, shape).astype("int16")
    if full:
        w, data = np.full(w_shape, 127, "int8"), np.full(shape, 32767, "int16")
    count = channels if per_channel else 1
    products = np.prod(w_shape) // channels
    w_scales = np.float32(scales[1]) * np.float32(10 ** g.random.uniform(-spread, spread, count))
    w_scales = w_scales / np.float32(np.sqrt(products))
    b = g.random.integers(-300000, 300000, channels).astype(f"int{bits}")
    options = {"quantized_bias_type": schema.TensorType.INT32} if bits == 32 else {}
    if multiplier:
        options["depth_multiplier"] = multiplier
    y = g.op(
        name,
        x,
        g.const(w, (w_scales, [0] * count, 3 if multiplier else 0)),
        g.const(b, (w_scales * np.float32(scales[0]), [0] * count, 0)),
        padding=padding,
        stride_h=stride[0],
        stride_w=stride[1],
        dilation_h_factor=dilation[0],
        dilation_w_factor=dilation[1],
        activation=activation,
        version=8 if bits == 32 else 5 if multiplier else 4,
        dtype="int16",
        quantisation=(scales[2], 0, 0),
        **options,
    )
    g.output(y)
    return Case(g, oldest=False, values=[data], exact=True)


def cases():
    """Windows of both operators, activations, scales."""
    for shape, channels, kh, kw, options in WINDOWS:
        if np.prod(shape) * channels * kh * kw < 4e6:
            yield conv(shape, channels, kh, kw, **options)
    for shape, kh, kw, options in DEPTHWISE_WINDOWS:
        options = {"multiplier": 1, **options}
        yield conv(shape, shape[3] * options["multiplier"], kh, kw, **options)
    for multiplier, channels in ((0, 10), (1, 6)):
        window = ((1, 7, 6, 6), channels, 3, 3)
        for activation in ("RELU", "RELU6", "RELU_N1_TO_1"):
            yield conv(*window, multiplier=multiplier, activation=activation)
        yield conv(*window, multiplier=multiplier, spread=3.0, label=" spread")
        yield conv(*window, multiplier=multiplier, per_channel=False, label=" per tensor")
        yield conv(*window, multiplier=multiplier, scales=(1e-4, 1e-3, 0.1))
        yield conv(*window, multiplier=multiplier, scales=(0.5, 0.5, 0.002))
        yield conv(*window, multiplier=multiplier, scales=(1.0, 1.0, 2.0), spread=0.0)
    for bits in (64, 32):
        yield conv((1, 5, 4, 7), 5, 3, 3, bits=bits, label=" again")
        yield conv((2, 5, 4, 8), 12, 1, 1, bits=bits, activation="RELU", label=" again")
    # Sums of more than 32 bits.
    yield conv((1, 3, 3, 600), 4, 3, 3, full=True, scales=(1e-4, 1e-3, 0.02), label=" full")
