"""Fused activations whose bounds lie halfway between two integers.

The reference kernels round these away from zero, XNNPACK to the even one, where it takes the operator.
"""

import numpy as np
from model import Graph

from ..case import Case
from .conv_2d_integers import convolution, values

SHAPE = (1, 9, 9, 8)
TIE = 0.4  # ±1 are ±2.5 steps
SCALES = (0.05, 0.02, TIE)


def pool(g, operator, dtype, zeros):
    """A pool whose operand has the result's scale."""
    x = g.input(*SHAPE, dtype=dtype, quantisation=(TIE, zeros[2], 0))
    return g.op(operator, x, filter_height=2, filter_width=2, stride_h=1, stride_w=1, version=2,
                padding="VALID", activation="RELU_N1_TO_1", dtype=dtype,
                quantisation=(TIE, zeros[2], 0))  # fmt: skip


def product(g, operator, dtype, zeros):
    """A sum of products with constant weights."""
    x = g.input(*SHAPE, dtype=dtype, quantisation=(SCALES[0], zeros[0], 0))
    more = {"activation": "RELU_N1_TO_1", "dtype": dtype, "quantisation": (TIE, zeros[2], 0)}
    if operator == "CONV_2D":
        per_channel = dtype == "int8"
        return convolution(g, x, 8, 3, 3, 8, dtype=dtype, scales=SCALES, zeros=zeros,
                           activation="RELU_N1_TO_1", per_channel=per_channel, spread=0.1)  # fmt: skip
    depthwise = operator == "DEPTHWISE_CONV_2D"
    dims = {"DEPTHWISE_CONV_2D": (1, 3, 3, 8), "TRANSPOSE_CONV": (8, 3, 3, 8), "FULLY_CONNECTED": (8, 8)}[
        operator
    ]
    least = -127 if dtype == "int8" else 0
    w = g.random.integers(least, 128, dims).astype(dtype)
    w = g.const(w, (np.float32([SCALES[1]]), [zeros[1]], 3 if depthwise else 0))
    b = g.random.integers(-300, 300, 8).astype("int32")
    b = g.const(b, (np.float32([SCALES[0] * SCALES[1]]), [0], 0))
    if operator == "FULLY_CONNECTED":
        return g.op(operator, x, w, b, keep_num_dims=True, version=4, **more)
    more |= {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    if depthwise:
        return g.op(
            operator, x, w, b, depth_multiplier=1, dilation_h_factor=1, dilation_w_factor=1, version=3, **more
        )
    return g.op(operator, g.const(np.int32(SHAPE)), w, x, b, version=4, **more)


def cases():
    """Every operator with a fused activation."""
    products = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
    operators = {"AVERAGE_POOL_2D": pool, "MAX_POOL_2D": pool} | dict.fromkeys(products, product)
    for dtype, zeros in (("int8", (3, 0, 0)), ("uint8", (130, 121, 128))):
        for operator, build in operators.items():
            for integers in ("reference", "xnnpack"):
                g = Graph(f"{operator} {dtype} {integers}")
                g.output(build(g, operator, dtype, zeros))
                follows = ("default",) if integers == "xnnpack" else ()
                options, data = {"integers": integers}, [values(g, SHAPE, dtype)]
                yield Case(g, oldest=False, values=data, exact=True, follows=follows, options=options)
