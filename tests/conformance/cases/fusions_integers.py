"""Tables, sums and products behind convolutions and matrix products of integers, which compute them too."""

import numpy as np
from model import Graph

from ..case import Case
from .conv_2d_integers import convolution, values
from .depthwise_conv_2d_integers import depthwise

BYTES = ("int8", "uint8")
KERNELS = ("reference", "xnnpack")
# Shape of the operand, channels of the result, window.
SHAPES = {
    "CONV_2D": [
        ((1, 7, 9, 8), 12, 1, 1, {}),
        ((2, 5, 7, 16), 7, 3, 3, {}),
        ((1, 9, 6, 3), 5, 3, 3, {"stride": (2, 2)}),
        ((1, 2, 2, 1096), 9, 1, 1, {}),
        ((1, 4, 3, 512), 8, 3, 3, {}),
    ],
    "DEPTHWISE_CONV_2D": [
        ((1, 9, 7, 8), 8, 3, 3, {}),
        ((2, 8, 6, 5), 5, 3, 3, {}),
        ((1, 9, 7, 4), 8, 5, 5, {"multiplier": 2}),
        ((1, 5, 9, 12), 12, 3, 2, {"stride": (2, 2)}),
    ],
    "FULLY_CONNECTED": [((1, 64), 10, 0, 0, {}), ((3, 37), 7, 0, 0, {}), ((9, 36), 8, 0, 0, {})],
}
# What follows, in order: a function of one integer, or a sum or product with another operand.
FOLLOWERS = [
    ("HARD_SWISH",),
    ("ADD",),
    ("SUB",),
    ("MUL",),
    ("SUB swapped",),
    ("LOGISTIC", "ADD", "TANH"),
    ("ADD RELU", "HARD_SWISH", "ADD"),
    ("TANH", "RELU", "MUL", "LEAKY_RELU", "RELU6"),
]
SPREADS = ("full", "rows", "channels", "constant", "constant channels")
NAMES = ("LOGISTIC", "TANH", "HARD_SWISH", "RELU", "RELU6", "LEAKY_RELU")


def shifted(dtype, zero):
    """A zero point of int8 as the type has it."""
    return zero + (128 if dtype == "uint8" else 0)


def sums(g, operator, x, dtype, channels, kh, kw, depth, **options):
    """The convolution or matrix product."""
    options |= {"dtype": dtype, "zeros": (130, 121, 100) if dtype == "uint8" else (3, 0, -5)}
    if operator == "CONV_2D":
        return convolution(g, x, channels, kh, kw, depth, **options)
    if operator == "DEPTHWISE_CONV_2D":
        return depthwise(g, x, depth, kh, kw, **options)
    info = np.iinfo(dtype)
    w = g.random.integers(info.min + (dtype == "int8"), info.max + 1, (channels, depth)).astype(dtype)
    w_scale = np.float32(0.02 / np.sqrt(depth))
    b = g.const(g.random.integers(-3000, 3000, channels).astype("int32"), (w_scale * np.float32(0.05), 0, 0))
    w = g.const(w, (w_scale, options["zeros"][1], 0))
    quantisation = (0.1, options["zeros"][2], 0)
    return g.op("FULLY_CONNECTED", x, w, b, dtype=dtype, quantisation=quantisation, version=4)


def other(g, data, dtype, shape, spread):
    """Another operand, which spreads over the shape."""
    rows = (shape[0], *[1] * (len(shape) - 2), shape[-1])
    shape = {"rows": rows, "channels": shape[-1:]}.get(spread.split()[-1], shape)
    numbers, quantisation = values(g, shape, dtype), (0.03, shifted(dtype, -7), 0)
    if spread.startswith("constant"):
        return g.const(numbers, quantisation)
    data.append(numbers)
    return g.input(*shape, dtype=dtype, quantisation=quantisation)


