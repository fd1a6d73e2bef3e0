"""Small graphs: chains that a compiler would fuse, and neighbours that must keep it from it."""

import numpy as np
from model import Graph

from ..case import Case
from .conv_2d import convolution
from .depthwise_conv_2d import depthwise
from .fully_connected import fully_connected
from .pool_2d import pool

CASES = []


def graph(text):
    """Registers a function that fills a graph; `text` names the case."""

    def add(fill):
        CASES.append((text, fill))
        return fill

    return add


def pad(g, x, *amounts):
    """PAD by (before, after) of each dimension."""
    return g.op("PAD", x, g.const(np.int32(amounts)))


@graph("convolution, ADD, RELU")
def _(g):
    x = g.input(1, 9, 7, 6)
    y = convolution(g, x, 6, 3, 3, 6)
    g.output(g.op("RELU", g.op("ADD", y, x)))


@graph("convolution with RELU, then ADD: the activation comes first")
def _(g):
    x = g.input(1, 9, 7, 8)
    g.output(g.op("ADD", convolution(g, x, 8, 1, 1, 8, activation="RELU"), x))


@graph("ADD with RELU6 behind a convolution, residual as first operand")
def _(g):
    x = g.input(2, 9, 7, 5)
    g.output(g.op("ADD", x, convolution(g, x, 5, 3, 3, 5), activation="RELU6"))


@graph("ADD of two convolutions")
def _(g):
    x = g.input(1, 8, 8, 4)
    g.output(g.op("ADD", convolution(g, x, 8, 3, 3, 4), convolution(g, x, 8, 1, 1, 4), activation="RELU"))


@graph("ADD of a convolution with itself")
def _(g):
    y = convolution(g, g.input(1, 8, 8, 4), 8, 3, 3, 4)
    g.output(g.op("ADD", y, y))


@graph("ADD that broadcasts the convolution")
def _(g):
    y = convolution(g, g.input(1, 1, 1, 4), 8, 1, 1, 4)
    g.output(g.op("ADD", g.input(1, 5, 7, 8), y))


@graph("ADD that broadcasts onto the convolution")
def _(g):
    y = convolution(g, g.input(1, 6, 5, 4), 8, 1, 1, 4)
    g.output(g.op("ADD", y, g.input(1, 1, 1, 8)))


for _operator in ("RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "TANH", "HARD_SWISH"):

    @graph(f"convolution, {_operator}")
    def _(g, operator=_operator):
        g.output(g.op(operator, convolution(g, g.input(1, 9, 7, 6), 10, 3, 3, 6)))

    @graph(f"depthwise convolution, {_operator}")
    def _(g, operator=_operator):
        g.output(g.op(operator, depthwise(g, g.input(1, 9, 7, 6), 6, 3, 3)))

    @graph(f"fully connected, {_operator}")
    def _(g, operator=_operator):
        g.output(g.op(operator, fully_connected(g, g.input(3, 20), 20, 9)))


@graph("RELU behind a fused RELU6")
def _(g):
    g.output(g.op("RELU", convolution(g, g.input(1, 9, 7, 6), 10, 1, 1, 6, activation="RELU6")))


@graph("RELU_N1_TO_1 behind a fused RELU")
def _(g):
    g.output(g.op("RELU_N1_TO_1", convolution(g, g.input(1, 9, 7, 6), 10, 1, 1, 6, activation="RELU")))


@graph("convolution, PRELU")
def _(g):
    y = convolution(g, g.input(1, 9, 7, 6), 10, 3, 3, 6)
    g.output(g.op("PRELU", y, g.weights(1, 1, 10, scale=0.5)))


@graph("convolution, ADD, PRELU")
def _(g):
    x = g.input(1, 9, 7, 8)
    y = g.op("ADD", x, convolution(g, depthwise(g, x, 8, 3, 3), 8, 1, 1, 8))
    g.output(g.op("PRELU", y, g.weights(1, 1, 8, scale=0.5)))


@graph("convolution, PRELU with slopes per position")
def _(g):
    y = convolution(g, g.input(1, 6, 5, 4), 8, 3, 3, 4)
    g.output(g.op("PRELU", y, g.weights(6, 5, 8, scale=0.5)))


@graph("PAD, convolution VALID")
def _(g):
    x = pad(g, g.input(1, 9, 7, 6), (0, 0), (1, 1), (1, 1), (0, 0))
    g.output(convolution(g, x, 10, 3, 3, 6, padding="VALID"))


@graph("PAD on one side, convolution VALID with stride")
def _(g):
    x = pad(g, g.input(2, 10, 8, 3), (0, 0), (0, 1), (0, 1), (0, 0))
    g.output(convolution(g, x, 16, 3, 3, 3, padding="VALID", stride=(2, 2)))


@graph("PAD, convolution SAME: both pad")
def _(g):
    x = pad(g, g.input(1, 9, 7, 6), (0, 0), (2, 1), (1, 2), (0, 0))
    g.output(convolution(g, x, 10, 3, 3, 6, stride=(2, 2)))


@graph("PAD of channels, convolution")
def _(g):
    x = pad(g, g.input(1, 9, 7, 6), (0, 0), (1, 1), (1, 1), (0, 2))
    g.output(convolution(g, x, 10, 3, 3, 8, padding="VALID"))


@graph("PAD of the batch, convolution")
def _(g):
    x = pad(g, g.input(2, 6, 7, 4), (1, 0), (1, 1), (1, 1), (0, 0))
    g.output(convolution(g, x, 8, 3, 3, 4, padding="VALID"))


@graph("PAD, depthwise convolution VALID")
def _(g):
    x = pad(g, g.input(1, 9, 7, 6), (0, 0), (0, 1), (0, 1), (0, 0))
    g.output(depthwise(g, x, 6, 3, 3, padding="VALID", stride=(2, 2)))


@graph("PAD wider than the kernel, depthwise convolution VALID")
def _(g):
    x = pad(g, g.input(1, 4, 4, 8), (0, 0), (5, 4), (4, 6), (0, 0))
    g.output(depthwise(g, x, 8, 3, 3, padding="VALID"))


for _operator in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):

    @graph(f"PAD, {_operator} VALID: the zeros count")
    def _(g, operator=_operator):
        x = pad(g, g.input(1, 9, 7, 6, low=-9, high=-1), (0, 0), (1, 2), (1, 1), (0, 0))
        g.output(pool(g, operator, x, 3, 3, 2, 2, "VALID"))

    @graph(f"PAD, {_operator} SAME")
    def _(g, operator=_operator):
        x = pad(g, g.input(1, 9, 7, 6, low=-9, high=-1), (0, 0), (1, 2), (1, 1), (0, 0))
        g.output(pool(g, operator, x, 3, 3, 1, 1, "SAME"))


