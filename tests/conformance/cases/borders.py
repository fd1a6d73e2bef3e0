"""Values that fp16 cannot hold beside those that it can.

Every kernel with an epilogue adds such an operand, into a result of either kind.
"""

import numpy as np
from model import Graph

from ..case import Case
from .conv_2d import convolution
from .depthwise_conv_2d import depthwise
from .fully_connected import fully_connected
from .pool_2d import pool


def reduced(g, x, channels):
    """MEAN over rows and columns."""
    return g.op("MEAN", x, g.const(np.int32([1, 2])), keep_dims=True)


def matmul(g, x, channels):
    """BATCH_MATMUL of two values."""
    return g.op("BATCH_MATMUL", x, g.input(1, channels, channels))


def transposed(g, x, channels):
    """TRANSPOSE_CONV to twice the size."""
    size, weights = g.const(np.int32([1, 10, 14, channels])), g.weights(channels, 3, 3, channels)
    options = {"padding": "SAME", "stride_h": 2, "stride_w": 2}
    return g.op("TRANSPOSE_CONV", size, weights, x, g.weights(channels), version=3, **options)


PRODUCERS = {
    "CONV_2D 1x1": ((1, 5, 7), lambda g, x, n: convolution(g, x, n, 1, 1, n)),
    "CONV_2D 3x3": ((1, 5, 7), lambda g, x, n: convolution(g, x, n, 3, 3, n)),
    "DEPTHWISE_CONV_2D": ((1, 5, 7), lambda g, x, n: depthwise(g, x, n, 3, 3)),
    "FULLY_CONNECTED, few rows": ((3,), lambda g, x, n: fully_connected(g, x, n, n)),
    "FULLY_CONNECTED": ((35,), lambda g, x, n: fully_connected(g, x, n, n)),
    "BATCH_MATMUL": ((1, 35), matmul),
    "TRANSPOSE_CONV": ((1, 10, 14), transposed),
    "AVERAGE_POOL_2D": ((1, 5, 7), lambda g, x, n: pool(g, "AVERAGE_POOL_2D", x, 3, 3, 1, 1, "SAME")),
    "RESIZE_BILINEAR": ((1, 9, 6), lambda g, x, n: g.op("RESIZE_BILINEAR", x, g.const(np.int32([9, 6])))),
    "MEAN": ((1, 1, 1), reduced),
    "ABS": ((1, 5, 7), lambda g, x, n: g.op("ABS", x)),
}
# Of operands with other rows than the result.
SOURCES = {(3,): (3,), (35,): (35,), (1, 35): (1, 35)}


def wide(g, x):
    """Values beyond fp16."""
    return g.op("SQUARE", g.op("MUL", x, g.const(np.float32(1000))))


def small(g, x):
    """The inverse of what is beyond fp16."""
    return g.op("RSQRT", g.op("ADD", wide(g, x), g.const(np.float32(1))))


def cases():
    """Each producer with whole fours of channels and without, a sum beyond fp16 and a product that is not."""
    for name, (rows, produce) in PRODUCERS.items():
        for channels in (8, 6):
            source = SOURCES.get(rows, (1, 5, 7))
            for text, operand, join in (("sum", wide, "ADD"), ("product", small, "MUL")):
                g = Graph(f"{name}, {channels} channels, {text}")
                y = produce(g, g.input(*source, channels), channels)
                other = operand(g, g.input(*rows, channels, low=0.5, high=2.0))
                g.output(g.op("RELU", g.op(join, y, other)))
                yield Case(g)
            g = Graph(f"{name}, {channels} channels, by channel")
            y = produce(g, g.input(*source, channels), channels)
            g.output(g.op("ADD", y, wide(g, g.input(channels, low=0.5, high=2.0))))
            yield Case(g)
    g = Graph("chain of both")
    x, z = g.input(1, 4, 4, 12), g.input(1, 4, 4, 12)
    y = convolution(g, x, 12, 3, 3, 12)
    square = g.op("SQUARED_DIFFERENCE", y, z)
    root = g.op("SQRT", square)
    g.output(square)
    g.output(convolution(g, g.op("ADD", root, z), 8, 1, 1, 12))
    yield Case(g)
    g = Graph("softmax of a sum beyond fp16")
    x = g.input(3, 20)
    g.output(g.op("SOFTMAX", g.op("SUB", x, g.op("SQUARE", g.input(3, 20, low=0.5, high=2.0))), beta=1.0))
    yield Case(g)
    g = Graph("broadcast of both sides")
    x, z = g.input(5, 1, 4), g.input(1, 6, 4)
    g.output(g.op("MUL", g.op("SQUARE", x), z))
    yield Case(g)
