"""ADD, SUB, MUL, DIV, SQUARED_DIFFERENCE and PRELU of quantised integers."""

import numpy as np
from model import Graph

from ..case import Case

TYPES = {
    "ADD": ("int8", "uint8", "int16"),
    "SUB": ("int8", "uint8", "int16"),
    "MUL": ("int8", "uint8", "int16"),
    "DIV": ("int8", "uint8", "int16"),
    "SQUARED_DIFFERENCE": ("int8",),
    "PRELU": ("int8", "uint8"),
}
XNNPACK = {"integers": "xnnpack"}
TAKEN = ("ADD", "SUB", "MUL")
# What runtimes from 2.20 on have.
RECENT = {"DIV": ("int8", "int16")}
ACTIVATED = ("ADD", "SUB", "MUL", "DIV")
PAIRS = [
    ((), ()),
    ((7,), (7,)),
    ((3, 5), (5,)),
    ((3, 5), ()),
    ((3, 1), (1, 5)),
    ((2, 3, 8), (3, 8)),
    ((1, 7, 5, 3), (1, 7, 5, 3)),
    ((2, 1, 5, 1), (1, 7, 1, 4)),
    ((2, 9, 11, 8), (2, 1, 1, 8)),
    ((2, 9, 11, 8), (2, 9, 11, 1)),
    ((2, 29, 11, 37), (1, 1, 1, 37)),
    ((2, 1, 3, 4, 12), (3, 1, 12)),
]
# Scales of both operands and the result.
SCALES = [
    (0.1, 0.1, 0.1),
    (0.05, 0.1, 0.12),
    (1.0, 0.003921569, 0.5),
    (3.7, 0.3, 2.9),
    (1e-3, 1e-6, 1e-3),
    (0.017, 0.9, 0.3),
    (7e-4, 0.02, 2e-2),
    (250.0, 90.0, 300.0),
]
POWERS = [(0, 0), (-1, 0), (0, -3), (0, -15)]


def zeros(dtype, n):
    """Zero points of both operands and the result, at the ends of the range and within."""
    if dtype == "int16":
        return 0, 0, 0
    some = [(0, 0, 0), (-128, 127, 0), (127, -128, 5), (-7, 5, -128), (3, 3, 127), (-128, -128, -128)]
    return tuple(z + 128 if dtype == "uint8" else z for z in some[n % len(some)])


def result_scale(operator, scales):
    """A scale for the result that holds most of what the operands give, and not all."""
    a, b, y = scales
    return {"MUL": a * b * 50, "SQUARED_DIFFERENCE": max(a, b) ** 2 * 40, "DIV": a / b / 30}.get(operator, y)


def numbers(operator, dtype, zero):
    """Every pair of 8-bit integers; of 16 bits the ends and others. No divisor stands for 0."""
    info, random = np.iinfo(dtype), np.random.default_rng(7)
    if info.bits == 8:
        a, b = np.meshgrid(np.arange(info.min, info.max + 1), np.arange(info.min, info.max + 1))
    else:
        ends = np.array([0, 1, -1, 2, 3, -7, 181, -255, 16384, info.max, info.min, info.max - 1])
        some = np.concatenate([ends, random.integers(info.min, info.max + 1, 40)])
        a, b = np.meshgrid(some, some)
    a, b = a.ravel(), b.ravel()
    keep = b != zero if operator == "DIV" else slice(None)
    return [x[keep].astype(dtype) for x in (a, b)]


def node(g, operator, dtype, shapes, scales, points, kinds="vv", **options):
    """One node; kinds says of each operand whether it is a value "v" or a constant "c"."""
    operands, info = [], np.iinfo(dtype)
    for n, (shape, kind) in enumerate(zip(shapes, kinds)):
        quantisation = (scales[n], points[n], 0)
        low, high = (info.min, info.max + 1) if info.bits == 8 else (-3000, 3000)
        if operator == "DIV" and n == 1:
            low, high = points[n] + 1, points[n] + 40
        if kind == "v":
            operands.append(g.input(*shape, dtype=dtype, low=low, high=high, quantisation=quantisation))
        else:
            numbers = g.random.integers(low, high, shape).astype(dtype)
            operands.append(g.const(numbers, quantisation))
    if operator in ACTIVATED:
        options.setdefault("activation", "NONE")
    if operator in ("ADD", "SUB"):
        options.setdefault("pot_scale_int16", False)
    quantisation = (scales[2], points[2], 0)
    g.output(g.op(operator, *operands, dtype=dtype, quantisation=quantisation, **options))
    return g


