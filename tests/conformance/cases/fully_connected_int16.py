"""FULLY_CONNECTED of int16 by int8: sizes, biases, ties, scales per channel, computed weights."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from model import Graph

from ..case import Case
from .fully_connected_integers import TABLE, TIES

SUMS = {None: schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32, "int64": schema.TensorType.INT64}


def node(
    name,
    shape,
    n,
    scales=None,
    zero=0,
    bias="int64",
    computed=False,
    spread=None,
    nibbles=False,
    sums=None,
    **more,
):
    """The node with random integers, all of them also at the ends of the range.

    Sums are those of the bias, unless there is none and they are named.
    """
    g = Graph(name)
    depth = shape[-1]
    w_scale = 0.013 if scales is None else scales[1]
    scales = (2e-4, w_scale, 2e-4 * 0.013 * 40 * np.sqrt(depth)) if scales is None else scales
    x = g.random.integers(-32768, 32768, shape).astype("int16")
    if spread:
        x = g.random.integers(-spread, spread + 1, shape).astype("int16")
    w = g.random.integers(-127, 128, (n, depth)).astype("int8")
    x.flat[:2] = -32768, 32767
    w.flat[-2:] = -127, 127
    if nibbles:
        w >>= 4
    operand = g.input(*shape, dtype="int16", quantisation=(scales[0], 0, 0))
    per_channel = np.ndim(w_scale) > 0
    w_quantisation = (w_scale, np.zeros(n) if per_channel else zero, 0)
    values = [x]
    if computed:
        weights = g.input(n, depth, dtype="int8", quantisation=w_quantisation)
        values.append(w)
    else:
        weights = (g.nibbles if nibbles else g.const)(w, w_quantisation)
    inputs = [operand, weights]
    if bias:
        numbers = g.random.integers(-(2**20), 2**20, n).astype(bias)
        if bias == "int64":
            numbers[0] = 2**33
        b_scale = np.float32(scales[0]) * np.float32(w_scale)
        inputs.append(g.const(numbers, (b_scale, np.zeros(np.shape(w_scale)), 0)))
    # Nodes of version 11 and later say what their sums are.
    says = bias != "int64"
    if says:
        more["quantized_bias_type"] = SUMS[bias or sums]
    options = {"dtype": "int16", "quantisation": (scales[2], 0, 0), "version": 11 if says else 7}
    g.output(g.op("FULLY_CONNECTED", *inputs, **options, **more))
    return Case(g, oldest=not says and not per_channel and not nibbles, values=values, exact=True)


def cases():
    """The table, ties, factors, zero points of the weights, activations."""
    for shape, n, more in TABLE:
        for bias in (None, "int32", "int64"):
            name = f"{list(shape)} to {n}{' kept' if more else ''}, bias {bias}"
            yield node(name, shape, n, bias=bias, **more)
    for shape, n, more in TABLE[:6]:
        for sums in ("int32", "int64"):
            yield node(f"{list(shape)} to {n}, sums of {sums}", shape, n, bias=None, sums=sums, **more)
    for scales in TIES:
        yield node(f"scales {scales}", (40, 3), 20, scales, bias=None, spread=40)
    for exponent in range(-8, 0):
        yield node(f"factor 1e{exponent}", (4, 33), 9, (0.02, 10.0**exponent, 0.02))
    for zero in (5, -128, 127):
        yield node(f"weights around {zero}", (5, 37), 12, zero=zero)
    for activation in ("RELU", "RELU6", "RELU_N1_TO_1"):
        yield node(activation, (3, 17), 8, (0.001, 0.01, 0.0004), activation=activation)
    for n in (8, 13):
        scales = (2e-4, np.geomspace(1e-5, 10, n), 1e-3)
        yield node(f"{n} channels over six orders of magnitude", (6, 40), n, scales)
    for shape, n in (((1, 16), 8), ((5, 37), 12)):
        yield node(f"{list(shape)} to {n}, computed weights", shape, n, computed=True)
    for shape, n in (((1, 16), 8), ((5, 37), 12)):
        yield node(f"by int4 {list(shape)} to {n}", shape, n, nibbles=True)
    for bias in ("int32", None):
        name = f"sums that wrap at 32 bits, bias {bias}"
        yield node(name, (2, 4000), 5, (1e-6, 1e-3, 1e-3), bias=bias, sums="int32", zero=-128)
