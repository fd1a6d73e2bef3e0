"""Convolutions and matrix products of integers with computed weights or bias; FULLY_CONNECTED of other types.

The model's own constants become its inputs: each case has the windows, scales and values of another group's.
"""

import numpy as np
from model import DTYPES, Graph, schema

from ..case import Case
from .conv_2d_integers import WORDS, conv
from .conv_2d_wide_integers import conv as wide_conv
from .depthwise_conv_2d_integers import case as depthwise
from .fully_connected_int16 import node as product_int16
from .fully_connected_integers import ENDS
from .fully_connected_integers import node as product
from .transpose_conv_integers import SHAPES
from .transpose_conv_integers import node as transposed

# Operands that are computed: of convolutions and products, and of TRANSPOSE_CONV.
KINDS = {"weights": (1,), "bias": (2,), "weights and bias": (1, 2)}
TRANSPOSED = {"weights": (1,), "bias": (3,), "weights and bias": (1, 3)}
WINDOWS = [
    *WORDS[1:8],
    ((2, 7, 5, 3), 5, 3, 2, {"stride": (2, 1)}),
    ((1, 8, 9, 4), 6, 3, 3, {"dilation": (2, 3), "padding": "VALID"}),
    ((1, 1, 1, 1), 1, 1, 1, {}),
    ((1, 6, 5, 7), 4, 3, 3, {"activation": "RELU6", "scales": (0.05, 0.02, 0.03)}),
    ((1, 6, 5, 8), 8, 3, 3, {"spread": 3.0}),
    ((1, 5, 4, 8), 4, 3, 3, {"full": True}),
    ((1, 5, 4, 6), 6, 3, 3, {"scales": (0.5, 0.5, 1.0), "spread": 0.0}),
]
DEPTHWISE = [
    ((1, 6, 7, 4), 3, 3, {}),
    ((2, 5, 6, 3), 3, 2, {"multiplier": 3}),
    ((1, 9, 8, 8), 5, 3, {"stride": (2, 2), "multiplier": 2}),
    ((1, 9, 8, 5), 3, 3, {"dilation": (2, 1), "padding": "VALID"}),
    ((1, 5, 5, 6), 3, 3, {"activation": "RELU", "spread": 3.0}),
    ((1, 5, 5, 4), 3, 3, {"full": True}),
]
PRODUCTS = [
    ((1, 1), 1),
    ((1, 5), 3),
    ((1, 64), 10),
    ((3, 37), 29),
    ((6, 13), 8),
    ((2, 3, 8), 5),
    ((1, 1152), 63),
]


def computed(case, kind, operands=KINDS):
    """The case with some of its node's constants as inputs of the model."""
    g = case.graph
    g.name = f"{next(iter(g.operators))} {g.name}, computed {kind}"
    case.values = list(case.values)
    for operand in operands[kind]:
        tensor = g.nodes[-1].inputs[operand]
        stored = g.tensors[tensor]
        dtype = next(name for name, code in DTYPES.items() if code == stored.type)
        data = np.frombuffer(g.buffers[stored.buffer].data.tobytes(), dtype)
        case.values.append(data.reshape(stored.shape))
        g.inputs.append(tensor)
        g.ranges.append(None)
        stored.buffer = 0
    return case


def other_types(name, dtypes, shape, n, *, bias="int32", count=1, scales=(0.02, 0.013, 0.1), zeros=(0, 0, 0)):
    """FULLY_CONNECTED whose operand, weights and result have these types, and the weights `count` scales."""
    g = Graph(f"FULLY_CONNECTED {name} {list(shape)} to {n}")
    info = [np.iinfo(dtype) for dtype in dtypes[:2]]
    x, w = (g.random.integers(i.min, i.max + 1, dims) for i, dims in zip(info, (shape, (n, shape[-1]))))
    x, w = x.astype(dtypes[0]), w.astype(dtypes[1])
    w_scales = np.float32(scales[1]) * np.float32(10 ** g.random.uniform(-2, 2, count))
    inputs = [
        g.input(*shape, dtype=dtypes[0], quantisation=(scales[0], zeros[0], 0)),
        g.const(w, (w_scales, [zeros[1]] * count, 0)),
    ]
    if bias:
        numbers = g.random.integers(-5000, 5000, n).astype(bias)
        inputs.append(g.const(numbers, (np.float32(scales[0]) * w_scales, [0] * count, 0)))
    more = {"quantized_bias_type": schema.TensorType.INT64} if bias == "int64" else {}
    kind = {"dtype": dtypes[2], "quantisation": (scales[2], zeros[2], 0), "version": 11}
    g.output(g.op("FULLY_CONNECTED", *inputs, **kind, **more))
    return Case(g, oldest=False, values=[x], exact=True)


