"""Open dimensions: batch and size change through resize_tensor_input, back and forth."""

import numpy as np
from model import Graph

from ..case import Case
from .conv_2d import convolution
from .depthwise_conv_2d import depthwise
from .fully_connected import fully_connected
from .pool_2d import pool


def network(g, x):
    """Some layers that care about the image's size."""
    x = convolution(g, x, 8, 3, 3, 3, stride=(2, 2), activation="RELU")
    x = g.op("ADD", x, convolution(g, depthwise(g, x, 8, 3, 3), 8, 1, 1, 8), activation="RELU")
    return pool(g, "MAX_POOL_2D", x, 2, 2, 2, 2, "SAME")


def cases():
    """Batch, image size, both; a graph whose inner values change too; one without open dimensions."""
    g = Graph("batch of a convolution")
    g.output(convolution(g, g.input(1, 8, 6, 5, signature=(-1, 8, 6, 5)), 7, 3, 3, 5))
    yield Case(g, resizes=[[(n, 8, 6, 5)] for n in (3, 1, 8, 2, 3)])

    g = Graph("batch and size of a convolution with many channels")
    g.output(convolution(g, g.input(1, 16, 16, 64, signature=(-1, -1, -1, 64)), 64, 3, 3, 64))
    yield Case(g, resizes=[[s] for s in ((1, 7, 6, 64), (3, 9, 21, 64), (1, 1, 1, 64), (1, 16, 16, 64))])

    g = Graph("size of a network")
    g.output(network(g, g.input(1, 16, 16, 3, signature=(1, -1, -1, 3))))
    yield Case(
        g, resizes=[[(1, h, w, 3)] for h, w in ((24, 20), (7, 5), (64, 48), (16, 16), (1, 1), (24, 20))]
    )

    g = Graph("batch and size of a network with a head")
    x = g.op("MEAN", network(g, g.input(1, 12, 12, 3, signature=(-1, -1, -1, 3))), g.const(np.int32([1, 2])))
    g.output(g.op("LOGISTIC", fully_connected(g, x, 8, 5)))
    yield Case(g, resizes=[[s] for s in ((2, 12, 12, 3), (3, 20, 9, 3), (1, 5, 5, 3), (2, 12, 12, 3))])

    g = Graph("rows through RESHAPE with -1")
    x = g.op("RESHAPE", g.op("TANH", g.input(2, 3, 4, signature=(-1, 3, 4))), g.const(np.int32([-1, 12])))
    g.output(fully_connected(g, x, 12, 6))
    yield Case(g, resizes=[[(n, 3, 4)] for n in (5, 1, 7)])

    g = Graph("broadcasting that comes and goes")
    g.output(g.op("ADD", g.input(1, 5, 4, signature=(-1, 5, 4)), g.input(3, 5, 4, signature=(-1, 5, 4))))
    yield Case(g, resizes=[[(3, 5, 4), (3, 5, 4)], [(3, 5, 4), (1, 5, 4)], [(2, 5, 4), (2, 5, 4)]])

    g = Graph("CONCATENATION of open lengths")
    x = g.op("RELU", g.input(1, 4, 6, signature=(1, -1, 6)))
    y = g.op("TANH", g.input(1, 3, 6, signature=(1, -1, 6)))
    g.output(g.op("CONCATENATION", x, y, axis=1), x)
    yield Case(g, resizes=[[(1, 2, 6), (1, 9, 6)], [(1, 7, 6), (1, 1, 6)]])

    g = Graph("CONCATENATION with a part that becomes empty")
    x = g.op("TANH", g.input(1, 4, 8, signature=(1, -1, 8)))
    y = g.op("NEG", g.input(1, 8, 8, signature=(1, -1, 8)))
    padded = g.op("PAD", y, g.const(np.int32([(0, 0), (1, 1), (0, 0)])))
    g.output(g.op("CONCATENATION", x, y, axis=1), padded)
    yield Case(g, resizes=[[(1, 4, 8), (1, 0, 8)], [(1, 8, 8), (1, 4, 8)]])

    g = Graph("an input and an output that become empty")
    x = g.op("TANH", g.input(1, 4, 8, signature=(1, -1, 8)))
    y = g.op("NEG", g.input(1, 4, 8, signature=(1, -1, 8)))
    g.output(x, g.op("PAD", y, g.const(np.int32([(0, 0), (1, 1), (0, 0)]))), y)
    yield Case(g, resizes=[[(1, 4, 8), (1, 0, 8)], [(1, 0, 8), (1, 2, 8)]])

    g = Graph("CONCATENATION of what a batch of one puts one behind the other")
    x = g.input(1, 4, 4, 8, signature=(-1, 4, 4, 8))
    rows = [g.op("RESHAPE", convolution(g, x, n, 1, 1, 8), g.const(np.int32([-1, n, 16]))) for n in (16, 32)]
    y = g.op("CONCATENATION", *rows, axis=1)
    g.output(g.op("ABS", y), g.op("NEG", rows[0]))
    yield Case(g, resizes=[[(n, 4, 4, 8)] for n in (3, 1, 2)])

    g = Graph("resized although nothing is open")
    g.output(network(g, g.input(1, 16, 16, 3)))
    yield Case(g, resizes=[[(2, 10, 12, 3)], [(1, 32, 32, 3)]])

    for kind in ("convolution", "pool", "pad", "slice"):
        g = Graph(f"open sizes stored as 1 before a {kind} that needs more")
        x = g.input(1, 32, 24, 3, signature=(1, -1, -1, 3))
        x = convolution(g, x, 8, 3, 3, 3, stride=(2, 2), activation="RELU")
        if kind == "convolution":
            x = convolution(g, x, 8, 3, 3, 8, padding="VALID")
        elif kind == "pool":
            x = pool(g, "MAX_POOL_2D", x, 2, 2, 2, 2, "VALID")
        elif kind == "pad":
            x = g.op("MIRROR_PAD", x, g.const(np.int32([(0, 0), (2, 3), (1, 2), (0, 0)])), mode="REFLECT")
        else:
            ends = (np.int32([0, 1, 1, 0]), np.int32([0, -1, -1, 0]), np.int32([1, 1, 1, 1]))
            x = g.op("STRIDED_SLICE", x, *map(g.const, ends), begin_mask=9, end_mask=9)
        x = g.op("MEAN", x, g.const(np.int32([1, 2])))
        g.output(fully_connected(g, x, 8, 5))
        yield Case(g, resizes=[[(1, h, w, 3)] for h, w in ((64, 48), (20, 31))], placeholder=True)

    g = Graph("a head whose shape is computed")
    x = convolution(g, g.input(1, 12, 10, 3, signature=(-1, -1, -1, 3)), 8, 3, 3, 3)
    batch, rows = (part(g, g.op("SHAPE", x, dtype="int32", out_type=2), i) for i in (0, 1))
    shape = g.op("PACK", batch, scalar(g, -1), scalar(g, 4), values_count=3, dtype="int32")
    g.output(g.op("LOGISTIC", g.op("RESHAPE", x, shape)), rows)
    yield Case(g, resizes=[[(2, 6, 4, 3)], [(1, 5, 7, 3)]])

    g = Graph("an upscaling whose shape is computed")
    x = convolution(g, g.input(1, 6, 5, 3, signature=(-1, 6, 5, 3)), 8, 3, 3, 3)
    parts = [part(g, g.op("SHAPE", x, dtype="int32", out_type=2), 0), *(scalar(g, n) for n in (12, 10, 4))]
    shape = g.op("PACK", *parts, values_count=4, dtype="int32")
    g.output(g.op("TRANSPOSE_CONV", shape, g.weights(4, 3, 3, 8), x, padding="SAME", stride_h=2, stride_w=2))
    yield Case(g, resizes=[[(3, 6, 5, 3)], [(2, 6, 5, 3)]])

    g = Graph("a picture resized to another's size")
    x = convolution(g, g.input(1, 6, 5, 3, signature=(1, -1, -1, 3)), 8, 3, 3, 3)
    y = convolution(g, g.input(1, 12, 9, 3, signature=(1, -1, -1, 3)), 8, 3, 3, 3)
    ends = (g.const(np.int32([n])) for n in (1, 3, 1))
    size = g.op("STRIDED_SLICE", g.op("SHAPE", y, dtype="int32", out_type=2), *ends, dtype="int32")
    x = g.op("RESIZE_BILINEAR", x, size, half_pixel_centers=True)
    g.output(g.op("ADD", g.op("RESIZE_NEAREST_NEIGHBOR", x, size), y))
    yield Case(g, resizes=[[(1, 4, 7, 3), (1, 9, 20, 3)], [(1, 8, 8, 3), (1, 8, 8, 3)]])

    g = Graph("a row spread over another tensor's shape")
    x, y = g.input(1, 6), g.op("TANH", g.input(3, 6, signature=(-1, 6)))
    spread = g.op("BROADCAST_TO", x, g.op("SHAPE", y, dtype="int32", out_type=2), version=2)
    g.output(g.op("MUL", spread, y))
    yield Case(g, resizes=[[(1, 6), (5, 6)], [(1, 6), (2, 6)]])


def scalar(g, n):
    """A constant of rank 0."""
    t = g.const(np.int32(n))
    g.tensors[t].shape = []
    return t


def part(g, shape, i):
    """One number of a shape."""
    ends = (g.const(np.int32([n])) for n in (i, i + 1, 1))
    return g.op("STRIDED_SLICE", shape, *ends, shrink_axis_mask=1, dtype="int32")