def follow(g, y, word, dtype, shape, data, spread, n):
    """What the word says behind y."""
    name, *more = word.split()
    if name == "LOGISTIC":
        quantisation = (1 / 256, shifted(dtype, -128), 0)
    elif name == "TANH":
        quantisation = (1 / 128, shifted(dtype, 0), 0)
    else:
        quantisation = ((0.09, 0.06, 0.04)[n % 3], shifted(dtype, (4, -128, 30)[n % 3]), 0)
    if name in NAMES:
        options = {"alpha": 0.3} if name == "LEAKY_RELU" else {}
        return g.op(name, y, dtype=dtype, quantisation=quantisation, **options)
    operands = [y, other(g, data, dtype, shape, spread)]
    if "swapped" in more:
        operands.reverse()
    options = {"activation": "RELU" if "RELU" in more else "NONE"}
    if name != "MUL":
        options["pot_scale_int16"] = False
    return g.op(name, *operands, dtype=dtype, quantisation=quantisation, **options)


def result(operator, shape, channels, options):
    """The shape of the result; windows have SAME padding."""
    if operator == "FULLY_CONNECTED":
        return (shape[0], channels)
    strides = options.get("stride", (1, 1))
    return (shape[0], *(-(-n // s) for n, s in zip(shape[1:3], strides)), channels)


def case(operator, dtype, row, words, spread="full", kernels="reference", also=()):
    """The operator and what follows; `also` lists the results that the host wants besides, by number."""
    shape, channels, kh, kw, options = row
    label = f"{operator} {dtype} {list(shape)} to {channels} with {', '.join(words)} {spread}"
    g = Graph(
        label + (f", {kernels}" if kernels != "reference" else "") + (f", wants {also}" if also else "")
    )
    x = g.input(*shape, dtype=dtype, quantisation=(0.05, shifted(dtype, 3) - (dtype == "uint8"), 0))
    data, shown = [values(g, shape, dtype)], result(operator, shape, channels, options)
    options = {"CONV_2D": {"spread": 0.3}, "DEPTHWISE_CONV_2D": {"spread": 0.3}}.get(operator, {}) | options
    made = [sums(g, operator, x, dtype, channels, kh, kw, shape[-1], **options)]
    for n, word in enumerate(words):
        made.append(follow(g, made[-1], word, dtype, shown, data, spread, n))
    g.output(made[-1], *[made[n] for n in also])
    follows = ("default",) if kernels == "xnnpack" else ()
    return Case(g, oldest=False, values=data, exact=True, follows=follows, options={"integers": kernels})


def residual(dtype, kernels):
    """An inverted residual: what goes in is added to what comes out."""
    g = Graph(f"inverted residual of {dtype}, {kernels}")
    x = g.input(1, 9, 7, 8, dtype=dtype, quantisation=(0.05, shifted(dtype, 3) - (dtype == "uint8"), 0))
    zeros = (130, 121, 100) if dtype == "uint8" else (3, 0, -5)
    options = {"dtype": dtype, "spread": 0.2}
    y = convolution(g, x, 24, 1, 1, 8, zeros=zeros, activation="RELU6", **options)
    middle = (zeros[2], zeros[1], zeros[0])
    y = depthwise(g, y, 24, 3, 3, zeros=middle, scales=(0.1, 0.05, 0.05), activation="RELU6", **options)
    y = convolution(g, y, 8, 1, 1, 24, zeros=zeros, **options)
    quantisation = (0.12, shifted(dtype, 2), 0)
    g.output(
        g.op("ADD", y, x, dtype=dtype, quantisation=quantisation, activation="NONE", pot_scale_int16=False)
    )
    follows = ("default",) if kernels == "xnnpack" else ()
    data = [values(g, (1, 9, 7, 8), dtype)]
    return Case(g, oldest=False, values=data, exact=True, follows=follows, options={"integers": kernels})


def add(g, a, b, dtype="int8"):
    """A sum."""
    options = {"activation": "NONE", "pot_scale_int16": False}
    return g.op("ADD", a, b, dtype=dtype, quantisation=(0.11, 6, 0), **options)


def graphs():
    """Where order, readers and memory matter."""
    g = Graph("a sum of two convolutions, which is joined with both of their operands")
    x = [g.input(1, 6, 5, 8, dtype="int8", quantisation=(0.05, 3, 0)) for _ in range(2)]
    y = add(g, *(convolution(g, x, 8, 1, 1, 8) for x in x))
    z = add(g, y, x[0])
    options = {"axis": 3, "activation": "NONE", "dtype": "int8", "quantisation": (0.11, 6, 0)}
    g.output(g.op("CONCATENATION", y, z, **options))
    yield Case(g, oldest=False, values=[values(g, (1, 6, 5, 8), "int8") for _ in x], exact=True)
    g = Graph("a convolution added to itself")
    x = g.input(1, 6, 5, 8, dtype="int8", quantisation=(0.05, 3, 0))
    y = convolution(g, x, 7, 3, 3, 8)
    g.output(add(g, y, y))
    yield Case(g, oldest=False, values=[values(g, (1, 6, 5, 8), "int8")], exact=True)
    g = Graph("a convolution behind PAD with a table and a sum")
    x = g.input(2, 9, 7, 6, dtype="int8", quantisation=(0.05, 3, 0))
    e = g.input(2, 5, 4, 8, dtype="int8", quantisation=(0.03, -7, 0))
    pads = g.const(np.int32([[0, 0], [1, 2], [0, 3], [0, 0]]))
    p = g.op("PAD", x, pads, version=2, dtype="int8", quantisation=(0.05, 3, 0))
    y = convolution(g, p, 8, 3, 3, 6, stride=(2, 2), padding="VALID")
    y = g.op("HARD_SWISH", y, dtype="int8", quantisation=(0.08, -100, 0))
    g.output(add(g, e, y))
    yield Case(
        g, oldest=False, values=[values(g, s, "int8") for s in ((2, 9, 7, 6), (2, 5, 4, 8))], exact=True
    )
    g = Graph("two convolutions of the same weights with other tables and sums")
    x = g.input(1, 6, 5, 8, dtype="int8", quantisation=(0.05, 1, 0))
    w = g.const(g.random.integers(-127, 128, (8, 1, 1, 8)).astype("int8"), (0.01, 0, 0))
    b = g.const(g.random.integers(-99, 99, 8).astype("int32"), (0.0005, 0, 0))
    options = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "version": 3, "dtype": "int8"}
    options["quantisation"] = (0.05, 1, 0)
    y = g.op("CONV_2D", x, w, b, **options)
    y = g.op("HARD_SWISH", y, dtype="int8", quantisation=(0.05, 1, 0))
    z = g.op("TANH", g.op("CONV_2D", y, w, b, **options), dtype="int8", quantisation=(1 / 128, 0, 0))
    g.output(add(g, g.op("CONV_2D", y, w, b, **options), z))
    yield Case(g, oldest=False, values=[values(g, (1, 6, 5, 8), "int8")], exact=True)
    g = Graph("a residual and a row of channels, of open height, width and batch")
    shapes = [(1, 9, 7, 12), (1, 1, 1, 12)]
    x, e = (g.input(*s, dtype="int8", quantisation=(0.05, 3, 0), low=-128, high=128) for s in shapes)
    y = add(g, convolution(g, x, 12, 3, 3, 12), x)
    y = convolution(g, y, 12, 1, 1, 12, zeros=(6, 0, 9), scales=(0.11, 0.02, 0.1))
    g.output(g.op("MUL", y, e, dtype="int8", quantisation=(0.04, -2, 0), activation="NONE"))
    resizes = [[(n, h, w, 12), (n, 1, 1, 12)] for n, h, w in ((2, 9, 7), (1, 3, 13), (3, 1, 2))]
    yield Case(g, oldest=False, resizes=resizes, exact=True)


def cases():
    """Every operator with every follower; then how operands spread, several readers, and graphs."""
    for operator, rows in SHAPES.items():
        for n, row in enumerate(rows):
            for k, words in enumerate(FOLLOWERS):
                dtype = BYTES[(n + k) % 2]
                yield case(operator, dtype, row, words)
                yield case(operator, BYTES[(n + k + 1) % 2], row, words, kernels=KERNELS[1 - k % 2])
            for spread in SPREADS[1:]:
                if operator == "FULLY_CONNECTED" and spread == "rows":
                    continue
                yield case(operator, BYTES[n % 2], row, ("MUL",), spread)
                yield case(operator, BYTES[(n + 1) % 2], row, ("HARD_SWISH", "ADD"), spread)
        for dtype in BYTES:
            yield case(operator, dtype, rows[0], ("HARD_SWISH", "ADD"), also=(0,))
            yield case(operator, dtype, rows[1], ("HARD_SWISH", "ADD"), also=(1,))
    for dtype in BYTES:
        for kernels in KERNELS:
            yield residual(dtype, kernels)
    yield from graphs()