def case(g, operator, dtype, kernels="plain", **options):
    """The case, equal to one set of kernels."""
    oldest = kernels == "plain" and dtype not in RECENT.get(operator, ())
    options |= {"options": XNNPACK} if kernels == "default" else {}
    return Case(g, exact=True, oldest=oldest, follows=(kernels,), **options)


def values(operator, dtype, n, scales, kernels="plain", **options):
    """Every pair of numbers."""
    scales = (*scales[:2], result_scale(operator, scales))
    points = zeros(dtype, n)
    inputs = numbers(operator, dtype, points[1])
    label = f"{n} {' '.join(map(str, options.values()))}{' by XNNPACK' if kernels == 'default' else ''}"
    g = Graph(f"{operator} {dtype} of every pair {label}")
    node(g, operator, dtype, [x.shape for x in inputs], scales, points, **options)
    return case(g, operator, dtype, kernels, values=inputs)


def shaped(operator, dtype, shapes, kinds="vv", kernels="plain"):
    """Operands that are spread over the result."""
    scales = (0.05, 0.1, result_scale(operator, (0.05, 0.1, 0.12)))
    label = f"{' '.join(str(list(s)) for s in shapes)} {kinds}{' by XNNPACK' if kernels == 'default' else ''}"
    g = Graph(f"{operator} {dtype} {label}")
    points = (3, 5, 7) if dtype != "int16" else (0, 0, 0)
    made = case(node(g, operator, dtype, shapes, scales, points, kinds), operator, dtype, kernels)
    # The oldest host ends itself.
    made.oldest = made.oldest and max(map(len, shapes)) <= 4
    return made


def powers(operator, exponents, shapes):
    """Scales of 16-bit integers that are powers of two."""
    g = Graph(f"{operator} int16 in powers of two {exponents} {list(shapes[1])}")
    scales = (2.0 ** (exponents[0] - 15), 2.0 ** (exponents[1] - 15), 2.0**-15)
    g = node(g, operator, "int16", shapes, scales, (0, 0, 0), pot_scale_int16=True)
    return case(g, operator, "int16", values=[x.reshape(s) for x, s in zip(numbers("", "int16", 0), shapes)])


def slopes():
    """PRELU of int16, whose slopes are int8."""
    x, _ = numbers("", "int16", 0)
    for n, scales in enumerate(SCALES):
        points = [(0, 0, 0), (-32768, 127, 5), (32767, -128, -9), (300, 3, 32767)][n % 4]
        slope = np.resize(np.arange(-128, 128), len(x)).astype("int8")
        yield prelu(f"of many {n}", x.shape, slope, scales, points, x)
    random = np.random.default_rng(3)
    for a, b in PAIRS:
        if a and np.broadcast_shapes(a, b) == a and len(a) <= 4:
            slope = random.integers(-128, 128, b).astype("int8")
            x = random.integers(-32768, 32768, a).astype("int16")
            yield prelu(f"{list(a)} {list(b)}", a, slope, (0.05, 0.1, 0.12), (3, 5, 7), x)


def prelu(label, shape, slope, scales, points, x):
    """One node with constant slopes."""
    g = Graph(f"PRELU int16 {label}")
    operand = g.input(*shape, dtype="int16", quantisation=(scales[0], points[0], 0))
    alpha = g.const(slope, (scales[1], points[1], 0))
    g.output(g.op("PRELU", operand, alpha, dtype="int16", quantisation=(scales[2], points[2], 0)))
    return Case(g, exact=True, oldest=False, values=[x])


