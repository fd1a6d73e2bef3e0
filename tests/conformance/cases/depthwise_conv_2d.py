"""DEPTHWISE_CONV_2D: as CONV_2D, with depth multipliers."""

from model import Graph

from ..case import Case

# input shape, kernel height and width, options
TABLE = [
    ((1, 1, 1, 1), 1, 1, {}),
    ((2, 7, 5, 6), 1, 1, {}),
    ((1, 8, 9, 12), 1, 1, {"stride": (2, 2)}),
    ((1, 8, 9, 12), 1, 1, {"stride": (3, 2), "dilation": (32767, 1), "padding": "VALID"}),
    ((1, 1, 1, 5), 3, 3, {}),
    ((1, 7, 5, 3), 3, 3, {}),
    ((1, 7, 5, 4), 3, 3, {}),
    ((1, 16, 16, 32), 3, 3, {}),
    ((3, 13, 11, 6), 3, 3, {}),
    ((3, 13, 11, 6), 3, 3, {"padding": "VALID"}),
    ((2, 29, 11, 37), 3, 3, {}),
    ((1, 17, 15, 8), 3, 3, {"stride": (2, 2)}),
    ((1, 16, 14, 8), 3, 3, {"stride": (2, 2)}),
    ((1, 17, 15, 8), 3, 3, {"stride": (2, 2), "padding": "VALID"}),
    ((2, 19, 17, 5), 3, 3, {"stride": (3, 3)}),
    ((1, 19, 17, 5), 3, 3, {"stride": (2, 1)}),
    ((1, 14, 14, 24), 5, 5, {}),
    ((1, 15, 13, 24), 5, 5, {"stride": (2, 2)}),
    ((1, 15, 13, 7), 5, 5, {"padding": "VALID"}),
    ((1, 11, 9, 8), 7, 7, {}),
    ((1, 11, 9, 6), 2, 2, {}),
    ((1, 11, 9, 6), 1, 5, {}),
    ((1, 11, 9, 6), 5, 1, {}),
    ((1, 3, 3, 8), 5, 5, {}),
    ((1, 6, 8, 12), 6, 8, {"padding": "VALID"}),
    ((1, 15, 13, 8), 3, 3, {"dilation": (2, 2)}),
    ((2, 15, 13, 7), 3, 3, {"dilation": (3, 2), "padding": "VALID"}),
    ((1, 9, 7, 3), 3, 3, {"multiplier": 2}),
    ((1, 9, 7, 1), 3, 3, {"multiplier": 8}),
    ((2, 9, 7, 4), 3, 3, {"multiplier": 3, "stride": (2, 2)}),
    ((1, 9, 7, 5), 5, 5, {"multiplier": 4, "padding": "VALID"}),
    ((1, 56, 48, 16), 3, 3, {}),
    ((1, 1, 33, 6), 1, 3, {}),
    ((1, 33, 1, 6), 3, 1, {}),
]


def depthwise(g, x, channels, kh, kw, *, multiplier=1, stride=(1, 1), dilation=(1, 1), padding="SAME",
              activation="NONE"):  # fmt: skip
    """The node with random weights."""
    (sh, sw), (dh, dw), n = stride, dilation, channels * multiplier
    weights, bias = g.weights(1, kh, kw, n, scale=1 / (kh * kw) ** 0.5), g.weights(n, scale=0.3)
    options = {"stride_h": sh, "stride_w": sw, "dilation_h_factor": dh, "dilation_w_factor": dw}
    options |= {"padding": padding, "activation": activation, "depth_multiplier": multiplier}
    return g.op("DEPTHWISE_CONV_2D", x, weights, bias, version=2, **options)


def case(shape, kh, kw, label="", **options):
    """One depthwise convolution."""
    text = "".join(f" {key} {value}" for key, value in options.items())
    g = Graph(f"{list(shape)}, {kh}x{kw}{text}{label}")
    g.output(depthwise(g, g.input(*shape), shape[3], kh, kw, **options))
    return Case(g)


def cases():
    """The table, every activation, fp16 weights."""
    for shape, kh, kw, options in TABLE:
        yield case(shape, kh, kw, **options)
    for activation in ("RELU", "RELU6", "RELU_N1_TO_1"):
        yield case((1, 7, 9, 6), 3, 3, activation=activation)
    g = Graph("fp16 weights and bias")
    w = g.op("DEQUANTIZE", g.weights(1, 3, 3, 6, dtype="float16"), version=3)
    b = g.op("DEQUANTIZE", g.weights(6, dtype="float16"), version=3)
    options = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "depth_multiplier": 1}
    g.output(g.op("DEPTHWISE_CONV_2D", g.input(1, 9, 7, 6), w, b, **options))
    yield Case(g)
