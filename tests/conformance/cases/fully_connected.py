"""FULLY_CONNECTED: sizes, ranks, kept dimensions, no bias, activations, weights stored as fp16."""

from model import Graph

from ..case import Case

# input shape, outputs, options
TABLE = [
    ((1, 1), 1, {}),
    ((1, 5), 3, {}),
    ((1, 64), 10, {}),
    ((3, 37), 29, {}),
    ((17, 16), 24, {}),
    ((1, 1152), 63, {}),
    ((1, 2050), 7, {}),
    ((64, 128), 96, {}),
    ((2, 3, 8), 5, {}),
    ((2, 3, 8), 5, {"keep_num_dims": True}),
    ((1, 2, 3, 4), 6, {}),
    ((2, 2, 3, 5), 6, {"keep_num_dims": True}),
]


def fully_connected(g, x, depth, n, *, bias=True, **options):
    """The node with random weights."""
    b = g.weights(n, scale=0.3) if bias else -1
    return g.op("FULLY_CONNECTED", x, g.weights(n, depth), b, version=5, **options)


def cases():
    """The table, every activation, no bias, inputs that are folded into fewer rows, fp16 weights."""
    for shape, n, options in TABLE:
        g = Graph(f"{list(shape)} to {n}{' kept' if options else ''}")
        g.output(fully_connected(g, g.input(*shape), shape[-1], n, **options))
        yield Case(g)
    for activation in ("RELU", "RELU6", "RELU_N1_TO_1"):
        g = Graph(f"{activation}")
        g.output(fully_connected(g, g.input(3, 17), 17, 9, activation=activation))
        yield Case(g)
    g = Graph("no bias")
    g.output(fully_connected(g, g.input(3, 16), 16, 9, bias=False))
    yield Case(g)
    g = Graph("bias not listed")
    g.output(g.op("FULLY_CONNECTED", g.input(3, 16), g.weights(8, 16)))
    yield Case(g)
    g = Graph("image flattened by the node itself")
    g.output(fully_connected(g, g.input(2, 3, 5, 4), 60, 7))
    yield Case(g)
    g = Graph("fp16 weights")
    w = g.op("DEQUANTIZE", g.weights(9, 20, dtype="float16"), version=3)
    g.output(g.op("FULLY_CONNECTED", g.input(2, 20), w, g.weights(9)))
    yield Case(g)
