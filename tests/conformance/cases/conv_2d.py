"""CONV_2D: kernel sizes, strides, dilation, padding, groups, activations, channel counts that fit no tile."""

from model import Graph

from ..case import Case

# input shape, output channels, kernel height and width, options
TABLE = [
    ((1, 1, 1, 1), 1, 1, 1, {}),
    ((1, 1, 1, 3), 5, 1, 1, {}),
    ((1, 7, 5, 3), 4, 1, 1, {}),
    ((1, 8, 8, 16), 32, 1, 1, {}),
    ((3, 9, 7, 20), 36, 1, 1, {}),
    ((2, 29, 11, 37), 13, 1, 1, {}),
    ((1, 16, 16, 64), 128, 1, 1, {}),
    ((1, 2, 2, 257), 65, 1, 1, {}),
    ((1, 14, 14, 96), 24, 1, 1, {}),
    ((1, 9, 9, 8), 12, 1, 1, {"stride": (2, 2)}),
    ((1, 7, 5, 3), 4, 3, 3, {}),
    ((1, 7, 5, 3), 4, 3, 3, {"padding": "VALID"}),
    ((1, 8, 8, 4), 8, 3, 3, {}),
    ((1, 16, 16, 16), 16, 3, 3, {}),
    ((3, 13, 11, 5), 7, 3, 3, {}),
    ((3, 13, 11, 5), 7, 3, 3, {"padding": "VALID"}),
    ((1, 16, 12, 8), 16, 3, 3, {"stride": (2, 2)}),
    ((1, 17, 13, 8), 16, 3, 3, {"stride": (2, 2), "padding": "VALID"}),
    ((2, 19, 17, 6), 10, 3, 3, {"stride": (3, 3)}),
    ((1, 19, 17, 6), 10, 3, 3, {"stride": (1, 2)}),
    ((1, 19, 17, 6), 10, 3, 3, {"stride": (3, 1), "padding": "VALID"}),
    ((1, 15, 13, 8), 8, 3, 3, {"dilation": (2, 2)}),
    ((2, 15, 13, 7), 5, 3, 3, {"dilation": (3, 2), "padding": "VALID"}),
    ((1, 15, 13, 8), 8, 3, 3, {"dilation": (1, 4)}),
    ((1, 64, 64, 3), 24, 5, 5, {"stride": (2, 2)}),
    ((1, 32, 32, 3), 16, 3, 3, {"stride": (2, 2)}),
    ((1, 32, 32, 1), 16, 3, 3, {"stride": (2, 2)}),
    ((1, 12, 10, 5), 9, 5, 5, {}),
    ((1, 12, 10, 4), 8, 7, 7, {"stride": (2, 2)}),
    ((1, 12, 10, 4), 8, 1, 5, {}),
    ((1, 12, 10, 4), 8, 5, 1, {}),
    ((2, 12, 10, 6), 3, 2, 2, {}),
    ((2, 12, 10, 6), 3, 2, 2, {"stride": (2, 2), "padding": "VALID"}),
    ((1, 4, 6, 3), 5, 4, 6, {"padding": "VALID"}),
    ((1, 2, 2, 32), 64, 2, 2, {"stride": (2, 2), "padding": "VALID"}),
    ((1, 3, 3, 8), 4, 5, 5, {}),
    ((1, 1, 31, 6), 6, 1, 3, {}),
    ((1, 31, 1, 6), 6, 3, 1, {}),
    ((1, 8, 8, 8), 8, 3, 3, {"groups": 2}),
    ((2, 7, 9, 12), 18, 3, 3, {"groups": 3}),
    ((1, 7, 9, 15), 10, 1, 1, {"groups": 5}),
    ((1, 9, 9, 32), 32, 3, 3, {"groups": 4, "stride": (2, 2)}),
    ((1, 6, 6, 16), 48, 3, 3, {"groups": 16}),
    ((1, 40, 56, 24), 24, 3, 3, {}),
    ((1, 29, 27, 64), 72, 3, 3, {"activation": "RELU6"}),
    ((3, 13, 11, 64), 68, 3, 3, {"padding": "VALID"}),
    ((1, 7, 7, 256), 128, 3, 3, {}),
    ((1, 14, 13, 66), 64, 3, 3, {}),
    ((1, 13, 14, 64), 66, 3, 3, {}),
    ((1, 96, 96, 16), 16, 1, 1, {}),
    ((5, 1, 1, 64), 10, 1, 1, {}),
]
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


def convolution(
    g, x, channels, kh, kw, depth, *, stride=(1, 1), dilation=(1, 1), padding="SAME", activation="NONE"
):
    """The node with random weights over `depth` input channels and a bias."""
    (sh, sw), (dh, dw) = stride, dilation
    w, b = g.weights(channels, kh, kw, depth), g.weights(channels, scale=0.3)
    options = {"stride_h": sh, "stride_w": sw, "dilation_h_factor": dh, "dilation_w_factor": dw}
    return g.op("CONV_2D", x, w, b, padding=padding, activation=activation, version=2, **options)


def conv(shape, channels, kh, kw, *, groups=1, label="", **options):
    """One convolution."""
    text = "".join(f" {key} {value}" for key, value in options.items()) + (
        f" groups {groups}" if groups > 1 else ""
    )
    g = Graph(f"{list(shape)} to {channels}, {kh}x{kw}{text}{label}")
    g.output(convolution(g, g.input(*shape), channels, kh, kw, shape[3] // groups, **options))
    return Case(g)


def cases():
    """The table, every activation, weights stored otherwise, weights that are values."""
    for shape, channels, kh, kw, options in TABLE:
        yield conv(shape, channels, kh, kw, **options)
    for activation in ACTIVATIONS[1:]:
        yield conv((1, 7, 9, 6), 5, 3, 3, activation=activation)
        yield conv((1, 8, 8, 8), 16, 1, 1, activation=activation)
    g = Graph("fp16 weights and bias")
    x = g.input(1, 9, 7, 6)
    w = g.op("DEQUANTIZE", g.weights(10, 3, 3, 6, dtype="float16"), version=3)
    b = g.op("DEQUANTIZE", g.weights(10, dtype="float16"), version=3)
    g.output(g.op("CONV_2D", x, w, b, padding="SAME", stride_w=1, stride_h=1))
    yield Case(g)
    g = Graph("one input, two convolutions with the same weights")
    x, w, b = g.input(1, 6, 6, 8), g.weights(8, 3, 3, 8), g.weights(8)
    y = g.op("CONV_2D", x, w, b, padding="SAME", stride_w=1, stride_h=1)
    g.output(g.op("CONV_2D", y, w, b, padding="SAME", stride_w=1, stride_h=1), y)
    yield Case(g)
