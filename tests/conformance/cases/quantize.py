"""QUANTIZE from floats and between integers, DEQUANTIZE of values and of constants."""

import numpy as np
from model import Graph

from ..case import Case

INF = float("inf")
SCALES = [0.5, 0.1, 0.003921569, 1.0, 3.7, 1e-3, 0.017]
ZEROS = {"int8": (0, -128, 5, 127), "uint8": (0, 128, 255), "int16": (0,), "int32": (0,)}
PAIRS = [
    ("int8", "int8"),
    ("int8", "uint8"),
    ("int8", "int16"),
    ("uint8", "int8"),
    ("uint8", "uint8"),
    ("uint8", "int16"),
    ("int16", "int8"),
    ("int16", "int16"),
    ("int16", "int32"),
    ("int32", "int8"),
    ("int32", "int16"),
]
SHAPES = [(), (1,), (7,), (3, 5), (1, 7, 5, 3), (2, 29, 11, 37)]


def floats(scale, dtype):
    """Halves between steps, their neighbours, and numbers beyond the range."""
    info = np.iinfo(dtype)
    steps = np.unique(np.linspace(info.min - 3, info.max + 3, 401).round())
    steps = np.concatenate([steps, np.arange(-300, 300)])
    halves = np.float32((steps + 0.5) * np.float64(np.float32(scale)))
    near = [halves, np.nextafter(halves, np.float32(INF)), np.nextafter(halves, np.float32(-INF))]
    some = np.float32([0.0, -0.0, 1e-40, -1e-40, 1e4, -1e4]) * np.float32(scale)
    return np.concatenate([*near, np.float32(steps * scale), some]).astype(np.float32)


def quantize(scale, zero, dtype):
    """From floats."""
    x = floats(scale, dtype)
    g = Graph(f"QUANTIZE float32 to {dtype} {scale} {zero}")
    g.output(g.op("QUANTIZE", g.input(len(x)), dtype=dtype, quantisation=(scale, zero, 0)))
    return Case(g, oldest=False, values=[x], exact=True)


def requantize(source, target, scales, zeros):
    """Between integers."""
    info = np.iinfo(source)
    x = np.unique(np.linspace(info.min, info.max, 2000).astype(source)) if source != "int32" else None
    if x is None:
        x = np.unique(np.linspace(-(2**20), 2**20, 2001).astype(source))
    g = Graph(f"QUANTIZE {source} to {target} {scales} {zeros}")
    x_quantisation, y_quantisation = ((scale, zero, 0) for scale, zero in zip(scales, zeros))
    node = g.input(len(x), dtype=source, quantisation=x_quantisation)
    g.output(g.op("QUANTIZE", node, dtype=target, quantisation=y_quantisation))
    return Case(g, oldest=False, values=[x], exact=True)


def dequantize(dtype, scale, zero):
    """All numbers of a type."""
    info = np.iinfo(dtype)
    x = np.arange(info.min, info.max + 1, 1 if info.bits == 8 else 13).astype(dtype)
    g = Graph(f"DEQUANTIZE {dtype} {scale} {zero}")
    g.output(g.op("DEQUANTIZE", g.input(len(x), dtype=dtype, quantisation=(scale, zero, 0))))
    return Case(g, oldest=False, values=[x], exact=True)


def weights(dtype, axis):
    """Constant weights of a convolution, with a scale for all or for each slice."""
    label = "for all" if axis is None else f"along {axis}"
    g = Graph(f"DEQUANTIZE of constant {dtype}, a scale {label}")
    shape = (5, 3, 3, 4)
    info = np.iinfo(dtype)
    numbers = g.random.integers(info.min, info.max + 1, shape).astype(dtype)
    count = 1 if axis is None else shape[axis]
    quantisation = (g.random.uniform(1e-3, 2e-3, count), g.random.integers(0, 9, count), axis or 0)
    w = g.op("DEQUANTIZE", g.const(numbers, quantisation))
    y = g.op(
        "CONV_2D",
        g.input(1, 9, 7, 4),
        w,
        g.weights(5),
        padding="SAME",
        stride_w=1,
        stride_h=1,
        activation="RELU",
    )
    g.output(y)
    return Case(g, oldest=False)


def cases():
    """Scales, zero points, pairs of types."""
    for dtype in ("int8", "uint8", "int16"):
        for scale in SCALES:
            yield quantize(scale, ZEROS[dtype][0], dtype)
            yield dequantize(dtype, scale, ZEROS[dtype][0])
        for zero in ZEROS[dtype][1:]:
            yield quantize(0.1, zero, dtype)
            yield dequantize(dtype, 0.1, zero)
        for axis in (None, 0, 3) if dtype != "int16" else (None,):
            yield weights(dtype, axis)
    for source, target in PAIRS:
        for scales in ((0.5, 0.5), (0.1, 0.3), (0.3, 0.1), (0.017, 0.9), (1e-3, 1e-6), (1e-6, 0.5)):
            yield requantize(source, target, scales, (ZEROS[source][0], ZEROS[target][0]))
        yield requantize(source, target, (0.2, 0.21), (ZEROS[source][-1], ZEROS[target][-1]))
    yield requantize("int8", "uint8", (0.5, 0.5), (-128, 0))
    yield requantize("uint8", "int8", (0.5, 0.5), (128, 0))
    g = Graph("DEQUANTIZE in front of a node of the CPU and CAST behind it")
    x = g.op("DEQUANTIZE", g.input(3, 5, dtype="int8", quantisation=(0.1, 0, 0)))
    buckets = g.op("BUCKETIZE", x, boundaries=[-0.5, 0.0, 0.5], dtype="int32")
    g.output(g.op("CAST", buckets))
    yield Case(g, oldest=False, left={"DEQUANTIZE": 1, "BUCKETIZE": 1, "CAST": 1}, partitions=0)
    g = Graph("a quantised ADD between nodes of the CPU")
    q, lengths = (0.1, 128, 0), g.const(np.int32([2, 3, 1]))
    x = g.input(3, 5, dtype="uint8", quantisation=q)
    more = {"dtype": "uint8", "quantisation": q}
    y = g.op("REVERSE_SEQUENCE", x, lengths, seq_dim=1, batch_dim=0, **more)
    g.output(g.op("REVERSE_SEQUENCE", g.op("ADD", y, y, **more), lengths, seq_dim=1, batch_dim=0, **more))
    yield Case(g, oldest=False, left={"REVERSE_SEQUENCE": 2}, exact=True)
    for shape in SHAPES:
        for dtype in ("int8", "int16"):
            g = Graph(f"QUANTIZE and DEQUANTIZE {dtype} {list(shape)}")
            q = g.op("QUANTIZE", g.input(*shape), dtype=dtype, quantisation=(0.03, 0, 0))
            g.output(g.op("DEQUANTIZE", q), q)
            values = [g.normal(*shape, scale=1)]
            yield Case(g, oldest=False, values=values, exact=True)
    g = Graph("DEQUANTIZE float16")
    g.output(g.op("DEQUANTIZE", g.input(7, 5, dtype="float16")))
    yield Case(g, oldest=False, exact=True)