@graph("PAD with two consumers")
def _(g):
    x = pad(g, g.input(1, 9, 7, 6), (0, 0), (1, 1), (1, 1), (0, 0))
    g.output(convolution(g, x, 10, 3, 3, 6, padding="VALID"), g.op("RELU", x))


@graph("pool and channel PAD into a residual ADD, as in the face models")
def _(g):
    x = g.input(1, 12, 10, 8)
    y = convolution(g, depthwise(g, x, 8, 3, 3, stride=(2, 2)), 16, 1, 1, 8)
    z = pad(g, pool(g, "MAX_POOL_2D", x, 2, 2, 2, 2, "SAME"), (0, 0), (0, 0), (0, 0), (0, 8))
    g.output(g.op("RELU", g.op("ADD", y, z)))


@graph("chain of six residual blocks")
def _(g):
    x = g.input(1, 12, 10, 12)
    for _n in range(6):
        x = g.op("RELU", g.op("ADD", x, convolution(g, depthwise(g, x, 12, 3, 3), 12, 1, 1, 12)))
    g.output(x)


@graph("squeeze and excitation with MEAN")
def _(g):
    x = convolution(g, g.input(3, 8, 6, 4), 16, 3, 3, 4, activation="RELU")
    s = g.op("MEAN", x, g.const(np.int32([1, 2])), keep_dims=True)
    s = convolution(g, s, 8, 1, 1, 16, activation="RELU")
    s = g.op("LOGISTIC", convolution(g, s, 16, 1, 1, 8))
    g.output(convolution(g, g.op("MUL", x, s), 4, 1, 1, 16))


@graph("squeeze and excitation with a pool, HARD_SWISH, scale first")
def _(g):
    x = g.op("HARD_SWISH", convolution(g, g.input(1, 8, 6, 4), 16, 3, 3, 4))
    s = pool(g, "AVERAGE_POOL_2D", x, 8, 6, 8, 6, "VALID")
    s = g.op("LOGISTIC", convolution(g, s, 16, 1, 1, 16))
    g.output(g.op("MUL", s, x))


@graph("swish: MUL of a value and its LOGISTIC")
def _(g):
    x = convolution(g, g.input(1, 8, 6, 4), 12, 3, 3, 4)
    g.output(g.op("MUL", x, g.op("LOGISTIC", x)))


@graph("chain of element-wise operators with constants")
def _(g):
    x = g.op("MUL", convolution(g, g.input(1, 7, 5, 4), 8, 1, 1, 4), g.weights(8, scale=1))
    x = g.op("ADD", x, g.weights(1, 1, 1, 8, scale=1), activation="RELU6")
    x = g.op("SUB", g.weights(1, scale=1), x)
    g.output(g.op("TANH", g.op("MUL", x, g.weights(7, 5, 8, scale=1))))


@graph("element-wise chain before the convolution")
def _(g):
    x = g.op("MUL", g.input(1, 8, 8, 3), g.const(np.float32(0.5)))
    x = g.op("SUB", x, g.const(np.float32([0.1, 0.2, 0.3])))
    g.output(convolution(g, x, 8, 3, 3, 3, stride=(2, 2)))


@graph("element-wise diamond")
def _(g):
    x = convolution(g, g.input(1, 7, 5, 4), 6, 3, 3, 4)
    g.output(g.op("ADD", g.op("TANH", x), g.op("MUL", x, g.op("RELU", x))))


