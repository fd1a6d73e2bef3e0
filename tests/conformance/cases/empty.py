"""Every operator where a dimension becomes 0 through a resize, and some that are declared so.

What is declared empty stays on the CPU.  Left out is what the stock kernels refuse or die of: rows, columns
and channels of CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV, any of MIRROR_PAD and UNPACK, rows and columns
of RESIZE_*, channels of LOG_SOFTMAX (the default kernels), axes of which SPLIT_V and GATHER name elements, a
SLICE to the end of nothing.  BROADCAST_TO and TRANSPOSE_CONV have their result's shape declared.  The largest
and the smallest of nothing are infinities, as XNNPACK has them; the plain kernels give the largest finite
numbers.
"""

import numpy as np
from model import Graph

from ..case import Case

UNARY = (
    "ABS",
    "CEIL",
    "COS",
    "ELU",
    "EXP",
    "FLOOR",
    "GELU",
    "HARD_SWISH",
    "L2_NORMALIZATION",
    "LOG",
    "LOGISTIC",
    "NEG",
    "RELU",
    "RELU6",
    "RELU_N1_TO_1",
    "ROUND",
    "RSQRT",
    "SIGN",
    "SIN",
    "SQRT",
    "SQUARE",
    "SQUEEZE",
    "TANH",
)
BINARY = (
    "ADD",
    "SUB",
    "MUL",
    "DIV",
    "MAXIMUM",
    "MINIMUM",
    "SQUARED_DIFFERENCE",
    "POW",
    "FLOOR_DIV",
    "FLOOR_MOD",
)
STRIDES = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
DILATED = {"dilation_h_factor": 1, "dilation_w_factor": 1, **STRIDES}
POOL = {"padding": "SAME", "filter_height": 2, "filter_width": 2, "stride_h": 2, "stride_w": 2}
ROWS, PICTURES = (2, 3, 4), (2, 4, 4, 4)


def simple(name, **options):
    """An operator of one value."""
    return lambda g, x: g.op(name, x, **options)


def of_constants(name, *constants, **options):
    """An operator of a value and further operands that are constant: integers, or numbers with a point."""

    def fill(g, x):
        arrays = [np.asarray(c) for c in constants]
        others = [g.const(a.astype("float32" if a.dtype.kind == "f" else "int32")) for a in arrays]
        return g.op(name, x, *others, **options)

    return fill


def with_negative(name, **options):
    """An operator of a value and its negative."""
    return lambda g, x: g.op(name, x, g.op("NEG", x), **options)


