"""Integers of other scales: QUANTIZE as XNNPACK has it, CONCATENATION of uint8, PAD at the zero point."""

import numpy as np
from model import Graph

from ..case import Case
from .quantize import SCALES, floats

XNNPACK = {"integers": "xnnpack"}
BYTES = ("int8", "uint8")
# Scale and zero point of an operand, then of the result.
PAIRS = [
    ((0.1, 128), (0.1, 127)),
    ((0.1, 0), (0.3, 255)),
    ((0.3, 255), (0.1, 0)),
    ((0.017, 3), (0.9, 128)),
    ((1e-3, 7), (1e-6, 200)),
    ((1e-6, 128), (0.5, 5)),
    ((0.2, 128), (0.1, 128)),
    ((0.5, 77), (0.1, 77)),
]


def moved(quantisation, dtype):
    """A zero point of uint8 for another type."""
    scale, zero = quantisation
    return scale, zero - 128 if dtype == "int8" else zero, 0


def from_floats(scale, zero, dtype):
    """Floats at ties and around them."""
    x = floats(scale, dtype)
    g = Graph(f"QUANTIZE float32 to {dtype} {scale} {zero} by XNNPACK")
    g.output(g.op("QUANTIZE", g.input(len(x)), dtype=dtype, quantisation=(scale, zero, 0)))
    return Case(g, oldest=False, values=[x], exact=True, follows=("default",), options=XNNPACK)


def between(dtype, x, y):
    """All integers of a type in another scale."""
    info = np.iinfo(dtype)
    g = Graph(f"QUANTIZE {dtype} {x} {y} by XNNPACK")
    node = g.input(256, dtype=dtype, quantisation=moved(x, dtype))
    g.output(g.op("QUANTIZE", node, dtype=dtype, quantisation=moved(y, dtype)))
    values = [np.arange(info.min, info.max + 1).astype(dtype)]
    return Case(g, oldest=False, values=values, exact=True, follows=("default",), options=XNNPACK)


def joined(n, shapes, axis, quantisations, y, constant=False):
    """Operands of uint8 side by side."""
    g = Graph(f"CONCATENATION uint8 {n} {[list(s) for s in shapes]} along {axis}")
    operands = []
    for shape, quantisation in zip(shapes, quantisations):
        if constant and not operands:
            operands.append(g.const(g.random.integers(0, 256, shape).astype("uint8"), (*quantisation, 0)))
        else:
            operands.append(g.input(*shape, dtype="uint8", low=0, high=256, quantisation=(*quantisation, 0)))
    g.output(g.op("CONCATENATION", *operands, axis=axis, dtype="uint8", quantisation=(*y, 0)))
    return Case(g, exact=True)


def padded(operator, dtype, shape, amounts, zero):
    """A border of what stands for 0, or of another integer."""
    g = Graph(f"{operator} {dtype} {list(shape)} at {zero}")
    quantisation = (0.1, zero, 0)
    info = np.iinfo(dtype)
    x = g.input(*shape, dtype=dtype, low=info.min, high=info.max, quantisation=quantisation)
    operands = [x, g.const(np.int32(amounts))]
    if operator == "PADV2":
        operands.append(g.const(np.array(17, dtype), quantisation))
    g.output(g.op(operator, *operands, dtype=dtype, quantisation=quantisation))
    return Case(g, exact=True, follows=("plain",))


def cases():
    """Scales, zero points, shapes."""
    for dtype in BYTES:
        for n, scale in enumerate(SCALES):
            zero = (0, 5, 255, 128)[n % 4]
            yield from_floats(scale, moved((scale, zero), dtype)[1], dtype)
        for x, y in PAIRS:
            yield between(dtype, x, y)
    every = np.arange(256).astype("uint8")
    for n, (x, y) in enumerate(PAIRS):
        g = Graph(f"CONCATENATION of all uint8 {x} {y}")
        node = g.input(256, dtype="uint8", quantisation=(*x, 0))
        other = g.input(256, dtype="uint8", quantisation=(*y, 0))
        g.output(g.op("CONCATENATION", node, other, axis=0, dtype="uint8", quantisation=(*y, 0)))
        yield Case(g, exact=True, values=[every, every[::-1].copy()])
        three = [x, y, PAIRS[(n + 1) % len(PAIRS)][0]]
        yield joined(n, [(2, 3, 5), (2, 3, 1), (2, 3, 7)], 2, three, y)
        yield joined(n, [(1, 7, 5, 4), (1, 2, 5, 4), (1, 1, 5, 4)], 1, three, y)
    yield joined("constant", [(2, 3, 5), (2, 3, 1)], -1, [PAIRS[1][0], PAIRS[2][0]], PAIRS[3][1], True)
    yield joined("nine", [(1, 6, 6, 5)] * 9, 3, [pair[0] for pair in PAIRS] + [(0.1, 3)], (0.2, 128))
    g = Graph("CONCATENATION of int16 keeps its integers")
    a, b = (g.input(2, 3, dtype="int16", quantisation=(scale, 0, 0)) for scale in (0.1, 0.3))
    g.output(g.op("CONCATENATION", a, b, axis=1, dtype="int16", quantisation=(0.2, 0, 0)))
    yield Case(g, exact=True)
    for operator in ("PAD", "PADV2"):
        for dtype, zeros in (("int8", (-128, 5, 127)), ("uint8", (0, 128, 255)), ("int16", (0,))):
            for zero in zeros:
                for shape, amounts in (((7,), [(2, 1)]), ((1, 5, 3, 4), [(0, 0), (1, 2), (0, 3), (4, 0)])):
                    yield padded(operator, dtype, shape, amounts, zero)
