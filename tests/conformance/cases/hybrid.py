"""Float operands with weights of int8 and int4: they must give what floats with the same weights give.

TFLite's own kernels quantise the operands too, batch by batch, and are off by a part of their range.
"""

import numpy as np
from model import Graph

from ..case import Case


def pairs(name, build, weights, quantisation, shape):
    """The node with weights of int8 and of int4."""
    yield pair(name, build, weights, quantisation, shape)
    if weights.shape[0] > 1:
        yield pair(f"{name}, int4", build, weights >> 4, (quantisation[0] * 16, quantisation[1]), shape, True)


def pair(name, build, weights, quantisation, shape, nibbles=False):
    """The node with weights of integers, and its twin with the floats that they stand for."""
    scales, axis = quantisation
    spread = np.reshape(scales, [-1 if d == axis and np.ndim(scales) else 1 for d in range(weights.ndim)])
    floats = weights.astype("float32") * spread.astype("float32")
    graphs = [Graph(name), Graph(name)]
    for g, twin in zip(graphs, (False, True)):
        quantised = (scales, np.zeros(np.shape(scales)), axis)
        w = g.const(floats) if twin else (g.nibbles if nibbles else g.const)(weights, quantised)
        g.output(build(g, g.input(*shape), w))
    return Case(graphs[0], oldest=False, twin=graphs[1])


def scales_for(g, channels):
    """One scale, or one for each channel."""
    return [
        ("one scale", np.float32(0.01)),
        ("channels", g.random.uniform(2e-3, 2e-2, channels).astype("float32")),
    ]


def fully_connected():
    """Sizes of both kernels, activations, no bias."""
    g = Graph("weights of int8, FULLY_CONNECTED")
    table = [
        ((1, 1), 1),
        ((1, 5), 3),
        ((1, 64), 10),
        ((2, 48), 16),
        ((3, 37), 29),
        ((17, 16), 24),
        ((1, 2050), 7),
    ]
    for shape, n in table:
        weights = g.random.integers(-127, 128, (n, shape[1])).astype("int8")
        bias = g.random.normal(0, 0.3, n).astype("float32")
        for label, scales in scales_for(g, n):
            if n == 1 and np.ndim(scales):
                continue

            def build(graph, x, w, bias=bias):
                return graph.op("FULLY_CONNECTED", x, w, graph.const(bias), version=10, activation="RELU")

            yield from pairs(
                f"FULLY_CONNECTED {list(shape)} to {n}, {label}", build, weights, (scales, 0), shape
            )

    def plain(graph, x, w):
        return graph.op("FULLY_CONNECTED", x, w, version=3)

    weights = g.random.integers(-127, 128, (8, 20)).astype("int8")
    yield pair("FULLY_CONNECTED without bias", plain, weights, (np.float32(0.01), 0), (2, 20))


def convolutions():
    """CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV."""
    g = Graph("weights of int8, convolutions")
    for shape, n, kernel in (((1, 7, 5, 3), 8, 3), ((2, 8, 8, 16), 24, 1), ((1, 9, 7, 6), 5, 5)):
        weights = g.random.integers(-127, 128, (n, kernel, kernel, shape[3])).astype("int8")
        bias = g.random.normal(0, 0.3, n).astype("float32")
        for label, scales in scales_for(g, n):

            def conv(graph, x, w, bias=bias):
                options = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "activation": "RELU6"}
                return graph.op("CONV_2D", x, w, graph.const(bias), version=7, **options)

            name = f"CONV_2D {list(shape)} to {n}, {kernel}x{kernel}, {label}"
            yield from pairs(name, conv, weights, (scales, 0), shape)
    for shape, multiplier in (((1, 7, 5, 8), 1), ((2, 9, 6, 5), 2)):
        channels = shape[3] * multiplier
        weights = g.random.integers(-127, 128, (1, 3, 3, channels)).astype("int8")
        bias = g.random.normal(0, 0.3, channels).astype("float32")
        scales = g.random.uniform(2e-3, 2e-2, channels).astype("float32")

        def depthwise(graph, x, w, bias=bias, multiplier=multiplier):
            options = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "depth_multiplier": multiplier}
            return graph.op("DEPTHWISE_CONV_2D", x, w, graph.const(bias), version=4, **options)

        yield pair(f"DEPTHWISE_CONV_2D {list(shape)} by {multiplier}", depthwise, weights, (scales, 3), shape)


def cases():
    """All operators."""
    yield from fully_connected()
    yield from convolutions()
