"""FULLY_CONNECTED of int8 and uint8: sizes, zero points, ties, scales per channel, computed weights."""

import numpy as np
from model import Graph

from ..case import Case

# input shape, outputs, options
TABLE = [
    ((1, 1), 1, {}),
    ((1, 5), 3, {}),
    ((1, 64), 10, {}),
    ((1, 36), 8, {}),
    ((2, 16), 7, {}),
    ((3, 37), 29, {}),
    ((17, 16), 24, {}),
    ((5, 20), 7, {}),
    ((6, 13), 8, {}),
    ((1, 1152), 63, {}),
    ((1, 2050), 7, {}),
    ((64, 128), 96, {}),
    ((2, 3, 8), 5, {}),
    ((2, 3, 8), 5, {"keep_num_dims": True}),
    ((7,), 5, {}),
    ((2, 2, 3, 5), 6, {"keep_num_dims": True}),
]
ENDS = {"int8": (-128, 127), "uint8": (0, 255)}
# Scales whose quotients put many sums next to a half.
TIES = [(1, 1, 2), (1, 1, 10), (3, 1, 10), (0.3, 1, 1), (0.1, 0.3, 0.2), (0.7, 0.1, 1.4), (0.05, 0.01, 0.005)]
ZEROS = {"int8": (3, 0, -7), "uint8": (125, 131, 120)}


def node(
    name,
    shape,
    n,
    dtype,
    scales=None,
    zeros=None,
    bias=True,
    computed=False,
    nibbles=False,
    options=None,
    **more,
):
    """The node with random integers, all of them also at the ends of the range; weights may have 4 bits."""
    g = Graph(name)
    low, high = ENDS[dtype]
    depth = shape[-1]
    zeros = ZEROS[dtype] if zeros is None else zeros
    w_scale = 0.013 if scales is None else scales[1]
    scales = (0.021, w_scale, 0.021 * 0.013 * 50 * np.sqrt(depth)) if scales is None else scales
    x = g.random.integers(low, high + 1, shape).astype(dtype)
    w = g.random.integers(low + (dtype == "int8"), high + 1, (n, depth)).astype(dtype)
    x.flat[:2] = low, high
    w.flat[-2:] = low + (dtype == "int8"), high
    if nibbles:
        w >>= 4
    operand = g.input(*shape, dtype=dtype, quantisation=(scales[0], zeros[0], 0))
    per_channel = np.ndim(w_scale) > 0
    w_quantisation = (w_scale, np.zeros(n) if per_channel else zeros[1], 0)
    values = [x]
    if computed:
        weights = g.input(n, depth, dtype=dtype, quantisation=w_quantisation)
        values.append(w)
    else:
        weights = (g.nibbles if nibbles else g.const)(w, w_quantisation)
    inputs = [operand, weights]
    if bias:
        numbers = g.random.integers(-5000, 5000, n).astype("int32")
        b_scale = np.float32(scales[0]) * np.float32(w_scale)
        inputs.append(g.const(numbers, (b_scale, np.zeros(np.shape(w_scale)), 0)))
    quantisation = (scales[2], zeros[2], 0)
    g.output(g.op("FULLY_CONNECTED", *inputs, dtype=dtype, quantisation=quantisation, version=4, **more))
    oldest = not per_channel and not nibbles and "integers" not in (options or {})
    case = Case(g, oldest=oldest, values=values, exact=True, options=options or {})
    if (options or {}).get("integers") == "xnnpack":
        case.follows = ("default",)
    return case


def kinds(dtype, label, options):
    """The table, ties, zero points, activations, weights that are computed."""
    for shape, n, more in TABLE:
        name = f"{dtype} {list(shape)} to {n}{' kept' if more else ''}{label}"
        yield node(name, shape, n, dtype, options=options, **more)
    for scales in TIES:
        for bias in (False, True):
            name = f"{dtype} scales {scales}{' and a bias' * bias}{label}"
            zeros = (1, 0, 5) if dtype == "int8" else (127, 128, 130)
            yield node(name, (40, 3), 20, dtype, scales, zeros, bias, options=options)
    for exponent in range(-6, 3):
        scales = (0.02, 10.0**exponent, 0.02)
        yield node(f"{dtype} factor 1e{exponent}{label}", (4, 33), 9, dtype, scales, options=options)
    low, high = ENDS[dtype]
    for zeros in ((low, 0 if dtype == "int8" else low, high), (high, 0 if dtype == "int8" else high, low)):
        yield node(f"{dtype} zero points {zeros}{label}", (5, 37), 12, dtype, zeros=zeros, options=options)
    for activation in ("RELU", "RELU6", "RELU_N1_TO_1"):
        name = f"{dtype} {activation}{label}"
        scales = (0.5, 0.01, 0.05)
        zeros = (3, 0, 5) if dtype == "int8" else ZEROS[dtype]
        yield node(name, (3, 17), 8, dtype, scales, zeros, activation=activation, options=options)
    for n in (1, 8, 13):
        scales = (0.02, np.geomspace(1e-5, 10, n) if n > 1 else np.float32([0.01]), 0.04)
        if dtype == "int8":
            name = f"{dtype} {n} channels over six orders of magnitude{label}"
            yield node(name, (6, 40), n, dtype, scales, (3, 0, -7), options=options)


def resized(dtype):
    """Other numbers of rows, none among them."""
    case = node(f"{dtype} rows come and go", (2, 16), 8, dtype)
    case.values, case.oldest = [], False
    case.resizes = [[(0, 16)], [(40, 16)], [(1, 16)]]
    return case


def cases():
    """Both types by every set of kernels."""
    yield from map(resized, ENDS)
    for dtype in ENDS:
        yield from kinds(dtype, "", None)
        yield from kinds(dtype, ", XNNPACK", {"integers": "xnnpack"})
        for shape, n in (((1, 16), 8), ((3, 16), 8), ((5, 37), 12), ((6, 20), 7), ((2, 5), 3)):
            yield node(f"{dtype} {list(shape)} to {n}, computed weights", shape, n, dtype, computed=True)
        yield node(f"{dtype} computed weights, no bias", (4, 12), 4, dtype, computed=True, bias=False)
        yield node(f"{dtype} rows of 65 thousand", (2, 70000), 5, dtype)
        yield node(
            f"{dtype} sums that wrap",
            (1, 140000),
            4,
            dtype,
            (1e-6, 1e-3, 1),
            (-128, 0, 0) if dtype == "int8" else (255, 0, 0),
        )
    for options in (None, {"integers": "xnnpack"}):
        for shape, n in (((1, 16), 8), ((3, 38 if options else 37), 5), ((9, 20), 12), ((1, 2), 1)):
            for scale in (0.2, np.geomspace(1e-3, 1, n)):
                label = f"{' channels' * np.ndim(scale)}{', XNNPACK' * bool(options)}"
                scales, zeros = (0.02, scale if n > 1 else 0.2, 0.1 * np.sqrt(shape[1])), (3, 0, -7)
                name = f"int8 by int4 {list(shape)} to {n}{label}"
                yield node(name, shape, n, "int8", scales, zeros, nibbles=True, options=options)
    for zero_point in (4, -128, 127):
        yield node(f"int8 weights around {zero_point}", (3, 37), 9, "int8", zeros=(-5, zero_point, 2))
        yield node(f"int8 weights around {zero_point}, 9 rows", (9, 36), 8, "int8", zeros=(-5, zero_point, 2))
