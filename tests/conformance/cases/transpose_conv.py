"""TRANSPOSE_CONV and MediaPipe's custom Convolution2DTransposeBias."""

import struct

import numpy as np
from model import Graph

from ..case import Case

# input shape, output channels, kernel, stride, padding
TABLE = [
    ((1, 1, 1, 1), 1, 2, 2, "SAME"),
    ((1, 4, 6, 8), 8, 2, 2, "SAME"),
    ((1, 7, 5, 3), 4, 3, 2, "SAME"),
    ((2, 7, 5, 6), 5, 3, 2, "VALID"),
    ((1, 7, 5, 4), 8, 4, 2, "SAME"),
    ((3, 5, 7, 16), 1, 2, 2, "VALID"),
    ((1, 6, 6, 5), 3, 3, 1, "SAME"),
    ((1, 6, 6, 5), 3, 3, 3, "SAME"),
    ((1, 6, 6, 5), 3, 2, 3, "VALID"),
    ((1, 16, 16, 16), 1, 2, 2, "SAME"),
]
PADDING = {"SAME": 1, "VALID": 2}


def output_shape(shape, channels, kernel, stride, padding):
    """A shape that TRANSPOSE_CONV may have."""
    n, *size, _ = shape
    h, w = (k * stride if padding == "SAME" else (k - 1) * stride + max(kernel, stride) for k in size)
    return [n, h, w, channels]


def custom_output_shape(shape, channels, kernel, stride, padding):
    """The shape that Convolution2DTransposeBias has; with SAME padding the smallest that a stride allows."""
    n, *size, _ = shape
    pads = [max(0, kernel - (k - 1) % stride - 1) if padding == "SAME" else 0 for k in size]
    h, w = (stride * (k - 1) + kernel - pad for k, pad in zip(size, pads))
    return [n, h, w, channels]


def builtin(shape, channels, kernel, stride, padding, *, bias=True, activation="NONE"):
    """One TRANSPOSE_CONV."""
    text = f"{list(shape)} to {channels}, {kernel}x{kernel} by {stride} {padding} {activation}"
    g = Graph(f"TRANSPOSE_CONV {text}{'' if bias else ' no bias'}")
    size = g.const(np.int32(output_shape(shape, channels, kernel, stride, padding)))
    inputs = [size, g.weights(channels, kernel, kernel, shape[3], scale=shape[3] ** -0.5)]
    inputs += [g.input(*shape)] + ([g.weights(channels, scale=0.3)] if bias else [])
    options = {"padding": padding, "stride_h": stride, "stride_w": stride, "activation": activation}
    version = 3 if activation == "NONE" else 4
    g.output(g.op("TRANSPOSE_CONV", *inputs, version=version, **options))
    return Case(g, oldest=version < 4)


def custom(shape, channels, kernel, stride, padding):
    """One Convolution2DTransposeBias; options: padding, stride in x, stride in y as int32."""
    text = f"{list(shape)} to {channels}, {kernel}x{kernel} by {stride} {padding}"
    g = Graph(f"Convolution2DTransposeBias {text}")
    weights = g.weights(channels, kernel, kernel, shape[3], scale=shape[3] ** -0.5)
    options = struct.pack("<iii", PADDING[padding], stride, stride)
    bias = g.weights(channels, scale=0.3)
    inputs = g.input(*shape), weights, bias
    size = custom_output_shape(shape, channels, kernel, stride, padding)
    g.output(g.custom("Convolution2DTransposeBias", *inputs, shape=size, options=options))
    return Case(g, oldest=False)


def cases():
    """The table for both, no bias, activations."""
    for row in TABLE:
        yield builtin(*row)
        yield custom(*row)
    yield builtin((1, 5, 7, 6), 4, 3, 2, "SAME", bias=False)
    for activation in ("RELU", "RELU6"):
        yield builtin((1, 5, 7, 6), 4, 3, 2, "SAME", activation=activation)