def table():
    """A name, what fills the graph, the input's shape, and its dimensions that become 0."""
    for name in UNARY:
        yield name, simple(name), ROWS, (0, 1, 2)
    yield "LEAKY_RELU", simple("LEAKY_RELU", alpha=0.1), ROWS, (0, 2)
    yield "SOFTMAX", simple("SOFTMAX", beta=1.0), ROWS, (0, 1, 2)
    yield "LOG_SOFTMAX", simple("LOG_SOFTMAX"), ROWS, (0, 1)
    for name in BINARY:
        yield f"{name} with itself", lambda g, x, name=name: g.op(name, x, x), ROWS, (0, 2)
        yield f"{name} with a number", of_constants(name, 2.0), ROWS, (0, 1)
    yield "PRELU", of_constants("PRELU", [0.5]), ROWS, (0, 2)
    for name in ("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN"):
        for axis in range(3):
            yield f"{name} over {axis}", of_constants(name, [axis]), ROWS, (0, 1, 2)
    for name in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        yield name, simple(name, **POOL), PICTURES, (0, 1, 2, 3)
    for taps in (1, 3):
        yield (
            f"CONV_2D {taps}x{taps}",
            lambda g, x, n=taps: g.op("CONV_2D", x, g.weights(8, n, n, 4), g.weights(8), **DILATED),
            PICTURES,
            (0,),
        )
    yield (
        "DEPTHWISE_CONV_2D",
        lambda g, x: g.op(
            "DEPTHWISE_CONV_2D", x, g.weights(1, 3, 3, 4), g.weights(4), depth_multiplier=1, **DILATED
        ),
        PICTURES,
        (0,),
    )
    yield "FULLY_CONNECTED", lambda g, x: g.op("FULLY_CONNECTED", x, g.weights(5, 4), -1), (2, 4), (0,)
    yield (
        "FULLY_CONNECTED that keeps dimensions",
        lambda g, x: g.op("FULLY_CONNECTED", x, g.weights(5, 4), -1, keep_num_dims=True),
        ROWS,
        (0, 1),
    )
    yield "BATCH_MATMUL", lambda g, x: g.op("BATCH_MATMUL", x, x, adj_y=True), ROWS, (0, 1, 2)
    yield "BATCH_MATMUL by a constant", lambda g, x: g.op("BATCH_MATMUL", x, g.weights(4, 5)), ROWS, (0, 1)
    yield "PAD", of_constants("PAD", [(0, 0), (1, 1), (0, 2)]), ROWS, (0, 1, 2)
    yield "PADV2", of_constants("PADV2", [(0, 0), (1, 1), (0, 2)], 3.0), ROWS, (0, 1, 2)
    yield "TILE", of_constants("TILE", [2, 1, 3]), ROWS, (0, 1, 2)
    yield "TRANSPOSE", of_constants("TRANSPOSE", [2, 0, 1]), ROWS, (0, 1, 2)
    yield "RESHAPE", of_constants("RESHAPE", [-1, 12]), ROWS, (0,)
    yield "EXPAND_DIMS", of_constants("EXPAND_DIMS", [1]), ROWS, (0, 2)
    for axis in (1, 2):
        yield f"CONCATENATION along {axis}", with_negative("CONCATENATION", axis=axis), ROWS, (0, 1, 2)
    yield "PACK", lambda g, x: g.op("PACK", x, x, values_count=2, axis=1), ROWS, (0, 1, 2)
    yield (
        "SPLIT",
        lambda g, x: g.op("SPLIT", g.const(np.int32(2)), x, outputs=2, num_splits=2),
        ROWS,
        (0, 1, 2),
    )
    yield "SPLIT_V", of_constants("SPLIT_V", [1, 3], 2, outputs=2, num_splits=2), ROWS, (0, 1)
    yield "GATHER", of_constants("GATHER", [1, 0, 1], axis=1), ROWS, (0, 2)
    yield "STRIDED_SLICE", of_constants("STRIDED_SLICE", [0, 1, 0], [9, 3, 9], [1, 1, 2]), ROWS, (0, 1, 2)
    for name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        yield name, of_constants(name, [6, 7], version=3), PICTURES, (0, 3)
    for name in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"):
        yield name, simple(name, block_size=2), PICTURES, (0, 1, 2, 3)
    for name in ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"):
        yield name, of_constants(name, [2, 2], [(0, 0), (0, 0)]), (4, 4, 4, 4), (0, 1, 2, 3)


def zeroed(shape, d):
    """The shape with 0 in dimension d."""
    return tuple(0 if k == d else n for k, n in enumerate(shape))


def cases():
    """The table, each back and forth; then what is declared empty."""
    for name, fill, shape, dims in table():
        for d in dims:
            g = Graph(f"{name} {list(shape)}, {d} becomes empty")
            signature = [-1 if k == d else n for k, n in enumerate(shape)]
            outputs = fill(g, g.input(*shape, signature=signature, low=0.5, high=2))
            g.output(*(outputs if isinstance(outputs, tuple) else (outputs,)))
            follows = ("default",) if name in (f"REDUCE_MAX over {d}", f"REDUCE_MIN over {d}") else ()
            resizes = [[zeroed(shape, d)], [shape], [zeroed(shape, d)]]
            yield Case(g, resizes=resizes, follows=follows, oldest=False)
    for name in ("ABS", "ADD", "SUM"):
        for d in (0, 2):
            g = Graph(f"{name} of what is declared empty along {d}")
            x = g.input(*zeroed(ROWS, d))
            g.output(g.op(name, x, *{"ADD": [x], "SUM": [g.const(np.int32([1]))]}.get(name, [])))
            yield Case(g, left={name: 1}, partitions=0, oldest=False)