def resized():
    """Windows and channels that change with the weights of one scale."""
    for operator, options in (("CONV_2D", {}), ("DEPTHWISE_CONV_2D", {"depth_multiplier": 1})):
        for dtype, bias in (("int8", "int32"), ("uint8", "int32"), ("int16", "int64")):
            g = Graph(f"{operator} {dtype} with windows that change")
            zeros = {"int8": (3, 0, -5), "uint8": (130, 121, 100), "int16": (0, 0, 0)}[dtype]
            stored = "int8" if dtype == "int16" else dtype
            low, high = np.iinfo(stored).min + (stored == "int8"), np.iinfo(stored).max + 1
            shapes = [[(1, 7, 6, 4), (5, 3, 2, 4), (5,)], [(2, 5, 6, 4), (3, 1, 1, 4), (3,)]]
            shapes += [[(1, 7, 6, 4), (6, 2, 5, 4), (6,)], [(1, 7, 6, 2), (4, 3, 3, 2), (4,)]]
            if operator != "CONV_2D":
                shapes = [[x, (1, *w[1:]), (x[3],)] for x, w, _ in shapes]
            kinds = [(dtype, 0.05, zeros[0]), (stored, 0.004, zeros[1]), (bias, 0.05 * 0.004, 0)]
            ranges = [(low, high), (low, high), (-3000, 3000)]
            operands = [
                g.input(*dims, dtype=kind, low=least, high=most, quantisation=(scale, zero, 0))
                for dims, (kind, scale, zero), (least, most) in zip(shapes[0], kinds, ranges)
            ]
            step = {"padding": "SAME", "stride_h": 2, "stride_w": 1}
            step |= {"dilation_h_factor": 1, "dilation_w_factor": 1, "activation": "NONE"}
            result = {"dtype": dtype, "quantisation": (0.08, zeros[2], 0), "version": 5}
            g.output(g.op(operator, *operands, **step, **result, **options))
            yield Case(g, oldest=False, exact=True, resizes=shapes[1:])


def cases():
    """Each operator and type, with weights, bias or both computed."""
    kinds = list(KINDS)
    yield from resized()
    for dtype in ENDS:
        for n, (shape, channels, kh, kw, options) in enumerate(WINDOWS):
            yield computed(conv(shape, channels, kh, kw, dtype=dtype, **options), kinds[n % 3])
        for n, (shape, kh, kw, options) in enumerate(DEPTHWISE):
            for kind in (kinds[n % 3], kinds[(n + 1) % 3]):
                yield computed(depthwise(shape, kh, kw, dtype=dtype, **options), kind)
        for n, row in enumerate(SHAPES):
            name = f"{dtype} {list(row[0])} {row[1:]}"
            yield computed(transposed(name, row, dtype), kinds[n % 3], TRANSPOSED)
        for shape, n in PRODUCTS:
            for kind in ("bias", "weights and bias"):
                yield computed(product(f"{dtype} {list(shape)} to {n}", shape, n, dtype), kind)
        case = computed(conv((1, 5, 4, 6), 5, 3, 3, dtype=dtype, integers="xnnpack"), "weights")
        case.follows = ()  # XNNPACK takes no such node
        yield case
    for bits in (64, 32):
        for n, (shape, channels, kh, kw, options) in enumerate(WINDOWS[:11]):
            options = {key: value for key, value in options.items() if key != "scales"}
            yield computed(wide_conv(shape, channels, kh, kw, bits=bits, **options), kinds[n % 3])
        for n, row in enumerate(SHAPES):
            bias = f"int{bits}"
            name = f"int16 {list(row[0])} {row[1:]}, bias {bias}"
            yield computed(transposed(name, row, "int16", bias=bias), kinds[n % 3], TRANSPOSED)
    for n, (shape, kh, kw, options) in enumerate(DEPTHWISE):
        options = {"multiplier": 1, **{key: value for key, value in options.items() if key != "full"}}
        case = wide_conv(shape, shape[3] * options["multiplier"], kh, kw, **options)
        yield computed(case, kinds[n % 3])
    for shape, n in PRODUCTS:
        for kind in ("bias", "weights and bias"):
            yield computed(product_int16(f"int16 {list(shape)} to {n}", shape, n, bias="int32"), kind)
        for bias in (None, "int32", "int64"):
            types, scales = ("int16", "int16", "int16"), (2e-4, 1e-4, 0.01)
            yield other_types(f"int16 by int16, bias {bias}", types, shape, n, bias=bias, scales=scales)
        name = "int16 by int16 with a scale for each channel"
        if n > 1:
            yield other_types(name, types, shape, n, count=n, scales=scales)
        zeros = (125, 131, -300)
        types, scales = ("uint8", "uint8", "int16"), (0.02, 0.013, 0.003)
        yield other_types("uint8 to int16", types, shape, n, scales=scales, zeros=zeros)
