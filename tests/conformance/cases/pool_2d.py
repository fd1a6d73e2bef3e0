"""MAX_POOL_2D and AVERAGE_POOL_2D: windows, strides, padding (the average counts no padding), activations."""

from model import Graph

from ..case import Case

# input shape, window height and width, stride height and width, padding
TABLE = [
    ((1, 1, 1, 1), 1, 1, 1, 1, "SAME"),
    ((1, 8, 8, 4), 2, 2, 2, 2, "VALID"),
    ((1, 7, 5, 3), 2, 2, 2, 2, "SAME"),
    ((1, 7, 5, 3), 2, 2, 2, 2, "VALID"),
    ((3, 13, 11, 6), 3, 3, 1, 1, "SAME"),
    ((3, 13, 11, 6), 3, 3, 2, 2, "SAME"),
    ((1, 13, 11, 6), 3, 3, 2, 2, "VALID"),
    ((2, 29, 11, 37), 3, 2, 1, 3, "SAME"),
    ((1, 12, 10, 8), 2, 2, 1, 1, "SAME"),
    ((1, 7, 7, 24), 7, 7, 1, 1, "VALID"),
    ((1, 7, 7, 24), 7, 7, 7, 7, "VALID"),
    ((1, 16, 16, 5), 16, 16, 16, 16, "VALID"),
    ((1, 9, 7, 5), 5, 3, 3, 3, "SAME"),
    ((1, 3, 3, 5), 5, 5, 1, 1, "SAME"),
    ((1, 1, 17, 6), 1, 4, 1, 2, "SAME"),
    ((1, 17, 1, 6), 4, 1, 2, 1, "VALID"),
    ((1, 64, 64, 16), 2, 2, 2, 2, "SAME"),
]


def pool(g, operator, x, fh, fw, sh, sw, padding, activation="NONE", **kind):
    """The node."""
    options = {"filter_height": fh, "filter_width": fw, "stride_h": sh, "stride_w": sw}
    return g.op(operator, x, padding=padding, activation=activation, **options, **kind)


def cases():
    """The table and the activations for both."""
    for operator in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        for shape, fh, fw, sh, sw, padding in TABLE:
            g = Graph(f"{operator} {list(shape)}, {fh}x{fw} by {sh}x{sw} {padding}")
            g.output(pool(g, operator, g.input(*shape), fh, fw, sh, sw, padding))
            yield Case(g)
        for activation in ("RELU", "RELU6", "RELU_N1_TO_1"):
            g = Graph(f"{operator} {activation}")
            g.output(pool(g, operator, g.input(1, 9, 7, 6, low=-9, high=9), 2, 3, 2, 2, "SAME", activation))
            yield Case(g)
        g = Graph(f"{operator} that finds no place later on")
        g.output(pool(g, operator, g.input(1, 7, 9, 6), 3, 3, 2, 2, "VALID"))
        yield Case(g, [[(1, 1, 9, 6)], [(2, 7, 2, 6)]])
        g = Graph(f"{operator} of negative values at the border")
        g.output(pool(g, operator, g.input(1, 5, 5, 4, low=-9, high=-1), 3, 3, 1, 1, "SAME"))
        yield Case(g)