def plain():
    """ADD and MUL of int16 that is not quantised: what it cannot hold wraps."""
    for operator in ("ADD", "MUL"):
        for activation in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
            inputs = numbers(operator, "int16", 0)
            g = Graph(f"{operator} plain int16 {activation}")
            operands = [g.input(*x.shape, dtype="int16") for x in inputs]
            g.output(g.op(operator, *operands, dtype="int16", activation=activation))
            yield Case(g, exact=True, oldest=False, values=inputs)
        for a, b in PAIRS:
            g = Graph(f"{operator} plain int16 {list(a)} {list(b)}")
            operands = [g.input(*dims, dtype="int16", low=-300, high=300) for dims in (a, b)]
            g.output(g.op(operator, *operands, dtype="int16", activation="NONE"))
            yield Case(g, exact=True, oldest=False)


def cases():
    """Numbers, shapes, activations."""
    for operator, types in TYPES.items():
        for dtype in types:
            for n, scales in enumerate(SCALES):
                yield values(operator, dtype, n, scales)
                if operator in TAKEN and dtype != "int16":
                    yield values(operator, dtype, n, scales, "default")
            for activation in ("RELU", "RELU6", "RELU_N1_TO_1") if operator in ACTIVATED else ():
                yield values(operator, dtype, 0, SCALES[1], activation=activation)
                if operator in TAKEN and dtype != "int16":
                    yield values(operator, dtype, 0, SCALES[1], "default", activation=activation)
            for a, b in PAIRS:
                if operator == "PRELU" and np.broadcast_shapes(a, b) != a:
                    continue
                yield shaped(operator, dtype, (a, b))
                if a != b and operator != "PRELU":
                    yield shaped(operator, dtype, (b, a))
                if operator in TAKEN and dtype == "int8":
                    yield shaped(operator, dtype, (a, b), kernels="default")
            yield shaped(operator, dtype, ((1, 7, 5, 3), (3,)), "vc")
            yield shaped(operator, dtype, ((2, 7, 5, 8), (8,)), "vc")
            if operator != "PRELU":
                yield shaped(operator, dtype, ((), (3, 5)), "cv")
    yield from slopes()
    yield from plain()
    count = len(numbers("", "int16", 0)[0])
    for operator in ("ADD", "SUB"):
        for exponents in POWERS:
            yield powers(operator, exponents, ((count,), (count,)))
    g = Graph("swish of int8")
    x = g.input(1, 9, 7, 24, dtype="int8", low=-128, high=128, quantisation=(0.05, 3, 0))
    y = g.op("LOGISTIC", x, dtype="int8", quantisation=(1 / 256, -128, 0))
    g.output(g.op("MUL", x, y, dtype="int8", quantisation=(0.03, -9, 0), activation="NONE"))
    yield Case(g, exact=True)
    g = Graph("hard swish of uint8 in five nodes")
    x = g.input(1, 9, 7, 5, dtype="uint8", low=0, high=256, quantisation=(0.04, 120, 0))
    three, sixth = (g.const(np.uint8(n), (scale, 0, 0)) for n, scale in ((255, 3 / 255), (255, 1 / 1530)))
    y = g.op("ADD", x, three, dtype="uint8", quantisation=(0.05, 90, 0), activation="NONE")
    y = g.op("RELU6", y, dtype="uint8", quantisation=(6 / 255, 0, 0))
    y = g.op("MUL", y, sixth, dtype="uint8", quantisation=(1 / 255, 0, 0), activation="NONE")
    g.output(g.op("MUL", x, y, dtype="uint8", quantisation=(0.035, 11, 0), activation="NONE"))
    yield Case(g, exact=True)
    g = Graph("a residual ADD between tables")
    x = g.input(1, 9, 7, 24, dtype="int8", low=-128, high=128, quantisation=(0.05, 3, 0))
    y = g.op("HARD_SWISH", x, dtype="int8", quantisation=(0.04, -5, 0))
    y = g.op("ADD", x, y, dtype="int8", quantisation=(0.07, 1, 0), activation="NONE")
    y = g.op("LOGISTIC", y, dtype="int8", quantisation=(1 / 256, -128, 0))
    g.output(g.op("MUL", x, y, dtype="int8", quantisation=(0.03, -9, 0), activation="RELU6"))
    yield Case(g, exact=True)
