"""Pointwise, depthwise and pointwise convolutions of int8 in one dispatch, wherever the kernel can."""

from model import Graph

from ..case import Case
from .conv_2d_integers import EXTREMES, convolution, values
from .depthwise_conv_2d_integers import depthwise

ENVIRONMENT = {"TFLITE_VULKAN_FUSE_INTEGERS": "1"}
THREE, TWO, NONE = (f"fuse residuals: {n} applied" for n in (2, 1, 0))
# Shape of the operand, channels between and behind, taps, options, what is fused.
ROWS = [
    ((1, 8, 8, 16), 96, 24, 3, {}, THREE),
    ((1, 9, 7, 8), 48, 8, 3, {"add": "after"}, THREE),
    ((1, 9, 7, 24), 144, 24, 3, {"add": "before"}, THREE),
    ((1, 15, 13, 24), 144, 32, 3, {"stride": (2, 2)}, THREE),
    ((1, 14, 12, 40), 120, 40, 5, {"add": "after"}, THREE),
    ((1, 13, 15, 40), 240, 80, 5, {"stride": (2, 2)}, THREE),
    ((1, 7, 7, 160), 960, 160, 3, {"add": "after"}, THREE),
    ((1, 11, 9, 12), 36, 20, 3, {"padding": "VALID"}, THREE),
    ((1, 11, 9, 12), 20, 4, 5, {"padding": "VALID", "stride": (2, 1)}, THREE),
    ((2, 6, 10, 20), 100, 20, 3, {"add": "after"}, THREE),
    ((1, 5, 4, 32), 32, 16, 3, {"expand": False}, TWO),
    ((1, 9, 11, 36), 36, 132, 5, {"expand": False, "stride": (2, 2)}, TWO),
    ((1, 6, 6, 6), 36, 8, 3, {}, TWO),
    ((1, 6, 6, 8), 30, 8, 3, {}, NONE),
    ((1, 6, 6, 8), 36, 6, 3, {}, NONE),
    ((1, 3, 2, 8), 24, 8, 5, {"full": True}, THREE),
    ((1, 9, 7, 64), 384, 64, 3, {"full": True, "add": "after"}, THREE),
    ((1, 9, 7, 16), 64, 16, 3, {"per_channel": False, "add": "before"}, THREE),
    ((1, 9, 7, 16), 64, 16, 3, {"activation": "NONE"}, THREE),
]


def block(g, x, middle, channels, size, *, depth, zeros=(3, -7, 5, -20), stride=(1, 1), padding="SAME",
          add=None, expand=True, activation="RELU6", full=False, per_channel=True):  # fmt: skip
    """The nodes; zero points are those of x, of both results between, and of y."""
    scales = (0.05, 0.07, 0.04, 0.09)
    options = {"spread": 0.3, "full": full, "per_channel": per_channel}
    y = x
    if expand:
        zero = (zeros[0], 0, zeros[1])
        y = convolution(g, y, middle, 1, 1, depth, scales=(scales[0], 0.02, scales[1]), zeros=zero,
                        activation=activation, **options)  # fmt: skip
    zero, scale = (zeros[1], 0, zeros[2]), (scales[1], 0.05, scales[2])
    if not expand:
        zero, scale = (zeros[0], 0, zeros[2]), (scales[0], 0.05, scales[2])
    y = depthwise(g, y, middle, size, size, scales=scale, zeros=zero, stride=stride, padding=padding,
                  activation=activation, **options)  # fmt: skip
    zero = (zeros[2], 0, zeros[3])
    y = convolution(g, y, channels, 1, 1, middle, scales=(scales[2], 0.02, scales[3]), zeros=zero, **options)
    if add:
        operands = [y, x] if add == "after" else [x, y]
        sums = {"activation": "NONE", "pot_scale_int16": False}
        y = g.op("ADD", *operands, dtype="int8", quantisation=(0.11, 2, 0), **sums)
    return y


def case(row, kernels="reference", **more):
    """One block."""
    shape, middle, channels, size, options, fused = row
    options = options | more
    text = "".join(f" {key} {value}" for key, value in options.items())
    g = Graph(f"{list(shape)} by {middle} to {channels}, {size}x{size}{text}, {kernels}")
    zeros = options.get("zeros", (3,))
    x = g.input(*shape, dtype="int8", quantisation=(0.05, zeros[0], 0))
    g.output(block(g, x, middle, channels, size, depth=shape[3], **options))
    return Case(
        g,
        oldest=False,
        values=[values(g, shape, "int8", options.get("full", False))],
        exact=True,
        follows=("default",) if kernels == "xnnpack" else (),
        options={"integers": kernels, "log_level": "debug"},
        logs=fused,
    )


def graphs():
    """Open sizes, blocks in a row, what is read twice."""
    g = Graph("of open height, width and batch")
    x = g.input(1, 9, 7, 16, dtype="int8", quantisation=(0.05, 3, 0), low=-128, high=128)
    g.output(block(g, x, 96, 16, 3, depth=16, add="after"))
    resizes = [[(n, h, w, 16)] for n, h, w in ((2, 9, 7), (1, 3, 13), (3, 1, 2), (1, 20, 20))]
    options = {"log_level": "debug"}
    yield Case(g, oldest=False, resizes=resizes, exact=True, options=options, logs=THREE)
    g = Graph("four blocks in a row")
    x = y = g.input(1, 12, 12, 16, dtype="int8", quantisation=(0.05, 3, 0))
    # The sum of a block has the scale that the next one reads.
    for channels, depth, stride in ((24, 16, 2), (24, 24, 1), (40, 24, 2), (40, 40, 1)):
        zeros = (3, -7, 5, 3)
        y = block(g, y, 6 * depth, channels, 3, depth=depth, stride=(stride, stride), zeros=zeros)
        y = g.op("QUANTIZE", y, dtype="int8", quantisation=(0.05, 3, 0), version=2)
    g.output(y)
    data = [values(g, (1, 12, 12, 16), "int8")]
    logs = "fuse residuals: 8 applied"
    yield Case(g, oldest=False, values=data, exact=True, options=options, logs=logs)
    g = Graph("an expansion that is read twice stays")
    x = g.input(1, 9, 7, 16, dtype="int8", quantisation=(0.05, 3, 0))
    y = convolution(g, x, 64, 1, 1, 16, scales=(0.05, 0.02, 0.07), zeros=(3, 0, -7))
    z = depthwise(g, y, 64, 3, 3, scales=(0.07, 0.05, 0.04), zeros=(-7, 0, 5))
    g.output(convolution(g, z, 16, 1, 1, 64, scales=(0.04, 0.02, 0.09), zeros=(5, 0, -20)), y)
    data = [values(g, (1, 9, 7, 16), "int8")]
    yield Case(g, oldest=False, values=data, exact=True, options=options, logs=TWO)


def cases():
    """Every row with the reference kernels, some with XNNPACK's; zero points at the ends; graphs."""
    for n, row in enumerate(ROWS):
        yield case(row)
        if n % 3 == 1:
            yield case(row, "xnnpack")
    for a, b in EXTREMES:
        yield case(ROWS[2], zeros=(a, b, a, b), activation="NONE")
        yield case(ROWS[3], zeros=(b, a, b, a), activation="NONE")
        yield case(ROWS[10], zeros=(b, a, a, b))
    yield from graphs()