@graph("a convolution with two consumers, one a RELU")
def _(g):
    y = convolution(g, g.input(1, 9, 7, 6), 6, 3, 3, 6)
    g.output(g.op("RELU", y), convolution(g, y, 4, 1, 1, 6))


@graph("graph output in the middle of a chain")
def _(g):
    x = g.input(1, 9, 7, 6)
    a = convolution(g, x, 6, 3, 3, 6)
    b = g.op("ADD", a, x)
    c = g.op("RELU", b)
    g.output(convolution(g, c, 4, 1, 1, 6), b, a)


@graph("an intermediate value is an output and the residual")
def _(g):
    x = g.input(1, 6, 6, 8)
    a = g.op("RELU", convolution(g, x, 8, 1, 1, 8))
    g.output(a, g.op("ADD", a, convolution(g, a, 8, 3, 3, 8)))


@graph("an input is an output as well")
def _(g):
    x = g.input(1, 6, 6, 4)
    g.output(x, g.op("RELU", x))


@graph("the same output twice")
def _(g):
    y = convolution(g, g.input(1, 6, 6, 4), 8, 3, 3, 4, activation="RELU")
    g.output(y, y)


@graph("an output reshaped is another output")
def _(g):
    y = convolution(g, g.input(1, 6, 6, 4), 8, 3, 3, 4)
    g.output(y, g.op("RESHAPE", y, g.const(np.int32([36, 8])), new_shape=[36, 8]))


@graph("residual over a RESHAPE")
def _(g):
    x = g.input(1, 6, 4, 8)
    y = g.op("RESHAPE", convolution(g, x, 8, 3, 3, 8), g.const(np.int32([24, 8])), new_shape=[24, 8])
    z = g.op("RESHAPE", g.op("TANH", x), g.const(np.int32([24, 8])), new_shape=[24, 8])
    g.output(g.op("ADD", y, z, activation="RELU"))


@graph("RESHAPE between convolution and RELU, ranks differ")
def _(g):
    y = convolution(g, g.input(2, 6, 4, 8), 9, 3, 3, 8)
    y = g.op("RESHAPE", y, g.const(np.int32([2, 24, 9])), new_shape=[2, 24, 9])
    g.output(g.op("ADD", g.op("RELU", y), g.weights(24, 1, scale=1)))


@graph("detector head: two scales, RESHAPE and CONCATENATION")
def _(g):
    x = convolution(g, g.input(1, 16, 16, 8), 16, 3, 3, 8, activation="RELU")
    y = convolution(g, x, 24, 3, 3, 16, stride=(2, 2), activation="RELU")
    for n in (1, 16):
        a = g.op(
            "RESHAPE",
            convolution(g, x, 2 * n, 1, 1, 16),
            g.const(np.int32([1, 512, n])),
            new_shape=[1, 512, n],
        )
        b = g.op(
            "RESHAPE",
            convolution(g, y, 6 * n, 1, 1, 24),
            g.const(np.int32([1, 384, n])),
            new_shape=[1, 384, n],
        )
        g.output(g.op("CONCATENATION", a, b, axis=1))


@graph("CONCATENATION of branches along channels, then a convolution")
def _(g):
    x = g.input(1, 8, 6, 4)
    a = convolution(g, x, 8, 1, 1, 4, activation="RELU")
    b = convolution(g, x, 3, 3, 3, 4, activation="RELU")
    c = pool(g, "MAX_POOL_2D", x, 3, 3, 1, 1, "SAME")
    g.output(convolution(g, g.op("CONCATENATION", a, b, c, axis=3), 5, 1, 1, 15))


@graph("decoder: RESIZE_BILINEAR, ADD, convolution")
def _(g):
    x = g.input(1, 12, 8, 6)
    y = convolution(g, pool(g, "MAX_POOL_2D", x, 2, 2, 2, 2, "SAME"), 6, 1, 1, 6)
    y = g.op("RESIZE_BILINEAR", y, g.const(np.int32([12, 8])), half_pixel_centers=True, version=3)
    g.output(convolution(g, g.op("ADD", x, y), 4, 3, 3, 6))


@graph("two inputs of unlike shapes, three outputs in another order")
def _(g):
    a, b = g.input(2, 6, 5, 3), g.input(2, 7)
    c = g.op("MEAN", convolution(g, a, 7, 3, 3, 3), g.const(np.int32([1, 2])))
    d = g.op("ADD", b, c)
    g.output(fully_connected(g, d, 7, 4), c, g.op("TANH", b))


@graph("forty values alive at once")
def _(g):
    x = g.input(1, 6, 6, 4)
    values = [convolution(g, x, 4, 1, 1, 4) for _ in range(40)]
    while len(values) > 1:
        values = [g.op("ADD", a, b) for a, b in zip(values[::2], values[1::2])] + values[len(values) & ~1 :]
    g.output(values[0])


@graph("fifty convolutions in a row")
def _(g):
    x = g.input(1, 6, 5, 8)
    for _n in range(50):
        x = convolution(g, x, 8, 3, 3, 8, activation="RELU6")
    g.output(x)


def cases():
    """The graphs above."""
    for text, fill in CASES:
        g = Graph(text)
        fill(g)
        yield Case(g)
